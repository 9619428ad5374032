"""Axes that the page uses again and again: latitude by area, sigma downward."""

import numpy as np
from matplotlib.axes import Axes

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


def _degrees(value: int) -> str:
    return "0°" if value == 0 else f"{abs(value)}°{'S' if value < 0 else 'N'}"
