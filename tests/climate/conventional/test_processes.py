"""Laws of condensation, boundary layer and clouds."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import solve_banded

from parametra.climate.conventional.boundary_layer import boundary_height, diffuse, mix, tridiagonal
from parametra.climate.conventional.clouds import diagnose_clouds
from parametra.climate.conventional.condensation import condense
from parametra.climate.crm.microphysics import saturation
from parametra.climate.host.levels import LEVELS_20
from parametra.climate.thermodynamics import heights
from parametra.core.constants import GRAVITY, HEAT_CAPACITY, KAPPA, LATENT_HEAT_CONDENSATION

HALF = np.asarray(LEVELS_20)
SIGMA = 0.5 * (HALF[1:] + HALF[:-1])
PRESSURE = jnp.asarray(np.outer(np.ones(2), 1e5 * SIGMA), jnp.float32)
MASS = jnp.asarray(np.outer(np.ones(2), 1e5 * np.diff(HALF) / GRAVITY), jnp.float32)
LATENT = jnp.asarray([LATENT_HEAT_CONDENSATION, 2.8e6], jnp.float32)
TEMPERATURE = jnp.maximum(jnp.asarray([[300.0], [272.0]]) * jnp.asarray(SIGMA, jnp.float32) ** 0.18, 203.0)


condense = jax.jit(condense, static_argnames=("time_step", "evaporation"))
diffuse = jax.jit(diffuse, static_argnames="time_step")
heights = jax.jit(heights, static_argnums=0)
mix = jax.jit(mix, static_argnames=("time_step", "drag", "gustiness", "critical"))


def wide(x):
    return np.asarray(x, np.float64)


@given(st.floats(0.0, 1.5), st.floats(0.0, 1.0), st.integers(0, 19))
def test_condensation_closes_its_budgets_and_leaves_no_excess(moist, dry, level):
    relative = jnp.where(jnp.arange(20) <= level, moist, dry).astype(jnp.float32)
    humidity = relative * saturation(TEMPERATURE, PRESSURE)[0]
    said = condense(TEMPERATURE, humidity, PRESSURE, MASS, LATENT, time_step=1800.0, evaporation=1e-5)
    rain = wide(said.precipitation)
    assert np.all(rain >= 0.0)
    water, heat = (np.sum(wide(MASS) * wide(x), axis=1) for x in (said.moistening, said.heating))
    assert_allclose(LATENT_HEAT_CONDENSATION * water, -LATENT_HEAT_CONDENSATION * rain, atol=1e-3)
    assert_allclose(HEAT_CAPACITY * heat, wide(LATENT) * rain, atol=1e-3)
    after = humidity + 1800.0 * said.moistening
    assert np.all(after >= -1e-9)
    assert np.all(after <= 1.002 * saturation(TEMPERATURE + 1800.0 * said.heating, PRESSURE)[0] + 1e-7)


def test_rain_evaporates_in_dry_air_below_and_not_in_saturated_air():
    def rain(below):
        relative = jnp.where(jnp.arange(20) < 12, 1.1, below).astype(jnp.float32)
        humidity = relative * saturation(TEMPERATURE, PRESSURE)[0]
        return condense(TEMPERATURE, humidity, PRESSURE, MASS, LATENT, time_step=1800.0, evaporation=1e-5)

    dry, wet = rain(0.2), rain(1.0)
    assert np.all(np.asarray(dry.precipitation) < np.asarray(wet.precipitation))
    assert np.all(np.asarray(dry.moistening)[:, 12:14] > 0.0)  # further down it may all be gone
    assert np.all(np.asarray(dry.heating)[:, 12:14] < 0.0)
    assert_allclose(wet.moistening[:, 12:], 0.0, atol=1e-11)


def test_the_tridiagonal_solver_is_that_of_lapack():
    random = np.random.default_rng(0)
    lower, upper, right = random.uniform(-1, 0, (3, 2, 9))
    diagonal = 2.5 + random.uniform(0, 1, (2, 9))
    x = tridiagonal(*(jnp.asarray(a, jnp.float32) for a in (lower, diagonal, upper, right)))
    for k in range(2):
        bands = np.stack([np.append(0, upper[k][:-1]), diagonal[k], np.append(lower[k][1:], 0)])
        assert_allclose(x[k], solve_banded((1, 1), bands, right[k]), rtol=1e-4, atol=1e-6)


def test_diffusion_gains_what_the_surface_gives_and_strong_exchange_mixes_fully():
    random = np.random.default_rng(1)
    x = jnp.asarray(1e5 + 1e4 * random.standard_normal((2, 20)), jnp.float32)
    surface = jnp.asarray([150.0, -20.0])
    for strength in (0.01, 1e4):
        exchange = jnp.full((2, 19), strength)
        tendency = diffuse(x, MASS, exchange, surface, time_step=1800.0)
        assert_allclose(np.sum(wide(MASS) * wide(tendency), axis=1), surface, atol=1e-3 * max(1.0, strength / 100))
    mixed = wide(x + 1800.0 * diffuse(x, MASS, jnp.full((2, 19), 1e4), jnp.zeros(2), time_step=1800.0))
    mean = np.sum(wide(MASS) * wide(x), axis=1) / wide(MASS).sum(1)
    assert np.abs(mixed - mean[:, None]).max() < 0.01 * np.abs(wide(x) - mean[:, None]).max()


def neutral(height):
    """Potential temperature of 300 K up to `height`, 4 K per kilometre above: temperature and heights of two columns."""
    temperature = jnp.full((2, 20), 280.0)
    for _ in range(30):
        z = heights(LEVELS_20, temperature, jnp.zeros((2, 20)))
        theta = 300.0 + 4e-3 * jnp.maximum(z - height, 0.0)
        temperature = theta * jnp.asarray(SIGMA, jnp.float32) ** KAPPA
    return temperature, z


def test_the_boundary_layer_ends_at_the_inversion_and_mixes_no_further():
    temperature, z = neutral(1200.0)
    humidity = jnp.full((2, 20), 1e-3)
    said = mix(
        temperature, humidity, z, PRESSURE, MASS, jnp.full((2, 20), 49.0), jnp.asarray([50.0, 0.0]), jnp.asarray([100.0, 0.0]),
        time_step=1800.0, drag=1.8e-3, gustiness=5.0, critical=1.0,
    )  # fmt: skip
    assert np.all((np.asarray(said.height) > 1100.0) & (np.asarray(said.height) < 2600.0))
    moistening = np.asarray(said.moistening[0])
    assert_allclose(moistening[z[0] > 3000.0], 0.0, atol=1e-12)
    assert np.all(moistening[z[0] < 1000.0] > 0.0)
    assert_allclose(np.asarray(said.moistening[1]), 0.0, atol=1e-12)  # uniform and without flux
    low = boundary_height(HEAT_CAPACITY * temperature + GRAVITY * z, z, jnp.full((2, 20), 1.0), 1.0)
    high = boundary_height(HEAT_CAPACITY * temperature + GRAVITY * z, z, jnp.full((2, 20), 400.0), 1.0)
    assert np.all(np.asarray(high) > np.asarray(low))  # wind deepens it


def test_clouds_are_where_it_is_humid_or_convects_and_freeze_aloft():
    none = jnp.zeros((2, 20), bool)
    saturated, _ = saturation(TEMPERATURE, PRESSURE)
    cloudy = jnp.where(jnp.arange(20) == 10, 0.95, 0.5) * saturated
    liquid, ice = diagnose_clouds(TEMPERATURE, cloudy, PRESSURE, jnp.zeros(2), none, critical=0.8, content=0.03)
    water = np.asarray(liquid + ice)
    assert np.all(water[:, 10] > 0.0)
    assert np.all(np.delete(water, 10, axis=1) == 0.0)
    _, more = diagnose_clouds(TEMPERATURE, cloudy, PRESSURE, jnp.full(2, 1e-4), ~none, critical=0.8, content=0.03)
    assert np.all(np.asarray(more)[np.asarray(TEMPERATURE) < 253.0] > 0.0)
    liquid, _ = diagnose_clouds(TEMPERATURE, cloudy, PRESSURE, jnp.full(2, 1e-4), ~none, critical=0.8, content=0.03)
    assert np.all(np.asarray(liquid)[np.asarray(TEMPERATURE) < 253.0] == 0.0)
