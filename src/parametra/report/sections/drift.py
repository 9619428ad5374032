"""Drift: does the run stay where the truth is, day after day?"""

import numpy as np
import xarray as xr

from parametra.report.figures.lines import by_day
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Section, missing

TITLE = "Drift"
LEAD = (
    "Daily figures of every run and seed against the truth. Survival is a weak test: a network can live on in a wrong, cold "
    "and dry "
    "climate with plausible fluxes. The green band is the tolerance."
)


def section(run: RunReader) -> Section | None:
    """Mean temperature, rms, water, rain and rain profile by day, with tolerances about the truth."""
    data = run.fields("drift")
    if data is None:
        return missing("drift", TITLE, LEAD, run.why_missing("drift"))
    temperature, water = _truth_mean(data, "mean_temperature"), _truth_mean(data, "precipitable_water")
    warm = None if temperature is None else (temperature - 1.5, temperature + 1.5, "truth ± 1.5 K")
    wet = None if water is None else (0.9 * water, 1.1 * water, "truth ± 10 %")
    wanted = (
        ("mean_temperature", "Mean temperature, below 180 hPa", "K", warm, None),
        ("zonal_temperature_rms", "Zonal-mean temperature, rms difference from truth", "K", (0.0, 2.0, "within 2 K"), None),
        ("precipitable_water", "Precipitable water", "kg/m²", wet, None),
        ("precipitation_flux", "Precipitation, 10-day running mean", "mm/day", None, None),
        ("rain_profile_r", "Rain by latitude, correlation with truth", "r", (0.95, 1.0, "above 0.95"), _correlation_limits(data)),
    )
    figures = tuple(
        Figure(
            by_day(
                data.day.values.astype(np.float64), _lines(data, name), run.palette, title, unit, tolerance=band, limits=limits
            )
        )
        for name, title, unit, band, limits in wanted
        if name in data and _lines(data, name)
    )
    ends = [_end(data, str(name)) for name in data.run.values]
    early = [f"{name} ends at day {day:g}" for name, day in ends if day is not None and not name.startswith("truth")]
    notes = (Note("Runs that end before the last day: " + "; ".join(early) + ".", "warning"),) if early else ()
    return Section("drift", TITLE, LEAD, (Panels(figures, columns=2), *notes))


def _lines(data: xr.Dataset, name: str) -> dict[str, np.ndarray]:
    series = data[name]
    if name == "precipitation_flux":  # single days of rain are noise that hides the drift
        series = series.rolling(day=10, min_periods=1).mean().where(series.notnull())
    lines = {str(run): series.sel(run=run).values for run in data.run.values}
    return {run: values for run, values in lines.items() if np.isfinite(values).any()}


def _truth_mean(data: xr.Dataset, name: str) -> float | None:
    if name not in data or "truth" not in data.run.values:
        return None
    values = data[name].sel(run="truth").values
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _correlation_limits(data: xr.Dataset) -> tuple[float, float]:
    lowest = float(np.nanmin(data.rain_profile_r.values)) if "rain_profile_r" in data else 0.0
    return (min(0.8, max(-1.0, lowest - 0.05)), 1.01)


def _end(data: xr.Dataset, run: str) -> tuple[str, float | None]:
    """The run and the day it ends at, None for one that lasts to the end."""
    alive = np.isfinite(data.mean_temperature.sel(run=run).values) if "mean_temperature" in data else np.ones(1, bool)
    last = int(np.flatnonzero(alive)[-1]) if alive.any() else -1
    return run, None if last == alive.size - 1 else float(data.day.values[last]) if last >= 0 else 0.0
