"""One row per score, one dot per run, on a logarithmic axis: how many times chance."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import NullLocator

from parametra.report.figures.palette import Palette
from parametra.report.figures.svg import panel

SMALLEST = 0.03


def ratios(names: Sequence[str], runs: Mapping[str, np.ndarray], palette: Palette, title: str, xlabel: str, limit: float) -> str:
    """SVG of values (score,) per run, a green field below `limit`; values below 0.03 stand at the left edge."""
    finite = np.concatenate([values[np.isfinite(values)] for values in runs.values()] or [np.array([])])
    highest = max(10.0, 1.5 * float(finite.max())) if finite.size else 10.0
    height = 1.0 + 0.27 * len(names)
    with panel(width=9.4, height=height, left=0.47, bottom=0.55 / height) as drawn:
        axes, place = drawn.axes, np.arange(len(names))[::-1]
        axes.axvspan(SMALLEST, limit, color="#009e73", alpha=0.1, linewidth=0, label=f"up to {limit:g} times")
        axes.axvline(1.0, color="#9a9da5", linewidth=1.0)
        for name, values in runs.items():
            shown = np.clip(values, SMALLEST * 1.05, None)
            axes.plot(shown, place, "o", color=palette.colour(name), markersize=6, label=palette.label(name), linestyle="none")
        axes.set_xscale("log")
        axes.set_xlim(SMALLEST, highest)
        ticks = [tick for tick in (0.03, 0.1, 0.3, 1, 2, 5, 10, 30, 100, 300) if tick <= highest]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_yticks(place, list(names))
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(xlabel)
        axes.set_title(title, x=-0.85)
        drawn.legend_below()
    return drawn.svg
