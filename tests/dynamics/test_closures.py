import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.coupling import Closure, coupled_run, start
from parametra.dynamics import Design, FamilyClosure, Lorenz96, choose_closure, truth_pairs
from parametra.dynamics.closures import offline_r2, single_precision

BASE = Design(main="network", hidden=(5,), ridge=1e-10, restarts=1, steps=25)


def pairs(forcing, power, seed=0):
    """U = F^0.5 g(X / F^power): the same law at every forcing in the right scaling."""
    x = forcing**power * np.random.default_rng(seed).uniform(-1, 1.5, 300)
    return x, -(forcing**0.5) * np.tanh(1.5 * x / forcing**power)


@pytest.fixture(scope="module")
def choice():
    designs = [BASE.model_copy(update={"powers": (p,), "out_powers": (q,)}) for p in (0.0, 1.0) for q in (0.0, 0.5)]
    return choose_closure({f: pairs(f, 1.0) for f in (4.0, 6.0, 10.0)}, designs)


def test_edge_validation_finds_the_scaling_and_with_it_stronger_forcing(choice):
    design, r2 = choice.ranking[0]
    assert (design.powers, design.out_powers) == ((1.0,), (0.5,))
    assert r2 > 0.999
    assert offline_r2(choice.family, *pairs(32.0, 1.0, seed=1), 32.0) > 0.99


def test_the_closure_drives_the_slow_variables(choice):
    host, closure = Lorenz96(forcing=10.0, rings=2), FamilyClosure(single_precision(choice.family))
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
        choose_closure({f: pairs(f, 1.0) for f in (4.0, 6.0)}, [BASE])
