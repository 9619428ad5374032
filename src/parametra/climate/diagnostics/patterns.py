"""How alike two mean fields are: sections over latitude and level, profiles over latitude, maps; and where the rain belt lies."""

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.geometry import TROPOSPHERE_TOP, column_integral, latitude_weights, thickness_below
from parametra.core.constants import HEAT_CAPACITY

TROPICS = 30.0  # degrees: the rain belt is looked for within


def pattern_weights(field: xr.DataArray, top: float = TROPOSPHERE_TOP) -> xr.DataArray:
    """Weights of a mean field, sum 1: area of the rows, and mass below `top` [Pa] where it has levels."""
    weight = xr.ones_like(field, dtype=np.float64)
    if "latitude" in field.dims:
        weight = weight * latitude_weights(field.latitude)
    if "level" in field.dims:
        weight = weight * thickness_below(field.level, top)
    return weight / weight.sum()


def pattern_scores(run: xr.DataArray, reference: xr.DataArray, top: float = TROPOSPHERE_TOP) -> tuple[float, float, float]:
    """Bias [unit], root mean square difference [unit] and pattern correlation [1] of two mean fields, by area and mass.

    Dims any of (latitude, longitude, level), alike. Correlation is about the weighted means, NaN for a constant field.
    """
    weight = pattern_weights(reference, top)
    a, b = (side.transpose(*reference.dims).values.astype(np.float64) for side in (run, reference))
    w = weight.values
    difference = float((w * (a - b)).sum())
    rms = float(np.sqrt((w * (a - b) ** 2).sum()))
    a, b = a - (w * a).sum(), b - (w * b).sum()
    scale = float(np.sqrt((w * a * a).sum() * (w * b * b).sum()))
    return difference, rms, float((w * a * b).sum()) / scale if scale > 0 else float("nan")


def rain_belt(profile: xr.DataArray) -> tuple[float, float]:
    """Latitude [degrees] of the wettest place within the tropics, and full width [degrees] at half of its rain.

    The maximum is that of a parabola through the wettest row and its neighbours; the edges lie on straight lines between rows.
    With few rows the width says little: a belt on one row has about the width of two.

    Args:
        profile: mean precipitation (latitude,), any unit.
    """
    profile = profile.sortby("latitude")
    latitude, rain = profile.latitude.values.astype(np.float64), profile.values.astype(np.float64)
    if not np.isfinite(rain).all():
        return float("nan"), float("nan")
    inside = np.abs(latitude) <= TROPICS
    k = int(np.clip(np.flatnonzero(inside)[rain[inside].argmax()], 1, rain.size - 2))
    a, b, c = np.polyfit(latitude[k - 1 : k + 2] - latitude[k], rain[k - 1 : k + 2], 2)
    shift = float(np.clip(-b / (2 * a), latitude[k - 1] - latitude[k], latitude[k + 1] - latitude[k])) if a < 0 else 0.0
    half = 0.5 * float(a * shift**2 + b * shift + c)
    south = _crossing(latitude[k::-1], rain[k::-1], half)
    north = _crossing(latitude[k:], rain[k:], half)
    return float(latitude[k] + shift), north - south


def column_heating(dataset: xr.Dataset) -> xr.DataArray:
    """Time-mean heating of the columns, cp sum dT dp / g [W m-2], dims those of surface_air_pressure less time."""
    heating = HEAT_CAPACITY * column_integral(dataset.tendency_of_air_temperature, dataset.surface_air_pressure)
    return heating.mean("time") if "time" in heating.dims else heating


def mean_absolute_difference(run: xr.DataArray, reference: xr.DataArray, top: float = 0.0) -> float:
    """Mean over area and mass of |run - reference| of two mean fields [unit]: the first paper's measure of a warmed climate."""
    return float((pattern_weights(reference, top) * abs(run.astype(np.float64) - reference)).sum())


def _crossing(latitude: np.ndarray, rain: np.ndarray, half: float) -> float:
    """Where rain first falls below `half` on the way from the maximum; the last row if it never does."""
    below = np.flatnonzero(rain < half)
    if below.size == 0:
        return float(latitude[-1])
    i = int(max(below[0], 1))
    part = (rain[i - 1] - half) / (rain[i - 1] - rain[i])
    return float(latitude[i - 1] + part * (latitude[i] - latitude[i - 1]))
