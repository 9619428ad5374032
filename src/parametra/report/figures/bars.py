"""Bars: grouped by category, or one row each with an interval."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from parametra.report.figures.axes import log_axis
from parametra.report.figures.palette import BLUE, GREY, VERMILION, Palette
from parametra.report.figures.svg import panel

LABEL = 27  # characters of a line of a bar's name


def grouped_bars(
    categories: Sequence[str], groups: Mapping[str, np.ndarray], palette: Palette, title: str, unit: str,
    *, low: float = 0.0, high: float | None = 1.0, marks: np.ndarray | None = None, marks_label: str = "",
) -> str:  # fmt: skip
    """SVG of groups (category,) side by side; `marks` (category,) are short lines such as targets."""
    with panel(width=4.6, height=3.2, left=0.12) as drawn:
        axes = drawn.axes
        place = np.arange(len(categories), dtype=np.float64)
        width = 0.8 / max(1, len(groups))
        for number, (name, values) in enumerate(groups.items()):
            shown = np.clip(np.asarray(values, np.float64), low, None)
            axes.bar(
                place + (number - (len(groups) - 1) / 2) * width,
                shown,
                0.9 * width,
                color=palette.colour(name),
                label=palette.label(name),
            )
        if marks is not None:
            axes.hlines(marks, place - 0.45, place + 0.45, color="#1b1b1f", linewidth=1.2, linestyle=":", label=marks_label)
        axes.set_xticks(place, list(categories))
        axes.tick_params(axis="x", length=0)
        axes.set_ylim(low, high)
        axes.grid(False, axis="x")
        axes.set_ylabel(unit)
        axes.set_title(title)
        drawn.legend_below()
    return drawn.svg


def rows(
    names: Sequence[str],
    values: np.ndarray,
    title: str,
    unit: str,
    *,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    log: bool = False,
    highlight: Sequence[str] = (),
    texts: Sequence[str] | None = None,
) -> str:
    """SVG of one horizontal bar per name, its value written beside it, with an interval where `low` and `high` are finite."""
    labels = [textwrap.fill(name, LABEL) for name in names]
    height = max(1.7, 0.9 + 0.34 * len(names) + 0.1 * sum(label.count("\n") for label in labels))
    with panel(width=5.2, height=height, left=0.34, right=0.9, bottom=0.55 / height) as drawn:
        axes = drawn.axes
        place = np.arange(len(names))[::-1]
        colours = [
            VERMILION if name in highlight else BLUE if value >= 0 else GREY for name, value in zip(names, values, strict=True)
        ]
        axes.barh(place, np.nan_to_num(values), 0.62, color=colours, alpha=0.9)
        if low is not None and high is not None and np.isfinite(low).any():
            ends = np.abs(np.stack([values - low, high - values]))
            known = np.isfinite(ends).all(0)
            axes.errorbar(
                values[known], place[known], xerr=ends[:, known], fmt="none", ecolor="#1b1b1f", elinewidth=1.0, capsize=2.5
            )
        if log:
            log_axis(axes, "x")
        for y, value, text in zip(place, values, texts or [f"{value:.3g}" for value in values], strict=True):
            axes.annotate(
                text, (max(float(np.nan_to_num(value)), axes.get_xlim()[0]), y), xytext=(4, 0), textcoords="offset points",
                va="center", fontsize=8, bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8},
            )  # fmt: skip
        axes.set_yticks(place, labels, fontsize=8 if any("\n" in label for label in labels) else None)
        axes.tick_params(axis="y", length=0)
        axes.grid(False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.axvline(0.0 if not log else axes.get_xlim()[0], color="#9a9da5", linewidth=0.8)
        axes.set_xlabel(unit)
        axes.set_title(title, loc="left", x=-0.55)
    return drawn.svg
