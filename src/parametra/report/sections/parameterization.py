"""Parameterization: factors before the weights or in them."""

import numpy as np

from parametra.report.figures.scaling import Curve, curves
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, missing

TITLE = "Parameterization"
LEAD = (
    "The standard parameterization draws small weights instead of multiplying large ones. With a learning rate for each layer it "
    "trains as the NTK parameterization does, to rounding and at any width; with one rate for all it has a kernel of its own."
)


def section(run: RunReader) -> Section | None:
    """Loss curves at the largest width, and differences against width."""
    data = run.fields("parameterization")
    if data is None:
        return missing("parameterization", TITLE, LEAD, run.why_missing("parameterization"))
    last, step = data.curve.isel(width=-1), data.record.values
    style = {"standard, rates by layer": "points", "its kernel": "dashed"}
    names = [str(name) for name in data.curve_of.values]
    lines = {name: Curve(last.sel(curve_of=name).values, style=style.get(name, "line")) for name in names}
    width = data.width.values.astype(np.float64)
    apart, gap = data.apart.values.max(1), data.gap.values
    falling = {
        "one rate: gap of the loss to its kernel": Curve(gap.mean(1), low=gap.min(1), high=gap.max(1)),
        "rates by layer: outputs apart": Curve(np.maximum(apart, 1e-17)),
    }
    figures = (
        Figure(
            curves(step, lines, f"Loss, width {int(width[-1])}", "step", "half mean square", log=("y",), first=("ntk",)),
            "Loss of one network over training; the dashed line is the prediction of the standard parameterization's own kernel.",
        ),
        Figure(
            curves(width, falling, "Against width", "width", "relative difference", log=("x", "y")),
            "Outputs of both parameterizations apart, over their change in training; largest difference of the loss from what "
            "its kernel predicts, over the initial loss.",
        ),
    )
    return Section("parameterization", TITLE, LEAD, (Panels(figures, columns=2),))
