"""Latitude-sigma sections: filled contours, rasterised, with a bar that states the unit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from parametra.report.figures.axes import by_area, latitude_axis, sigma_axis
from parametra.report.figures.svg import Panel, panel


@dataclass(frozen=True)
class Scale:
    """How a field becomes colours: name of the map, round values between the colours, whether values may lie beyond them."""

    cmap: str
    levels: np.ndarray
    open_ended: bool

    @classmethod
    def around_zero(cls, cmap: str, *fields: np.ndarray) -> "Scale":
        """Symmetric, wide enough for all but the last half percent of the fields."""
        values = np.abs(_finite(*fields))
        size = (float(np.percentile(values, 99.5)) if values.size else 1.0) or 1.0
        return cls(cmap, np.asarray(MaxNLocator(20, symmetric=True).tick_values(-size, size)), True)

    @classmethod
    def spanning(cls, cmap: str, *fields: np.ndarray) -> "Scale":
        """From the smallest to the largest finite value of all fields."""
        values = _finite(*fields)
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        return cls(cmap, np.asarray(MaxNLocator(18).tick_values(low, high if high > low else low + 1.0)), False)

    @property
    def ticks(self) -> np.ndarray:
        """About six of the levels, zero among them where it is a level."""
        step = -(-self.levels.size // 7)
        return self.levels[int(np.argmin(np.abs(self.levels))) % step :: step]


def _finite(*fields: np.ndarray) -> np.ndarray:
    values = np.concatenate([np.ravel(field) for field in fields])
    return values[np.isfinite(values)]


def colour_bar(drawn: Panel, filled: Any, scale: Scale) -> None:
    """A bar to the right of a filled field; the axes end at 0.83 of the figure's width."""
    bar = drawn.figure.colorbar(filled, cax=drawn.figure.add_axes((0.86, 0.15, 0.025, 0.73)), ticks=scale.ticks)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(length=0, labelsize=8)
    bar.ax.grid(False)
    if bar.solids is not None:
        bar.solids.set_rasterized(True)


def meridional_section(latitude: np.ndarray, sigma: np.ndarray, values: np.ndarray, scale: Scale, title: str, unit: str) -> str:
    """SVG of `values` (latitude, level) over sine of latitude and sigma."""
    with panel(right=0.83) as drawn:
        axes = drawn.axes
        axes.grid(False)
        extend = "both" if scale.open_ended else "neither"
        field = np.ma.masked_invalid(np.asarray(values, np.float64).T)
        if field.count():
            filled = axes.contourf(by_area(latitude), sigma, field, levels=scale.levels, cmap=scale.cmap, extend=extend)
            filled.set_rasterized(True)
            colour_bar(drawn, filled, scale)
        else:
            axes.text(0, 0.5, "no finite value", ha="center")
        latitude_axis(axes)
        sigma_axis(axes)
        axes.set_title(title)
        drawn.figure.text(0.872, 0.91, unit, fontsize=8, ha="center", color="#3a3d44")
    return drawn.svg
