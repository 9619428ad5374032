"""One symmetric hidden layer: what it can fit, and what inputs tied in chunks cannot."""

import numpy as np

from parametra.report.figures.scaling import Curve, curves
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, missing

TITLE = "Universal approximation and throughput"
LEAD = (
    "Left: a network with one hidden layer fits sin π(x₁ - x₂). With inputs padded by zeros a symmetric layer holds any free "
    "one; inputs tied in chunks without padding see only x₁ + x₂ and stay at 1. Right: training speed of the symmetric network."
)


def section(run: RunReader) -> Section | None:
    """Error over width; images a second over width."""
    data, speed = run.fields("universal"), run.fields("throughput")
    if data is None:
        return missing("universal", TITLE, LEAD, run.why_missing("universal"))
    lines = {}
    for kind in data.kind.values:
        values = np.maximum(data.error.sel(kind=kind).values, 1e-6)
        lines[str(kind)] = Curve(np.exp(np.log(values).mean(1)), low=values.min(1), high=values.max(1))
    drawing = curves(
        data.width.values, lines, "Error over width", "hidden units", "relative error", log=("x", "y"), first=("free",)
    )
    figures = [Figure(drawing, "Root mean square error over that of zero; bands from the best to the worst seed.")]
    parts: list[Part] = []
    if speed is not None:
        rates = {str(s): Curve(speed.images_per_second.sel(scheme=s).values) for s in speed.scheme.values}
        first, second = (str(name) for name in speed.scheme.values)
        drawing = curves(
            speed.width.values, rates, "Images a second in training", "channels of the first group", "images a second",
            log=("x", "y"), first=(first,),
        )  # fmt: skip
        figures.append(Figure(drawing, "Gradient and optimiser, both networks in turn in one process; the shortest step."))
        ratio = speed.images_per_second.sel(scheme=second).values / speed.images_per_second.sel(scheme=first).values
        words = ", ".join(f"{number(float(r))} at {number(float(w))}" for r, w in zip(ratio, speed.width.values, strict=True))
        parts.append(Note(f"Images a second of {second} over those of its free original: {words} channels in the first group."))
    return Section("universal", TITLE, LEAD, (Panels(tuple(figures), columns=2), *parts))
