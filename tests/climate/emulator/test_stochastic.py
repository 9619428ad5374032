"""The stochastic head: closed-form scores against quadrature, what training finds in made-up noise, and its exact budgets."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import norm

from parametra.climate.emulator import (
    Inputs,
    StochasticConfig,
    column_dataset,
    column_residuals,
    draw,
    ensemble_scores,
    load_emulator,
    load_stochastic,
    save_stochastic,
    train_stochastic,
)
from parametra.climate.emulator.stochastic import amplitudes, lognormal, normal_crps
from parametra.climate.schemes.emulated import StochasticScheme
from parametra.core.errors import DataError, UsageError
from parametra.learn import FitConfig

from .conftest import SIGMA_HALF, columns_of, make_fields

CONFIG = StochasticConfig(modes=3, depth=2, width=32, fit=FitConfig(epochs=60, batch_size=256, learning_rate=1e-2, chunk=100))
MEMORY = 0.6


@pytest.fixture(scope="module")
def noisy(emulator):
    """200 steps whose truth is the bare network plus noise in one pattern, four times stronger where the wind is easterly."""
    data = column_dataset(make_fields(200, seed=3))
    random, columns = np.random.default_rng(4), 16
    z = np.zeros((200, columns))
    z[0] = random.standard_normal(columns)
    for step in range(1, 200):
        z[step] = MEMORY * z[step - 1] + np.sqrt(1 - MEMORY**2) * random.standard_normal(columns)
    strength = np.where(data.inputs[:, 12] < 0.0, 4.0, 1.0)
    pattern = np.zeros(17, np.float32)
    pattern[2:5], pattern[8:11], pattern[16] = 0.02, -0.015, 0.03
    inputs = jnp.asarray(data.inputs)
    mean = eqx.filter_jit(lambda e, x: e.network(e.features(Inputs.from_vector(x))))(emulator, inputs)
    noise = (strength * z.ravel())[:, None] * pattern + 1e-4 * random.standard_normal((3200, 17))
    return dataclasses.replace(data, targets=np.asarray(mean + noise, np.float32)), strength, pattern


@pytest.fixture(scope="module")
def head(emulator, noisy):
    return train_stochastic(emulator, noisy[0], CONFIG, seed=0)[0]


@pytest.mark.parametrize(("error", "spread"), [(0.0, 1.0), (1.3, 0.4), (-2.0, 3.0)])
def test_the_score_of_a_normal_law_is_its_integral(error, spread):
    exact = quad(lambda x: (norm.cdf(x, scale=spread) - (x >= error)) ** 2, -30, 30, points=[error], limit=200)[0]
    assert_allclose(normal_crps(jnp.float32(error), jnp.float32(spread)), exact, rtol=1e-4)


def test_training_finds_pattern_strength_and_memory(head, noisy):
    data, strength, pattern = noisy
    mode = np.asarray(head.modes[:, 0])
    assert abs(np.dot(mode, pattern)) > 0.99 * np.linalg.norm(mode) * np.linalg.norm(pattern)
    assert float(head.memory[0]) == pytest.approx(MEMORY, abs=0.06)
    features = head.emulator.features(Inputs.from_vector(jnp.asarray(data.inputs)))
    found = np.asarray(amplitudes(head.amplitude, features)[:, 0]) * np.linalg.norm(mode) / np.linalg.norm(pattern)
    for value in (1.0, 4.0):
        assert np.median(found[strength == value]) == pytest.approx(value, rel=0.25)


def test_draws_have_the_spread_of_the_truth_where_the_mean_has_none_of_it(emulator, head, noisy):
    """On heating, that neither limit nor conservation touch here: spread is error, CRPS below the mean's absolute error."""
    data = noisy[0]
    free = dataclasses.replace(head, emulator=dataclasses.replace(emulator, conservation=False))
    part = slice(2, 5)
    scores = ensemble_scores(draw(free, data, 8, seed=0), data.targets)
    silent = eqx.tree_at(lambda h: h.modes, free, 0.0 * free.modes)
    mean = ensemble_scores(draw(silent, data, 1, seed=0), data.targets)
    assert_allclose(scores.spread_skill[part], 1.0, atol=0.15)
    assert_allclose(scores.variance_ratio[part], 1.0, atol=0.1)
    assert np.all(mean.variance_ratio[part] < 0.9 * scores.variance_ratio[part])
    assert np.all(scores.crps[part] < 0.8 * mean.crps[part])


