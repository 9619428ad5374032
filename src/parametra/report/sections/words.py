"""A word-level language model: perplexity over training."""

import numpy as np

from parametra.report.figures.scaling import Curve, curves
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Panels, Section, missing

TITLE = "Words"
LEAD = (
    "The next word of a text, by networks of equal width over one embedding. A task of little memory: what is asked here is "
    "whether held singular values stand in the way."
)


def section(run: RunReader) -> Section | None:
    """Perplexity of the validation part against steps and seconds."""
    data = run.fields("language")
    if data is None:
        return missing("words", TITLE, LEAD, run.why_missing("language"))
    figures = []
    for axis, label in (("step", "step of the optimiser"), ("seconds", "seconds of training")):
        lines = {}
        for name in data.network.values:
            x, y = data[axis].sel(network=name).values[:, 1:], np.exp(-data.score.sel(network=name).values[:, 1:])
            band = (y.min(0), y.max(0)) if len(y) > 1 else (None, None)
            lines[str(name)] = Curve(y.mean(0), x.mean(0), *band)
        drawing = curves(np.array([]), lines, "Validation perplexity", label, "perplexity", first=("spectral",))
        figures.append(Figure(drawing, "Mean over seeds; the value before training, as large as the vocabulary, is left out."))
    return Section("words", TITLE, LEAD, (Panels(tuple(figures), columns=2),))
