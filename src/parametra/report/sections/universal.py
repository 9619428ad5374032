"""One symmetric hidden layer: what it can fit, and what inputs tied in chunks cannot."""

import numpy as np
import xarray as xr

from parametra.report.figures.scaling import Curve, curves
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, missing
from parametra.report.sections.stages import skipped

TITLE = "Universal approximation and throughput"
LEAD = (
    "A network with one hidden layer fits sin π(x₁ - x₂). With inputs padded by zeros a symmetric layer holds any free "
    "one; inputs tied in chunks without padding see only x₁ + x₂ and stay at 1. The other drawing: training speed of the network "
    "with a symmetry."
)


def section(run: RunReader) -> Section | None:
    """Error over width; images a second over width; either alone where the preset leaves out the other."""
    data, speed = run.fields("universal"), run.fields("throughput")
    if data is None and speed is None:
        return skipped(run, "universal", TITLE, LEAD) or missing("universal", TITLE, LEAD, run.why_missing("universal"))
    figures: list[Figure] = []
    parts: list[Part] = []
    if data is not None:
        figures.append(Figure(_errors(data), "Root mean square error over that of zero; bands from the best to the worst seed."))
    if speed is not None:
        caption = "Gradient and optimiser, both networks in turn in one process; the shortest step."
        figures.append(Figure(_rates(speed), caption))
        first, second = (str(name) for name in speed.scheme.values)
        ratio = speed.images_per_second.sel(scheme=second).values / speed.images_per_second.sel(scheme=first).values
        words = ", ".join(f"{number(float(r))} at {number(float(w))}" for r, w in zip(ratio, speed.width.values, strict=True))
        parts.append(Note(f"Images a second of {second} over those of its free original: {words} channels in the first group."))
    return Section("universal", TITLE, LEAD, (Panels(tuple(figures), columns=2), *parts))


def _errors(data: xr.Dataset) -> str:
    lines = {}
    for kind in data.kind.values:
        values = np.maximum(data.error.sel(kind=kind).values, 1e-6)
        lines[str(kind)] = Curve(np.exp(np.log(values).mean(1)), low=values.min(1), high=values.max(1))
    return curves(data.width.values, lines, "Error over width", "hidden units", "relative error", log=("x", "y"), first=("free",))


def _rates(speed: xr.Dataset) -> str:
    rates = {str(s): Curve(speed.images_per_second.sel(scheme=s).values) for s in speed.scheme.values}
    return curves(
        speed.width.values, rates, "Images a second in training", "channels of the first group", "images a second",
        log=("x", "y"), first=(str(speed.scheme.values[0]),),
    )  # fmt: skip
