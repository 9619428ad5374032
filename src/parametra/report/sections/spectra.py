"""Histories of singular values: how far training moves them, layer by layer."""

import numpy as np

from parametra.report.figures.scaling import Curve, curves
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, missing

TITLE = "Singular values"
LEAD = (
    "Of the layers' matrices while they train: the median layer's quantiles, and the extremes of all layers as a band. Held "
    "singular values stay in their interval by construction; free ones go where training takes them."
)


def section(run: RunReader) -> Section | None:
    """A figure for each kind of network at the largest depth."""
    data = run.fields("depth")
    if data is None:
        return missing("spectra", TITLE, LEAD, run.why_missing("depth"))
    activation = data.activation.values[0]
    one = data.sel(activation=activation).isel(depth=int(np.argmax(data.depth.values)), seed=0)
    figures = []
    for name in map(str, data.network.values):
        mine = one.sel(network=name)
        alive = np.isfinite(mine.score.values)
        step, spectrum = mine.step.values[alive], mine.spectrum.values[alive]  # record, quantile, layer
        median = np.median(spectrum, axis=2)
        lines = {"largest": Curve(median[:, 4], low=spectrum[:, 0].min(1), high=spectrum[:, 4].max(1))}
        lines |= {"median": Curve(median[:, 2]), "smallest": Curve(median[:, 0])}
        figures.append(Figure(curves(step, lines, f"{name}, {str(activation).replace('_', ' ')}", "step", "singular value")))
    return Section("spectra", TITLE, LEAD, (Panels(tuple(figures), columns=3),))
