"""Mini-batches: networks and linear models that were shown the same ones."""

import numpy as np
import xarray as xr

from parametra.report.figures.scaling import Curve, curves
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, Table, missing

TITLE = "Mini-batches with momentum"
LEAD = (
    "The same question where there is no closed form: the linear models are stepped through the very batches that the "
    "networks saw. A wide residual network of convolutions under squared loss, a dense network of two hidden layers under "
    "cross-entropy, both with ReLU. The difference of test outputs is counted in units of what training changed in them."
)
WORDS = {"network": "trained network", "empirical": "its empirical kernel", "infinite": "infinite-width kernel"}


def section(run: RunReader) -> Section | None:
    """A figure per network and the table of widths."""
    data = run.fields("batches")
    if data is None:
        return missing("batches", TITLE, LEAD, run.why_missing("batches"))
    figures = tuple(Figure(_drawing(data.sel(network=name), str(name))) for name in data.network.values)
    rows = tuple(row for name in data.network.values for row in _rows(data.sel(network=name), str(name)))
    head = (
        "network",
        "width",
        "accuracy",
        *(f"{what}, {kernel}" for kernel in ("empirical", "infinite") for what in WHAT.values()),
    )
    return Section("batches", TITLE, LEAD, (Panels(figures, columns=2), Table(head, rows, "Means over seeds.")))


WHAT = {"loss_gap": "gap of loss", "rms": "test outputs", "accuracy_gap": "accuracy"}


def _drawing(item: xr.Dataset, title: str) -> str:
    lines = {
        words: Curve(item.curve.sel(curve_of=name).values, style="line" if name == "network" else "dashed")
        for name, words in WORDS.items()
    }
    return curves(item.record.values, lines, title, "record", "loss on all images", first=(WORDS["network"],))


def _rows(item: xr.Dataset, label: str) -> list[tuple[str, ...]]:
    mean, rows = item.mean("seed"), []
    for place in np.flatnonzero(np.isfinite(item.width.values)):
        at = mean.isel(width_number=place)
        cells = [label, number(float(item.width[place])), f"{100 * float(at.accuracy[0]):.1f} %"]
        for kernel in ("empirical", "infinite"):
            cells += [
                f"{100 * float(at[name].sel(kernel=kernel)):{'+.1f' if name == 'accuracy_gap' else '.2f'}} %" for name in WHAT
            ]
        rows.append(tuple(cells))
    return rows
