import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.dynamics import HENON, LOGISTIC, LORENZ63, Map, diagram, lyapunov_spectrum


def test_the_exponent_at_r_4_is_log_2():
    run = diagram(LOGISTIC, np.array([4.0, 2.0 + 0.5**0.5]), np.array([0.4]), burn=100, steps=20_000, every=20_000)
    assert run.exponents[0] == pytest.approx(np.log(2), abs=2e-3)  # fluctuations of a mean over 20,000 steps
    assert run.exponents[1] == pytest.approx(np.log(0.5**0.5), abs=1e-10)  # a fixed point: log |2 - r|


def test_the_spectrum_of_a_linear_map_is_that_of_its_eigenvalues():
    matrix = jnp.array([[0.9, 0.3, 0.0], [0.0, 0.5, 0.2], [0.0, 0.0, -0.25]])
    system = Map(lambda x, mu: matrix.astype(x.dtype) @ x + 0.0 * mu[0], dimension=3)
    found = lyapunov_spectrum(system, np.array([1.0]), np.array([1.0, -0.5, 0.3]), burn=200, steps=200)
    assert_allclose(found[0], np.log([0.9, 0.5, 0.25]), atol=1e-6)  # entries of the matrix are float32


def test_exponents_sum_to_the_mean_contraction():
    # Henon contracts areas by 0.3 at every step, Lorenz volumes by exp(-(10 + 1 + 8/3)) per unit of time
    henon = lyapunov_spectrum(HENON, np.array([1.2, 1.4]), np.array([0.1, 0.1]), burn=100, steps=1000)
    assert_allclose(henon.sum(axis=1), np.log(0.3), atol=1e-10)
    lorenz = lyapunov_spectrum(LORENZ63, np.array([28.0]), np.array([1.0, 1.0, 20.0]), burn=500, steps=4000)
    assert lorenz.sum() == pytest.approx(-41 / 3, abs=3e-4)  # the Runge-Kutta step's own error
    assert lorenz[0, 1] == pytest.approx(0.0, abs=0.05)  # along the flow


def test_the_leading_exponent_is_the_same_by_both_ways():
    both = diagram(HENON, np.array([1.4]), np.array([0.1, 0.1]), burn=200, steps=3000, every=3000).exponents[0]
    assert lyapunov_spectrum(HENON, np.array([1.4]), np.array([0.1, 0.1]), burn=200, steps=3000)[0, 0] == pytest.approx(
        both, abs=2e-3
    )


def test_an_escape_is_said_and_the_other_orbits_stay():
    run = diagram(LOGISTIC, np.array([3.2, 4.2]), np.array([0.3]), burn=0, steps=200)
    assert run.escaped.tolist() == [False, True]
    assert np.isnan(run.exponents[1])
    assert np.isfinite(run.states[0]).all()
    assert np.isnan(run.states[1, -1])


def test_thinning_keeps_every_nth_state():
    whole = diagram(LOGISTIC, np.array([3.7]), np.array([0.3]), burn=7, steps=60)
    thin = diagram(LOGISTIC, np.array([3.7]), np.array([0.3]), burn=7, steps=60, every=5)
    assert_allclose(thin.states[0], whole.states[0, 4::5], atol=1e-12)
    assert thin.exponents[0] == pytest.approx(whole.exponents[0], abs=1e-12)


@pytest.mark.parametrize(
    ("control", "start"), [(np.zeros((2, 1, 1)), np.zeros(1)), (np.zeros(2), np.zeros(2)), (np.zeros(2), np.zeros((3, 1)))]
)
def test_shapes_that_do_not_fit_are_refused(control, start):
    with pytest.raises(UsageError, match="Remedy"):
        diagram(LOGISTIC, control, start, burn=0, steps=1)
    with pytest.raises(UsageError, match="multiple of every"):
        diagram(LOGISTIC, np.zeros(1), np.zeros(1), burn=0, steps=3, every=2)


def test_one_singular_step_is_not_all_that_an_exponent_says():
    spectrum = lyapunov_spectrum(LOGISTIC, np.array([4.0]), np.array([0.5]), burn=10, steps=100)  # 0.5, 1, 0, 0, ...
    assert spectrum[0, 0] == pytest.approx(np.log(4.0), abs=1e-12)  # the slope at 0
    # in two variables the column that vanishes starts again across the other
    system = Map(lambda x, mu: jnp.stack([mu[0] * x[0] * (1.0 - x[0]), 0.5 * x[1]]), dimension=2)
    both = lyapunov_spectrum(system, np.array([4.0]), np.array([0.5, 0.3]), burn=10, steps=100)
    assert_allclose(both[0], np.log([4.0, 0.5]), atol=1e-12)


def test_single_numbers_are_one_orbit():
    run = diagram(LOGISTIC, 3.9, 0.4, burn=1, steps=2)
    assert_allclose(run.states, diagram(LOGISTIC, np.array([3.9]), np.array([0.4]), burn=1, steps=2).states)
    with pytest.raises(UsageError, match="steps >= 1"):
        lyapunov_spectrum(LOGISTIC, 3.9, 0.4, burn=0, steps=0)


def test_a_control_of_another_size_is_refused():
    with pytest.raises(UsageError, match="control of 2 numbers does not fit the system.*Remedy"):
        diagram(LOGISTIC, np.array([[3.4, 3.6]]), np.array([0.4]), burn=1, steps=2)
