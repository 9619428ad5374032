"""Monte Carlo and the critical learning rate: two checks of the kernels against networks."""

import numpy as np

from parametra.report.figures.scaling import Curve, curves, guide
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, missing

TITLE = "Kernels against networks"
LEAD = (
    "Left: the mean over random networks tends to the analytic kernel as the number of networks times their width grows. Right: "
    "gradient descent diverges where 2 / lambda_max says."
)


def section(run: RunReader) -> Section | None:
    """Distance of the Monte-Carlo kernels; growth of the loss over the learning rate."""
    figures = []
    data = run.fields("montecarlo")
    if data is None:
        return missing("montecarlo", TITLE, LEAD, run.why_missing("montecarlo"))
    product = np.outer(data.width.values, data.networks.values).astype(np.float64)
    order = np.argsort(product.ravel())
    x = product.ravel()[order]
    lines = {
        str(name): Curve(data.distance.sel(kernel=name).values.ravel()[order], style="points") for name in data.kernel.values
    }
    lines["slope -1/2"] = guide(x, max(float(line.y[0]) for line in lines.values()), -0.5)
    drawing = curves(x, lines, "Monte-Carlo kernel", "networks x width", "relative distance", log=("x", "y"))
    figures.append(Figure(drawing, "Relative Frobenius distance from the analytic kernel."))
    rates = run.fields("critical")
    if rates is not None:
        grown = {"largest loss over the initial one": Curve(np.maximum(rates.growth.values, 1e-3))}
        drawing = curves(
            rates.factor.values,
            grown,
            "Learning rate",
            "rate over 2 / lambda_max",
            "growth",
            log=("y",),
            marks={"predicted": 1.0},
        )
        figures.append(Figure(drawing, "Full-batch gradient descent at the largest width; above one the loss has grown."))
    return Section("montecarlo", TITLE, LEAD, (Panels(tuple(figures), columns=2),))
