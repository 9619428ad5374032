import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.coupling import Closure, coupled_run, start
from parametra.dynamics import Design, FamilyClosure, Lorenz96, choose_closure, truth_pairs
from parametra.dynamics.bodies import power_tail
from parametra.dynamics.closure_choice import cuts
from parametra.dynamics.closures import offline_r2, single_precision

BASE = Design(main="network", coefficients="constant", ridge=1e-8, restarts=2, steps=25)
LAW = jnp.asarray(0.5)


def pairs(forcing, scaled, seed=0):
    """U that grows like the root of X outside its bend, or U = F^0.5 g(X / F); X spreads with F either way."""
    x = forcing * np.random.default_rng(seed).uniform(-0.5, 1.0, 200)
    return x, -(forcing**0.5) * np.tanh(1.5 * x / forcing) if scaled else -3.0 * np.asarray(power_tail(jnp.asarray(x - 1.0), LAW))


@pytest.fixture(scope="module")
def choice():
    designs = [BASE.model_copy(update={"hidden": (1,), "tail": tail}) for tail in (0.0, 0.5)]
    return choose_closure({f: pairs(f, False) for f in (2.0, 3.0, 5.0)}, [*designs, Design(degree=1, coefficients="constant")])


def test_edge_validation_finds_the_growth_outside_the_data_and_with_it_stronger_forcing(choice):
    best, *others = choice.ranking
    assert best.design.tail == 0.5
    assert best.score > 0.9999 > max(candidate.score for candidate in others)
    alone = FamilyClosure(choice.closure.families[:1])
    assert offline_r2(alone, *pairs(25.0, False, seed=1), 25.0) > 0.999
    for family in choice.closure.families[1:]:  # what bounded and linear tails make of five times the range
        assert offline_r2(FamilyClosure((family,)), *pairs(25.0, False, seed=1), 25.0) < 0.8


def test_a_mean_of_closures_errs_at_most_as_they_do_on_average(choice):
    x, u = pairs(25.0, False, seed=1)
    each = [offline_r2(FamilyClosure((family,)), x, u, 25.0) for family in choice.closure.families]
    assert len(each) == 3
    assert offline_r2(choice.closure, x, u, 25.0) >= np.mean(each)


def test_edge_validation_finds_the_scaling():
    designs = [BASE.model_copy(update={"hidden": (5,), "powers": (p,), "out_powers": (0.5 * p,)}) for p in (0.0, 1.0)]
    found = choose_closure({f: pairs(f, True) for f in (4.0, 6.0, 10.0)}, designs, members=1)
    assert found.ranking[0].design.powers == (1.0,)
    assert offline_r2(found.closure, *pairs(32.0, True, seed=1), 32.0) > 0.99


def test_cuts_hold_out_the_stronger_forcings_and_the_tails_of_the_states():
    x, control = np.linspace(-2.0, 4.0, 61), np.repeat([1.0, 2.0, 3.0, 4.0], [16, 15, 15, 15])
    held = list(cuts(x, control))
    assert [kind for kind, _ in held] == ["forcing"] * 2 + ["state"] * 3
    assert [control[inside].max() for kind, inside in held if kind == "forcing"] == [2.0, 3.0]
    assert_allclose([np.ptp(x[inside]) for kind, inside in held if kind == "state"], [4.0, 3.0, 2.0])


def test_the_closure_drives_the_slow_variables(choice):
    host, closure = Lorenz96(forcing=10.0, rings=2), single_precision(choice.closure)
    assert isinstance(closure, Closure)
    end = coupled_run(host, closure, *start(host, closure, 0), 0, 20, chunk=10)
    assert np.isfinite(end.state.x).all()
    resolved, forcing = host.resolved(end.state)
    tendency, fluxes, _ = closure(resolved, forcing, (), jax.random.key(0))
    assert_allclose(fluxes.energy, -resolved.x * tendency.x)
    assert tendency.x.dtype == jnp.float32


def test_truth_pairs_are_moments_by_columns_and_repeat():
    x, u = truth_pairs(8.0, seed=0, spin_up=0.1, time=2.0, rings=1)
    again, _ = truth_pairs(8.0, seed=0, spin_up=0.1, time=2.0, rings=1)
    assert x.shape == u.shape == (20, 8)
    assert np.array_equal(x, again)


def test_two_forcings_are_too_few():
    with pytest.raises(UsageError, match="three forcings"):
        choose_closure({f: pairs(f, False) for f in (4.0, 6.0)}, [BASE])
