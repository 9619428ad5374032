"""Change with width: what training alters in a network, and how little where it is wide."""

import numpy as np
import xarray as xr

from parametra.report.figures.scaling import Curve, curves, guide
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, missing

TITLE = "Change with width"
LEAD = (
    "A wide network hardly moves: relative changes of weights and of the tangent kernel over training fall with width, so "
    "that its "
    "training is that of a linear model. Bands are the smallest and largest seed; grey slopes are -1/2 and -1."
)
OTHERS = (
    "Change of the empirical kernel over training; its distance from the limit at the start; distance of the trained outputs "
    "from those of the linear model, over their change in training."
)
WEIGHTS = ("first weight", "last weight", "inner weights")  # not all networks have the last of them


def section(run: RunReader) -> Section | None:
    """Two log-log figures a network: weights, and the kernel with the outputs."""
    data = run.fields("width")
    if data is None:
        return missing("width", TITLE, LEAD, run.why_missing("width"))
    width = data.width.values.astype(np.float64)
    names = [str(name) for name in data.quantity.values]
    groups = (
        ([name for name in WEIGHTS if name in names], "weights", "Relative change of weight matrices, |W_T - W_0| / |W_0|."),
        ([name for name in names if name not in WEIGHTS], "kernel and outputs", OTHERS),
    )
    networks = [str(name) for name in data.network.values]
    figures = tuple(
        Figure(_drawing(data.change.sel(network=network), width, quantities, f"{network}: {what}"), caption)
        for quantities, what, caption in groups
        for network in networks
    )
    return Section("width", TITLE, LEAD, (Panels(figures, columns=min(3, max(2, len(networks)))),))


def _drawing(change: xr.DataArray, width: np.ndarray, quantities: list[str], title: str) -> str:
    lines = {}
    for name in quantities:
        values = change.sel(quantity=name).values
        if np.isfinite(values).all():  # one hidden layer has no inner weights
            lines[name] = Curve(np.exp(np.log(values).mean(1)), low=values.min(1), high=values.max(1))
    top = max(float(line.y[0]) for line in lines.values())
    lines["slope -1/2"], lines["slope -1"] = guide(width, 1.3 * top, -0.5), guide(width, 1.3 * top, -1.0)
    return curves(width, lines, title, "width", "relative change", log=("x", "y"))
