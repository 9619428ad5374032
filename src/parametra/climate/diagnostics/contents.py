"""Global contents day by day: does a run gain or lose energy and water that it should not?

Energy is the moist enthalpy cp T + Lc q of the air, of which the hydrostatic column's potential energy is part; kinetic energy
is a thousandth of it and left out.

Source: Rasp, Pritchard & Gentine 2018, 10.1073/pnas.1810286115, figure 4B.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.stats import t

from parametra.climate.diagnostics.geometry import area_mean, column_integral, time_in_days
from parametra.climate.diagnostics.required import require
from parametra.core.constants import HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, SECONDS_PER_DAY


@dataclass(frozen=True)
class Trend:
    """Slope of a series and its 95 % interval, from the residuals' own memory; NaN interval below ten independent samples.

    Attributes:
        slope: per day.
        low: lower end.
        high: upper end.
        independent: how many independent samples the series is worth.
    """

    slope: float
    low: float
    high: float
    independent: float


def global_contents(dataset: xr.Dataset) -> xr.Dataset:
    """Column energy [J m-2] and total water [kg m-2] of the mean column, area-weighted in float64, dims (time,).

    Args:
        dataset: air_temperature, specific_humidity, surface_air_pressure; zonal means will do (products of means miss the
            covariance along a latitude, which is a constant offset to 1e-4).

    Raises:
        DataError: one of them is missing.
    """
    require(dataset, ["air_temperature", "specific_humidity", "surface_air_pressure"])
    pressure = dataset.surface_air_pressure
    water = area_mean(column_integral(dataset.specific_humidity, pressure))
    heat = area_mean(column_integral(dataset.air_temperature, pressure))
    return xr.Dataset({"energy": HEAT_CAPACITY * heat + LATENT_HEAT_CONDENSATION * water, "water": water})


def trend(series: xr.DataArray) -> Trend:
    """Least-squares slope per day of a series (time,), with an interval that knows about its memory."""
    days, values = time_in_days(series.time), series.values.astype(np.float64)
    if days.size < 3 or not np.isfinite(values).all():
        return Trend(float("nan"), float("nan"), float("nan"), 0.0)
    since = days - days.mean()
    slope = float(np.sum(since * values) / np.sum(since * since))
    rest = values - values.mean() - slope * since
    scale = float(np.sum(rest * rest))
    independent = independent_samples(rest)
    if independent < 10:
        return Trend(slope, float("nan"), float("nan"), independent)
    half = float(t.ppf(0.975, independent - 2.0) * np.sqrt(scale / (independent - 2.0) / np.sum(since * since)))
    return Trend(slope, slope - half, slope + half, independent)


def independent_samples(rest: np.ndarray) -> float:
    """How many independent samples a series of deviations (time,) is worth: n (1 - r)/(1 + r), r its lag-one autocorrelation.

    Source: Santer et al. 2000, 10.1029/1999JD901105; a negative r counts as none.
    """
    scale = float(np.sum(rest * rest))
    memory = float(np.clip(np.sum(rest[1:] * rest[:-1]) / scale, 0.0, 0.9999)) if scale > 0 else 0.0
    return rest.size * (1.0 - memory) / (1.0 + memory)


def energy_drift(dataset: xr.Dataset) -> Trend:
    """Drift of the mean column's energy [W m-2]."""
    found = trend(global_contents(dataset).energy)
    slope, low, high = (value / SECONDS_PER_DAY for value in (found.slope, found.low, found.high))
    return Trend(slope, low, high, found.independent)
