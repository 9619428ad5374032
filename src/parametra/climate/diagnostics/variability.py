"""How lively a scheme is: standard deviation of its tendencies by latitude and level.

Two deviations are told apart: about the time mean of each cell, whose zonal mean is what the first paper shows; and about the
mean over time and longitude, which a run can record as daily means of squares. In a zonally symmetric world they agree but
for the time means' own sampling error; over land or on a wavy sea they do not.

Source: Rasp, Pritchard & Gentine 2018, 10.1073/pnas.1810286115, figure 2B.
"""

from typing import Literal

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.geometry import TROPOSPHERE_TOP, area_mean
from parametra.climate.diagnostics.means import mass_weighted_mean
from parametra.core.errors import DataError

About = Literal["cell", "zonal"]
SQUARE = "square_of_"


def standard_deviation(dataset: xr.Dataset, name: str, about: About = "zonal") -> xr.DataArray:
    """Standard deviation of a variable over time and longitude, dims (latitude[, level]), in its own unit.

    Args:
        dataset: `name` on (time, latitude, longitude[, level]); or, for "zonal", zonal means of `name` and of its square, the
            variable "square_of_NAME", on (time, latitude[, level]), which a long run keeps in place of every step.
        name: the variable.
        about: "cell": about the time mean of each cell, then the zonal mean; "zonal": about the mean over time and longitude.

    Raises:
        DataError: zonal means without their squares, or "cell" asked of them.
    """
    if name in dataset and "longitude" in dataset[name].dims:
        values = dataset[name].astype(np.float64)
        if about == "cell":
            return values.std("time", skipna=False).mean("longitude", skipna=False)
        return values.std(["time", "longitude"], skipna=False)
    if name not in dataset or SQUARE + name not in dataset or about == "cell":
        raise DataError(
            f"The dataset holds no columns of {name}, nor its squares for a deviation about the zonal mean. "
            f"Remedy: store every column, or record {SQUARE}{name}."
        )
    mean = dataset[name].astype(np.float64).mean("time", skipna=False)
    return (dataset[SQUARE + name].astype(np.float64).mean("time", skipna=False) - mean**2).clip(min=0.0) ** 0.5


def mean_deviation(deviation: xr.DataArray, top: float = TROPOSPHERE_TOP) -> float:
    """Root of the mean variance over area and mass from `top` [Pa] to the surface, in the unit of `deviation`."""
    return float(mass_weighted_mean(deviation**2, top) ** 0.5)


def deviation_ratio(run: xr.DataArray, reference: xr.DataArray) -> xr.DataArray:
    """Ratio of two deviations by level, roots of area means of variance, run over reference: (level,), NaN without variance."""
    below, above = area_mean(reference**2), area_mean(run**2)
    return (above / below.where(below > 1e-12 * below.max())) ** 0.5
