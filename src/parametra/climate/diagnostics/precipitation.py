"""How hard it rains: the distribution of precipitation, its exceedance quantiles, and how well a record knows them.

Everything goes through a histogram with one row per block of time (a day), so that a year of half-hourly maps is 360 rows of
some 350 numbers, and a run that is too long to keep its maps can record the rows alone. Bins are 3 % wide: a quantile read off
them is exact to 1 %.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.geometry import latitude_weights, time_in_days
from parametra.core.constants import SECONDS_PER_DAY
from parametra.core.errors import DataError, UsageError

# below the first edge it does not rain; the last bin is open
RAIN_EDGES = np.concatenate([[0.0], np.geomspace(0.1, 3000.0, 350)])  # mm/day
EXCEEDANCES = (0.01, 1e-3, 1e-4, 1e-5)


def rain_histogram(precipitation: xr.DataArray, edges: np.ndarray = RAIN_EDGES, block_days: float | int = 1.0) -> xr.DataArray:
    """Share of area and time in each bin of rain, one row per block of time; samples that are no number do not count.

    Args:
        precipitation: kg m-2 s-1, dims (time, latitude, longitude).
        edges: lower edges of the bins [mm/day], rising from 0; the last bin has no upper one.
        block_days: length of a block; infinity for one row.

    Returns:
        (time, rain): each row sums to 1, NaN where no sample is a number; coordinate rain is the lower edge [mm/day], time the
        mean of its times [days].

    Raises:
        DataError: no time.
    """
    rain = precipitation.transpose("time", "latitude", "longitude")
    if not rain.sizes["time"]:
        raise DataError(
            "A histogram of rain needs at least one time, the record has none. Likely cause: half of a record of one day, or a "
            "stretch beyond its end. Remedy: a longer record."
        )
    days = time_in_days(rain.time)
    block = np.floor((days - days[0]) / block_days + 1e-6).astype(int)  # all in one for an endless block
    weight = np.broadcast_to(latitude_weights(rain.latitude).values[:, None], rain.shape[1:]) / rain.sizes["longitude"]
    known = np.isfinite(rain.values)
    bins = np.clip(np.searchsorted(edges, rain.values[known] * SECONDS_PER_DAY, side="right") - 1, 0, edges.size - 1)
    place = np.broadcast_to(block[:, None, None], rain.shape)[known] * edges.size + bins
    counts = np.bincount(place, np.broadcast_to(weight, rain.shape)[known], (block[-1] + 1) * edges.size)
    present = np.unique(block)
    rows = counts.reshape(block[-1] + 1, edges.size)[present]
    with np.errstate(invalid="ignore"):
        rows = rows / rows.sum(1, keepdims=True)
    middles = [float(days[block == number].mean()) for number in present]
    return xr.DataArray(rows, {"time": middles, "rain": edges}, ("time", "rain"), "precipitation_histogram")


def rain_density(histogram: xr.DataArray, width: float | int = 4.0) -> xr.DataArray:
    """Probability density [day/mm] on bins at least `width` [mm/day] wide, dims (bin,), coordinate bin their middle.

    NaN where a bin is empty. Bins are whole bins of the histogram put together, so that no sample is shared out between two; the
    open last one is left out.
    """
    share, edges = _mean_share(histogram), histogram.rain.values
    chosen = [0]
    for k in range(1, edges.size):
        if edges[k] >= edges[chosen[-1]] + width * (1 - 1e-9):
            chosen.append(k)
    sums, ends = np.add.reduceat(share, chosen)[:-1], edges[chosen]
    density = np.where(sums > 0, sums / np.diff(ends), np.nan)
    return xr.DataArray(density, {"bin": 0.5 * (ends[1:] + ends[:-1])}, ("bin",), "density")


def rain_exceeded(histogram: xr.DataArray, exceedance: float) -> float:
    """Rain [mm/day] that a share `exceedance` of area and time exceeds; NaN where it lies in the open last bin."""
    return float(_quantiles(_mean_share(histogram)[None], histogram.rain.values, exceedance)[0])


def exceedance_quantiles(
    histogram: xr.DataArray, exceedances: tuple[float, ...] = EXCEEDANCES, *, block_length: int = 5, draws: int = 1000,
    level: float = 0.95, seed: int = 0,
) -> xr.Dataset:  # fmt: skip
    """Rain exceeded by each share of area and time, with block-bootstrap intervals.

    Returns:
        value, low, high [mm/day] and blocks (the number of independent blocks), dims (exceedance,); rows without a sample are
        left out.

    Raises:
        DataError: no row is left.
    """
    rows = histogram.values[np.isfinite(histogram.values).all(1)]
    value, low, high = [], [], []
    for share in exceedances:
        estimate = block_bootstrap(
            rows, lambda mean, share=share: _quantiles(mean, histogram.rain.values, share),
            block_length=block_length, draws=draws, level=level, seed=seed,
        )  # fmt: skip
        for place, number in zip((value, low, high), estimate, strict=True):
            place.append(number)
    blocks = rows.shape[0] // block_length
    variables = {"value": ("exceedance", value), "low": ("exceedance", low), "high": ("exceedance", high), "blocks": blocks}
    return xr.Dataset(variables, {"exceedance": list(exceedances)})


def block_bootstrap(
    rows: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], *, block_length: int = 5, draws: int = 1000,
    level: float = 0.95, seed: int = 0,
) -> tuple[float, float, float]:  # fmt: skip
    """A statistic of the mean over rows in time, and its interval when runs of neighbouring rows are drawn again.

    Blocks of `block_length` rows start anywhere and wrap around the end, so that each row is drawn alike (Politis & Romano 1992).
    Rows must be independent beyond a block: choose it longer than the memory of the weather.

    Args:
        rows: (time, ...), one row per day, say.
        statistic: (draws, ...) -> (draws,), of means over time.
        block_length: rows in a block.
        draws: number of resampled records.
        level: coverage of the interval.
        seed: of the draws.

    Returns:
        value, low, high; low and high are NaN with fewer than four blocks, which cannot show a spread.
    """
    count = rows.shape[0]
    if block_length < 1 or draws < 2 or not 0 < level < 1:
        raise UsageError("A block bootstrap needs block_length >= 1, draws >= 2 and a level in (0, 1).")
    if count < 1:
        raise DataError("A bootstrap needs at least one row, the record has none.")
    value = float(statistic(rows.mean(0, keepdims=True))[0])
    if count < 4 * block_length:
        return value, float("nan"), float("nan")
    blocks = -(-count // block_length)
    starts = np.random.default_rng(seed).integers(0, count, (draws, blocks))
    chosen = (starts[..., None] + np.arange(block_length)).reshape(draws, -1)[:, :count] % count
    weight = np.zeros((draws, count))
    np.add.at(weight, (np.arange(draws)[:, None], chosen), 1.0 / count)
    drawn = statistic(np.tensordot(weight, rows, (1, 0)))
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(drawn, [tail, 1.0 - tail]) if np.isfinite(drawn).all() else (np.nan, np.nan)
    return value, float(low), float(high)


def _mean_share(histogram: xr.DataArray) -> np.ndarray:
    mean = histogram.mean("time").values.astype(np.float64) if "time" in histogram.dims else histogram.values.astype(np.float64)
    return mean / mean.sum()


def _quantiles(share: np.ndarray, edges: np.ndarray, exceedance: float) -> np.ndarray:
    """Rain exceeded by `exceedance`, (draw,), of shares (draw, rain): log-linear between the edges, where tails are straight."""
    share = share / share.sum(-1, keepdims=True)
    above = np.cumsum(share[:, ::-1], axis=1)[:, ::-1]  # share at or above each lower edge
    rank = np.clip(np.sum(above > exceedance, axis=1) - 1, 0, edges.size - 2)  # the bin that holds the quantile
    top, bottom = (np.take_along_axis(above, (rank + side)[:, None], 1)[:, 0] for side in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        straight = np.log(top / exceedance) / np.log(top / bottom)  # exponential within the bin
        part = np.where(bottom > 0, straight, (top - exceedance) / top)
        inside = (top > exceedance) & (bottom <= exceedance)
    return np.where(inside, edges[rank] + part * (edges[rank + 1] - edges[rank]), np.nan)
