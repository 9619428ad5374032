"""Laws of limits and conservation, for the network's outputs and for whatever else may come out of a network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.climate.crm.microphysics import saturation
from parametra.climate.emulator import Inputs, Limits, Outputs, column_residuals
from parametra.climate.emulator.conservation import conserve, energy_gain

from .conftest import SIGMA_HALF, TIME_STEP, columns_of

COLUMNS = 16
LIMITS = Limits(2)
limited = jax.jit(lambda inputs, outputs: LIMITS(inputs, outputs, SIGMA_HALF, TIME_STEP))
closed = jax.jit(lambda inputs, outputs: conserve(inputs, limited(inputs, outputs), LIMITS, SIGMA_HALF, TIME_STEP))
trapped = jax.jit(lambda inputs: LIMITS.trapped(inputs, SIGMA_HALF, TIME_STEP))


def _draw(seed, heat, moisture, rain, dryness):
    """Columns of any temperature and dryness under outputs of any size."""
    random = np.random.default_rng(seed)
    normal = random.standard_normal
    humidity = dryness * 0.01 * random.random((COLUMNS, 6)) * (random.random((COLUMNS, 6)) > 0.2)
    night = (random.random(COLUMNS) > 0.5) * 1.0
    inputs = np.concatenate(
        [250 + 30 * normal((COLUMNS, 6)), humidity, 10 * normal((COLUMNS, 6)), 1e5 + 3e3 * normal((COLUMNS, 1)),
         (1000 * night * random.random(COLUMNS))[:, None], 30 * normal((COLUMNS, 1)), 100 * normal((COLUMNS, 1))], axis=1,
    )  # fmt: skip
    outputs = np.concatenate(
        [heat * normal((COLUMNS, 6)), moisture * normal((COLUMNS, 6)), 300 * normal((COLUMNS, 4)), rain * normal((COLUMNS, 1))],
        axis=1,
    )
    return Inputs.from_vector(jnp.asarray(inputs, jnp.float32)), Outputs.from_vector(jnp.asarray(outputs, jnp.float32))


sizes = st.sampled_from((0.0, 1e-3, 1.0, 30.0))
drawn = st.tuples(st.integers(0, 2**31 - 1), sizes, sizes, sizes, st.sampled_from((0.0, 1e-3, 1.0)))


def _scaled(draw):
    seed, heat, moisture, rain, dryness = draw
    return _draw(seed, 3e-5 * heat, 3e-8 * moisture, 5e-5 * rain, dryness)


def _residuals(inputs, outputs):
    state, forcing = columns_of(inputs.vector())
    tendency, fluxes = outputs.columns(inputs.snow_share)
    return column_residuals(state, forcing, tendency, fluxes, SIGMA_HALF)


@given(drawn)
def test_water_and_energy_close_whatever_the_network_said(draw):
    inputs, outputs = _scaled(draw)
    outputs = closed(inputs, outputs)
    water, energy = _residuals(inputs, outputs)
    mass = np.asarray(inputs.surface_pressure)[:, None] * np.diff(SIGMA_HALF) / 9.8
    turnover = np.sum(mass * np.abs(outputs.moistening), axis=1) * 2.5e6
    heat = np.sum(mass * np.abs(outputs.heating), axis=1) * 1004.0 + turnover
    assert np.all(np.abs(water) <= 1e-4 + 3e-7 * turnover)  # 1e-3 W/m2 up to 3 kW/m2 of turnover, then float32 itself
    assert np.all(np.abs(energy) <= 1e-4 + 3e-7 * heat)


@given(drawn)
def test_the_limits_hold_at_the_same_time(draw):
    inputs, outputs = _scaled(draw)
    outputs = closed(inputs, outputs)
    driest = LIMITS.driest(inputs, TIME_STEP) + trapped(inputs)
    vapour = np.asarray(LIMITS.moist(6) * inputs.specific_humidity)
    mass = np.asarray(inputs.surface_pressure)[:, None] * np.diff(SIGMA_HALF) / 9.80616
    dew = np.maximum(-np.asarray(inputs.latent_heat_flux) / 2.501e6 - 0.9 * (mass * vapour).sum(axis=1) / TIME_STEP, 0.0)
    excess = dew / mass[:, 2:].sum(axis=1)  # the one case in which the limit gives way
    assert np.all(np.asarray(outputs.moistening - driest) >= -1.001 * excess[:, None] - 1e-6 * np.abs(driest) - 1e-13)
    assert_allclose(outputs.moistening[:, :2], trapped(inputs)[:, :2], rtol=1e-5)
    assert np.all(np.asarray(outputs.precipitation) >= 0.0)
    assert np.all(np.asarray(outputs.net_shortwave_top) <= np.asarray(inputs.insolation))
    assert np.all(np.asarray(outputs.net_shortwave_surface) <= np.asarray(outputs.net_shortwave_top))
    assert np.all(np.asarray(outputs.net_shortwave_surface) >= 0.0)


def test_a_column_that_closes_is_left_alone():
    inputs, outputs = _draw(3, 3e-5, 3e-8, 5e-5, 1.0)
    once = closed(inputs, outputs)
    twice = closed(inputs, once)
    for first, second in zip(jax.tree.leaves(once), jax.tree.leaves(twice), strict=True):
        assert_allclose(second, first, rtol=2e-5, atol=1e-5 * float(np.abs(first).max()))


def test_a_silent_network_gets_the_least_norm_correction():
    inputs, outputs = _draw(3, 0.0, 0.0, 0.0, 1.0)
    outputs = closed(inputs, outputs)
    assert_allclose(outputs.heating, np.broadcast_to(outputs.heating[:, :1], (COLUMNS, 6)), rtol=1e-5)
    evaporating = np.asarray(inputs.latent_heat_flux) > 0
    moistening = np.asarray(outputs.moistening)[evaporating, 2:]
    assert_allclose(moistening, np.broadcast_to(moistening[:, :1], moistening.shape), rtol=1e-5)


def test_the_correction_goes_where_the_network_acts():
    inputs, outputs = _draw(3, 3e-5, 3e-8, 5e-5, 1.0)
    before = limited(inputs, outputs)
    change = np.asarray(closed(inputs, outputs).heating - before.heating)
    share = change / np.abs(before.heating)
    assert_allclose(share, np.broadcast_to(share[:, :1], share.shape), rtol=0.05)


def test_precipitation_gives_way_where_there_is_no_vapour_to_rain():
    inputs, outputs = _draw(3, 3e-5, 3e-8, 5e-5, 0.0)
    assert np.all(np.asarray(closed(inputs, outputs).precipitation) <= np.maximum(inputs.latent_heat_flux / 2.501e6, 0) + 1e-12)


def test_energy_counts_what_rain_and_snow_leave_behind():
    inputs, outputs = _draw(3, 3e-5, 3e-8, 5e-5, 1.0)
    cold = Inputs.from_vector(inputs.vector().at[:, 5].set(250.0))
    warm = Inputs.from_vector(inputs.vector().at[:, 5].set(300.0))
    difference = energy_gain(cold, outputs) - energy_gain(warm, outputs)
    assert_allclose(difference, 0.3337e6 * outputs.precipitation, rtol=1e-2, atol=1e-3)


@given(drawn)
def test_the_cold_trap_leaves_no_more_than_saturation(draw):
    inputs, outputs = _scaled(draw)
    pressure = np.asarray(inputs.surface_pressure)[:, None] * (np.asarray(SIGMA_HALF)[1:] + np.asarray(SIGMA_HALF)[:-1]) / 2
    saturated = np.asarray(saturation(inputs.temperature, jnp.asarray(pressure, jnp.float32))[0], np.float64)
    before = np.asarray(inputs.specific_humidity, np.float64)
    after = before + TIME_STEP * np.asarray(limited(inputs, outputs).moistening, np.float64)
    expected = np.minimum(before, saturated)
    assert_allclose(after[:, :2], expected[:, :2], rtol=1e-5, atol=1e-6 * before.max() + 1e-12)
    assert np.all(np.asarray(trapped(inputs))[:, 2:] == 0.0)


def test_without_dry_levels_there_is_no_trap():
    inputs, _ = _draw(3, 3e-5, 3e-8, 5e-5, 1.0)
    assert np.all(np.asarray(Limits(0).trapped(inputs, SIGMA_HALF, TIME_STEP)) == 0.0)
    assert np.all(np.asarray(Limits(2, cold_trap=False).trapped(inputs, SIGMA_HALF, TIME_STEP)) == 0.0)
    everywhere = np.asarray(Limits(9).trapped(inputs, SIGMA_HALF, TIME_STEP))
    np.testing.assert_array_equal(everywhere[:, :2], np.asarray(LIMITS.trapped(inputs, SIGMA_HALF, TIME_STEP))[:, :2])
    assert everywhere.shape == inputs.temperature.shape


@pytest.mark.parametrize("levels", [20, 30])
def test_dry_levels_are_the_top_ones(levels):
    moist = Limits(5).moist(levels)
    assert moist.sum() == levels - 5
    assert np.all(moist[:5] == 0)
