"""Closed forms of pointwise layers against quadrature in float64, exact diagonals, and the error that a series states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.networks import ntk
from parametra.wide import dual, dual_diagonal, truncation_error
from parametra.wide.arithmetic import arcsine

A, B, C = 1.3, 0.7, 0.4
SMOOTH = [
    ntk.Erf(1.2, 0.7, 0.3), ntk.GELU(), ntk.Sine(1.1, 0.8, 0.3), ntk.Gaussian(), ntk.Exponential(),
    ntk.Polynomial((0.5, -1.0, 0.3, 0.2)), ntk.Pointwise(jnp.tanh),
]  # fmt: skip


def quadrature(function, a, b, c, nodes=200):
    """E[function(u) function(v)] by the product rule on a Cholesky factor of the covariance."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    u = np.sqrt(a) * z[:, None] + 0.0 * z
    v = c / np.sqrt(a) * z[:, None] + np.sqrt(b - c**2 / a) * z
    return np.einsum("i,j,ij->", w, w, np.asarray(function(jnp.asarray(u))) * np.asarray(function(jnp.asarray(v))))


def slope(activation):
    return lambda x: jax.jvp(activation, (x,), (jnp.ones_like(x),))[1]


@pytest.mark.x64
@pytest.mark.parametrize("activation", SMOOTH, ids=lambda activation: type(activation).__name__)
def test_smooth_activations_agree_with_quadrature(activation):
    with jax.enable_x64(True):
        a, b, c = (jnp.asarray([value]) for value in (A, B, C))
        value, derivative = dual(activation, a, b, c)
        assert_allclose(value[0], quadrature(activation, A, B, C), rtol=1e-10)
        assert_allclose(derivative[0], quadrature(slope(activation), A, B, C), rtol=1e-9)
        on = dual_diagonal(activation, a)
        z, w = np.polynomial.hermite_e.hermegauss(200)
        x = jnp.asarray(np.sqrt(A) * z)
        assert_allclose(on[0][0], w @ np.asarray(activation(x)) ** 2 / w.sum(), rtol=1e-9)
        assert_allclose(on[1][0], w @ np.asarray(slope(activation)(x)) ** 2 / w.sum(), rtol=1e-8)


@pytest.mark.x64
@pytest.mark.parametrize(
    ("below", "above", "value", "derivative"),
    [(0.0, 1.0, 0.265378091519, 0.318864669159), (0.1, 1.0, 0.254956254130, 0.358280382019)],
)
def test_rectifiers_agree_with_tabled_values(below, above, value, derivative):
    """The table was computed by direct integration over angles, to 12 digits."""
    with jax.enable_x64(True):
        a, b, c = (jnp.asarray([x]) for x in (A, B, C))
        assert_allclose(dual(ntk.ABReLU(below, above), a, b, c), [[value], [derivative]], rtol=1e-11)
        angle = np.arccos(C / np.sqrt(A * B))  # Cho & Saul (2009)
        exact = np.sqrt(A * B) / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle))
        assert_allclose(dual(ntk.ReLU(), a, b, c)[0][0], exact, rtol=1e-13)


def test_a_variable_without_variance_gives_no_nan():
    zero, one = jnp.zeros(1), jnp.ones(1)
    for activation in (ntk.ReLU(), ntk.Abs(), ntk.Pointwise(jnp.tanh), ntk.Polynomial((0.0, 1.0, 1.0))):
        assert np.isfinite(np.asarray(dual(activation, zero, one, zero))).all()


def test_arcsine_in_float32_is_good_to_rounding():
    x = np.linspace(-1, 1, 4001).astype(np.float32)
    error = np.asarray(arcsine(jnp.asarray(x)), np.float64) - np.arcsin(x.astype(np.float64))
    assert np.abs(error).max() < 2.5e-7  # two units in the last place of pi / 2
    small = slice(1900, 2101)
    assert np.abs(error[small][x[small] != 0] / x[small][x[small] != 0]).max() < 3e-7


@pytest.mark.x64
@pytest.mark.parametrize("activation", [ntk.Erf(1.2, 0.7, 0.3), ntk.GELU(), ntk.Gaussian()], ids=lambda phi: type(phi).__name__)
def test_diagonals_keep_their_digits_in_float32(activation):
    a = np.asarray([1e-3, 1.0, 1e2, 1e4, 1e5], np.float32)
    found = dual_diagonal(activation, jnp.asarray(a))
    with jax.enable_x64(True):
        exact = dual(activation, *(jnp.asarray(a, jnp.float64),) * 3)
    for value, true in zip(found, exact, strict=True):
        assert_allclose(value, true, rtol=5e-7)


@pytest.mark.parametrize(("function", "below"), [(lambda x: jnp.maximum(x, 0), 0.0), (jnp.abs, -1.0)], ids=["relu", "abs"])
def test_the_stated_error_bounds_the_true_one_at_a_kink(function, below):
    series = ntk.Pointwise(function)
    stated = truncation_error(series, 1.5)
    with jax.enable_x64(True):
        a, c = jnp.full(41, 1.5), jnp.linspace(-1.5, 1.5, 41)
        pairs = zip(dual(series, a, a, c), dual(ntk.ABReLU(below, 1.0), a, a, c), strict=True)
        true = [float(jnp.abs(one - two).max()) for one, two in pairs]
    for bound, error in zip(stated, true, strict=True):
        assert error <= bound < 10 * error


def test_the_stated_error_of_a_series_bounds_the_true_one_and_falls():
    errors = [truncation_error(ntk.Pointwise(jnp.tanh, terms), 1.5)[0] for terms in (8, 16, 32)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    with jax.enable_x64(True):
        a, c = jnp.full(5, 1.5), jnp.asarray([-1.4, -0.5, 0.3, 1.0, 1.45])
        few, many = (np.asarray(dual(ntk.Pointwise(jnp.tanh, terms), a, a, c)[0]) for terms in (8, 128))
    assert np.abs(few - many).max() <= errors[0] * 1.01
