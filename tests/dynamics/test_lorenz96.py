import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from parametra.coupling import coupled_run, start
from parametra.dynamics import FastScale, Lorenz96, fit_polynomial
from parametra.dynamics.lorenz96 import SlowTendency, fast_advection, runge_kutta, slow_advection

SPEED, FAST = 10.0, 16


@given(st.integers(0, 2**31 - 1), st.sampled_from([slow_advection, fast_advection]))
def test_advection_conserves_energy(seed, advection):
    value = jax.random.normal(jax.random.key(seed), (2, 8))
    terms = np.asarray(value * advection(value), np.float64)
    assert_allclose(terms.sum(axis=1), 0.0, atol=1e-6 * np.abs(terms).sum())


def test_the_uniform_state_at_rest_stays():
    host = Lorenz96(forcing=8.0)
    state = eqx.tree_at(lambda s: s.x, host.init(jax.random.key(0)), jnp.full((8,), 8.0))
    assert_array_equal(host.step(state, SlowTendency(jnp.zeros(8))).x, state.x)  # -x + F = 0, advection 0


def test_runge_kutta_is_of_fourth_order():
    steps = np.array([2, 4, 8, 16])
    errors = []
    for count in steps:
        value = jnp.float32(1.0)
        for _ in range(count):
            value = runge_kutta(lambda x: -4.0 * x, value, 1.0 / count)
        errors.append(abs(float(value) - np.exp(-4.0)))
    assert np.polyfit(np.log(steps[1:]), np.log(errors[1:]), 1)[0] == pytest.approx(-4.0, abs=0.6)  # -4 in the limit


@pytest.fixture(scope="module")
def on_the_attractor():
    """X and Y of one joined ring after 3 units of time."""
    host, truth = Lorenz96(time_step=0.0025), FastScale(host_step=0.0025, fast=FAST, substeps=1)
    end = coupled_run(host, truth, *start(host, truth, 1), 0, 1200, chunk=1200)
    return end.state, end.carry


@eqx.filter_jit
def together(x, y, time, steps):
    """Both scales in one Runge-Kutta step each time: no coupling in between."""

    def slope(xy):
        x, y = xy[:8], xy[8:]
        u = -y.reshape(8, FAST).sum(axis=1)
        slow = slow_advection(x[None])[0] - x + 10.0 + u
        fast = SPEED * 10.0 * fast_advection(y[None])[0] - SPEED * y + jnp.repeat(x, FAST)
        return jnp.concatenate([slow, fast])

    both = jnp.concatenate([x, y.ravel()])
    both = jax.lax.fori_loop(0, steps, lambda _, xy: runge_kutta(slope, xy, time / steps), both)
    return both[:8], both[8:]


def test_coupling_converges_at_first_order_and_so_does_the_energy_budget(on_the_attractor):
    state, carry = on_the_attractor
    time = 0.08
    x, _ = together(state.x, carry, time, 400)
    errors, residuals, sizes = [], [], np.array([2, 4, 8, 16])
    for steps in sizes:
        step = time / int(steps)
        host = Lorenz96(time_step=step)
        truth = FastScale(host_step=step, fast=FAST, substeps=64 // int(steps))
        rows = []
        end = coupled_run(
            host, truth, state, carry, 0, int(steps), chunk=int(steps), record=energy, reduce="none",
            on_chunk=lambda step, records, state, rows=rows: rows.append(records),
        )  # fmt: skip
        errors.append(np.abs(np.asarray(end.state.x) - np.asarray(x)).max())
        last = energy(end.state, None, None, None, end.carry)
        stored = np.append(rows[0]["stored"], last["stored"]).astype(np.float64)
        source = np.append(rows[0]["source"], last["source"]).astype(np.float64)
        worked = step * (0.5 * (source[1:] + source[:-1])).sum()
        residuals.append(abs(stored[-1] - stored[0] - worked) / abs(worked))
    order = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert order == pytest.approx(-1.0, abs=0.25)
    assert residuals[-1] < 0.02  # what X loses is what Y gains: nothing else enters the budget
    assert np.polyfit(np.log(sizes), np.log(residuals), 1)[0] < -0.7


def energy(resolved, forcing, tendency, fluxes, carry):
    """Energy of both scales, and its source by forcing and friction."""
    x, y = resolved.x, carry
    return {
        "stored": 0.5 * ((x**2).sum() + (y**2).sum()),
        "source": (10.0 * x - x**2).sum() - SPEED * (y**2).sum(),
    }


def test_what_x_gives_is_what_the_flux_says(on_the_attractor):
    state, carry = on_the_attractor
    host, truth = Lorenz96(time_step=0.0025), FastScale(host_step=0.0025, fast=FAST, substeps=1)
    resolved, forcing = host.resolved(state)
    tendency, fluxes, _ = truth(resolved, forcing, carry, jax.random.key(0))
    assert_array_equal(fluxes.energy, -resolved.x * tendency.x)


def test_with_rings_of_their_own_columns_do_not_see_each_other():
    host, truth = Lorenz96(rings=2), FastScale(fast=FAST, own_ring=True)
    state, carry = start(host, truth, 0)
    resolved, forcing = host.resolved(state)
    call = jax.jit(lambda resolved, carry: truth(resolved, forcing, carry, jax.random.key(0)))
    other = eqx.tree_at(lambda r: r.x, resolved, resolved.x.at[3].add(1.0))
    before, after = call(resolved, carry), call(other, carry.at[3].add(0.5))
    for left, right in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        changed = np.unique(np.nonzero(np.asarray(left) != np.asarray(right))[0])
        assert_array_equal(changed, [3])


def test_rings_are_independent_copies():
    one, two = Lorenz96(rings=1), Lorenz96(rings=2)
    x = 3.0 * jax.random.normal(jax.random.key(0), (16,))
    state = type(two.init(jax.random.key(0)))
    both = two.step(state(x), SlowTendency(jnp.zeros(16))).x
    assert_allclose(both[8:], one.step(state(x[8:]), SlowTendency(jnp.zeros(8))).x, rtol=1e-6)


def test_a_polynomial_is_recovered_from_its_own_values():
    x = np.linspace(-5.0, 8.0, 100)
    closure = fit_polynomial(x, 0.3 - 0.8 * x + 0.02 * x**3, degree=3)
    assert_allclose(closure.coefficients, [0.3, -0.8, 0.0, 0.02], atol=1e-6)
