"""Monte Carlo and the critical learning rate: two checks of the kernels against networks."""

import numpy as np

from parametra.report.figures.scaling import Curve, curves, guide
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, missing

TITLE = "Kernels against networks"
LEAD = (
    "The mean over random networks tends to the analytic kernel with the square root of what is averaged: outputs of networks "
    "for the NNGP, their units for the tangent kernel. And gradient descent diverges where 2 / lambda_max says."
)


def section(run: RunReader) -> Section | None:
    """Distance of the Monte-Carlo kernels; growth of the loss over the learning rate."""
    figures = []
    data = run.fields("montecarlo")
    if data is None:
        return missing("montecarlo", TITLE, LEAD, run.why_missing("montecarlo"))
    for name, axis in (("nngp", "networks x outputs"), ("ntk", "networks x width")):
        one = data.sel(kernel=name)
        order = np.argsort(one.samples.values, axis=None)
        x, y = (values.ravel()[order] for values in (one.samples.values, one.distance.values))
        lines = {name: Curve(y, style="points"), "slope -1/2": guide(x, float(y[0]), -0.5)}
        drawing = curves(x, lines, f"Monte-Carlo kernel, {name.upper()}", axis, "relative distance", log=("x", "y"))
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
    return Section("montecarlo", TITLE, LEAD, (Panels(tuple(figures), columns=3),))
