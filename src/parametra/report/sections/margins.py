"""Generalization against margins: one point a network."""

import numpy as np

from parametra.report.figures.scaling import Curve, curves
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Section, missing

TITLE = "Margins and generalization"
LEAD = (
    "Every point is a network trained alike, in an interval of singular values of its own half-width. The gap is the loss on "
    "test images minus that on training images."
)
AXES = {
    "spectral_margin": ("Spectral margin", "largest |σ / centre - 1|"),
    "score_margin": ("Margin of the scores", "median margin over the product of norms"),
}


def section(run: RunReader) -> Section | None:
    """The gap against both margins, and their rank correlations."""
    data = run.fields("margin")
    if data is None:
        return missing("margins", TITLE, LEAD, run.why_missing("margin"))
    figures = []
    for name, (title, label) in AXES.items():
        lines = {
            f"± {radius:g}": Curve(data.gap_loss.sel(radius=radius).values, data[name].sel(radius=radius).values, style="points")
            for radius in data.radius.values
        }
        log = ("x", "y") if (data[name] > 0).all() and (data.gap_loss > 0).all() else ()
        figures.append(Figure(curves(np.array([]), lines, title, label, "generalization gap [nats]", log=log)))
    texts = [f"{row.name}: {row.value:.2f}." for row in run.metrics if row.name.startswith("generalization gap")]
    return Section("margins", TITLE, LEAD, (Panels(tuple(figures), columns=2), *(Note(text) for text in texts)))
