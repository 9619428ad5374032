"""The checks find what an analytic world was built with, and the zig-zag measure knows pure from smooth."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.climate.diagnostics.sanity import (
    eddy_kinetic_energy,
    humidity_ratio,
    jet_checks,
    temperature_trend,
    world_checks,
)
from parametra.climate.diagnostics.zigzag import zigzag_share
from parametra.core.errors import DataError


def _value(checks, name):
    (check,) = [check for check in checks if check.name == name]
    return check


def test_an_earthlike_world_passes_every_check(world):
    failed = [check for check in world_checks(world) if not check.passed]
    assert not failed, failed


def test_what_the_checks_lack_is_named(world):
    with pytest.raises(
        DataError, match="holds no surface_temperature, no precipitation_flux or rainfall_flux, no northward_wind"
    ):
        world_checks(world.drop_vars(["surface_temperature", "precipitation_flux", "northward_wind"]))
    with pytest.raises(DataError, match="northward_wind"):
        eddy_kinetic_energy(world.drop_vars("northward_wind"))
    with pytest.raises(DataError, match="air_temperature"):
        temperature_trend(world.drop_vars("air_temperature"))


def test_rain_belt_and_dry_belts_are_where_they_were_put(world):
    checks = world_checks(world)
    assert _value(checks, "rain belt, distance from the SST maximum").value < 1.0  # belt at 5.5, SST at 5
    assert 0.5 <= _value(checks, "northern subtropical minimum of precipitation").value < 1.0
    shifted = world.assign(precipitation_flux=world.precipitation_flux.roll(latitude=4))
    assert not _value(world_checks(shifted), "rain belt, distance from the SST maximum").passed


def test_jets_are_found_on_an_analytic_wind():
    latitude, level = np.linspace(-87.5, 87.5, 71), (np.arange(20) + 0.5) / 20
    y, s = xr.DataArray(latitude, coords={"latitude": latitude}), xr.DataArray(level, coords={"level": level})
    exp = xr.ufuncs.exp
    wind = (45 * exp(-(((y - 30) / 8) ** 2)) + 35 * exp(-(((y + 40) / 8) ** 2))) * exp(-(((s - 0.225) / 0.1) ** 2))
    checks = jet_checks(
        wind + 90.0 * (s < 0.1) - 10 * np.exp(-((y / 10) ** 2))
    )  # a polar-night wind above must not be taken for a jet
    assert_allclose([check.value for check in checks], [45, 30, 35, 40], rtol=0.01)


def test_eddy_energy_of_a_known_wave(world):
    # both winds 6 cos(lat)^2 with random phase: mean (36/2 + 36/2)/2 cos^4, and cos^4 averages 8/15 over the sphere
    assert_allclose(eddy_kinetic_energy(world), 18.0 * 8.0 / 15.0, rtol=1e-6)
    zonal = world.mean("longitude").broadcast_like(world)
    assert eddy_kinetic_energy(zonal) < 1e-20


def test_humidity_that_rises_with_height_is_seen(world):
    assert humidity_ratio(world.specific_humidity) < 1.0
    assert humidity_ratio(world.specific_humidity.isel(level=slice(None, None, -1)).assign_coords(level=world.level)) > 1.0


def test_trend_is_that_of_the_data(world):
    days = world.time
    assert_allclose(temperature_trend(world.assign(air_temperature=world.air_temperature + 0.03 * days)), 0.03, atol=1e-3)


@pytest.mark.parametrize("along", ["latitude", "level"])
def test_pure_zigzag_scores_one_standing_or_travelling(world, along):
    size = world.sizes[along]
    pattern = xr.DataArray((-1.0) ** np.arange(size), dims=along, coords={along: world[along]})
    ones = xr.ones_like(world.air_temperature)
    assert_allclose(zigzag_share(pattern * ones, along), 1.0)
    flicker = xr.DataArray((-1.0) ** np.arange(world.sizes["time"]), dims="time", coords={"time": world.time})
    assert_allclose(zigzag_share(pattern * flicker * ones, along), 1.0)


@pytest.mark.parametrize("along", ["latitude", "level"])
def test_smooth_field_scores_next_to_nothing(world, along):
    # what is left at the top: a profile s^0.19 is steep there
    assert zigzag_share(world.air_temperature, along) < 0.02


@given(amplitude=st.floats(0.1, 10.0), along=st.sampled_from(["latitude", "level"]))
def test_share_is_that_of_the_energy(world, amplitude, along):
    size = world.sizes[along]
    pattern = xr.DataArray((-1.0) ** np.arange(size), dims=along, coords={along: world[along]})
    wave = np.cos(np.radians(world.longitude)) * xr.ones_like(world.air_temperature.isel(time=slice(0, 4)))  # variance 1/2
    assert_allclose(zigzag_share(250.0 + wave + amplitude * pattern, along), amplitude**2 / (amplitude**2 + 0.5), rtol=1e-9)


def test_units_do_not_matter(world):
    field = world.air_temperature.isel(time=slice(0, 8))
    assert_allclose(zigzag_share(1e-6 * (field - 200.0), "latitude"), zigzag_share(field, "latitude"), rtol=1e-6)
