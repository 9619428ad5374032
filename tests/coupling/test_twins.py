import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from parametra.core.errors import UsageError
from parametra.coupling import ColumnBlocks, ceiling, coupled_run, growth_curve, twin_run
from parametra.dynamics import fit_polynomial

NOISE = 0.5  # variance


class NoisyLine(eqx.Module):
    """y = x + e: a closure whose ceiling is var x / (var x + var e)."""

    deviation: jax.Array

    def init(self, resolved, forcing, key):
        return jnp.zeros_like(resolved)

    def __call__(self, resolved, forcing, carry, key):
        noise = self.deviation * jax.random.normal(key, resolved.shape)
        return resolved + noise, {"memory": carry}, carry


def trajectory(steps, columns=40, seed=0):
    """x of variance 1, new at every step, and no forcing."""
    x = np.random.default_rng(seed).normal(size=(steps, columns)).astype(np.float32)
    return [(jnp.asarray(row), ()) for row in x]


def recentred(carry, resolved, key):
    noise = jax.random.normal(key, carry.shape)
    return carry + noise - (noise.mean(axis=1, keepdims=True) if carry.ndim > 1 else 0.0)


def answer(tendency, fluxes):
    return {"y": tendency}


@pytest.mark.parametrize("wrap", [lambda closure: closure, lambda closure: ColumnBlocks(closure, 2)])
def test_ceiling_of_a_closure_with_known_noise(wrap):
    closure = wrap(NoisyLine(jnp.float32(np.sqrt(NOISE))))
    starts = [
        twin_run(closure, jnp.zeros(40), trajectory(10, seed=seed), seed, recentred, twins=4, target=answer)["y"]
        for seed in range(6)
    ]
    assert starts[0].shape == (4, 10, 40)
    found = ceiling(starts)
    assert float(found.value) == pytest.approx(1 / (1 + NOISE), abs=0.03)  # 2400 samples of x, 9600 of e
    differences = np.stack(starts)[:, 0] - np.stack(starts)[:, 1]
    assert abs(differences.mean()) < 4 * np.sqrt(2 * NOISE / differences.size)  # exchangeable


def test_twins_are_perturbed_alike_and_none_is_the_original():
    closure = NoisyLine(jnp.float32(0.0))
    memory = twin_run(
        closure, jnp.zeros(40), trajectory(1), 0, recentred, twins=3, target=lambda tendency, fluxes: {"m": fluxes["memory"]}
    )["m"][:, 0]
    assert len(np.unique(memory)) == memory.size
    assert_allclose(memory.std(axis=1), 1.0, atol=0.4)


def test_only_the_chosen_steps_are_kept_and_a_trajectory_may_be_a_generator():
    closure = NoisyLine(jnp.float32(0.1))
    every = twin_run(closure, jnp.zeros(40), iter(trajectory(6)), 0, recentred, twins=2, target=answer)["y"]
    some = twin_run(closure, jnp.zeros(40), trajectory(6), 0, recentred, twins=2, target=answer, keep=[1, 4])["y"]
    assert_array_equal(some, every[:, [1, 4]])


@pytest.mark.parametrize(("twins", "steps"), [(1, 3), (2, 0)])
def test_one_twin_or_no_step_is_refused(twins, steps):
    with pytest.raises(UsageError):
        twin_run(NoisyLine(jnp.float32(0.1)), jnp.zeros(40), trajectory(steps), 0, recentred, twins=twins, target=answer)


def record_all(resolved, forcing, tendency, fluxes, carry):
    return {"resolved": resolved.x, "forcing": forcing.forcing}


def slightly_recentred(carry, resolved, key):
    return carry + 0.1 * (recentred(carry, resolved, key) - carry)


def test_on_lorenz96_no_polynomial_beats_the_ceiling(lorenz, fast_scale, truth):
    fields, end = truth
    targets = []
    resolved_type, forcing_type = (type(part) for part in lorenz.resolved(end.state))
    at = end
    for seed in range(4):
        chunk = []
        after = coupled_run(
            lorenz, fast_scale, at.state, at.carry, 0, 240, chunk=240, start_step=at.step, record=record_all, reduce="none",
            on_chunk=lambda step, records, state, chunk=chunk: chunk.append(records),
        )  # fmt: skip
        host = [
            (resolved_type(jnp.asarray(x)), forcing_type(jnp.asarray(f)))
            for x, f in zip(chunk[0]["resolved"], chunk[0]["forcing"], strict=True)
        ]
        moved = slightly_recentred(at.carry, None, jax.random.key(seed))
        assert_allclose(moved.mean(axis=1), at.carry.mean(axis=1), atol=1e-5)  # the host sees no difference
        targets.append(
            twin_run(
                fast_scale, at.carry, host, seed, slightly_recentred, twins=4, target=answer_of_lorenz, keep=range(0, 240, 8)
            )["u"]
        )
        at = after
    growth = growth_curve(targets)
    assert growth[:, 0].mean() < growth[:, 15:].mean()  # re-centred twins start alike and part
    found = ceiling(np.stack(targets)[:, :, 15:], variance=fields["u"].var())
    for degree in (1, 4):
        closure = fit_polynomial(fields["x"], fields["u"], degree)
        error = np.polyval(np.asarray(closure.coefficients)[::-1], fields["x"]) - fields["u"]
        assert 1 - np.mean(error**2) / fields["u"].var() < found.low


def answer_of_lorenz(tendency, fluxes):
    return {"u": tendency.x}
