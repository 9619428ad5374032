"""Outputs that grow with the vapour that air can hold: what they are, how they are learnt, kept and combined."""

import json

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from parametra.climate.emulator import Inputs, committee, load_emulator, save_emulator, train, train_linear, train_stochastic
from parametra.climate.emulator import rollout as rollouts
from parametra.climate.emulator.config import RolloutConfig, StochasticConfig
from parametra.climate.emulator.growth import DRY, growth, mean_moisture, saturation_humidity, without_growth
from parametra.climate.emulator.rollout import RolloutLoss, windows
from parametra.climate.emulator.vectors import output_factors
from parametra.core.errors import DataError, UsageError
from parametra.store.networks import load_network, save_network

from .conftest import SIGMA_HALF, TIME_STEP

N = 6


@pytest.fixture(scope="module")
def scaled(dataset, config):
    return train(dataset, config.model_copy(update={"outputs": "scaled"}), SIGMA_HALF, TIME_STEP, seed=1)[0]


def test_growth_is_one_on_average_half_at_least_and_follows_the_vapour(dataset):
    x = jnp.asarray(dataset.inputs)
    moisture = mean_moisture(dataset.inputs, SIGMA_HALF)
    s = np.asarray(growth(x, jnp.asarray(moisture), SIGMA_HALF), np.float64)
    assert s.shape == dataset.targets.shape
    assert_allclose(s[:, :N].mean(0), 1.0, atol=1e-4)
    assert (s >= 0.5).all()
    assert_array_equal(s[:, :N], s[:, N : 2 * N])
    assert_array_equal(s[:, 2 * N : 2 * N + 4], 1.0)
    assert_array_equal(s[:, -1], s[:, N - 1])
    warm = x.at[:, :N].add(4.0)
    grown = np.asarray(growth(warm, jnp.asarray(moisture), SIGMA_HALF))
    vapour = np.asarray(saturation_humidity(warm, SIGMA_HALF) / saturation_humidity(x, SIGMA_HALF))
    assert (vapour > 1.2).all()  # 4 K, 6 to 10 % a kelvin
    expected = 0.5 + (s[:, :N] - 0.5) * (DRY + np.asarray(saturation_humidity(warm, SIGMA_HALF))) / (
        DRY + np.asarray(saturation_humidity(x, SIGMA_HALF))
    )
    high = 0.5 * (np.asarray(SIGMA_HALF)[1:] + np.asarray(SIGMA_HALF)[:-1]) < 0.18
    assert 0 < high.sum() < N - 1
    assert_allclose(grown[:, :N], np.where(high, 1.0, expected), rtol=1e-4)  # no vapour to speak of at the top
    cold = x.at[:, :N].set(200.0)  # nothing condenses there, in either climate
    dry = np.asarray(growth(cold, jnp.asarray(mean_moisture(np.asarray(cold), SIGMA_HALF)), SIGMA_HALF))
    assert_allclose(dry, 1.0, atol=5e-3)


def test_a_network_learns_what_is_left_and_the_emulator_puts_it_back(dataset, scaled):
    left = without_growth(dataset.inputs, dataset.targets, np.asarray(scaled.moisture), SIGMA_HALF)
    s = np.asarray(growth(jnp.asarray(dataset.inputs), scaled.moisture, SIGMA_HALF))
    assert_allclose(left * s, dataset.targets, rtol=1e-5, atol=1e-6)
    seen = Inputs.from_vector(jnp.asarray(dataset.inputs))
    bare = np.asarray(scaled.network(scaled.features(seen)))
    said = np.asarray(scaled.raw(seen).vector()) * output_factors(N)
    assert_allclose(said, bare * s, rtol=1e-4, atol=1e-5)
    assert ((bare - left) ** 2).mean() < 0.8 * (left**2).mean()  # it has learnt something


def test_linear_regression_takes_it_too(dataset, config):
    linear = train_linear(dataset, config.model_copy(update={"outputs": "scaled"}), SIGMA_HALF, TIME_STEP)
    plain = train_linear(dataset, config, SIGMA_HALF, TIME_STEP)
    assert linear.moisture is not None
    assert plain.moisture is None


