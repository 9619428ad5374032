"""What is reached against what it costs: points with intervals, and the front that nothing beats."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from parametra.report.figures.axes import log_axis
from parametra.report.figures.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from parametra.report.figures.svg import panel

COLOURS, MARKERS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY), "so^Dv<>P"


@dataclass(frozen=True)
class Points:
    """One family of networks.

    Attributes:
        cost: (n,) what they cost.
        value: (n,) what they reach, the lower the better.
        half: (n,) half widths of the intervals.
    """

    cost: np.ndarray
    value: np.ndarray
    half: np.ndarray


def front(families: Mapping[str, Points], first: str, title: str, xlabel: str, ylabel: str) -> str:
    """SVG of all families over cost in logarithms; `first` is black and joined, the Pareto front of all is grey and stepped."""
    with panel(width=4.6, height=3.4, left=0.14) as drawn:
        axes, styles = drawn.axes, iter(zip(COLOURS * 4, MARKERS * 4, strict=False))
        cost, value = (np.concatenate([getattr(points, name) for points in families.values()]) for name in ("cost", "value"))
        best = pareto(cost, value)
        reach = np.append(cost[best], cost.max() * 1.15)
        axes.step(
            reach, np.append(value[best], value[best][-1]), where="post", color=GREY, linewidth=1.2, linestyle=(0, (1, 2)),
            label="front", zorder=1,
        )  # fmt: skip
        for name, points in families.items():
            colour, marker = (BLACK, "o") if name == first else next(styles)
            order = np.argsort(points.cost)
            axes.errorbar(
                points.cost[order], points.value[order], yerr=points.half[order], color=colour, marker=marker, markersize=5,
                linestyle="-" if name == first else "none", linewidth=1.2, elinewidth=1.0, capsize=2.5, label=name, zorder=3,
            )  # fmt: skip
        log_axis(axes, "x")
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.set_title(title)
        drawn.legend_below()
    return drawn.svg


def pareto(cost: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Indices, by rising cost, of the points to which no other is both cheaper and better."""
    order = np.lexsort((value, cost))
    best, kept = np.inf, []
    for index in order:
        if value[index] < best:
            kept.append(index)
            best = value[index]
    return np.array(kept, np.intp)
