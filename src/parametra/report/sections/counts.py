"""Parameters and FLOPs of networks of practice under symmetries: counted, not trained."""

import numpy as np

from parametra.report.reader import RunReader
from parametra.report.section import Note, Section, Table, missing

TITLE = "Networks of practice, counted"
LEAD = (
    "Exact numbers of parameters from the shapes of the layers, and FLOPs of convolutions and matrix products, forward, for one "
    "image (or word). Symmetric kernels save numbers but no arithmetic; group symmetries save both."
)


def section(run: RunReader) -> Section | None:
    """One table."""
    data = run.fields("counts")
    if data is None:
        return missing("counts", TITLE, LEAD, run.why_missing("counts"))
    rows = []
    for network in data.network.values:
        row = data.sel(network=network)
        count, flops = 1000.0 * row.parameters.values.astype(np.float64) + row.parameters_rest.values, row.flops.values
        for number, scheme in enumerate(data.scheme.values):
            if np.isfinite(count[number]):
                rows.append(
                    (
                        str(network), str(scheme), f"{round(count[number]):,}".replace(",", "\u202f"),
                        "" if number == 0 else f"{100 * (1 - count[number] / count[0]):.2f} %",
                        f"{flops[number] / 1e9:.3f}", "" if number == 0 else f"{flops[number] / flops[0]:.3f}",
                    )
                )  # fmt: skip
    head = ("network", "3 x 3 kernels, or gates", "parameters", "saved", "GFLOP", "ratio")
    caption = (
        "Normalisation by groups instead of by batch, with the same number of free numbers; the middle kernels of bottlenecks."
    )
    text = (
        "The paper reports almost 25 % fewer parameters and 0.2 % accuracy lost for ResNet-101 on ImageNet. The count is checked "
        "here; the accuracy is not reproduced: nothing in this study trains on ImageNet."
    )
    return Section("counts", TITLE, LEAD, (Table(head, tuple(rows), caption), Note(text)))