def test_rollouts_train_the_network_alone_and_count_errors_as_single_steps_do(dataset, config, scaled):
    longer = config.model_copy(update={"outputs": "scaled", "rollout": RolloutConfig(steps=4, epochs=1, batch_size=8)})
    tuned, _ = train(dataset, longer, SIGMA_HALF, TIME_STEP, 1)
    assert_array_equal(tuned.moisture, scaled.moisture)
    assert not eqx.tree_equal(tuned.network, scaled.network)
    inputs, targets = (jnp.asarray(array[:8]) for array in windows(dataset, 4))
    flat = np.asarray(inputs[:, :-1]).reshape(-1, inputs.shape[-1]), np.asarray(targets).reshape(-1, targets.shape[-1])
    left = without_growth(*flat, np.asarray(scaled.moisture), SIGMA_HALF)
    bare = scaled.network(scaled.features(Inputs.from_vector(jnp.asarray(flat[0]))))
    # half of an error as it is, half over the variance of its output
    variance = left.var(axis=0)
    weight = 0.5 + 0.5 * variance.mean() / (variance + 0.01 * variance.mean())
    assert weight.max() < 51.0
    assert_allclose(RolloutLoss(0.0)(scaled, (inputs, targets)), np.mean((bare - left) ** 2 * weight), rtol=1e-3)


@pytest.mark.parametrize("kind", ["plain", "scaled"])
def test_a_large_batch_of_rollouts_has_the_loss_of_the_whole_however_it_is_divided(dataset, trained, scaled, kind, monkeypatch):
    emulator = scaled if kind == "scaled" else trained[0]
    inputs, targets = (jnp.asarray(array[:21]) for array in windows(dataset, 4))
    batch = inputs, targets
    whole = RolloutLoss(0.3)(emulator, batch)
    monkeypatch.setattr(rollouts, "COLUMNS", 20)  # four times five windows, and one more
    assert_allclose(RolloutLoss(0.3)(emulator, batch), whole, rtol=1e-5)


def test_its_file_gives_it_back_and_an_older_one_is_plain(scaled, trained, tmp_path):
    save_emulator(tmp_path / "scaled.safetensors", scaled)
    again, header = load_emulator(tmp_path / "scaled.safetensors")
    assert eqx.tree_equal(again, scaled)
    assert header["growth"]["kind"] == "scaled"
    save_emulator(tmp_path / "plain.safetensors", trained[0])
    arrays, header = load_network(tmp_path / "plain.safetensors")
    del header["growth"]
    save_network(tmp_path / "old.safetensors", arrays, header)
    assert load_emulator(tmp_path / "old.safetensors")[0].moisture is None
    odd = json.loads(json.dumps(header)) | {"growth": {"kind": "wild"}}
    save_network(tmp_path / "odd.safetensors", arrays, odd)
    with pytest.raises((DataError, UsageError), match="wild"):
        load_emulator(tmp_path / "odd.safetensors")


def test_a_committee_is_of_one_kind(scaled, trained):
    assert committee([scaled, scaled]).moisture is scaled.moisture
    with pytest.raises(UsageError, match="differ"):
        committee([scaled, trained[0]])


def test_noise_stands_around_what_the_emulator_says(scaled, dataset):
    head, _ = train_stochastic(scaled, dataset, StochasticConfig(modes=2, depth=1, width=4), seed=0)
    quiet = eqx.tree_at(lambda one: one.modes, head, jnp.zeros_like(head.modes))
    seen = Inputs.from_vector(jnp.asarray(dataset.inputs[:64]))
    said = np.asarray(scaled.outputs(seen).vector())
    drawn = np.asarray(quiet.outputs(seen, quiet.start(64, jnp.asarray([0, 1], jnp.uint32))).vector())
    scale = np.abs(said).max(0) + 1e-20
    assert_allclose(drawn / scale, said / scale, atol=1e-4)
