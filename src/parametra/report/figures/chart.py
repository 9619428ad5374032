"""Maps of a field over the sphere: boxes of the grid, rasterised, with a bar that states the unit."""

import numpy as np

from parametra.report.figures.axes import LATITUDES, by_area
from parametra.report.figures.meridional import Scale, colour_bar
from parametra.report.figures.svg import panel


def chart(latitude: np.ndarray, longitude: np.ndarray, values: np.ndarray, scale: Scale, title: str, unit: str) -> str:
    """SVG of `values` (latitude, longitude) over longitude and sine of latitude, so that equal areas are equal."""
    with panel(height=2.7, right=0.83, bottom=0.18) as drawn:
        axes = drawn.axes
        axes.grid(False)
        edges = np.concatenate([[-90.0], 0.5 * (latitude[1:] + latitude[:-1]), [90.0]])
        step = float(longitude[1] - longitude[0])
        field = np.ma.masked_invalid(np.asarray(values, np.float64))
        if field.count():
            places = np.append(longitude, longitude[-1] + step) - 0.5 * step
            low, high = float(scale.levels[0]), float(scale.levels[-1])
            filled = axes.pcolormesh(places, by_area(edges), field, cmap=scale.cmap, vmin=low, vmax=high)
            filled.set_rasterized(True)
            colour_bar(drawn, filled, scale)
        else:
            axes.text(0.5, 0.5, "stopped early: no map", ha="center", transform=axes.transAxes)
        axes.set_xticks([0, 90, 180, 270], ["0°", "90°E", "180°", "90°W"])
        axes.set_yticks(
            by_area(np.array(LATITUDES)), [f"{abs(row)}°{'S' if row < 0 else 'N' if row else ''}" for row in LATITUDES]
        )
        axes.set_ylim(-1.0, 1.0)
        axes.set_title(title)
        drawn.figure.text(0.872, 0.91, unit, fontsize=8, ha="center", color="#3a3d44")
    return drawn.svg
