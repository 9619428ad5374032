"""Line drawings against any quantity: scaling laws in logarithms, training curves, bands of two standard deviations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parametra.report.figures.axes import log_axis
from parametra.report.figures.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from parametra.report.figures.svg import panel

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY)


@dataclass(frozen=True)
class Curve:
    """One line.

    Attributes:
        y: values, NaN where there are none.
        x: places, where they are not the common ones.
        low, high: edges of a band.
        style: "line", "dashed", "points", or "guide" for a grey slope to compare with.
    """

    y: np.ndarray
    x: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    style: str = "line"


def curves(
    x: np.ndarray, lines: Mapping[str, Curve], title: str, xlabel: str, ylabel: str, *, log: Sequence[str] = (),
    marks: Mapping[str, float] | None = None, first: Sequence[str] = (),
) -> str:  # fmt: skip
    """SVG of the lines; `log` names the axes in logarithms, `marks` are labelled vertical lines, names in `first` are black."""
    with panel(width=4.6, height=3.4, left=0.2 if "y" in log else 0.14) as drawn:
        axes, colours = drawn.axes, iter(COLOURS * 4)
        for name, curve in lines.items():
            colour = BLACK if name in first else GREY if curve.style == "guide" else next(colours)
            place = x if curve.x is None else curve.x
            if curve.low is not None and curve.high is not None:
                axes.fill_between(place, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
            form = {"line": "-", "dashed": (0, (4, 2)), "points": "none", "guide": (0, (1, 2))}[curve.style]
            bare = curve.style in ("guide", "dashed") or (len(place) > 12 and curve.style != "points")
            marker = "" if bare else "o"
            axes.plot(
                place, curve.y, color=colour, linestyle=form, marker=marker or None, markersize=4,
                linewidth=1.2 if curve.style == "guide" else 1.8, label=name, zorder=2 if curve.style == "guide" else 3,
            )  # fmt: skip
        for label, value in (marks or {}).items():
            axes.axvline(value, color=GREY, linewidth=1.0, linestyle=(0, (2, 2)), label=label)
        if "x" in log:
            log_axis(axes, "x")
        if "y" in log:
            log_axis(axes, "y")
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.set_title(title)
        drawn.legend_below()
    return drawn.svg


def guide(x: np.ndarray, start: float, exponent: float) -> Curve:
    """The line start (x / x[0])^exponent."""
    return Curve(start * (x / x[0]) ** exponent, style="guide")
