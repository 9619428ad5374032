"""Mean climate of a run: zonal means, what is inside the troposphere, and how far two climates are apart."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.blocks import mean_in_blocks
from parametra.climate.diagnostics.geometry import (
    TROPOSPHERE_TOP,
    area_mean,
    column_integral,
    latitude_weights,
    thickness_below,
)
from parametra.climate.diagnostics.required import require
from parametra.climate.diagnostics.scoreboard import with_precipitation
from parametra.core.constants import LATENT_HEAT_CONDENSATION, SECONDS_PER_DAY
from parametra.core.errors import DataError

Score = TypeVar("Score")
SECTION_VARIABLES = (
    "air_temperature",
    "specific_humidity",
    "eastward_wind",
    "tendency_of_air_temperature",
    "tendency_of_specific_humidity",
)
PROFILE_VARIABLES = (
    "precipitation_flux",
    "evaporation_flux",
    "toa_outgoing_longwave_flux",
    "toa_net_downward_shortwave_flux",
    "surface_temperature",
    "atmosphere_mass_content_of_water_vapor",
)
COMPARED = ("air_temperature", "atmosphere_mass_content_of_water_vapor", "precipitation_flux")
SOURCES = ("rainfall_flux", "snowfall_flux", "surface_upward_latent_heat_flux", "specific_humidity", "surface_air_pressure")


def precipitable_water(dataset: xr.Dataset) -> xr.DataArray:
    """Vapour in the column, sum of q dp / g [kg m-2], dims of surface_air_pressure."""
    return column_integral(dataset.specific_humidity, dataset.surface_air_pressure)


def with_derived(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with precipitation_flux, evaporation_flux [kg m-2 s-1] and atmosphere_mass_content_of_water_vapor [kg m-2]."""
    dataset = with_precipitation(dataset)
    if "evaporation_flux" not in dataset and "surface_upward_latent_heat_flux" in dataset:
        dataset = dataset.assign(evaporation_flux=dataset.surface_upward_latent_heat_flux / LATENT_HEAT_CONDENSATION)
    whole = "specific_humidity" in dataset and "surface_air_pressure" in dataset
    if "atmosphere_mass_content_of_water_vapor" not in dataset and whole:
        dataset = dataset.assign(atmosphere_mass_content_of_water_vapor=precipitable_water(dataset))
    return dataset


def zonal_climate(dataset: xr.Dataset) -> xr.Dataset:
    """Mean over time and longitude of the variables that the page shows: sections (latitude, level) and profiles (latitude,).

    The record is read in blocks of time, and only what the means need.
    """
    shown = SECTION_VARIABLES + PROFILE_VARIABLES
    dataset = dataset[[name for name in dict.fromkeys(shown + SOURCES) if name in dataset]]

    def derive(block: xr.Dataset) -> xr.Dataset:
        block = with_derived(block)
        return block[[name for name in shown if name in block]]

    if "time" in dataset.dims:
        return mean_in_blocks(dataset, ("time", "longitude"), derive)
    over = [name for name in ("longitude",) if name in dataset.dims]
    return derive(dataset).astype(np.float64).mean(over, skipna=False)


def mass_weighted_mean(field: xr.DataArray, top: float = TROPOSPHERE_TOP) -> xr.DataArray:
    """Mean over sphere and layers from `top` [Pa] to the surface, by area and sigma thickness; time and other dims stay."""
    weight = thickness_below(field.level, top)
    return (area_mean(field) * weight).sum("level", skipna=False) / weight.sum()


def temperature_rms(run: xr.Dataset, reference: xr.Dataset, top: float = TROPOSPHERE_TOP) -> xr.DataArray:
    """Root mean square difference of two zonal-mean air temperatures [K], by area and mass, from `top` [Pa] to the surface."""
    return mass_weighted_mean((run.air_temperature - reference.air_temperature) ** 2, top) ** 0.5


def rain_profile_scores(run: xr.DataArray, reference: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Area-weighted correlation [1] and root mean square difference [unit of the input] of two rain profiles (latitude,)."""
    weight = latitude_weights(reference.latitude)

    def mean(values: xr.DataArray) -> xr.DataArray:
        return (values.astype(np.float64) * weight).sum("latitude", skipna=False)

    a, b = run - mean(run), reference - mean(reference)
    scale = (mean(a**2) * mean(b**2)) ** 0.5
    return mean(a * b) / scale.where(scale > 0), mean((run - reference) ** 2) ** 0.5


def climate_difference(run: xr.Dataset, reference: xr.Dataset, top: float = TROPOSPHERE_TOP) -> dict[str, float]:
    """How far the zonal climate `run` is from `reference`, both as `zonal_climate` returns them.

    Returns:
        mean_temperature [K, run - reference], zonal_temperature_rms [K], precipitable_water [relative], precipitation [mm/day],
        rain_profile_r [1], rain_profile_rms [mm/day].

    Raises:
        DataError: temperature, vapour or rain is missing in one of them.
    """
    for side in (run, reference):
        require(side, COMPARED)
    r, rms = rain_profile_scores(run.precipitation_flux, reference.precipitation_flux)
    water = [area_mean(side.atmosphere_mass_content_of_water_vapor) for side in (run, reference)]
    warmth = [mass_weighted_mean(side.air_temperature, top) for side in (run, reference)]
    rain = [area_mean(side.precipitation_flux) for side in (run, reference)]
    return {
        "mean_temperature": float(warmth[0] - warmth[1]),
        "zonal_temperature_rms": float(temperature_rms(run, reference, top)),
        "precipitable_water": float(water[0] / water[1] - 1.0),
        "precipitation": float(rain[0] - rain[1]) * SECONDS_PER_DAY,
        "rain_profile_r": float(r),
        "rain_profile_rms": float(rms) * SECONDS_PER_DAY,
    }


def halves(dataset: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """First and second half of the record in time; DataError where it holds one time alone."""
    if dataset.sizes["time"] < 2:
        raise DataError(
            f"A record of {dataset.sizes['time']} times has no halves to compare. Likely cause: a summary of one day. "
            "Remedy: a longer record."
        )
    middle = dataset.sizes["time"] // 2
    return dataset.isel(time=slice(0, middle)), dataset.isel(time=slice(middle, None))


def split_half(dataset: xr.Dataset, score: Callable[[xr.Dataset, xr.Dataset], Score]) -> Score:
    """`score` of one half of a record against the other: what sampling alone makes of two equal climates."""
    return score(*(zonal_climate(half) for half in halves(dataset)))
