"""A network's word on recorded columns, as fields under the names that the truth has."""

import equinox as eqx
import jax
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from parametra.climate.emulator.dataset import GRID, ColumnDataset
from parametra.climate.emulator.emulator import Emulator
from parametra.climate.emulator.vectors import OUTPUTS, slices
from parametra.core.errors import UsageError


def predict(emulator: Emulator, dataset: ColumnDataset, batch: int = 8192) -> xr.Dataset:
    """What the emulator says of every column of `dataset`, in SI, beside which the truth's fields of the same names can be laid.

    Args:
        emulator: with its limits and, if on, its conservation layer.
        dataset: recorded columns.
        batch: columns in one compiled call.

    Raises:
        UsageError: another number of levels than the network's.
    """
    if dataset.levels != emulator.levels:
        raise UsageError(
            f"The data have {dataset.levels} levels, the network {emulator.levels}. Remedy: the network's own truth."
        )
    return vectors_to_fields(predict_vectors(emulator, dataset.inputs, batch), dataset.coordinates)


def predict_vectors(
    emulator: Emulator, inputs: Float[np.ndarray, "sample inputs"], batch: int = 8192
) -> Float[np.ndarray, "sample outputs"]:
    """Outputs (sample, 2n + 5), SI, of inputs (sample, 3n + 4), SI."""
    batch = min(batch, len(inputs))
    parts = []
    for start in range(0, len(inputs), batch):
        part = inputs[start : start + batch]
        padded = np.pad(part, ((0, batch - len(part)), (0, 0)), mode="edge")  # one shape, one compilation
        parts.append(np.asarray(_vector(emulator, padded))[: len(part)])
    return np.concatenate(parts)


@eqx.filter_jit
def _vector(emulator: Emulator, inputs: Float[Array | np.ndarray, "column inputs"]) -> Float[Array, "column outputs"]:
    return emulator.vector(jax.numpy.asarray(inputs))


def vectors_to_fields(outputs: Float[np.ndarray, "sample outputs"], coordinates: xr.Dataset) -> xr.Dataset:
    """Outputs (sample, 2n + 5), SI, as fields on (time, latitude, longitude[, level])."""
    levels = coordinates.sizes["level"]
    shape = tuple(coordinates.sizes[name] for name in GRID)
    where = slices(OUTPUTS, levels)
    fields = {}
    for variable in OUTPUTS:
        values = outputs[:, where[variable.name]].reshape(*shape, -1)
        dimensions = (*GRID, "level") if variable.profile else GRID
        fields[variable.name] = (dimensions, values if variable.profile else values[..., 0], {"units": variable.units})
    return xr.Dataset(fields, coords=coordinates.coords)
