"""Share of a field's variance in grid-scale zig-zag: the pattern (-1)^j from row to row or from level to level.

The zig-zag part of a field is its response to the fourth difference (1, -4, 6, -4, 1)/16: exactly 1 for (-1)^j, sin^4(theta/2)
for a wave of phase step theta, so 0.25 for four rows per wave and below 0.03 for eight. It is taken in every window of five
neighbours, without ends, and its energy is compared with the variance of the anomalies. Anomalies are deviations from the
*smooth* climatology (the time and zonal mean less its own zig-zag part), so that a standing zig-zag counts as much as a
travelling one, and a steep but smooth profile does not hide it.
"""

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.geometry import latitude_weights, layer_thickness

KERNEL = np.array([1.0, -4.0, 6.0, -4.0, 1.0]) / 16.0
NOISE_FLOOR = 1e-3  # anomalies below this share of the field's whole variance cannot be told from the leak of its smooth part


def zigzag_share(field: xr.DataArray, along: str, keep: xr.DataArray | None = None) -> float:
    """Energy of the zig-zag of `field` along "latitude" or "level" over the variance of its anomalies: 0 smooth, 1 pure.

    Args:
        field: any unit; dims latitude, and where present time, longitude, level.
        along: the dimension in which neighbours are compared; at least five points.
        keep: (along,) true for points whose windows count, all when None (used to leave out the rain belt).
    """
    field = field.astype(np.float64)
    others = [name for name in ("time", "longitude") if name in field.dims]
    climatology = field.mean(others) if others else field
    mean = _mean(climatology, along, None)
    standing = _standing(climatology, along) if others else climatology - mean
    anomalies = field - climatology + standing
    floor = NOISE_FLOOR * float(_mean((field - mean) ** 2, along, None))
    windows = field.rolling({along: KERNEL.size}, center=True).construct("window").dropna(along)
    zigzag = (windows * xr.DataArray(KERNEL, dims="window")).sum("window")
    if keep is not None:
        whole = keep.astype(float).rolling({along: KERNEL.size}, center=True).min().fillna(0.0) > 0
        zigzag = zigzag.isel({along: whole.isel({along: slice(2, -2)}).values})
    if zigzag.sizes[along] == 0:
        return float("nan")
    variance = max(float(_mean(anomalies**2, along, None)), floor)
    return float(_mean(zigzag**2, along, along)) / variance if variance > 0 else 0.0


def _standing(climatology: xr.DataArray, along: str) -> xr.DataArray:
    """Zig-zag part of the climatology at every point: the response of its window, at the ends that of the nearest, with sign."""
    size = climatology.sizes[along]
    windows = climatology.rolling({along: KERNEL.size}, center=True).construct("window").isel({along: slice(2, -2)})
    response = (windows * xr.DataArray(KERNEL, dims="window")).sum("window").drop_vars(along, errors="ignore")
    centre = np.clip(np.arange(size), 2, size - 3)
    sign = xr.DataArray((-1.0) ** np.abs(np.arange(size) - centre), dims=along)
    return (response.isel({along: centre - 2}) * sign).assign_coords({along: climatology[along]})


def _mean(values: xr.DataArray, along: str, plain: str | None) -> xr.DataArray:
    """Mean over all dims: area weights in latitude, mass in level, but equal weights along `plain`, whose ends are cut."""
    over = [name for name in values.dims if name not in ("latitude", "level") or name == plain]
    values = values.mean(over)
    if "latitude" in values.dims:
        # along latitude each row counts alike: the polar rows, where zig-zag starts, are the smallest
        values = values.mean("latitude") if along == "latitude" else (values * latitude_weights(values.latitude)).sum("latitude")
    if "level" in values.dims:
        values = (values * layer_thickness(values.level)).sum("level")
    return values
