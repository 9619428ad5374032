"""Axes that the page uses again and again: latitude by area, sigma downward."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

LATITUDES = (-60, -30, 0, 30, 60)


def by_area(latitude: np.ndarray) -> np.ndarray:
    """Sine of latitude: equal distances on the axis are equal areas of the sphere."""
    return np.sin(np.radians(np.asarray(latitude, np.float64)))


def latitude_axis(axes: Axes) -> None:
    """Label the x axis, in sine of latitude, with degrees."""
    axes.set_xlim(-1, 1)
    axes.set_xticks(by_area(np.array(LATITUDES)), [_degrees(value) for value in LATITUDES])
    axes.set_xlabel("latitude (by area)")


def sigma_axis(axes: Axes) -> None:
    """Make the y axis sigma, ground at the bottom."""
    axes.set_ylim(1.0, 0.0)
    axes.set_yticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.set_ylabel("σ = p / surface p")


def log_axis(axes: Axes, which: str) -> None:
    """Make the axis "x" or "y" logarithmic; where it spans less than two decades, ticks with plain numbers.

    At 1, 2 and 5, or evenly within a factor of three.
    """
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    if high < 100.0 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)) if high > 3.0 * low else MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}".replace(",", " ")))
        if high <= 3.0 * low:
            axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _degrees(value: int) -> str:
    return "0°" if value == 0 else f"{abs(value)}°{'S' if value < 0 else 'N'}"
