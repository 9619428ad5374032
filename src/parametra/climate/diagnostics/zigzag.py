"""Share of a field's variance in grid-scale zig-zag: the pattern (-1)^j from row to row or from level to level.

The zig-zag part of a field is its response to the fourth difference (1, -4, 6, -4, 1)/16: exactly 1 for (-1)^j, sin^4(theta/2)
for a wave of phase step theta, so 0.25 for four rows per wave and below 0.03 for eight. It is taken in every window of five
neighbours, without ends, and its energy is compared with the variance of the anomalies. Anomalies are deviations from the
*smooth* climatology (the time and zonal mean less its own zig-zag part), so that a standing zig-zag counts as much as a
travelling one, and a steep but smooth profile does not hide it.

All of it follows from three sums of each (latitude, level) over time and longitude: of the field, its square, and the square of
its zig-zag. A record is added block by block, and step by step, since a step fits into a processor's cache.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.blocks import time_blocks
from parametra.climate.diagnostics.geometry import latitude_weights, layer_thickness

KERNEL = np.array([1.0, -4.0, 6.0, -4.0, 1.0]) / 16.0
NOISE_FLOOR = 1e-3  # anomalies below this share of the field's whole variance cannot be told from the leak of its smooth part


DIMENSIONS = ("time", "latitude", "longitude", "level")


def zigzag_share(field: xr.DataArray, along: str, keep: xr.DataArray | None = None) -> float:
    """Energy of the zig-zag of `field` along "latitude" or "level" over the variance of its anomalies: 0 smooth, 1 pure.

    Args:
        field: any unit; dims latitude, and where present time, longitude, level.
        along: the dimension in which neighbours are compared; at least five points.
        keep: (along,) true for points whose windows count, all when None (used to leave out the rain belt).
    """
    sums = ZigzagSums([along])
    record = field.to_dataset(name="field")
    for block in time_blocks(record) if "time" in field.dims else [record]:
        sums.add(block.field)
    return sums.share(along, keep)


class ZigzagSums:
    """Sums over time and longitude from which the share of zig-zag along some dimensions follows; all blocks on one grid."""

    def __init__(self, along: Sequence[str]):
        self.along = list(along)
        self.samples = 0
        self.grid = xr.DataArray()

    def add(self, field: xr.DataArray) -> None:
        """Take in a block of the field, as `zigzag_share` has it."""
        ordered = field.transpose(*DIMENSIONS, missing_dims="ignore")
        values = ordered.values.reshape([field.sizes.get(name, 1) for name in DIMENSIONS])
        if not self.samples:
            self._start(ordered, values)
        for step in values:
            step = step.astype(np.float64)
            deviation = step - self.reference
            self.total += _over_longitude(deviation)
            self.square += _over_longitude(deviation * deviation)
            for name in self.along:
                response = zigzag(step, 0 if name == "latitude" else 2)
                self.zigzag_square[name] += _over_longitude(response * response)
        self.samples += values.shape[0] * values.shape[2]

    def _start(self, ordered: xr.DataArray, values: np.ndarray) -> None:
        """Squares are summed about the zonal mean of the first step, so that nothing is lost when the mean is taken off."""
        self.free = [name for name in ("time", "longitude") if name in ordered.dims]
        self.grid = ordered.isel(dict.fromkeys(self.free, 0), drop=True)
        self.reference = values[0].astype(np.float64).mean(axis=1, keepdims=True)
        rows, levels = values.shape[1], values.shape[3]
        self.total, self.square = np.zeros((rows, levels)), np.zeros((rows, levels))
        shapes = {"latitude": (rows - KERNEL.size + 1, levels), "level": (rows, levels - KERNEL.size + 1)}
        self.zigzag_square = {name: np.zeros(shapes[name]) for name in self.along}

    def share(self, along: str, keep: xr.DataArray | None = None) -> float:
        """As `zigzag_share` of everything that was added."""
        climatology = self._gridded(self.reference[:, 0] + self.total / self.samples)
        scatter = self._gridded(np.maximum(self.square - self.total**2 / self.samples, 0.0) / self.samples)
        mean = _mean(climatology, along)
        standing = _standing(climatology, along) if self.free else climatology - mean
        floor = NOISE_FLOOR * float(_mean(scatter + (climatology - mean) ** 2, along))
        inner = self.grid.isel({along: slice(2, -2)})
        energy = inner.copy(data=(self.zigzag_square[along] / self.samples).reshape(inner.shape))
        if keep is not None:
            whole = keep.astype(float).rolling({along: KERNEL.size}, center=True).min().fillna(0.0) > 0
            energy = energy.isel({along: whole.isel({along: slice(2, -2)}).values})
        if energy.sizes[along] == 0:
            return float("nan")
        variance = np.maximum(float(_mean(scatter + standing**2, along)), floor)  # not a number if either is not
        return float(_mean(energy, along, plain=True) / variance) if variance != 0 else 0.0

    def _gridded(self, values: np.ndarray) -> xr.DataArray:
        return self.grid.copy(data=values.reshape(self.grid.shape))


def zigzag(values: np.ndarray, axis: int) -> np.ndarray:
    """Response to the fourth difference in every window of five along an axis, which gets shorter by four."""
    windows = np.moveaxis(values, axis, 0)
    ends, near = windows[:-4] + windows[4:], windows[1:-3] + windows[3:-1]
    return np.moveaxis(KERNEL[0] * ends + KERNEL[1] * near + KERNEL[2] * windows[2:-2], 0, axis)


def _over_longitude(values: np.ndarray) -> np.ndarray:
    """Sum over the middle axis: as a product of matrices it takes a third of the time of `sum`."""
    return np.matmul(np.ones((1, values.shape[1])), values)[:, 0]


def _standing(climatology: xr.DataArray, along: str) -> xr.DataArray:
    """Zig-zag part of the climatology at every point: the response of its window, at the ends that of the nearest, with sign."""
    size, axis = climatology.sizes[along], climatology.dims.index(along)
    centre = np.clip(np.arange(size), 2, size - 3)
    sign = (-1.0) ** np.abs(np.arange(size) - centre)
    nearest = np.moveaxis(np.take(zigzag(climatology.values, axis), centre - 2, axis), axis, -1)
    return climatology.copy(data=np.moveaxis(nearest * sign, -1, axis))


def _mean(values: xr.DataArray, along: str, plain: bool = False) -> xr.DataArray:
    """Mean over latitude and level: area weights, mass weights, but equal weights along `along` where `plain` (its ends are cut).

    Along latitude each row counts alike: the polar rows, where zig-zag starts, are the smallest.
    """
    if "latitude" in values.dims:
        if along == "latitude":
            values = values.mean("latitude", skipna=False)
        else:
            values = (values * latitude_weights(values.latitude)).sum("latitude", skipna=False)
    if "level" in values.dims:
        if plain and along == "level":
            values = values.mean("level", skipna=False)
        else:
            values = (values * layer_thickness(values.level)).sum("level", skipna=False)
    return values
