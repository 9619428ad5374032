"""Rain by how hard it falls: densities on a logarithmic axis, and exceedance quantiles with their intervals."""

from collections.abc import Mapping

import numpy as np

from parametra.report.figures.palette import Palette
from parametra.report.figures.svg import panel


def densities(rain: np.ndarray, lines: Mapping[str, np.ndarray], palette: Palette, title: str) -> str:
    """SVG of probability densities (bin,) [day/mm] over rain [mm/day]."""
    with panel(width=5.2, height=3.6, left=0.14) as drawn:
        axes = drawn.axes
        for name, values in lines.items():
            axes.plot(rain, values, label=palette.label(name), drawstyle="steps-mid", **palette.style(name))
        axes.set_yscale("log")
        seen = np.any([np.isfinite(values) for values in lines.values()], axis=0)
        axes.set_xlim(0.0, float(rain[seen][-1]) * 1.02)
        axes.set_xlabel("precipitation [mm/day]")
        axes.set_ylabel("density [day/mm]")
        axes.set_title(title)
        drawn.legend_below()
    return drawn.svg


def quantiles(
    exceedance: np.ndarray, runs: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], palette: Palette, title: str
) -> str:
    """SVG of value, low, high (exceedance,) per run [mm/day]: points with their intervals, hollow where there is none."""
    with panel(width=5.2, height=3.6, left=0.14) as drawn:
        axes, place = drawn.axes, np.arange(exceedance.size)
        for number, (name, (value, low, high)) in enumerate(runs.items()):
            shift = 0.16 * (number - (len(runs) - 1) / 2)
            ends, colour = np.abs(np.stack([value - low, high - value])), palette.colour(name)
            known = np.isfinite(ends).all(0)
            axes.errorbar(
                (place + shift)[known], value[known], yerr=ends[:, known], fmt="o", color=colour, markersize=5, capsize=3,
                elinewidth=1.3, label=palette.label(name) if known.any() else None,
            )  # fmt: skip
            axes.plot(
                (place + shift)[~known], value[~known], "o", color=colour, markersize=5, markerfacecolor="none",
                label=None if known.any() else f"{palette.label(name)}, no interval",
            )  # fmt: skip
        axes.set_xticks(place, [f"{100 * share:g} %" for share in exceedance])
        axes.set_xlim(-0.6, exceedance.size - 0.4)
        axes.set_ylim(bottom=0.0)
        axes.grid(False, axis="x")
        axes.set_xlabel("share of area and time that exceeds it")
        axes.set_ylabel("precipitation [mm/day]")
        axes.set_title(title)
        drawn.legend_below()
    return drawn.svg
