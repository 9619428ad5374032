"""The explicit physics of the host: what it conserves, what it damps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.climate.columns import ColumnTendency
from parametra.climate.host.config import HostConfig
from parametra.climate.host.fixers.positivity import fill_columns
from parametra.climate.host.levels import LEVELS_20
from parametra.climate.host.mixing import VerticalMixing
from parametra.climate.host.profiles import rates, reference_temperature
from parametra.core.constants import GAS_CONSTANT, GRAVITY, HEAT_CAPACITY

HALF = np.array(LEVELS_20)
THICKNESS, SIGMA = np.diff(HALF), 0.5 * (HALF[1:] + HALF[:-1])


def _mixing(damping=None):
    return VerticalMixing.build(HALF, np.full(SIGMA.size - 1, 20.0), 1800.0, damping)


def _wind(seed=0):
    return 10.0 * jax.random.normal(jax.random.key(seed), (7, SIGMA.size))


def test_diffusion_keeps_the_column_sum_and_a_constant():
    x = _wind()
    mixed = _mixing()(x)
    assert_allclose(mixed @ THICKNESS, x @ THICKNESS, atol=2e-5)
    assert_allclose(_mixing()(jnp.ones_like(x)), 1.0, rtol=1e-6)
    assert float(jnp.var(mixed, axis=1).max()) < float(jnp.var(x, axis=1).max())


def test_diffusion_of_a_positive_field_is_positive():
    assert np.all(_mixing().propagator >= 0.0)


def test_diffusion_smooths_at_the_rate_of_its_coefficient():
    """A wave of vertical wave number m decays as exp(-K m^2 t), on layers of some ten metres and in one short step."""
    half = np.linspace(0.6, 1.0, 401)
    sigma, inner_half = 0.5 * (half[1:] + half[:-1]), half[1:-1]
    spacing = GAS_CONSTANT * reference_temperature(inner_half) / GRAVITY * np.log(sigma[1:] / sigma[:-1])
    height = -np.concatenate([[0.0], np.cumsum(spacing)])
    wave = np.cos(2.0 * np.pi * height / 800.0)
    mixing = VerticalMixing.build(half, np.full(sigma.size - 1, 1.0), 1.0)
    decay = (wave - mixing.propagator @ wave) / wave
    inside = (np.abs(wave) > 0.5) & (sigma > 0.65) & (sigma < 0.95)
    assert_allclose(decay[inside].mean(), (2.0 * np.pi / 800.0) ** 2, rtol=0.02)  # density falls over some wave lengths


def test_dissipation_is_exactly_the_kinetic_energy_lost():
    drag = jnp.linspace(0.0, 0.5, 7)
    mixing = _mixing(damping=rates(((0.015, 0.5), (0.045, 2.0)), SIGMA))
    before = _wind()
    after = mixing.with_drag(before, drag)
    heat = mixing.dissipation(before, after, drag)
    assert np.all(np.asarray(heat) >= 0.0)
    lost = 0.5 * (np.asarray(before, np.float64) ** 2 - np.asarray(after, np.float64) ** 2) @ THICKNESS
    assert_allclose(np.asarray(heat, np.float64) @ THICKNESS, lost, rtol=2e-5)


def test_drag_is_implicit_in_the_lowest_layer():
    drag = jnp.array([0.3])
    mixing = VerticalMixing.build(HALF, np.zeros(SIGMA.size - 1), 1800.0)
    after = mixing.with_drag(jnp.ones((1, SIGMA.size)), drag)
    assert_allclose(after[0, -1], 1.0 / 1.3, rtol=1e-6)
    assert_allclose(after[0, :-1], 1.0)


def test_relaxation_reaches_four_layers_and_the_sponge_two():
    config = HostConfig()
    relaxation, sponge = rates(config.stratosphere_days, SIGMA) * 86400.0, rates(config.sponge_days, SIGMA) * 86400.0
    assert_allclose(1.0 / relaxation[:4], [10.0, 15.0, 20.0, 40.0])
    assert_allclose(1.0 / sponge[:2], [0.5, 2.0])
    assert np.all(relaxation[4:] == 0.0)
    assert np.all(sponge[2:] == 0.0)
    assert np.all(rates((), SIGMA) == 0.0)


def test_stratosphere_is_pulled_to_its_temperature_and_booked(host, start_state, no_tendency):
    state = start_state(host, np.where(host.grid.sigma < 0.13, 190.0, 250.0))
    after, record = host.physics(state.columns, no_tendency(host))
    change = np.asarray(after.temperature - state.columns.temperature)
    assert np.all(change[:, 0] > 0.0)
    mass = host.grid.layer_mass(np.asarray(state.columns.surface_pressure, np.float64)) * host.grid.area_weight[:, None]
    booked = record.stratospheric_relaxation + record.mixing_heat
    assert_allclose(booked, HEAT_CAPACITY * np.sum(mass * change) / host.time_step, rtol=1e-3)
    assert float(record.stratospheric_relaxation) > 1.0  # W m-2


def test_drag_spins_the_air_down_and_warms_it(host, start_state, no_tendency):
    state = start_state(host, 260.0, 20.0 * np.cos(np.radians(host.grid.column_latitude))[:, None])
    after, record = host.physics(state.columns, no_tendency(host))
    assert np.all(np.abs(after.eastward_wind[:, -1]) < np.abs(state.columns.eastward_wind[:, -1]))
    assert float(record.drag_heating) > 0.1  # W m-2


def test_a_closure_that_dries_below_zero_is_limited_inside_its_column(host, start_state, no_tendency):
    state = start_state(host, 280.0, humidity=0.001)
    drying = no_tendency(host)
    drying = ColumnTendency(drying.temperature, drying.specific_humidity.at[:, 5].set(-2.0 * 0.001 / host.time_step))
    after, record = host.physics(state.columns, drying)
    water = host.grid.layer_mass(np.asarray(state.columns.surface_pressure, np.float64))
    gain = np.sum(water * (np.asarray(after.specific_humidity, np.float64) - 0.001), axis=1)
    assert float(after.specific_humidity.min()) >= 0.0
    assert_allclose(gain, -0.002 * water[:, 5], rtol=1e-4)
    assert float(record.moistening_limit) > 0.0


@pytest.mark.parametrize("empty", [False, True])
def test_filler_keeps_the_water_of_a_column_unless_it_has_none(empty):
    humidity = jnp.array([[-0.002, 0.004, 0.001], [0.0, 0.001, -0.003 if empty else 0.0]])
    thickness = np.array([0.2, 0.3, 0.5])
    filled, moved, missing = fill_columns(humidity, thickness)
    assert np.all(np.asarray(filled) >= 0.0)
    assert_allclose(filled[0] @ thickness, humidity[0] @ thickness, rtol=1e-6)
    assert_allclose(moved[0], 0.002 * 0.2, rtol=1e-5)
    assert_allclose(filled[1] @ thickness - humidity[1] @ thickness, missing[1], atol=1e-9)
    assert (float(missing[1]) > 0.0) == empty


def test_filler_leaves_a_positive_column_alone():
    humidity = jnp.abs(_wind()) * 1e-3
    filled, moved, missing = fill_columns(humidity, THICKNESS)
    assert np.array_equal(filled, humidity)
    assert np.all(np.asarray(moved) == 0.0)
    assert np.all(np.asarray(missing) == 0.0)
