"""Bifurcation diagrams, exponents and errors of landmarks, as drawings."""

from collections.abc import Mapping, Sequence

import numpy as np

from parametra.report.figures.palette import BLACK, BLUE, GREEN, GREY, VERMILION
from parametra.report.figures.svg import panel

DOTS = 64  # states of each orbit that are drawn


def diagrams(r: np.ndarray, exact: np.ndarray, learned: np.ndarray, low: float, high: float, title: str, name: str) -> str:
    """SVG of orbits (r, sample): the learned ones over the exact ones, the training range shaded."""
    with panel(width=10.4, height=4.6, left=0.06, right=0.99, bottom=0.12) as drawn:
        axes = drawn.axes
        axes.grid(False)
        axes.axvspan(low, high, color=GREEN, alpha=0.13, linewidth=0, label="range of the training series")
        for states, colour, size, label in ((exact, "#b9bcc4", 3.2, "exact map"), (learned, BLUE, 1.1, "learned family")):
            shown = states[:, :DOTS]
            x = np.repeat(r, shown.shape[1])
            axes.plot(x, shown.ravel(), ".", color=colour, markersize=size, markeredgewidth=0, rasterized=True)
            axes.plot([], [], "o", color=colour, markersize=4, label=label)
        axes.set_xlim(float(r.min()), float(r.max()))
        axes.set_ylim(0.0, 1.02)
        axes.set_xlabel(name)
        axes.set_ylabel("state")
        axes.set_title(title)
        drawn.legend_below()
    return drawn.svg


def exponents(r: np.ndarray, exact: np.ndarray, learned: np.ndarray, low: float, high: float, name: str) -> str:
    """SVG of largest exponents by control, the learned ones over the exact ones."""
    with panel(width=10.4, height=2.9, left=0.075, right=0.99, bottom=0.18) as drawn:
        axes = drawn.axes
        axes.axvspan(low, high, color=GREEN, alpha=0.13, linewidth=0, label="range of the training series")
        axes.axhline(0.0, color="#9a9da5", linewidth=0.8)
        axes.plot(r, exact, color=GREY, linewidth=2.2, label="exact map")
        axes.plot(r, learned, color=BLUE, linewidth=0.9, label="learned family")
        axes.set_xlim(float(r.min()), float(r.max()))
        axes.set_ylim(-1.0, 0.8)
        axes.set_xlabel(name)
        axes.set_ylabel("per step")
        axes.set_title("Lyapunov exponent")
        drawn.legend_below()
    return drawn.svg


def dots(
    groups: Mapping[str, Sequence[np.ndarray]], categories: Sequence[str], title: str, unit: str, least: float = 1e-16
) -> str:
    """SVG of every seed's value (log scale) by category and group, medians as bars; values that are not finite at the top."""
    colours = (BLUE, VERMILION, BLACK, GREEN)
    with panel(width=5.2, height=3.4, left=0.19) as drawn:
        axes = drawn.axes
        finite = np.concatenate([np.ravel(v) for values in groups.values() for v in values] or [np.array([1.0])])
        finite = finite[np.isfinite(finite)]
        top = 10.0 * max(float(finite.max()) if finite.size else 1.0, least * 10)
        width = 0.8 / max(1, len(groups))
        for number, (name, values) in enumerate(groups.items()):
            colour = colours[number % len(colours)]
            for place, each in enumerate(values):
                x = place + (number - (len(groups) - 1) / 2) * width
                y = np.clip(np.where(np.isfinite(each), each, top), least, top)
                axes.plot(np.full(len(y), x), y, "o", color=colour, markersize=3, alpha=0.6)
                if len(y):
                    axes.plot([x - 0.4 * width, x + 0.4 * width], [np.median(y)] * 2, color=colour, linewidth=2)
            axes.plot([], [], "o", color=colour, markersize=4, label=name)
        axes.set_yscale("log")
        axes.set_xticks(range(len(categories)), list(categories))
        axes.grid(False, axis="x")
        axes.set_ylabel(unit)
        axes.set_title(title)
        drawn.legend_below()
    return drawn.svg


def curves(
    x: np.ndarray, lines: Mapping[str, np.ndarray], title: str, xlabel: str, ylabel: str, marker: str = "",
    shaded: tuple[float, float] | None = None,
) -> str:  # fmt: skip
    """SVG of a few curves, or bundles of them (x, line), over a common axis; a truth is black, the first of the others blue."""
    colours = (*((BLACK,) if "truth" in lines else ()), BLUE, VERMILION, GREY, GREEN)
    with panel(width=5.2, height=3.3, left=0.13) as drawn:
        axes = drawn.axes
        if shaded is not None:
            axes.axvspan(*shaded, color=GREEN, alpha=0.13, linewidth=0)
        for (name, values), colour in zip(lines.items(), colours * 3, strict=False):
            axes.plot(x, values, color=colour, linewidth=1.6, marker=marker, markersize=3.5)
            axes.plot([], [], color=colour, linewidth=1.6, marker=marker, markersize=3.5, label=name)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.set_title(title)
        drawn.legend_below()
    return drawn.svg
