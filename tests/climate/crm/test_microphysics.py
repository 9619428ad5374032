"""Clouds and rain: adjustment ends saturated, conversion never takes more than there is, fall conserves water."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parametra.climate.crm import microphysics as mp
from parametra.climate.crm.grid import CRMGrid
from parametra.climate.host.levels import LEVELS_20

GRID = CRMGrid.from_sigma(np.asarray(LEVELS_20), 8, 4000.0, 30.0)


@given(st.floats(195.0, 310.0), st.floats(0.0, 1.5), st.floats(0.0, 5e-3))
def test_adjustment_solves_its_equation(temperature, humid, precipitating):
    """Residual of T = Tl + Ln (qt - qs)+ / cp + Lp qp / cp below 0.02 K after five iterations, from a guess 2 K off."""
    pressure = 1e5 * max((temperature / 300.0) ** 5, 0.05)
    mean = jnp.full((1, 1, 1), temperature, jnp.float32)
    p = jnp.full((1, 1, 1), pressure, jnp.float32)
    total = jnp.full((1, 1, 1), humid, jnp.float32) * mp.saturation(mean, p)[0]
    qp = jnp.full((1, 1, 1), precipitating, jnp.float32)
    deviation = mp.adjust(jnp.zeros((1, 1, 1)), total, qp, jnp.full((1, 1, 1), 2.0), mean, p, 5)
    absolute = mean + deviation
    cloud = jnp.maximum(total - mp.saturation(absolute, p)[0], 0.0)
    heat = mp.LIQUID + mp.FUSION * (1.0 - mp.liquid_share(absolute))
    heat_p = mp.LIQUID + mp.FUSION * (1.0 - mp.rain_share(absolute))
    assert float(deviation[0, 0, 0]) == pytest.approx(float((heat * cloud + heat_p * qp)[0, 0, 0]), abs=0.02)


def test_derivative_of_saturation_matches_a_difference():
    with jax.enable_x64(True):
        temperature = jnp.linspace(200.0, 305.0, 12)
        pressure = jnp.full(12, 7e4)
        value, slope = mp.saturation(temperature, pressure)
        share = mp.liquid_share(temperature)
        above, below = (mp.saturation(temperature + d, pressure)[0] for d in (1e-3, -1e-3))
        inside = (share == 0.0) | (share == 1.0)  # the share's own change is left out of the slope on purpose
        np.testing.assert_allclose(slope[inside], ((above - below) / 2e-3)[inside], rtol=1e-5)
        assert np.all(np.asarray(value) > 0.0)


@given(st.integers(0, 10**6))
def test_conversion_takes_no_more_than_there_is(seed):
    keys = jax.random.split(jax.random.key(seed), 3)
    temperature = 200.0 + 110.0 * jax.random.uniform(keys[0], (20, 8, 4))
    pressure = jnp.linspace(1e5, 2e3, 20)[:, None, None] * jnp.ones((1, 1, 4))
    saturated = mp.saturation(temperature, pressure)[0]
    total = saturated * 2.0 * jax.random.uniform(keys[1], temperature.shape)
    falling = 1e-2 * jax.random.uniform(keys[2], temperature.shape) ** 4
    coefficients = mp.evaporation_coefficients(GRID, temperature.mean(1, keepdims=True), pressure)
    gain, speed = mp.convert(GRID, temperature, total, falling, saturated, coefficients)
    cloud = jnp.maximum(total - saturated, 0.0)
    assert bool(jnp.all(gain <= cloud + 1e-9))
    assert bool(jnp.all(gain >= -0.5 * falling - 1e-9))
    assert bool(jnp.all(speed >= 0.0))


def test_rain_of_one_gram_falls_at_several_metres_a_second():
    """Order of magnitude of Marshall-Palmer rain: 5 to 8 m/s at 1 g/kg near the ground; snow is slow."""
    temperature = jnp.full((20, 1, 1), 290.0)
    pressure = jnp.full((20, 1, 1), 1e5)
    coefficients = mp.evaporation_coefficients(GRID, temperature, pressure)
    saturated = mp.saturation(temperature, pressure)[0]
    _, rain = mp.convert(GRID, temperature, saturated, jnp.full((20, 1, 1), 1e-3), saturated, coefficients)
    _, snow = mp.convert(GRID, temperature - 80.0, saturated, jnp.full((20, 1, 1), 1e-3), saturated, coefficients)
    assert 4.0 < float(rain[0, 0, 0]) < 9.0
    assert 0.5 < float(snow[0, 0, 0]) < 3.0


@given(st.integers(0, 10**6), st.floats(0.0, 40.0))
def test_fall_conserves_water_for_any_speed_and_stays_positive(seed, speed):
    water = jax.random.uniform(jax.random.key(seed), (20, 8, 4)) * 1e-3
    after, flux = mp.sediment(GRID, water, jnp.full((20, 8, 4), speed))
    weight = GRID.mass[:, None, None]
    lost = (weight * np.asarray(water, np.float64)).sum(0) - (weight * np.asarray(after, np.float64)).sum(0)
    np.testing.assert_allclose(lost, flux[0], rtol=1e-4, atol=1e-6)
    assert float(after.min()) >= -1e-9


def test_falling_ice_stays_in_the_column():
    ice = jax.random.uniform(jax.random.key(0), (20, 8, 4)) * 1e-4
    change, flux = mp.ice_fall(GRID, ice)
    np.testing.assert_allclose((GRID.mass[:, None, None] * change).sum(0), 0.0, atol=1e-6)
    assert float(flux[0].max()) == 0.0
