"""Gradients through very deep networks: over the layers, and over training."""

import numpy as np
import xarray as xr

from parametra.report.figures.scaling import Curve, curves
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Part, Section, Table, missing

TITLE = "Depth"
LEAD = (
    "Very deep networks of equal layers. The norm of the gradient by each layer's dense matrix, before training and at its end; "
    "its largest value over its smallest among the layers, while the network trains; and what is learned. Mirrored rectifiers "
    "are pairs max(z, 0) and max(-z, 0) that share a row of the matrix before them."
)


def section(run: RunReader) -> Section | None:
    """Four figures for each activation at the largest depth, and a table of all networks."""
    data = run.fields("depth")
    if data is None:
        return missing("depth", TITLE, LEAD, run.why_missing("depth"))
    parts: list[Part] = []
    for activation in data.activation.values:
        one = data.sel(activation=activation).isel(depth=int(np.argmax(data.depth.values)), seed=0)
        title = f"{int(data.depth.max())} layers, {str(activation).replace('_', ' ')}"
        parts.append(Panels(_figures(one), columns=2, title=title))
    rows = []
    for a, d, n in ((a, d, n) for a in data.activation.values for d in data.depth.values for n in data.network.values):
        one = data.sel(activation=a, depth=d, network=n)
        gradient = one.gradient.values[..., : int(d)]
        spread = [float(np.nanmax(_spread(seed))) for seed in gradient]
        scores = [row[np.isfinite(row)][-1] for row in one.score.values]
        rows.append((f"{d} layers, {str(a).replace('_', ' ')}: {n}", f"{100 * np.median(scores):.1f} %", number(max(spread))))
    head = ("network", "test accuracy", "largest over smallest gradient")
    parts.append(Table(head, tuple(rows), "Median accuracy over seeds; the worst moment of the worst seed for the gradients."))
    return Section("depth", TITLE, LEAD, tuple(parts))


def _spread(gradient: np.ndarray) -> np.ndarray:
    """(record,) of gradients (record, layer)."""
    least = gradient.min(-1)
    return np.where(least > 0, gradient.max(-1) / np.where(least > 0, least, 1), np.inf)


def _figures(data: xr.Dataset) -> tuple[Figure, ...]:
    layer, first = data.layer.values.astype(np.float64), ("spectral",)
    start, end, over, learned = {}, {}, {}, {}
    for name in map(str, data.network.values):
        one = data.sel(network=name)
        alive = np.flatnonzero(np.isfinite(one.score.values))
        gradient, step = one.gradient.values[alive], one.step.values[alive]
        floor = np.where(gradient > 0, gradient, np.nan)
        start[name], end[name] = Curve(floor[0]), Curve(floor[-1])
        ratio = _spread(gradient)
        over[name] = Curve(np.where(np.isfinite(ratio), ratio, np.nan), step)
        learned[name] = Curve(one.score.values[alive], step)
    over["factor 10"] = Curve(np.full(2, 10.0), np.array([0.0, float(np.nanmax(data.step.values))]), style="guide")
    drawn = (
        curves(layer, start, "Before training", "layer", "gradient norm", log=("y",), first=first),
        curves(layer, end, "At the end", "layer", "gradient norm", log=("y",), first=first),
        curves(layer, over, "Over training", "step", "largest over smallest", log=("y",), first=first),
        curves(layer, learned, "Test accuracy", "step", "accuracy", first=first),
    )
    return tuple(Figure(drawing) for drawing in drawn)
