"""From fields on disk to the arrays that a network learns from."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from parametra.climate.diagnostics.blocks import time_slices
from parametra.climate.emulator.vectors import INPUTS, OUTPUTS, Variable, output_factors, size, slices
from parametra.core.constants import SECONDS_PER_DAY
from parametra.core.errors import DataError, UsageError

GRID = ("time", "latitude", "longitude")
STORED = (*(variable.name for variable in (*INPUTS, *OUTPUTS)), "rainfall_flux", "snowfall_flux")


@dataclass(frozen=True)
class ColumnDataset:
    """Columns of a stretch of truth, in the order time, latitude, longitude.

    Attributes:
        inputs: (sample, 3n + 4) SI, float32, humidity below zero set to zero.
        targets: (sample, 2n + 5) in the network's units, float32.
        coordinates: those of time, latitude, longitude and level, to turn predictions into fields again.
    """

    inputs: Float[np.ndarray, "sample inputs"]
    targets: Float[np.ndarray, "sample outputs"]
    coordinates: xr.Dataset

    @property
    def levels(self) -> int:
        """Number of layers n."""
        return self.coordinates.sizes["level"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(times, latitudes, longitudes)."""
        sizes = self.coordinates.sizes
        return sizes["time"], sizes["latitude"], sizes["longitude"]


def stretch(fields: xr.Dataset, first_day: float, last_day: float, time_step: float) -> xr.Dataset:
    """The steps of the days [first_day, last_day) of fields stored at every step of `time_step` [s], counted from their start.

    Raises:
        UsageError: days that are outside the fields or hold no step.
    """
    start, stop = (round(day * SECONDS_PER_DAY / time_step) for day in (first_day, last_day))
    if not 0 <= start < stop <= fields.sizes["time"]:
        days = fields.sizes["time"] * time_step / SECONDS_PER_DAY
        raise UsageError(
            f"Days {first_day:g} to {last_day:g} are not in fields of {days:g} days. "
            "Likely cause: stretches longer than the truth. Remedy: more days of truth or shorter stretches."
        )
    return fields.isel(time=slice(start, stop))


def column_dataset(fields: xr.Dataset) -> ColumnDataset:
    """Inputs and targets of every column and step in `fields` (CF names; dimensions time, latitude, longitude, level).

    Raises:
        DataError: no steps, a missing variable or dimension, or values that are not finite.
    """
    missing = [name for name in (*GRID, "level") if name not in fields.dims]
    if missing:
        raise DataError(
            f"The fields have no dimension {missing[0]}. Likely cause: another kind of store. Remedy: give the truth."
        )
    levels, steps = fields.sizes["level"], fields.sizes["time"]
    samples = int(np.prod([fields.sizes[name] for name in GRID]))
    if not samples:
        raise DataError("The fields hold no columns. Likely cause: a stretch of time outside the truth. Remedy: check its days.")
    inputs = np.empty((samples, size(INPUTS, levels)), np.float32)
    targets = np.empty((samples, size(OUTPUTS, levels)), np.float32)
    stored = fields[[name for name in STORED if name in fields]]
    for part in time_slices(stored):  # beside the arrays that are kept there is only a block of fields in memory
        block, rows = stored.isel(time=part).load(), slice(part.start * samples // steps, part.stop * samples // steps)
        _fill(inputs[rows], block, INPUTS, part.start)
        _fill(targets[rows], block, OUTPUTS, part.start)
    humidity = inputs[:, slices(INPUTS, levels)["specific_humidity"]]
    np.maximum(humidity, 0.0, out=humidity)
    targets *= output_factors(levels).astype(np.float32)
    return ColumnDataset(inputs, targets, fields[[*GRID, "level"]].drop_attrs(deep=False))


def _fill(vectors: np.ndarray, block: xr.Dataset, variables: tuple[Variable, ...], first: int) -> None:
    """Put the variables of a block that starts with step `first` of the stretch into its vectors (sample, ...)."""
    where = slices(variables, block.sizes["level"])
    for variable in variables:
        array = _field(block, variable.name).transpose(*GRID, *(["level"] if variable.profile else []))
        values = np.asarray(array.values, np.float32).reshape(len(vectors), -1)
        if not np.all(np.isfinite(values)):
            columns = len(vectors) // block.sizes["time"]
            step = first + int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0]) // columns
            raise DataError(
                f"{variable.name} has values that are not finite, first at step {step} of the stretch. Likely cause: a run that "
                "went wrong while it was recorded. Remedy: make the truth again, or leave that time out."
            )
        vectors[:, where[variable.name]] = values


def _field(fields: xr.Dataset, name: str) -> xr.DataArray:
    if name == "precipitation_flux" and name not in fields and {"rainfall_flux", "snowfall_flux"} <= set(fields):
        return fields["rainfall_flux"] + fields["snowfall_flux"]
    if name not in fields:
        raise DataError(f"The fields have no {name}. Likely cause: another kind of store. Remedy: give the fields of the truth.")
    return fields[name]
