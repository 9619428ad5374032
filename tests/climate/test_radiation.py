"""Radiation: fluxes and heating are one budget, limits are known, clouds do what clouds do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parametra.climate.host.levels import LEVELS_20
from parametra.climate.radiation import CloudOptics, longwave, radiate, shortwave
from parametra.core.constants import GRAVITY, HEAT_CAPACITY, STEFAN_BOLTZMANN

THICKNESS = np.diff(np.asarray(LEVELS_20))
SIGMA = 0.5 * (np.asarray(LEVELS_20)[1:] + np.asarray(LEVELS_20)[:-1])


def columns(seed: int, count: int = 4):
    """Random but plausible columns: temperature, vapour, liquid, ice, surface pressure."""
    keys = jax.random.split(jax.random.key(seed), 4)
    temperature = jnp.asarray(300.0 * SIGMA**0.18)[:, None] + 5.0 * jax.random.normal(keys[0], (20, count))
    vapour = jnp.asarray(0.015 * SIGMA**3)[:, None] * jax.random.uniform(keys[1], (20, count))
    liquid = 1e-4 * jax.random.uniform(keys[2], (20, count)) ** 8
    return temperature, vapour, liquid, 0.3 * liquid, 1e5 + 2e3 * jax.random.normal(keys[3], (count,))


@given(st.integers(0, 10**6), st.floats(0.0, 1360.0))
def test_top_minus_surface_is_the_heating_of_the_column(seed, sun):
    temperature, vapour, liquid, ice, pressure = columns(seed)
    surface, insolation = jnp.full(4, 300.0), jnp.full(4, sun)
    out = radiate(CloudOptics(), temperature, vapour, liquid, ice, THICKNESS, pressure, surface, insolation)
    mass = THICKNESS[:, None] * np.asarray(pressure) / GRAVITY
    heating = (HEAT_CAPACITY * mass * np.asarray(out.heating, np.float64)).sum(0)
    gained = out.net_shortwave_top - out.net_shortwave_surface - out.net_longwave_top + out.net_longwave_surface
    np.testing.assert_allclose(heating, gained, atol=2e-3)
    assert bool(jnp.all(out.net_shortwave_top <= sun + 1e-3))
    assert bool(jnp.all(out.net_shortwave_surface >= -1e-3))


def test_a_thick_isothermal_atmosphere_radiates_like_a_black_body():
    temperature = jnp.full((20, 1), 250.0)
    up = longwave(
        temperature, jnp.full((20, 1), 0.02), jnp.full((20, 1), 5.0), jnp.asarray(THICKNESS)[:, None], jnp.array([300.0])
    )
    assert float(up[0, 0]) == pytest.approx(STEFAN_BOLTZMANN * 250.0**4, rel=1e-4)


def test_without_absorbers_in_the_short_wave_only_the_ground_absorbs_what_clouds_let_through():
    """Conservative clouds: no heating beyond the dry absorption of the gas; more cloud, less at the ground."""
    vapour, sun = jnp.zeros((20, 1)), jnp.array([1000.0])
    clear = shortwave(vapour, jnp.zeros((20, 1)), jnp.asarray(THICKNESS)[:, None], sun, 0.0)
    np.testing.assert_allclose(clear[-1], 1000.0 * np.exp(-0.0596), rtol=1e-4)
    thin, thick = (
        shortwave(vapour, jnp.full((20, 1), depth), jnp.asarray(THICKNESS)[:, None], sun, 0.08) for depth in (0.5, 5.0)
    )
    assert float(thick[-1, 0]) < float(thin[-1, 0]) < float(clear[-1, 0])
    assert float(thick[0, 0]) < float(thin[0, 0])


def test_high_ice_cloud_lowers_outgoing_longwave_and_night_has_no_sun():
    temperature, vapour, _, _, pressure = columns(3)
    none = jnp.zeros_like(temperature)
    cloud = none.at[5].set(1e-4)
    surface, dark = jnp.full(4, 300.0), jnp.zeros(4)
    clear = radiate(CloudOptics(), temperature, vapour, none, none, THICKNESS, pressure, surface, dark)
    cloudy = radiate(CloudOptics(), temperature, vapour, none, cloud, THICKNESS, pressure, surface, dark)
    assert bool(jnp.all(cloudy.net_longwave_top < clear.net_longwave_top - 5.0))
    np.testing.assert_array_equal(clear.net_shortwave_top, 0.0)
    np.testing.assert_array_equal(clear.net_shortwave_surface, 0.0)
