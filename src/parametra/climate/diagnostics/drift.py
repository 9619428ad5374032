"""How a long run departs from a reference climate, day by day: the layout of fields/drift.zarr."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.blocks import time_blocks
from parametra.climate.diagnostics.geometry import TROPOSPHERE_TOP, area_mean, time_in_days
from parametra.climate.diagnostics.means import (
    SOURCES,
    climate_difference,
    mass_weighted_mean,
    rain_profile_scores,
    temperature_rms,
    with_derived,
    zonal_climate,
)
from parametra.climate.diagnostics.required import require
from parametra.core.constants import SECONDS_PER_DAY
from parametra.core.errors import EndedError


def daily_series(
    dataset: xr.Dataset, reference: xr.Dataset, *, smooth_days: int = 10, top: float = TROPOSPHERE_TOP
) -> xr.Dataset:
    """Daily figures of a run against the zonal climate `reference`.

    Rain profile and zonal temperature of a single day are weather; both are means over the last `smooth_days` days (fewer at
    the start).

    Args:
        dataset: a run with dims (time, latitude[, longitude][, level]), any step up to a day.
        reference: zonal climate as `zonal_climate` returns it.
        smooth_days: days averaged before a profile is compared.
        top: pressure [Pa] from which temperature counts.

    Returns:
        mean_temperature [K], zonal_temperature_rms [K], precipitable_water [kg m-2], precipitation_flux [mm/day],
        rain_profile_r [1], dims (day,), day = days since the run's first one, from 1.

    Raises:
        DataError: run or reference lacks temperature or rain, or the run what its vapour follows from.
    """
    require(reference, ["air_temperature", "precipitation_flux"])
    daily = _daily_zonal(dataset)
    smooth = daily.rolling(day=smooth_days, min_periods=1).mean()
    r, _ = rain_profile_scores(smooth.precipitation_flux, reference.precipitation_flux)
    return xr.Dataset(
        {
            "mean_temperature": mass_weighted_mean(daily.air_temperature, top),
            "zonal_temperature_rms": temperature_rms(smooth, reference, top),
            "precipitable_water": area_mean(daily.atmosphere_mass_content_of_water_vapor),
            "precipitation_flux": area_mean(daily.precipitation_flux) * SECONDS_PER_DAY,
            "rain_profile_r": r,
        }
    )


def drift_table(runs: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Daily series of several runs side by side, dims (run, day); days that a run did not reach are NaN."""
    table = xr.concat(list(runs.values()), "run", join="outer", coords="minimal", compat="override")
    return table.assign_coords(run=list(runs))


def late_climate(dataset: xr.Dataset, reference: xr.Dataset, first_day: float, last_day: float) -> dict[str, float]:
    """`climate_difference` of the days from `first_day` to `last_day` (counted from the run's start) against `reference`.

    Raises:
        EndedError: the run did not reach `last_day`.
        DataError: temperature, vapour or rain is missing.
    """
    days = time_in_days(dataset.time)
    elapsed = days - days[0]
    step = float(np.median(np.diff(elapsed))) if days.size > 1 else 0.0
    if elapsed[-1] + step < last_day - 1e-6:
        raise EndedError(
            f"The run ends at day {elapsed[-1] + step:.1f}, before day {last_day:g}. Likely cause: it stopped early. "
            "Remedy: score a shorter stretch, or look at where it stopped."
        )
    inside = (elapsed >= first_day - 1e-6) & (elapsed < last_day - 1e-6)
    return climate_difference(zonal_climate(dataset.isel(time=inside)), reference)


def _daily_zonal(dataset: xr.Dataset) -> xr.Dataset:
    shown = ["air_temperature", "precipitation_flux", "atmosphere_mass_content_of_water_vapor"]
    needed = [name for name in dict.fromkeys((*shown, *SOURCES)) if name in dataset]
    rows = []
    for block in time_blocks(dataset[needed]):
        block = with_derived(block)
        require(block, shown)
        rows.append(_zonal(block[shown]))
    zonal: xr.Dataset = xr.concat(rows, "time", coords="minimal", compat="override", join="override")  # pyright: ignore
    days = time_in_days(dataset.time)
    day = np.floor(days - days[0] + 1e-6).astype(int) + 1
    return zonal.assign_coords(day=("time", day)).groupby("day").mean("time", skipna=False)


def _zonal(fields: xr.Dataset) -> xr.Dataset:
    return fields.astype(np.float64).mean([name for name in ("longitude",) if name in fields.dims], skipna=False)
