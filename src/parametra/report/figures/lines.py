"""Line drawings: by latitude, by level, by day."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from parametra.report.figures.axes import by_area, latitude_axis, sigma_axis
from parametra.report.figures.palette import BLACK, GREY, Palette, is_network
from parametra.report.figures.svg import panel

Band = tuple[np.ndarray | float, np.ndarray | float, str]


def frame_of(lines: Mapping[str, np.ndarray], *others: np.ndarray | float) -> tuple[float, float] | None:
    """Limits that show the truth, the networks and `others` whole; a null closure that runs away may leave the frame."""
    focus = [values for name, values in lines.items() if name.startswith("truth") or is_network(name)]
    values = np.concatenate([np.ravel(part) for part in (*focus, *others)]) if focus else np.array([])
    values = values[np.isfinite(values)]
    every = np.concatenate([np.ravel(part) for part in (*lines.values(), *others)])
    if values.size == 0 or not np.isfinite(every).any():
        return None
    margin = 0.3 * (values.max() - values.min()) or 1.0
    low, high = max(values.min() - margin, np.nanmin(every)), min(values.max() + margin, np.nanmax(every))
    return float(low - 0.1 * margin), float(high + 0.1 * margin)


def by_latitude(
    latitude: np.ndarray,
    lines: Mapping[str, np.ndarray],
    palette: Palette,
    title: str,
    unit: str,
    *,
    band: Band | None = None,
    second: tuple[np.ndarray, str] | None = None,
    from_zero: bool = False,
) -> str:
    """SVG of profiles (latitude,); `band` = (low, high, label), `second` = (profile, label with unit) on an axis of its own."""
    x = by_area(latitude)
    with panel(width=5.2, height=3.5, left=0.13, right=0.89 if second else 0.97) as drawn:
        axes = drawn.axes
        if band is not None:
            axes.fill_between(x, band[0], band[1], color=BLACK, alpha=0.16, linewidth=0, label=band[2])
        for name, values in lines.items():
            axes.plot(x, values, label=palette.label(name), **palette.style(name))
        latitude_axis(axes)
        axes.set_ylabel(unit)
        axes.set_title(title)
        limits = frame_of(lines, *(band[:2] if band is not None else ()))
        if limits is not None:
            axes.set_ylim(0.0 if from_zero else limits[0], limits[1])
        if second is not None:
            twin = axes.twinx()
            twin.plot(x, second[0], color="#d55e00", linewidth=1.2, linestyle=":", label=second[1])
            twin.set_ylabel(second[1], color="#d55e00")
            twin.tick_params(axis="y", labelcolor="#d55e00", length=0)
            twin.grid(False)
            twin.spines["right"].set_visible(False)
        if len(lines) > 1 or band is not None:
            drawn.legend_below()
    return drawn.svg


def by_level(
    sigma: np.ndarray,
    lines: Mapping[str, np.ndarray],
    palette: Palette,
    title: str,
    *,
    xlabel: str = "R²",
    limits: tuple[float, float] = (-0.1, 1.0),
    band: Band | None = None,
    band_centre: np.ndarray | None = None,
    masked: Sequence[float] = (),
) -> str:
    """SVG of profiles (level,) with the ceiling as a band and masked levels as grey strips."""
    with panel(width=4.6, height=4.0) as drawn:
        axes = drawn.axes
        if band is not None:
            axes.fill_betweenx(sigma, band[0], band[1], color=GREY, alpha=0.25, linewidth=0, label=band[2])
        if band_centre is not None:
            axes.plot(band_centre, sigma, color=GREY, linewidth=1.2, linestyle="-")
        half = 0.5 * np.gradient(sigma) if len(sigma) > 1 else np.array([0.01])
        for number, level in enumerate(masked):
            width = half[int(np.argmin(np.abs(sigma - level)))]
            strip: dict[str, Any] = {"label": "masked: no variance"} if number == 0 else {}
            axes.axhspan(
                level - width, level + width, facecolor="#f1f1f3", edgecolor="#d5d6da", hatch="////", linewidth=0, **strip
            )
        for name, values in lines.items():
            axes.plot(
                np.clip(values, limits[0] - 1, limits[1] + 1),
                sigma,
                label=palette.label(name),
                marker="o",
                markersize=2.4,
                **palette.style(name),
            )
        axes.set_xlim(*limits)
        axes.axvline(0.0, color="#9a9da5", linewidth=0.8)
        sigma_axis(axes)
        axes.set_xlabel(xlabel)
        axes.set_title(title)
        drawn.legend_below()
    return drawn.svg


def by_day(
    day: np.ndarray,
    lines: Mapping[str, np.ndarray],
    palette: Palette,
    title: str,
    unit: str,
    *,
    tolerance: tuple[float, float, str] | None = None,
    limits: tuple[float, float] | None = None,
    xlabel: str = "day of the run",
) -> str:
    """SVG of time series (day,); `tolerance` = (low, high, label) is a green band."""
    with panel(width=5.2, height=3.3, left=0.13) as drawn:
        axes = drawn.axes
        if tolerance is not None:
            axes.axhspan(tolerance[0], tolerance[1], color="#009e73", alpha=0.13, linewidth=0, label=tolerance[2])
        for name, values in lines.items():
            if np.isfinite(values).any():
                axes.plot(day, values, label=palette.label(name), **palette.style(name))
        axes.set_xlim(float(day.min()), float(day.max()) if day.size > 1 else float(day.min()) + 1)
        limits = limits or frame_of(lines, *(tolerance[:2] if tolerance is not None else ()))
        if limits is not None:
            axes.set_ylim(*limits)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(unit)
        axes.set_title(title)
        drawn.legend_below()
    return drawn.svg
