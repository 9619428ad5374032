"""What is asked of an emulator before it runs: its response, waves coupled to it, single columns under recorded dynamics."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.climate.columns import ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.emulator import Emulator
from parametra.climate.emulator.linear_response import column_jacobians, energy_growth
from parametra.climate.emulator.replay import recorded_columns, replay
from parametra.climate.emulator.wave_growth import column_waves, wave_growth
from parametra.core.constants import EARTH_RADIUS, HEAT_CAPACITY, KAPPA, SECONDS_PER_DAY
from parametra.core.errors import DataError, UsageError

from .conftest import SIGMA_HALF, TIME_STEP, columns_of, make_fields

LEVELS = len(SIGMA_HALF) - 1
MIDDLE = 0.5 * (np.array(SIGMA_HALF[1:]) + np.array(SIGMA_HALF[:-1]))
WARM, MOIST = 230.0 + 60.0 * MIDDLE, 0.015 * MIDDLE**3


class Relaxing(Emulator):
    """An emulator whose word is known: temperature and humidity relax towards a profile at their own rates."""

    rates: tuple[float, float] = eqx.field(static=True, default=(0.0, 0.0))

    def __call__(self, state, forcing):
        heating = self.rates[0] * (state.temperature - jnp.asarray(WARM, jnp.float32))
        moistening = self.rates[1] * (state.specific_humidity - jnp.asarray(MOIST, jnp.float32))
        return ColumnTendency(heating, moistening), None


def relaxing(trained, *rates):
    one = trained[0]
    return Relaxing(**{field.name: getattr(one, field.name) for field in dataclasses.fields(one)}, rates=rates)


def test_jacobians_are_those_of_finite_differences(trained, dataset):
    emulator = dataclasses.replace(trained[0], clip=False)
    state, forcing = columns_of(dataset.inputs[300:304])
    found = np.asarray(column_jacobians(emulator, state, forcing))
    for level, temperature_change, humidity_change in ((3, 0.5, 0.0), (4, 0.0, 2e-4)):
        moved = []
        for sign in (1, -1):
            changed = (
                state.temperature.at[:, level].add(sign * temperature_change),
                state.specific_humidity.at[:, level].add(sign * humidity_change),
            )
            moved.append(eqx.tree_at(lambda s: (s.temperature, s.specific_humidity), state, changed))
        up, down = (emulator(one, forcing)[0] for one in moved)
        slope = (up.temperature - down.temperature) / (2 * (temperature_change + humidity_change))
        column = found[:, :LEVELS, level + (LEVELS if humidity_change else 0)]
        assert_allclose(column, slope, atol=0.1 * np.abs(slope).max())  # leaky rectifiers bend between


def test_growth_of_a_known_response(trained, dataset):
    state, forcing = columns_of(dataset.inputs[:3])
    day = 1.0 / SECONDS_PER_DAY
    at_once, in_the_end = energy_growth(column_jacobians(relaxing(trained, 2 * day, -3 * day), state, forcing), SIGMA_HALF)
    assert_allclose(at_once, 2.0, rtol=1e-5)
    assert_allclose(in_the_end, 2.0, rtol=1e-5)
    shear = np.zeros((1, 2 * LEVELS, 2 * LEVELS))
    shear[0, 0, LEVELS - 1] = 4 * day * np.sqrt((SIGMA_HALF[-1] - SIGMA_HALF[-2]) / (SIGMA_HALF[1] - SIGMA_HALF[0]))
    at_once, in_the_end = energy_growth(shear, SIGMA_HALF)
    assert_allclose(at_once, 2.0)  # half of what it couples: it grows at first
    assert_allclose(in_the_end, 0.0, atol=1e-9)  # and not in the end


@pytest.mark.parametrize("levels", [6, 20])
def test_waves_without_physics_are_neutral_and_damped_with_it(levels):
    half = tuple(np.linspace(0.0, 1.0, levels + 1) ** 1.2)
    middle = 0.5 * (np.array(half[1:]) + np.array(half[:-1]))
    warm, moist = 230.0 + 60.0 * middle, 0.015 * middle**3
    nothing = np.zeros((2 * levels, 2 * levels))
    assert_allclose(wave_growth(nothing, warm, moist, 1e5, half, TIME_STEP), 0.0, atol=1e-3)
    relax = nothing.copy()
    relax[np.arange(levels), np.arange(levels)] = -1.0 / SECONDS_PER_DAY
    slow = wave_growth(relax, warm, moist, 1e5, half, TIME_STEP)
    assert np.all(slow < 1e-3)
    grow = wave_growth(-relax, warm, moist, 1e5, half, TIME_STEP)
    assert np.all(grow > 0.3)  # a wave has half its energy in temperature: half of 1/day, more for what does not move


def test_the_speed_of_a_wave_is_that_of_its_theory():
    """Uniform stability in ln p gives c = N H / sqrt(1/4 + m^2); here to a few per cent."""
    levels = 80
    half = tuple(np.exp(np.linspace(np.log(0.02), 0.0, levels + 1)))
    isothermal = np.full(levels, 260.0)
    wave = column_waves(isothermal, np.zeros_like(isothermal), 1e5, half, 1)
    speeds = np.sort(np.linalg.eigvals(wave).imag)[::-1] * EARTH_RADIUS
    theory = np.sqrt(HEAT_CAPACITY * KAPPA * 260.0 * KAPPA) / np.sqrt(0.25 + (np.pi / -np.log(0.02)) ** 2)
    assert_allclose(speeds[0], theory, rtol=0.05)


@pytest.mark.parametrize(
    ("response", "warm", "match"),
    [
        (np.zeros((3, 3)), WARM, "do not fit"),
        (np.full((2 * LEVELS, 2 * LEVELS), np.nan), WARM, "not finite"),
    ],
)
def test_waves_refuse_what_does_not_fit(response, warm, match):
    with pytest.raises(UsageError, match=match):
        wave_growth(response, warm, MOIST, 1e5, SIGMA_HALF, TIME_STEP)


def recorded(emulator, steps=30, columns=5):
    """A record that an emulator itself has made under a dynamics of its own."""
    random = np.random.default_rng(0)
    fields = _fields(steps, columns)
    temperature, humidity = np.tile(WARM, (columns, 1)) + random.normal(size=(columns, LEVELS)), np.tile(MOIST, (columns, 1))
    for step in range(steps):
        fields.air_temperature[step], fields.specific_humidity[step] = temperature, humidity
        state, forcing = _columns(fields.isel(time=step))
        tendency, _ = emulator(state, forcing)
        heating, moistening = np.asarray(tendency.temperature, np.float64), np.asarray(tendency.specific_humidity, np.float64)
        fields.tendency_of_air_temperature[step], fields.tendency_of_specific_humidity[step] = heating, moistening
        temperature = temperature + TIME_STEP * heating + 0.3 * random.normal(size=temperature.shape)
        humidity = humidity + TIME_STEP * moistening
    return fields


def _fields(steps, columns):
    fields = make_fields(times=max(steps, 2)).astype(np.float64).stack(column=("latitude", "longitude")).reset_index("column")
    fields = fields.isel(column=slice(0, columns), time=slice(0, steps))
    zero = 0.0 * fields.surface_air_pressure
    return fields.assign(northward_wind=fields.eastward_wind, surface_temperature=zero + 300.0).transpose("time", "column", ...)


def _columns(fields):
    def array(name):
        return jnp.asarray(fields[name].values, jnp.float32)

    state = ColumnState(
        array("air_temperature"), array("specific_humidity"), array("eastward_wind"), array("northward_wind"),
        array("surface_air_pressure"),
    )  # fmt: skip
    sun = array("toa_incoming_shortwave_flux")
    fluxes = array("surface_upward_sensible_heat_flux"), array("surface_upward_latent_heat_flux")
    return state, ColumnForcing(array("surface_temperature"), sun, 0 * sun, *fluxes, TIME_STEP)


def test_a_replay_of_the_scheme_that_made_the_record_is_the_record(trained):
    emulator = relaxing(trained, -2.0 / SECONDS_PER_DAY, -2.0 / SECONDS_PER_DAY)
    fields = recorded(emulator)
    again = replay(emulator, recorded_columns(fields, TIME_STEP))
    assert float(again.departure.max()) < 2e-3  # K: rounding of float32 records of 300 K
    other = relaxing(trained, 2.0 / SECONDS_PER_DAY, 0.0)
    astray = replay(other, recorded_columns(fields, TIME_STEP))
    assert float(astray.departure[-1]) > 1.0
    assert astray.temperature.shape == (29, 5, LEVELS)
    assert 0.0 <= float(astray.outside.min()) <= float(astray.outside.max()) <= 1.0


def test_a_column_that_runs_away_is_bounded_and_finite(trained):
    emulator = relaxing(trained, 400.0 / SECONDS_PER_DAY, 0.0)
    again = replay(emulator, recorded_columns(recorded(relaxing(trained, 0.0, 0.0)), TIME_STEP))
    assert np.isfinite(again.departure).all()
    assert float(again.departure[-1]) <= 100.0
    assert jax.tree.all(jax.tree.map(lambda a: bool(jnp.isfinite(a).all()), again))


def test_a_replay_needs_two_steps(trained):
    with pytest.raises(DataError, match="two recorded steps"):
        recorded_columns(recorded(relaxing(trained, 0.0, 0.0), steps=1), TIME_STEP)
