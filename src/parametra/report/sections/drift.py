"""Drift: does the run stay where the truth is, day after day?"""

import numpy as np
import xarray as xr

from parametra.report.figures.lines import by_day
from parametra.report.figures.palette import MOST, label
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Section, missing

TITLE = "Drift"
LEAD = (
    "Daily figures of runs and seeds against the truth. Survival is a weak test: a network can live on in a wrong, cold "
    "and dry "
    "climate with plausible fluxes. The green band is the tolerance; a null closure that leaves the frame ran away."
)


def section(run: RunReader) -> Section | None:
    """Mean temperature, rms, water, rain and rain profile by day, with tolerances about the truth."""
    data, left_out = run.drawn("drift", "run")
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
    notes = [Note(left_out)] if left_out else []
    return Section("drift", TITLE, LEAD, (Panels(figures, columns=2), *notes, *_ends(run, data)))


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


def _ends(run: RunReader, data: xr.Dataset) -> list[Note]:
    """Which runs stopped, with their sentence, and which were run for fewer days on purpose."""
    ends = [(name, day) for name in map(str, data.run.values) if (day := _end(data, name)) is not None]
    told = run.stops if len(run.stops) <= MOST else {name: why for name, why in run.stops.items() if name in data.run.values}
    notes = [Note(f"{run.palette.label(name)} stopped: {why}", "warning") for name, why in told.items()]
    if others := [label(name) for name in run.stops if name not in told]:
        notes.append(Note(f"{len(others)} more stopped: {', '.join(others)}.", "warning"))
    short = [f"{label(name)} {day:g}" for name, day in ends if name not in run.stops and not name.startswith("truth")]
    return [*notes, *([Note("Run for fewer days: " + ", ".join(short) + ".")] if short else [])]


def _end(data: xr.Dataset, run: str) -> float | None:
    """The last day of a run, None for one that lasts to the end."""
    alive = np.isfinite(data.mean_temperature.sel(run=run).values) if "mean_temperature" in data else np.ones(1, bool)
    last = int(np.flatnonzero(alive)[-1]) if alive.any() else -1
    if last == alive.size - 1:
        return None
    return float(data.day.values[last]) if last >= 0 else 0.0
