"""Weights of a stored field: area of a latitude row, mass of a sigma layer, hours between two times.

Everything here reads CF-named xarray objects with dims (time, latitude, longitude, level), level 0 at the top, level coordinate
sigma (the layer centres), latitude in degrees, time in days (or anything xarray decodes to dates).
"""

import numpy as np
import xarray as xr

from parametra.core.constants import GRAVITY, REFERENCE_PRESSURE
from parametra.core.errors import DataError

DAY_IN = {
    unit: count
    for count, units in {
        1.0: ("days", "day", "d"), 24.0: ("hours", "hour", "hrs", "hr", "h"),
        1440.0: ("minutes", "minute", "mins", "min"), 86400.0: ("seconds", "second", "secs", "sec", "s"),
    }.items()
    for unit in units
}  # fmt: skip
TROPOSPHERE_TOP = 18000.0  # Pa: scores are taken from here to the surface, below the layers that only relax


def latitude_weights(latitude: xr.DataArray) -> xr.DataArray:
    """Share of the sphere of each row (latitude,), sum 1: Gaussian weights on a Gaussian grid, else by cos(latitude)."""
    degrees = np.asarray(latitude, np.float64)
    nodes, gaussian = np.polynomial.legendre.leggauss(degrees.size)
    order = np.argsort(degrees)
    # float32 coordinates carry 4e-6 degrees of rounding; half a hundredth of a degree tells any other grid apart
    on_gaussian_grid = np.allclose(degrees[order], np.degrees(np.arcsin(nodes)), atol=5e-3)
    weights = np.empty_like(degrees)
    weights[order] = gaussian if on_gaussian_grid else np.cos(np.radians(degrees[order]))
    return xr.DataArray(weights / weights.sum(), dims="latitude", coords={"latitude": latitude})


def layer_thickness(level: xr.DataArray) -> xr.DataArray:
    """Thickness of each layer in sigma (level,), from the centres alone: the top interface is 0, each centre halves its layer.

    Pressure levels, which `from_cf` marks by their standard name, are no centres: their layers reach to the middles between them.

    Raises:
        DataError: the centres are not those of layers that fill [0, 1].
    """
    centres = np.asarray(level, np.float64)
    if level.attrs.get("standard_name") == "air_pressure":
        edges = np.concatenate([[0.0], 0.5 * (centres[1:] + centres[:-1]), [max(1.0, centres[-1])]])
        return xr.DataArray(np.diff(edges) / edges[-1], dims="level", coords={"level": level})
    half = np.zeros(centres.size + 1)
    for k, centre in enumerate(centres):
        half[k + 1] = 2.0 * centre - half[k]
    thickness = np.diff(half)
    if not np.all(thickness > 0) or abs(half[-1] - 1.0) > 1e-4:
        raise DataError(
            f"The coordinate level does not hold the centres of sigma layers from 0 to 1 (it ends at {half[-1]:g}). "
            "Likely cause: pressures, or levels from the ground up. Remedy: sigma of the layer centres, top first, or `from_cf`."
        )
    return xr.DataArray(thickness / half[-1], dims="level", coords={"level": level})


def thickness_below(level: xr.DataArray, top: float = TROPOSPHERE_TOP, surface: float = REFERENCE_PRESSURE) -> xr.DataArray:
    """Thickness in sigma (level,) of the part of each layer below `top` [Pa], for a surface pressure `surface` [Pa]."""
    thickness = layer_thickness(level)
    bottom = thickness.cumsum("level")
    return (bottom - np.maximum(bottom - thickness, top / surface)).clip(min=0.0)


def layer_mass(surface_pressure: xr.DataArray, level: xr.DataArray) -> xr.DataArray:
    """Mass of each layer [kg m-2], dims of `surface_pressure` [Pa] and level, in float64."""
    return surface_pressure.astype(np.float64) * (layer_thickness(level) / GRAVITY)


def area_mean(field: xr.DataArray) -> xr.DataArray:
    """Mean over the sphere (float64): rows weighted by area, longitudes alike where there are any; NaN where one is NaN."""
    field = field.astype(np.float64)
    if "longitude" in field.dims:
        field = field.mean("longitude", skipna=False)
    return (field * latitude_weights(field.latitude)).sum("latitude", skipna=False)


def column_integral(field: xr.DataArray, surface_pressure: xr.DataArray) -> xr.DataArray:
    """Sum of `field` x layer mass over the column [unit of field x kg m-2], in float64."""
    # a product over levels needs no array of masses as large as the field, nor one of products
    per_pressure = xr.dot(field.astype(np.float64), layer_thickness(field.level) / GRAVITY, dim="level")
    return per_pressure * surface_pressure.astype(np.float64)


def time_in_days(time: xr.DataArray) -> np.ndarray:
    """Times as float64 days: numbers are days unless their units say hours, minutes or seconds; dates count from the first one.

    Raises:
        DataError: a unit of time that is none of these.
    """
    values = np.asarray(time)
    if np.issubdtype(values.dtype, np.number) and not np.issubdtype(values.dtype, np.timedelta64):
        units = str(time.attrs.get("units", "days"))
        count = DAY_IN.get((units.split() or ["days"])[0].lower())
        if count is None:
            raise DataError(
                f'Times come in "{units}", which is no number of days. Likely cause: a calendar unit such as months, or a unit '
                "written otherwise. Remedy: convert them to days, hours, minutes or seconds, or let xarray decode them to dates."
            )
        return values.astype(np.float64) / count
    elapsed = values - values[0]
    if np.issubdtype(elapsed.dtype, np.timedelta64):
        return elapsed / np.timedelta64(1, "D")
    return np.array([step.total_seconds() / 86400.0 for step in elapsed])


def step_in_hours(time: xr.DataArray) -> float:
    """Hours between neighbouring times (the median; a restart may leave a gap)."""
    days = time_in_days(time)
    if days.size < 2:
        raise DataError("A time step needs two times, the dataset holds one. Remedy: record more than one step.")
    return float(np.round(np.median(np.diff(days)) * 24.0, 6))
