"""The off-manifold score: its formula, its promise about false alarms, and what it costs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.networks import MLP, ntk
from parametra.wide import fit_score, kernel

RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(3, 8))


def draw(count):
    return (RNG.normal(size=(count, 3)) @ MIXING + 0.1 * RNG.normal(size=(count, 8)) + 5.0).astype(np.float32)


MODEL = eqx.filter_eval_shape(lambda key: ntk.dense_network(key, 8, 1, (8, 8)), jax.random.key(0))


@pytest.fixture(scope="module")
def fitted():
    x = draw(600)
    return x, fit_score(MODEL, x, landmarks=40, noise=1e-2)


def test_it_is_the_variance_of_its_formula(fitted):
    x, score = fitted
    new = draw(5)
    w, wx = ((np.asarray(value - score.mean) @ np.asarray(score.whitening)).astype(np.float32) for value in (new, x))
    function, m = kernel(MODEL), np.asarray(score.landmarks)
    inner = np.asarray(function(jnp.asarray(m)).nngp, np.float64)
    size = np.trace(inner) / len(m)
    L = np.linalg.cholesky(inner + 1e-6 * size * np.eye(len(m)))
    psi, Psi = (np.linalg.solve(L, np.asarray(function(jnp.asarray(m), jnp.asarray(v)).nngp, np.float64)) for v in (w, wx))
    top = np.asarray(function.diagonal(jnp.asarray(w)).nngp, np.float64)
    middle = np.linalg.inv(np.eye(len(m)) + Psi @ Psi.T / (1e-2 * size))
    expected = top - (psi * psi).sum(0) + np.einsum("mi,mn,ni->i", psi, middle, psi)
    assert_allclose(score(jnp.asarray(new)), expected, rtol=2e-3)
    assert_allclose(score.mahalanobis(jnp.asarray(x)).mean(), 1.0, rtol=0.01)


def test_alarms_keep_their_rate_and_find_what_left_the_manifold(fitted):
    _, score = fitted
    held = score.calibrate(jnp.asarray(draw(400)), 0.1)
    false = np.asarray(held.alarm(jnp.asarray(draw(2000)))).mean()
    assert false < 0.1 + 4 * np.sqrt(0.09 / 400 + 0.09 / 2000)  # sampling of calibration and of test
    shifted = draw(200)
    shifted[:, 0] += 3.0  # leaves the three directions
    assert np.asarray(held.alarm(jnp.asarray(shifted))).mean() > 0.9


def test_what_never_varied_and_what_is_missing_raise_the_alarm(fitted):
    x, score = fitted
    score = score.calibrate(jnp.asarray(draw(400)), 0.1)
    missing = jnp.asarray(x[:1]).at[0, 2].set(jnp.nan)
    assert bool(score.alarm(missing)[0])
    with pytest.raises(UsageError, match="no finite score.*Remedy"):
        score.calibrate(jnp.concatenate([jnp.asarray(x[:50]), missing]), 0.1)
    with pytest.raises(UsageError, match="fitted to 8 features, got shape \\(50, 7\\)"):
        score.calibrate(jnp.asarray(x[:50, :7]), 0.1)
    constant = np.concatenate([x, np.full((600, 1), 0.3, np.float32)], 1)
    wide = fit_score(MODEL, constant, landmarks=40)
    assert_allclose(wide(jnp.asarray(constant[:9])), score(jnp.asarray(x[:9])), rtol=1e-3)
    for value in (0.31, 1e6):
        moved = jnp.asarray(constant[:9]).at[:, 8].set(value)
        assert (wide(moved) > 10 * wide(jnp.asarray(constant)).max()).all()
        assert (wide.mahalanobis(moved) > 10).all()


def test_it_costs_at_most_a_tenth_of_an_emulator():
    """Multiplications per column, by the compiler's count, for 94 inputs and 64 landmarks, beside a 9 x 256 network's pass."""
    columns = RNG.normal(size=(500, 94)).astype(np.float32)
    model = eqx.filter_eval_shape(lambda key: ntk.dense_network(key, 94, 1, (8, 8)), jax.random.key(0))
    score = fit_score(model, columns)
    emulator = MLP.init(jax.random.key(0), 94, 65, (256,) * 9)
    batch = jax.ShapeDtypeStruct((2048, 94), jnp.float32)
    costs = [jax.jit(lambda x, f=function: f(x)).lower(batch).compile().cost_analysis() for function in (score, emulator)]
    assert costs[0] is not None
    assert costs[1] is not None
    assert costs[0]["flops"] < 0.1 * costs[1]["flops"]


def test_what_cannot_be_scored_is_refused(fitted):
    x, score = fitted
    with pytest.raises(UsageError, match="do not vary"):
        fit_score(MODEL, np.ones((50, 8)), landmarks=4)
    with pytest.raises(UsageError, match="700 landmarks"):
        fit_score(MODEL, x, landmarks=700)
    with pytest.raises(UsageError, match="NaN"):
        fit_score(MODEL, np.full((50, 8), np.nan), landmarks=4)
    with pytest.raises(UsageError, match="cannot promise a rate of 0.01.*at least 99"):
        score.calibrate(jnp.asarray(x[:50]), 0.01)
