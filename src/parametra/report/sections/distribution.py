"""The ensemble and its Gaussian process: means and spread of trained outputs."""

import numpy as np

from parametra.report.figures.scaling import Curve, curves
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, missing

TITLE = "Ensemble and Gaussian process"
LEAD = (
    "The first output of many networks at test inputs: mean and two standard deviations, beside what the kernels predict for "
    "networks trained as these were, and beside the NNGP posterior, which is the law of another training."
)


def section(run: RunReader) -> Section | None:
    """One figure for each of at most three moments, and one of the spread over training."""
    data = run.fields("distribution")
    if data is None:
        return missing("distribution", TITLE, LEAD, run.why_missing("distribution"))
    order = np.argsort(data.predicted_mean.values[-1])
    place = np.arange(len(order), dtype=np.float64)
    figures = []
    for moment in dict.fromkeys([0, data.sizes["record"] // 2, data.sizes["record"] - 1]):
        lines = {}
        for name, words in (("ensemble", "networks"), ("predicted", "predicted"), ("posterior", "NNGP posterior")):
            mean, spread = (data[f"{name}_{what}"].values[moment][order] for what in ("mean", "deviation"))
            band = {"low": mean - 2 * spread, "high": mean + 2 * spread} if name != "posterior" else {}
            lines[words] = Curve(mean, style="line" if name == "ensemble" else "dashed", **band)
        title = f"After {data.record.values[moment]:g} steps"
        figures.append(Figure(curves(place, lines, title, "test input, sorted", "output", first=("networks",))))
    spread = {
        words: Curve(data[f"{name}_deviation"].values.mean(1), style="line" if name == "ensemble" else "dashed")
        for name, words in (("ensemble", "networks"), ("predicted", "predicted"), ("posterior", "NNGP posterior"))
    }
    drawing = curves(data.record.values, spread, "Spread over training", "step", "standard deviation", first=("networks",))
    return Section("distribution", TITLE, LEAD, (Panels((*figures, Figure(drawing)), columns=2),))
