"""Training curves: trained networks beside what their kernels said before."""

import numpy as np
import xarray as xr

from parametra.report.figures.scaling import Curve, curves
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, Table, missing

TITLE = "Training curves, predicted"
LEAD = (
    "The loss of a trained network, of the linear model with its own kernel at the start, and of the infinite-width kernel, "
    "at the "
    "largest width. The table has the largest difference over training, relative to the initial loss, and its exponent with "
    "width."
)
WORDS = {"network": "trained network", "empirical": "its empirical kernel", "infinite": "infinite-width kernel"}
LOSSES = {"squared": "squared loss", "entropy": "cross-entropy"}


def section(run: RunReader) -> Section | None:
    """A figure per cell and the table of all cells."""
    data = run.fields("curves")
    if data is None:
        return missing("curves", TITLE, LEAD, run.why_missing("curves"))
    cells = [(a, o, s) for a in data.architecture.values for o in data.optimiser.values for s in data.loss.values]
    figures = tuple(
        Figure(_drawing(data.sel(architecture=a, optimiser=o, loss=s), f"{a}, {o}, {LOSSES[s]}")) for a, o, s in cells
    )
    rows = tuple(_row(data.sel(architecture=a, optimiser=o, loss=s), f"{a}, {o}, {LOSSES[s]}") for a, o, s in cells)
    head = ("cell", "largest width", "gap, empirical", "exponent", "gap, infinite", "exponent")
    caption = "Mean over seeds; exponents by least squares over all widths, with 95 % intervals from resampled seeds."
    return Section("curves", TITLE, LEAD, (Panels(figures, columns=3), Table(head, rows, caption)))


def _drawing(cell: xr.Dataset, title: str) -> str:
    lines = {
        words: Curve(cell.curve.sel(curve_of=name).values, style="line" if name == "network" else "dashed")
        for name, words in WORDS.items()
    }
    return curves(cell.record.values, lines, title, "record", "loss", first=(WORDS["network"],))


def _row(cell: xr.Dataset, label: str) -> tuple[str, ...]:
    width = cell.width.values
    width = width[np.isfinite(width)]
    texts = [label, number(float(width[-1]))]
    for name in ("empirical", "infinite"):
        values = cell.gap.sel(kernel=name).values[: len(width)]
        fit, low, high = cell.exponent.sel(kernel=name).values
        texts += [f"{100 * values[-1].mean():.2f} %", f"{fit:.2f} ({low:.2f} to {high:.2f})"]
    return tuple(texts)
