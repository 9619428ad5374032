"""The ensemble and its Gaussian process: means and spread of trained outputs."""

import numpy as np
import xarray as xr

from parametra.report.figures.scaling import Curve, curves
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, missing

TITLE = "Ensemble and Gaussian process"
LEAD = (
    "Many networks were trained until they fit. Left: the first output at test inputs at the end of training, mean and two "
    "standard deviations, beside what the kernels predict for networks trained as these were, and beside the NNGP posterior, "
    "what Bayes makes of the same networks without training. Middle and right judge both laws over training with all outputs and "
    "correlations: a ratio of variances of 1 is exact, a likelihood ratio above 0 speaks for the prediction; bands are 95 % "
    "intervals over networks."
)
WORDS = {"ensemble": "predicted", "posterior": "NNGP posterior"}


def section(run: RunReader) -> Section | None:
    """For each activation the end of training, variance over predicted, and the ratio of the likelihoods."""
    data = run.fields("distribution")
    if data is None:
        return missing("distribution", TITLE, LEAD, run.why_missing("distribution"))
    figures = [drawing for name in data.activation.values for drawing in _figures(data.sel(activation=name), str(name))]
    return Section("distribution", TITLE, LEAD, (Panels(tuple(Figure(drawing) for drawing in figures), columns=3),))


def _figures(data: xr.Dataset, name: str) -> tuple[str, str, str]:
    order, late = np.argsort(data.ensemble_mean.values[-1]), slice(1, None)
    lines = {}
    for law, words in (("networks", "networks"), *WORDS.items()):
        mean, spread = (data[f"{law}_{what}"].values[-1][order] for what in ("mean", "deviation"))
        band = {"low": mean - 2 * spread, "high": mean + 2 * spread} if law != "posterior" else {}
        lines[words] = Curve(mean, style="line" if law == "networks" else "dashed", **band)
    steps, place = data.record.values, np.arange(len(order), dtype=np.float64)
    end = curves(place, lines, f"{name}, after {steps[-1]:g} steps", "test input, sorted", "output", first=("networks",))
    ratios = {words: _with_interval(data.variance_ratio.sel(law=law).values[late]) for law, words in WORDS.items()}
    ratio = curves(steps[late], ratios, f"{name}: variance over that of each law", "step", "ratio")
    likelihood = {"predicted over NNGP posterior": _with_interval(data.likelihood_ratio.values[late])}
    nats = curves(steps[late], likelihood, f"{name}: likelihood ratio", "step", "nats per network")
    return end, ratio, nats


def _with_interval(values: np.ndarray) -> Curve:
    return Curve(values[:, 0], low=values[:, 1], high=values[:, 2])
