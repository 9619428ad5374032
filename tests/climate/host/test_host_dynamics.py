"""Steady states and symmetries that any dynamical core keeps, and the adapter's columns, levels and units."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.climate.host.atmosphere import Atmosphere
from parametra.climate.host.config import HostConfig, SpinUpConfig
from parametra.climate.host.levels import LEVELS_20, LEVELS_30
from parametra.core.constants import EARTH_RADIUS, GAS_CONSTANT

ROTATION = 7.292e-5  # s-1


def test_latitudes_rise_and_columns_run_along_circles(host):
    grid = host.grid
    assert np.all(np.diff(grid.latitudes) > 0.0)
    assert_allclose(grid.latitudes, -grid.latitudes[::-1], atol=1e-12)
    assert_allclose(np.sum(grid.area_weight), 1.0)
    assert_allclose(np.sum(grid.area_weight * np.sin(np.radians(grid.column_latitude)) ** 2), 1.0 / 3.0)
    assert_allclose(np.sum(grid.layer_thickness), 1.0)


def test_a_smooth_field_survives_the_trip_into_modes_at_its_place(host):
    longitude, latitude = np.radians(host.grid.column_longitude), np.radians(host.grid.column_latitude)
    field = np.sin(latitude) + np.cos(longitude) * np.cos(latitude) + np.sin(2.0 * longitude) * np.cos(latitude) ** 2
    levels = np.stack([field, 2.0 * field], axis=1)
    assert_allclose(host.core.to_columns(host.core.to_modal(jnp.asarray(levels))), levels, atol=5e-6)  # float32 sums of 512 terms


def test_wind_survives_the_trip_into_vorticity_and_divergence(host, moist_run):
    columns = moist_run.end.columns
    u, v = host.core.wind(moist_run.end.modal)
    assert_allclose(u, columns.eastward_wind, atol=1e-4)  # m s-1, float32 of tens
    curl, divergence = host.core.curl_and_divergence(u, v)
    scale = float(jnp.abs(curl).max())
    assert_allclose(curl, moist_run.end.modal.vorticity, atol=1e-4 * scale)
    assert_allclose(divergence, moist_run.end.modal.divergence, atol=1e-4 * scale)


@pytest.mark.parametrize("speed", [0.0, 20.0])
def test_isothermal_air_in_solid_body_rotation_is_steady(bare, bare_day, start_state, speed):
    """u = U cos(latitude) in balance with ln ps = -(U^2 + 2 a Omega U) sin^2(latitude) / (2 R T); at rest with U = 0."""
    latitude, temperature = np.radians(bare.grid.column_latitude), 260.0
    balance = -(speed**2 + 2.0 * EARTH_RADIUS * ROTATION * speed) / (2.0 * GAS_CONSTANT * temperature) * np.sin(latitude) ** 2
    wind = speed * np.cos(latitude)[:, None]
    mean = np.log(np.sum(bare.grid.area_weight * np.exp(balance)))
    end = bare_day(start_state(bare, temperature, wind, log_pressure=balance - mean))
    assert_allclose(end.columns.eastward_wind, np.broadcast_to(wind, end.columns.eastward_wind.shape), atol=0.01)
    assert_allclose(end.columns.northward_wind, 0.0, atol=0.01)  # m s-1
    assert_allclose(end.columns.temperature, temperature, atol=0.02)  # K
    assert_allclose(end.columns.surface_pressure, 1.0e5 * np.exp(balance - mean), rtol=1e-4)


def test_zonal_symmetry_is_kept(bare, bare_day, start_state, zonal_deviation):
    latitude = np.radians(bare.grid.column_latitude)
    temperature = 260.0 + 30.0 * (np.cos(latitude)[:, None] ** 2 - 0.5) * bare.grid.sigma
    end = bare_day(start_state(bare, temperature))
    assert float(jnp.abs(end.columns.eastward_wind).max()) > 0.1  # the symmetric circulation has begun
    assert zonal_deviation(bare, end.columns.temperature) < 1e-3  # K, round-off
    assert zonal_deviation(bare, end.columns.eastward_wind) < 1e-2  # m s-1


def test_hemispheres_are_mirror_images(bare, bare_day, start_state):
    latitude, longitude = np.radians(bare.grid.column_latitude), np.radians(bare.grid.column_longitude)
    temperature = (
        260.0 + (20.0 * np.cos(latitude) ** 2 + 3.0 * np.cos(3.0 * longitude) * np.cos(latitude) ** 4)[:, None] * bare.grid.sigma
    )
    end = bare_day(start_state(bare, temperature))
    shape = (*bare.grid.shape, -1)
    v, warm = np.asarray(end.columns.northward_wind).reshape(shape), np.asarray(end.columns.temperature).reshape(shape)
    assert np.abs(v).max() > 0.1
    assert_allclose(warm, warm[::-1], atol=2e-3)
    assert_allclose(v, -v[::-1], atol=1e-2)


def test_a_step_in_float32_is_the_step_in_float64(host, moist_run, no_tendency):
    state = moist_run.end
    tendency = jax.tree.map(lambda x: x + 1e-5, no_tendency(host))
    single = jax.jit(host.step)(state, tendency)
    with jax.enable_x64(True):
        exact = Atmosphere(host.config)

        def widen(x):
            return jnp.asarray(np.asarray(x, np.float64)) if jnp.issubdtype(x.dtype, jnp.floating) else x

        double = jax.jit(exact.step)(jax.tree.map(widen, state), jax.tree.map(widen, tendency))
        double = jax.tree.map(np.asarray, double.columns)
    assert double.temperature.dtype == np.float64
    assert_allclose(single.columns.temperature, double.temperature, atol=2e-3)  # K
    assert_allclose(single.columns.eastward_wind, double.eastward_wind, atol=2e-3)  # m s-1
    assert_allclose(single.columns.specific_humidity, double.specific_humidity, atol=1e-7)
    assert_allclose(single.columns.surface_pressure, double.surface_pressure, atol=0.2)  # Pa


def test_a_finer_world_with_other_layers_runs_a_day(no_tendency):
    config = HostConfig(truncation=31, longitudes=64, latitudes=32, sigma_half=LEVELS_30, spin_up=SpinUpConfig(days=0.0))
    fine = Atmosphere(config)
    state = jax.jit(fine.init)(jax.random.key(3))
    tendency = no_tendency(fine)
    advance = jax.jit(lambda s: jax.lax.scan(lambda s, _: (fine.step(s, tendency), None), s, length=config.steps_per_day)[0])
    columns = advance(state).columns
    assert columns.temperature.shape == (2048, 30)
    assert 170.0 < float(columns.temperature.min()) < float(columns.temperature.max()) < 320.0
    assert float(jnp.abs(columns.eastward_wind).max()) < 60.0
    assert float(columns.specific_humidity.min()) >= 0.0


@pytest.mark.parametrize("levels", [LEVELS_20, LEVELS_30])
def test_level_sets_reach_from_top_to_surface(levels):
    thickness = np.diff(levels)
    assert levels[0] == 0.0
    assert levels[-1] == 1.0
    assert thickness.min() >= 0.009
    assert np.all(np.abs(np.diff(thickness)) <= 0.011)  # neighbours differ little: the differences stay second order
