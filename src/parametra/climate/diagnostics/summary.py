"""A record of every column of every step, boiled down to one row per day: all that the scores of a climate need.

The same variables are what a long coupled run keeps while it goes on, so that truth and network are scored by the same code:
zonal means of every field; squares of the tendencies; the daily map of precipitation; the day's histogram of precipitation from
single steps; and the moments of the energy scatter.
"""

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.geometry import time_in_days
from parametra.climate.diagnostics.means import PROFILE_VARIABLES, SECTION_VARIABLES, with_derived
from parametra.climate.diagnostics.precipitation import rain_histogram
from parametra.climate.diagnostics.scatter import scatter_axes
from parametra.climate.diagnostics.variability import SQUARE
from parametra.core.errors import DataError

SQUARED = ("tendency_of_air_temperature", "tendency_of_specific_humidity")
HISTOGRAM = "precipitation_histogram"
FLUXES = (
    "surface_upward_latent_heat_flux",
    "surface_upward_sensible_heat_flux",
    "toa_net_downward_shortwave_flux",
    "toa_outgoing_longwave_flux",
    "surface_net_downward_shortwave_flux",
    "surface_net_upward_longwave_flux",
)
SCATTERED = (*SQUARED, *FLUXES, "surface_air_pressure")
NEEDED = (*SECTION_VARIABLES, *PROFILE_VARIABLES, *FLUXES, "surface_air_pressure", "rainfall_flux", "snowfall_flux")


def daily_summary(dataset: xr.Dataset) -> xr.Dataset:
    """One row per day of a record on (time, latitude, longitude[, level]); a last day that is cut short is a row as well.

    Days are read one after the other, so a record on disk need not fit into memory. What the record does not hold is left out.
    A value that is not a number makes the mean that it belongs to no number; the histogram counts the samples that are.

    Returns:
        zonal means (time, latitude[, level]); precipitation_flux (time, latitude, longitude);
        precipitation_histogram (time, rain); square_of_NAME for the two tendencies; energy_scatter_x and so on (time, latitude).

    Raises:
        DataError: the record holds no columns.
    """
    names = [name for name in NEEDED if name in dataset]
    if "longitude" not in dataset.dims or not names:
        raise DataError(
            "A summary needs a record of columns on (time, latitude, longitude). Likely cause: zonal means, or dimensions and "
            "variables with other names. Remedy: read them with `from_cf`; zonal means are a summary already."
        )
    days = time_in_days(dataset.time)
    day = np.floor(days - days[0] + 1e-6).astype(int)
    rows = []
    for number in np.unique(day):
        steps = np.flatnonzero(day == number)
        part = dataset[names].isel(time=slice(int(steps[0]), int(steps[-1]) + 1)).load()
        rows.append(_row(with_derived(part)).expand_dims(time=[days[0] + number + 0.5]))
    days_together: xr.Dataset = xr.concat(rows, "time", coords="minimal", compat="override", join="override")  # pyright: ignore
    return days_together


def _row(part: xr.Dataset) -> xr.Dataset:
    over = ["time", "longitude"]
    row = part.drop_vars("precipitation_flux", errors="ignore").astype(np.float64).mean(over, skipna=False)
    for name in SQUARED:
        if name in part:
            row[SQUARE + name] = (part[name].astype(np.float64) ** 2).mean(over, skipna=False)
    if "precipitation_flux" in part:
        maps = part.precipitation_flux.astype(np.float64)
        row["precipitation_flux"] = maps.mean("time", skipna=False).transpose("latitude", "longitude")
        row[HISTOGRAM] = rain_histogram(part.precipitation_flux, block_days=np.inf).isel(time=0, drop=True)
    if all(name in part for name in SCATTERED):
        axes = scatter_axes(part)
        x, y = axes.x, axes.y
        for name, values in (("x", x), ("y", y), ("xx", x * x), ("xy", x * y), ("residual_squared", (y - x) ** 2)):
            row[f"energy_scatter_{name}"] = values.mean(over, skipna=False)
    return row
