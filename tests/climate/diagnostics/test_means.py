"""Weights, means and differences of climates."""

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from parametra.climate.diagnostics.drift import daily_series, drift_table, late_climate
from parametra.climate.diagnostics.geometry import (
    area_mean,
    latitude_weights,
    layer_thickness,
    step_in_hours,
    thickness_below,
    time_in_days,
)
from parametra.climate.diagnostics.means import (
    climate_difference,
    halves,
    mass_weighted_mean,
    precipitable_water,
    rain_profile_scores,
    split_half,
    temperature_rms,
    zonal_climate,
)
from parametra.core.constants import GRAVITY
from parametra.core.errors import DataError

SIGMA_HALF = np.concatenate([[0.0], np.cumsum([0.03, 0.05, 0.07, 0.1, 0.2, 0.25, 0.2, 0.07, 0.03])])


def test_thickness_comes_back_from_centres():
    level = xr.DataArray(0.5 * (SIGMA_HALF[1:] + SIGMA_HALF[:-1]), dims="level")
    assert_allclose(layer_thickness(level), np.diff(SIGMA_HALF), rtol=1e-12)
    assert_allclose(layer_thickness(level.astype(np.float32)).sum(), 1.0)
    assert_allclose(thickness_below(level).sum(), 0.82)  # from 180 hPa to 1000 hPa
    with pytest.raises(DataError, match="top first"):
        layer_thickness(level[::-1])


def test_area_weights_integrate_the_sphere(world):
    assert_allclose(area_mean(_sine(world.latitude) ** 2), 1.0 / 3.0, rtol=1e-12)
    even = xr.DataArray(np.arange(-88.0, 89.0, 4.0), dims="latitude")
    even = even.assign_coords(latitude=even)
    assert_allclose(area_mean(_sine(even) ** 2), 1.0 / 3.0, rtol=2e-3)  # midpoint rule, 4 degrees
    assert_allclose(latitude_weights(world.latitude.astype(np.float32)), latitude_weights(world.latitude), rtol=1e-5)


def test_uniform_field_is_its_own_mean(world):
    assert_allclose(mass_weighted_mean(xr.full_like(world.air_temperature, 250.0)), 250.0)


def test_column_water_of_a_uniform_humidity(world):
    uniform = world.assign(specific_humidity=xr.full_like(world.specific_humidity, 0.002))
    assert_allclose(precipitable_water(uniform), 0.002 * 1.0e5 / GRAVITY)


def test_uniform_warming_is_its_own_rms_and_rain_scale_leaves_r(world):
    truth = zonal_climate(world)
    warm = truth.assign(air_temperature=truth.air_temperature + 1.5, precipitation_flux=2 * truth.precipitation_flux)
    assert_allclose(temperature_rms(warm, truth), 1.5)
    scores = climate_difference(warm, truth)
    assert_allclose(
        [scores["mean_temperature"], scores["rain_profile_r"], scores["precipitable_water"]], [1.5, 1.0, 0.0], atol=1e-9
    )
    r, rms = rain_profile_scores(-truth.precipitation_flux, truth.precipitation_flux)
    assert_allclose(r, -1.0)
    assert rms > 0


def test_split_half_of_a_steady_world_is_nothing(world):
    scores = split_half(world.isel(time=slice(0, 40)), climate_difference)  # two whole periods of the wave
    assert scores["zonal_temperature_rms"] < 1e-9
    assert_allclose(scores["rain_profile_r"], 1.0)


def test_time_is_read_in_days_whatever_its_form():
    days = np.array([0.0, 0.25, 0.5])
    dates = np.datetime64("2000-01-01") + (days * 86400).astype("timedelta64[s]")
    seconds = xr.DataArray(days * 86400, dims="time", attrs={"units": "seconds since 0001-01-01"})
    for time in (xr.DataArray(days, dims="time"), xr.DataArray(dates, dims="time"), seconds):
        assert_allclose(time_in_days(time), days)
        assert step_in_hours(time) == 6.0


@pytest.mark.parametrize(("unit", "count"), [("d", 1), ("hours", 24), ("Minutes", 1440), ("min", 1440), ("sec", 86400)])
def test_units_of_time_are_read_in_full_and_in_short(unit, count):
    for words in (unit, f"{unit} since 2000-01-01"):
        assert_allclose(time_in_days(xr.DataArray(np.array([0.0, 3.0]) * count, dims="time", attrs={"units": words})), [0, 3])


def test_an_unknown_unit_of_time_is_refused():
    months = xr.DataArray([0.0, 1.0], dims="time", attrs={"units": "months since 2000-01-01"})
    with pytest.raises(DataError, match=r"months since.*Remedy"):
        time_in_days(months)


def test_a_mean_of_what_is_missing_is_missing(world):
    rain = world.precipitation_flux.isel(time=slice(0, 2)).copy()
    rain[1, 3, 5] = np.nan
    assert_allclose(np.isnan(area_mean(rain)), [False, True])
    gone = world.assign(precipitation_flux=world.precipitation_flux.where(lambda x: (x.time != 0.25) | (x.longitude > 0)))
    series = daily_series(gone, zonal_climate(world), smooth_days=1)
    assert_allclose(np.isnan(series.precipitation_flux), np.arange(12) == 0)
    assert np.isfinite(series.mean_temperature).all()


def test_what_a_comparison_lacks_is_named(world):
    reference = zonal_climate(world)
    with pytest.raises(DataError, match="holds no precipitation_flux"):
        climate_difference(reference.drop_vars("precipitation_flux"), reference)
    with pytest.raises(DataError, match="holds no air_temperature, no atmosphere_mass_content_of_water_vapor"):
        daily_series(world.drop_vars(["air_temperature", "specific_humidity"]), reference)
    with pytest.raises(DataError, match="holds no air_temperature"):
        daily_series(world, reference.drop_vars("air_temperature"))


def test_one_time_has_no_halves(world):
    assert [half.sizes["time"] for half in halves(world.isel(time=slice(0, 3)))] == [1, 2]
    with pytest.raises(DataError, match=r"no halves.*longer record"):
        halves(world.isel(time=[0]))


def test_a_run_equal_to_the_reference_does_not_drift(world):
    series = daily_series(world, zonal_climate(world), smooth_days=5)
    assert series.sizes == {"day": 12}
    assert_allclose(series.rain_profile_r, 1.0)
    assert_allclose(series.zonal_temperature_rms, 0.0, atol=1e-6)
    warmer = daily_series(
        world.assign(air_temperature=world.air_temperature + 0.1 * world.time), zonal_climate(world), smooth_days=1
    )
    # daily means of six-hourly values: 0.1 K/day from day to day
    assert_allclose(np.diff(warmer.mean_temperature), 0.1, rtol=1e-6)
    table = drift_table({"truth": series, "short": warmer.isel(day=slice(0, 4))})
    assert np.isnan(table.mean_temperature.sel(run="short")[4:]).all()


def test_late_climate_needs_a_run_that_lasts(world):
    reference = zonal_climate(world)
    assert abs(late_climate(world, reference, 5.0, 10.0)["mean_temperature"]) < 1e-6
    with pytest.raises(DataError, match="ends at day 12.0, before day 20"):
        late_climate(world, reference, 10.0, 20.0)


def _sine(latitude: xr.DataArray) -> xr.DataArray:
    return xr.ufuncs.sin(xr.ufuncs.deg2rad(latitude))
