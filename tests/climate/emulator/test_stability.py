"""What is asked of an emulator before it runs: its response, waves coupled to it, single columns under recorded dynamics."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from parametra.climate.emulator import Emulator, Inputs, column_dataset, train
from parametra.climate.emulator.config import RolloutConfig
from parametra.climate.emulator.linear_response import column_jacobians, energy_growth
from parametra.climate.emulator.replay import replay
from parametra.climate.emulator.rollout import rollout, windows
from parametra.climate.emulator.vectors import INPUTS, output_factors, slices
from parametra.climate.emulator.wave_growth import column_waves, wave_growth
from parametra.core.constants import EARTH_RADIUS, HEAT_CAPACITY, KAPPA, SECONDS_PER_DAY
from parametra.core.errors import DataError, UsageError

from .conftest import SIGMA_HALF, TIME_STEP, make_fields

LEVELS = len(SIGMA_HALF) - 1
MIDDLE = 0.5 * (np.array(SIGMA_HALF[1:]) + np.array(SIGMA_HALF[:-1]))
WARM, MOIST = 230.0 + 60.0 * MIDDLE, 0.015 * MIDDLE**3


class Relaxing(Emulator):
    """An emulator whose word is known: temperature and humidity relax towards a profile at their own rates."""

    rates: tuple[float, float] = eqx.field(static=True, default=(0.0, 0.0))

    def outputs(self, inputs, time_step=None):
        said = super().outputs(inputs, time_step)
        heating = self.rates[0] * (inputs.temperature - jnp.asarray(WARM, jnp.float32))
        moistening = self.rates[1] * (inputs.specific_humidity - jnp.asarray(MOIST, jnp.float32))
        return eqx.tree_at(lambda o: (o.heating, o.moistening), said, (heating, moistening))


def relaxing(trained, *rates):
    one = trained[0]
    return Relaxing(**{field.name: getattr(one, field.name) for field in dataclasses.fields(one)}, rates=rates)


def test_jacobians_are_those_of_finite_differences(trained, dataset):
    emulator = dataclasses.replace(trained[0], clip=False)
    inputs = Inputs.from_vector(jnp.asarray(dataset.inputs[300:304]))
    found = np.asarray(column_jacobians(emulator, inputs))
    for level, warmer, moister in ((3, 0.5, 0.0), (4, 0.0, 2e-4)):
        up, down = (
            emulator.outputs(
                eqx.tree_at(
                    lambda x: (x.temperature, x.specific_humidity),
                    inputs,
                    (
                        inputs.temperature.at[:, level].add(sign * warmer),
                        inputs.specific_humidity.at[:, level].add(sign * moister),
                    ),
                )
            )
            for sign in (1, -1)
        )
        slope = (up.heating - down.heating) / (2 * (warmer + moister))
        column = found[:, :LEVELS, level + (LEVELS if moister else 0)]
        assert_allclose(column, slope, atol=0.1 * np.abs(slope).max())  # leaky rectifiers bend between


def test_growth_of_a_known_response(trained, dataset):
    inputs, day = Inputs.from_vector(jnp.asarray(dataset.inputs[:3])), 1.0 / SECONDS_PER_DAY
    at_once, in_the_end = energy_growth(column_jacobians(relaxing(trained, 2 * day, -3 * day), inputs), SIGMA_HALF)
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


def recorded(emulator, steps=31):
    """A record that an emulator itself has made, under a dynamics of its own."""
    random, fields = np.random.default_rng(0), make_fields(times=steps).astype(np.float64)
    shape = fields.air_temperature.shape[1:]
    temperature, humidity = WARM + random.normal(size=shape), np.broadcast_to(MOIST, shape)
    data = column_dataset(fields)
    where, by_step = slices(INPUTS, LEVELS), data.inputs.reshape(steps, -1, data.inputs.shape[1]).copy()
    targets = data.targets.reshape(steps, -1, data.targets.shape[1]).copy()
    for step in range(steps):
        by_step[step, :, where["air_temperature"]] = temperature.reshape(-1, LEVELS)
        by_step[step, :, where["specific_humidity"]] = humidity.reshape(-1, LEVELS)
        said = emulator.outputs(Inputs.from_vector(jnp.asarray(by_step[step])))
        gave = [np.asarray(part, np.float64) for part in (said.heating, said.moistening)]
        targets[step, :, : 2 * LEVELS] = np.concatenate(gave, axis=1) * output_factors(LEVELS)[: 2 * LEVELS]
        heating, moistening = (part.reshape(shape) for part in gave)
        temperature = temperature + TIME_STEP * heating + 0.3 * random.normal(size=shape)
        humidity = humidity + TIME_STEP * moistening
    width = data.inputs.shape[1], data.targets.shape[1]
    return dataclasses.replace(data, inputs=by_step.reshape(-1, width[0]), targets=targets.reshape(-1, width[1]))


def test_a_replay_of_the_scheme_that_made_the_record_is_the_record(trained):
    emulator = relaxing(trained, -2.0 / SECONDS_PER_DAY, -2.0 / SECONDS_PER_DAY)
    data = recorded(emulator)
    again = replay(emulator, data)
    assert float(again.departure.max()) < 3e-3  # K: rounding of float32 records of 300 K
    astray = replay(relaxing(trained, 2.0 / SECONDS_PER_DAY, 0.0), data)
    assert float(astray.departure[-1]) > 1.0
    assert astray.temperature.shape == (30, 16, LEVELS)
    assert 0.0 <= float(astray.outside.min()) <= float(astray.outside.max()) <= 1.0


def test_a_column_that_runs_away_is_bounded_and_finite(trained):
    again = replay(relaxing(trained, 400.0 / SECONDS_PER_DAY, 0.0), recorded(relaxing(trained, 0.0, 0.0)))
    assert float(again.departure[-1]) <= 100.0
    assert jax.tree.all(jax.tree.map(lambda a: bool(jnp.isfinite(a).all()), again))


def test_a_rollout_makes_no_water_where_there_is_hardly_any(trained, dataset):
    """One that missed two moistenings and then two dryings of a desert has gathered nothing, though below zero between."""
    silent, columns = relaxing(trained, 0.0, 0.0), dataset.shape[1] * dataset.shape[2]
    inputs = np.repeat(dataset.inputs.reshape(dataset.shape[0], columns, -1)[:1], 5, axis=0)
    inputs[..., slices(INPUTS, LEVELS)["specific_humidity"]] = 1e-6
    targets = np.zeros((4, columns, dataset.targets.shape[1]), np.float32)
    missed = 1e-8 * np.array([1.0, 1.0, -1.0, -1.0])
    targets[..., LEVELS : 2 * LEVELS] = missed[:, None, None] * output_factors(LEVELS)[LEVELS : 2 * LEVELS]
    _, moist = rollout(silent, jnp.asarray(inputs), jnp.asarray(targets))
    expected = -TIME_STEP * np.cumsum(missed)[:, None, None]
    assert expected.min() < -1e-6
    assert_allclose(moist, np.broadcast_to(expected, moist.shape), atol=1e-9)


def test_a_replay_needs_two_steps_and_the_network_s_levels(trained, fields):
    with pytest.raises(DataError, match="two recorded steps"):
        replay(trained[0], column_dataset(fields.isel(time=slice(0, 1))))
    with pytest.raises(UsageError, match="levels"):
        replay(trained[0], column_dataset(fields.isel(level=slice(0, 4))))


def test_windows_are_the_columns_in_their_order(dataset):
    inputs, targets = windows(dataset, 5)
    times, columns = dataset.shape[0], dataset.shape[1] * dataset.shape[2]
    assert inputs.shape[:2] == ((times - 1) // 5 * columns, 6)
    assert targets.shape[:2] == ((times - 1) // 5 * columns, 5)
    by_step = dataset.inputs.reshape(times, columns, -1)
    assert_array_equal(inputs[columns + 3], by_step[5:11, 3])  # the second window of column 3
    assert_array_equal(targets[2 * columns + 7], dataset.targets.reshape(times, columns, -1)[10:15, 7])
    gap = np.delete(np.arange(times), [6, 7])  # one part of 6 moments, one of the rest
    kept = dataclasses.replace(
        dataset,
        inputs=by_step[gap].reshape(gap.size * columns, -1),
        targets=dataset.targets.reshape(times, columns, -1)[gap].reshape(gap.size * columns, -1),
        coordinates=dataset.coordinates.isel(time=gap),
    )
    first = windows(kept, 5)[0][::columns, 0]
    assert_array_equal(first, by_step[[0, *range(8, times - 5, 5)], 0])
    with pytest.raises(DataError, match="no rollout of 99"):
        windows(dataset, 99)


def test_training_on_rollouts_mends_what_single_steps_leave(dataset, config, tmp_path):
    """Nothing but the network changes, columns stay nearer to their record, and a kill changes no bit."""
    longer = config.model_copy(update={"rollout": RolloutConfig(steps=4, epochs=4, learning_rate=3e-3, batch_size=8, clip=1.0)})
    arguments = (dataset, longer, SIGMA_HALF, TIME_STEP, 1)
    fractions, epochs = [], []
    tuned, history = train(
        *arguments, selection=dataset, on_chunk=lambda fit: fractions.append(fit.fraction),
        on_epoch=lambda record: epochs.append(record.epoch),
    )  # fmt: skip
    before, _ = train(dataset, config, SIGMA_HALF, TIME_STEP, 1)
    assert float(replay(tuned, dataset).departure[-1]) < float(replay(before, dataset).departure[-1])
    assert eqx.tree_equal(tuned.scaling, before.scaling)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert epochs == list(range(7))
    assert history.loss.shape == history.selection_loss.shape == (7,)
    assert history.selection_loss[-1] < history.selection_loss[3]

    def kill(record):
        if record.epoch == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(*arguments, selection=dataset, on_epoch=kill, resume_path=tmp_path / "one")
    again, more = train(*arguments, selection=dataset, resume_path=tmp_path / "one")
    assert eqx.tree_equal(again, tuned)
    assert_array_equal(more.loss, history.loss)
