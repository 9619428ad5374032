"""Rain by its histogram: densities sum to one, quantiles are those of the samples, intervals cover what they should."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.climate.diagnostics import block_bootstrap, exceedance_quantiles, rain_density, rain_exceeded, rain_histogram
from parametra.climate.diagnostics.geometry import latitude_weights
from parametra.core.errors import DataError, UsageError

DAY = 86400.0


def drizzle(days: int = 20, per_day: int = 8, seed: int = 0) -> xr.DataArray:
    """Gamma-distributed rain, heavier in the middle of the sphere."""
    latitude = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(8)[0]))
    rain = np.random.default_rng(seed).gamma(0.5, 12.0, (days * per_day, 8, 12)) * np.cos(np.radians(latitude))[None, :, None]
    coords = {"time": np.arange(days * per_day) / per_day, "latitude": latitude, "longitude": np.arange(12) * 30.0}
    return xr.DataArray(rain / DAY, coords, ("time", "latitude", "longitude"))


@pytest.mark.parametrize("exceedance", [0.1, 0.01, 1e-3])
def test_quantiles_are_those_of_the_weighted_samples(exceedance):
    rain = drizzle()
    weight = np.broadcast_to(latitude_weights(rain.latitude).values[None, :, None], rain.shape).ravel()
    order = np.argsort(rain.values.ravel())[::-1]
    above = np.cumsum(weight[order]) / weight.sum()
    exact = rain.values.ravel()[order][np.searchsorted(above, exceedance)] * DAY
    assert_allclose(rain_exceeded(rain_histogram(rain), exceedance), exact, rtol=0.03)


def test_a_row_per_day_each_summing_to_one_and_their_mean_is_the_whole():
    rain = drizzle()
    rows, whole = rain_histogram(rain), rain_histogram(rain, block_days=np.inf)
    assert rows.sizes == {"time": 20, "rain": 351}
    assert_allclose(rows.sum("rain"), 1.0)
    assert_allclose(rows.mean("time"), whole.isel(time=0), atol=1e-12)


def test_density_integrates_to_the_share_it_covers():
    density = rain_density(rain_histogram(drizzle()))
    half = np.zeros(density.size + 1)
    for k, middle in enumerate(density.bin.values):
        half[k + 1] = 2 * middle - half[k]
    assert np.diff(half).min() >= 4.0 * (1 - 1e-6)
    assert_allclose(np.nansum(density.values * np.diff(half)), 1.0, atol=1e-9)


def test_intervals_hold_the_value_and_narrow_with_the_record():
    short, long = (exceedance_quantiles(rain_histogram(drizzle(days)), (0.01,)) for days in (30, 300))
    for table in (short, long):
        assert float(table.low[0]) < float(table.value[0]) < float(table.high[0])
    assert float((long.high - long.low)[0]) < 0.6 * float((short.high - short.low)[0])
    assert (int(short.blocks), int(long.blocks)) == (6, 60)


def test_bootstrap_of_a_mean_is_its_standard_error_with_memory_and_without():
    """Means of white noise err by s/sqrt(n); of rows that repeat b times by sqrt(b) more, which only long blocks see."""
    random = np.random.default_rng(3)
    rows = np.repeat(random.normal(size=(200, 1)), 5, axis=0)

    def first(mean):
        return mean[:, 0]

    seen = block_bootstrap(rows, first, block_length=25)
    missed = block_bootstrap(rows, first, block_length=1)
    expected = 2 * 1.96 * rows.std() / np.sqrt(200)
    assert_allclose(seen[2] - seen[1], expected, rtol=0.2)
    assert_allclose(missed[2] - missed[1], expected / np.sqrt(5), rtol=0.15)


def test_too_few_blocks_give_no_interval_and_nonsense_is_refused():
    value, low, high = block_bootstrap(np.ones((15, 2)), lambda mean: mean[:, 0], block_length=5)
    assert value == 1.0
    assert np.isnan([low, high]).all()
    with pytest.raises(UsageError, match="block_length"):
        block_bootstrap(np.ones((15, 2)), lambda mean: mean[:, 0], block_length=0)
    with pytest.raises(DataError, match="at least one row"):
        block_bootstrap(np.ones((0, 2)), lambda mean: mean[:, 0])


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-4, 0.4), st.floats(0.5, 3.0))
def test_more_rain_is_exceeded_more_rarely_and_scales(exceedance, factor):
    rain = drizzle(3, 4)
    histogram = rain_histogram(rain)
    assert rain_exceeded(histogram, exceedance) >= rain_exceeded(histogram, 2 * exceedance) - 1e-12
    scaled = rain_exceeded(rain_histogram(rain * factor), exceedance)
    if rain_exceeded(histogram, exceedance) > 1.0 and scaled > 1.0:
        assert_allclose(scaled, factor * rain_exceeded(histogram, exceedance), rtol=0.04)


def test_samples_that_are_no_number_do_not_count():
    rain = drizzle()
    rows = rain_histogram(rain.where((rain.longitude > 40) & (rain.time >= 2)))
    kept = rain_histogram(rain.sel(longitude=slice(40, None), time=slice(2, None)))
    assert_allclose(rows[2:], kept)
    assert np.isnan(rows[:2]).all()
    assert_allclose(rows.time, np.arange(20) + 7 / 16)
    left_out, short = (exceedance_quantiles(histogram) for histogram in (rows, kept))
    xr.testing.assert_allclose(left_out, short)


def test_a_record_of_no_time_is_refused():
    with pytest.raises(DataError, match=r"at least one time.*longer record"):
        rain_histogram(drizzle().isel(time=slice(0, 0)))


def test_a_dry_planet_and_a_deluge_have_no_quantile_beyond_the_bins():
    dry = drizzle(2) * 0.0
    assert rain_exceeded(rain_histogram(dry), 0.01) <= 0.1
    assert np.isnan(rain_exceeded(rain_histogram(dry + 1e4 / DAY), 0.01))