def test_precipitation_keeps_its_mean_and_variance_and_its_sign():
    random = np.random.default_rng(0)
    z = jnp.asarray(random.standard_normal((40000, 2)), jnp.float32)
    for mean, parts in ((2.0, (0.6, -0.8)), (1.0, (0.3, 0.4)), (-1.0, (1.0, 0.0))):
        rain = lognormal(jnp.full(40000, mean), jnp.broadcast_to(jnp.asarray(parts), (40000, 2)), z)
        assert np.all(np.asarray(rain) >= 0.0)
        assert np.mean(rain) == pytest.approx(max(mean, 0.0), rel=0.02)
        assert np.std(rain) == pytest.approx(np.hypot(*parts) * (mean > 0), rel=0.05)


def test_budgets_close_with_any_noise(head, dataset):
    state, forcing = columns_of(dataset.inputs[160:176])
    call = eqx.filter_jit(lambda head, z: head(state, forcing, z))
    for factor in (0.0, 1.0, 10.0):
        z = factor * head.start(16, jax.random.key(5))
        tendency, fluxes = call(head, z)
        water, energy = column_residuals(state, forcing, tendency, fluxes, SIGMA_HALF)
        bound = 1e-3 * max(factor, 1.0)  # rounding grows with what is closed
        assert max(np.abs(water).max(), np.abs(energy).max()) <= bound
        assert np.all(np.asarray(fluxes.precipitation) >= 0.0)


def test_the_noise_is_stationary_and_remembers(head):
    z = head.start(4000, jax.random.key(0))
    scheme = StochasticScheme(head)
    first = z
    for step in range(5):
        z = scheme.emulator.advance(z, jax.random.key(step + 1))  # start used key 0
    assert_allclose(jnp.std(z, axis=0), 1.0, atol=0.05)
    correlation = jnp.mean(first * z, axis=0)
    assert_allclose(correlation, head.memory**5, atol=0.06)


def test_its_file_gives_it_back(head, tmp_path):
    save_stochastic(tmp_path / "a.safetensors", head, {"seed": 0})
    loaded, header = load_stochastic(tmp_path / "a.safetensors")
    assert eqx.tree_equal(loaded, head)
    assert header["noise"]["modes"] == 3
    assert header["extra"] == {"seed": 0}
    with pytest.raises(DataError, match="format"):
        load_emulator(tmp_path / "a.safetensors")


def test_the_fair_score_of_draws_is_that_of_the_law():
    random = np.random.default_rng(0)
    truth = random.standard_normal((20000, 1)) * 2.0
    draws = random.standard_normal((4, 20000, 1)) * 2.0
    scores = ensemble_scores(draws, truth)
    assert scores.crps[0] == pytest.approx(2.0 / np.sqrt(np.pi), rel=0.02)  # of an infinite ensemble, whatever the members
    assert scores.spread_skill[0] == pytest.approx(1.0, abs=0.02)
    assert scores.variance_ratio[0] == pytest.approx(1.0, abs=0.02)
    single = ensemble_scores(draws[:1], truth)
    assert single.crps[0] == pytest.approx(np.abs(draws[0] - truth).mean())
    assert np.isnan(single.spread_skill[0])


def test_what_does_not_fit_is_refused(emulator, dataset):
    with pytest.raises(UsageError, match="18 modes on 6 levels"):
        train_stochastic(emulator, dataset, CONFIG.model_copy(update={"modes": 18}), seed=0)
    with pytest.raises(UsageError, match="do not fit a truth"):
        ensemble_scores(np.zeros((0, 3, 4)), np.zeros((3, 4)))
