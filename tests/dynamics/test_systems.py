import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from parametra.core.errors import DataError, UsageError
from parametra.dynamics import LOGISTIC, LORENZ63, Flow, Map, simulate
from parametra.dynamics.exact import lorenz63

START, RHO = np.array([1.0, 2.0, 20.0]), 24.0


def reference(time):
    def slope(t, x):
        return [10 * (x[1] - x[0]), x[0] * (RHO - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]

    return solve_ivp(slope, (0, time), START, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]


def test_a_users_function_of_two_scalars_is_a_map():
    system = Map(lambda x, r: r * x * (1 - x))
    assert_allclose(system.step(jnp.array([0.25]), jnp.array([2.0])), [0.375])


@pytest.mark.parametrize("function", [lambda x, r: x[0], lambda x, r: (x, x), lambda x, r: jnp.concatenate([x, x])])
def test_a_function_of_another_shape_is_refused(function):
    with pytest.raises(UsageError, match="gives shape.*Likely cause.*Remedy"):
        Map(function)


def test_a_function_that_cannot_be_traced_is_refused():
    with pytest.raises(UsageError, match=r"cannot be traced.*Remedy"):
        Map(lambda x, r: x if x[0] > 0 else -x)


def test_a_control_of_several_parameters_is_found_out():
    assert Map(lambda x, mu: mu[0] * x + mu[2]).dimension == 1


@pytest.mark.parametrize("keywords", [{"time_step": 0.0}, {"substeps": 0}, {"dimension": 0}])
def test_flows_without_a_step_are_refused(keywords):
    with pytest.raises(UsageError, match="needs"):
        Flow(**({"slope": lorenz63, "dimension": 3} | keywords))


def test_the_flow_converges_at_fourth_order_to_scipy():
    substeps = np.array([1, 2, 4, 8])
    with jax.enable_x64(True):
        errors = [
            np.abs(np.asarray(Flow(lorenz63, 3, 0.1, int(n)).step(jnp.asarray(START), jnp.array([RHO]))) - reference(0.1)).max()
            for n in substeps
        ]
    assert np.polyfit(np.log(substeps[1:]), np.log(errors[1:]), 1)[0] == pytest.approx(-4.0, abs=0.4)


def test_a_solver_of_diffrax_steps_the_same_flow():
    with jax.enable_x64(True):
        flow = Flow(lorenz63, 3, 0.1, 10, diffrax.Tsit5(scan_kind="lax"))
        assert_allclose(flow.step(jnp.asarray(START), jnp.array([RHO])), reference(0.1), rtol=1e-7)


def test_series_of_a_flow_are_those_of_scipy():
    data = simulate(LORENZ63, np.array([RHO, 20.0]), 51, lambda rng: START, seed=0)
    assert_allclose(data.series[0][-1], reference(0.5), rtol=1e-8)
    assert data.time_step == 0.01


def test_a_system_that_escapes_makes_no_series():
    with pytest.raises(DataError, match="escapes to infinity at r = .*5"):
        simulate(LOGISTIC, np.array([3.0, 5.0]), 40, lambda rng: np.array([0.3]), seed=0, name="r")


def test_the_same_seed_gives_the_same_series_and_burn_in_only_shifts():
    def start(rng):
        return rng.uniform(0, 1, 1)

    r = np.array([2.9, 3.3])
    first, again = (simulate(LOGISTIC, r, 30, start, seed=3, noise=0.01, repeats=2) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first.series, again.series, strict=True))
    later = simulate(LOGISTIC, r, 10, start, seed=3, burn=20)
    whole = simulate(LOGISTIC, r, 30, start, seed=3)
    assert_allclose(later.series[1], whole.series[1][20:], atol=1e-12)
