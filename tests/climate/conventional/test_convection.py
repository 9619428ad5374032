"""Laws of the parcel and of simplified Betts-Miller convection; the ascent against an adaptive integration in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from parametra.climate.conventional.convection import buoyant_layers, convect
from parametra.climate.conventional.parcel import condensation_level, lift
from parametra.climate.crm.microphysics import saturation
from parametra.climate.host.levels import LEVELS_20
from parametra.climate.thermodynamics import saturation_specific_humidity, saturation_vapour_pressure_liquid
from parametra.core.constants import GAS_CONSTANT, GRAVITY, HEAT_CAPACITY, KAPPA, LATENT_HEAT_CONDENSATION

SIGMA = 0.5 * (np.asarray(LEVELS_20)[1:] + np.asarray(LEVELS_20)[:-1])
PRESSURE = jnp.asarray(np.outer(np.ones(3), 1e5 * SIGMA), jnp.float32)
MASS = jnp.asarray(np.outer(np.ones(3), 1e5 * np.diff(np.asarray(LEVELS_20)) / GRAVITY), jnp.float32)
LATENT = jnp.asarray([LATENT_HEAT_CONDENSATION, 2.6e6, 2.8e6], jnp.float32)


def column(humid=0.95, dry_above=0.0):
    """Three warm columns a degree colder than the ascent of their lowest air; relative humidity may drop above 800 hPa."""
    start = jnp.asarray([302.0, 300.0, 298.0])
    lowest = humid * saturation(start, PRESSURE[:, -1])[0]
    temperature = lift(start, lowest, PRESSURE)[0] - jnp.asarray(SIGMA < 0.95, jnp.float32)
    temperature = jnp.maximum(temperature, 203.0)
    relative = humid - dry_above * (SIGMA < 0.8)
    return temperature, jnp.asarray(relative, jnp.float32) * saturation(temperature, PRESSURE)[0]


@jax.jit
def adjust(temperature, humidity):
    return convect(temperature, humidity, PRESSURE, MASS, LATENT, time=7200.0, relative=0.8)


@jax.jit
def settle(temperature, humidity):
    def step(state, _):
        said = adjust(*state)
        return (state[0] + 1800.0 * said.heating, state[1] + 1800.0 * said.moistening), said

    state, said = jax.lax.scan(step, (temperature, humidity), length=200)
    return *state, said


def test_the_ascent_is_that_of_an_adaptive_integration():
    def slope(log_pressure, temperature):
        vapour = 611.2 * np.exp(17.67 * (temperature - 273.15) / (temperature - 273.15 + 243.5))
        ratio = 0.622379 * vapour / (np.exp(log_pressure) - vapour)
        latent = 2.501e6 * ratio
        return (GAS_CONSTANT * temperature + latent) / (
            HEAT_CAPACITY + latent * 2.501e6 * 0.622379 / (GAS_CONSTANT * temperature**2)
        )

    start = np.array([300.0, 285.0, 270.0])
    ascent, level = lift(jnp.asarray(start, jnp.float32), jnp.asarray([0.017, 0.005, 0.001], jnp.float32), PRESSURE)
    for k in range(3):
        here, lcl = np.asarray(PRESSURE[k], float), float(level[k])
        dry, moist = here >= lcl, (here < lcl) & (SIGMA > 0.1)
        assert_allclose(ascent[k][dry], start[k] * (here[dry] / here[-1]) ** KAPPA, rtol=1e-5)
        begin = start[k] * (lcl / here[-1]) ** KAPPA
        want = np.log(here[moist][::-1])
        exact = solve_ivp(slope, (np.log(lcl), want[-1]), [begin], t_eval=want, rtol=1e-9, atol=1e-9).y[0][::-1]
        assert_allclose(ascent[k][moist], exact, atol=0.05)


def test_air_is_saturated_at_its_condensation_level():
    temperature, humidity = jnp.asarray([300.0, 290.0, 275.0]), jnp.asarray([0.012, 0.006, 0.002])
    condensing, level = condensation_level(temperature, humidity, jnp.full(3, 1e5))
    saturated = saturation_specific_humidity(saturation_vapour_pressure_liquid(condensing), level)
    assert_allclose(saturated, humidity, rtol=0.01)
    wet = condensation_level(temperature, jnp.full(3, 0.05), jnp.full(3, 1e5))
    assert_allclose(wet[0], temperature)
    assert_allclose(wet[1], 1e5, rtol=1e-6)


def test_deep_convection_rains_what_it_dries_and_warms_by_its_latent_heat():
    said = adjust(*column())
    assert np.all(np.asarray(said.precipitation) * 86400 > 1.0)
    water = np.sum(np.asarray(MASS, float) * np.asarray(said.moistening, float), axis=1)
    heat = HEAT_CAPACITY * np.sum(np.asarray(MASS, float) * np.asarray(said.heating, float), axis=1)
    rain = np.asarray(said.precipitation, float)
    assert_allclose(LATENT_HEAT_CONDENSATION * water, -LATENT_HEAT_CONDENSATION * rain, atol=1e-3)
    assert_allclose(heat, np.asarray(LATENT, float) * rain, atol=1e-3)


def test_dry_air_aloft_makes_it_shallow_and_then_it_only_moves_heat_and_water():
    said = adjust(*column(dry_above=0.6))
    assert np.all(said.precipitation == 0.0)
    assert not np.any(said.layers)
    moistening = np.asarray(said.moistening, float)
    assert_allclose(np.sum(np.asarray(MASS) * moistening, axis=1), 0.0, atol=1e-9)
    assert_allclose(np.sum(np.asarray(MASS) * np.asarray(said.heating, float), axis=1), 0.0, atol=1e-6)
    assert np.all(moistening[:, SIGMA < 0.5] == 0.0)
    centre = (np.maximum(moistening, 0.0) @ SIGMA) / np.maximum(moistening, 0.0).sum(1)
    assert np.all(centre < (np.minimum(moistening, 0.0) @ SIGMA) / np.minimum(moistening, 0.0).sum(1))  # upward


def test_a_stable_column_is_left_alone():
    temperature = jnp.full((3, 20), 280.0)
    said = adjust(temperature, 0.5 * saturation(temperature, PRESSURE)[0])
    assert np.all(said.heating == 0.0)
    assert np.all(said.moistening == 0.0)
    assert np.all(said.precipitation == 0.0)


def test_left_to_itself_it_ends_on_a_moist_adiabat_and_stops_raining():
    temperature, humidity = column()
    before = HEAT_CAPACITY * temperature + LATENT[:, None] * humidity
    temperature, humidity, said = settle(temperature, humidity)
    assert np.all(np.asarray(said.precipitation[-1]) * 86400 < 0.2)
    ascent, level = lift(temperature[:, -1], humidity[:, -1], PRESSURE)
    inside = (PRESSURE < level[:, None]) & (PRESSURE > 4e4)
    assert np.abs(np.asarray(ascent - temperature))[inside].max() < 1.0
    assert_allclose(np.asarray(humidity / saturation(ascent, PRESSURE)[0])[inside], 0.8, atol=0.08)
    after = HEAT_CAPACITY * temperature + LATENT[:, None] * humidity
    assert_allclose(np.sum(MASS * (after - before), axis=1) / np.sum(MASS * before, axis=1), 0.0, atol=2e-6)  # moist enthalpy


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        ([0, 0, 0, 0, 0], [0, 0, 0, 0, 0]),
        ([0, 1, 1, 0, 0], [0, 1, 1, 1, 1]),  # inhibited air below is part of it
        ([1, 0, 1, 1, 0], [0, 0, 1, 1, 1]),  # it ends at the first level without buoyancy
    ],
)
def test_convection_reaches_to_the_first_neutral_level(free, expected):
    buoyancy = jnp.where(jnp.asarray([free], bool), 1.0, -1.0)
    assert np.array_equal(buoyant_layers(buoyancy, jnp.ones((1, 5), bool))[0], np.asarray(expected, bool))
