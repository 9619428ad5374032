"""Laws of weights made from their singular values."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import paramax
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.weights import (
    Dense,
    SpectralKernel,
    SpectralSymmetric,
    SpectralWeight,
    circular_singular_values,
    decay_mask,
    hadamard,
    orthogonal,
    parametrize,
    renormalise,
    spectral,
)
from parametra.weights.folded import Folded
from parametra.weights.spectrum import check_bounds

KEY = jax.random.key(0)
SHAPES = [(6, 6), (4, 7), (7, 4)]


def matrix(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.x64
@pytest.mark.parametrize("shape", [*SHAPES, (1, 1), (40, 40), (33, 20)])
@pytest.mark.parametrize("sign", [1, -1])
def test_any_matrix_is_reproduced_with_either_sign_of_its_determinant(shape, sign):
    wanted = matrix(shape)
    wanted[0] *= sign
    with jax.enable_x64(True):
        weight = SpectralWeight.from_matrix(jnp.asarray(wanted))
        assert_allclose(weight.unwrap(), wanted, atol=1e-12 * np.abs(wanted).max())
        assert (jnp.abs(weight.left.packed) > 0).any()
        if shape[0] == shape[1]:
            determinant = np.linalg.slogdet(wanted)
            assert weight.determinant_sign() == determinant.sign
            assert_allclose(weight.log_abs_det(), determinant.logabsdet, atol=1e-10)


@pytest.mark.x64
def test_special_matrices_have_reflectors_that_can_be_trained():
    with jax.enable_x64(True):
        for special in (np.eye(5), -np.eye(5), np.diag([3.0, 2, 1, 0.5, 0.1]), np.eye(5)[::-1].copy()):
            weight = SpectralWeight.from_matrix(jnp.asarray(special))
            assert_allclose(weight.unwrap(), special, atol=1e-13)
            assert (jnp.abs(weight.left.rows()).max(1) > 0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("strategy", ["thin", "resolve", "auto"])
def test_closed_forms_are_those_of_the_dense_matrix(shape, strategy):
    weight = SpectralWeight.init(KEY, shape[0], shape[1], "full", (0.5, 2.0), strategy)
    weight = eqx.tree_at(lambda w: w.free, weight, jax.random.normal(KEY, (min(shape),)))
    dense = np.asarray(weight.unwrap(), np.float64)
    values = np.linalg.svd(dense, compute_uv=False)
    x = jax.random.normal(KEY, (2, 3, shape[1]))
    assert weight.shape == dense.shape == shape
    assert_allclose(weight.apply(x), x @ dense.T, atol=1e-5)
    assert_allclose(weight.singular_values(), values, atol=2e-6)
    assert_allclose(weight.norm(), values[0], rtol=2e-6)
    assert_allclose(weight.condition(), values[0] / values[-1], rtol=1e-5)
    assert_allclose(weight.frobenius_norm(), np.linalg.norm(dense), rtol=1e-5)
    assert_allclose(weight.pseudo_inverse().unwrap(), np.linalg.pinv(dense), atol=1e-5)
    assert_allclose(weight.transposed().unwrap(), dense.T, atol=1e-6)
    np.testing.assert_array_equal(paramax.unwrap([weight])[0], weight.unwrap())
    if shape[0] == shape[1]:
        assert_allclose(weight.inverse_apply(weight.apply(x)), x, atol=2e-5)
        assert_allclose(weight.log_abs_det(), np.log(values).sum(), atol=1e-5)
    else:
        for ask in (weight.log_abs_det, weight.inverse, weight.determinant_sign):
            with pytest.raises(UsageError, match="closed form.*square"):
                ask()


@given(st.floats(-1e30, 1e30), st.floats(0.0, 3.0), st.floats(0.001, 3.0))
def test_singular_values_never_leave_their_interval(free, low, width):
    weight = SpectralWeight.init(KEY, 3, 3, 1, (low, low + width))
    weight = eqx.tree_at(lambda w: w.free, weight, jnp.array([free, 0.0, -free]))
    sigma = np.asarray(weight.sigma)
    assert (sigma >= np.float32(low)).all()
    assert (sigma <= np.float32(low + width)).all()


def test_the_map_has_the_slope_of_the_paper():
    radius = 0.25
    weight = SpectralWeight.init(KEY, 3, 3, 1, (1 - radius, 1 + radius))
    slope = jax.grad(lambda s: eqx.tree_at(lambda w: w.free, weight, s).sigma.sum())(jnp.array([0.0, 1.0, -2.0]))
    sigmoid = 1 / (1 + np.exp(-np.array([0.0, 1.0, -2.0])))
    assert_allclose(slope, 2 * radius * sigmoid * (1 - sigmoid), rtol=1e-5)


def test_parameters_are_those_of_the_paper():
    """n m - m (m - 1)/2 numbers a side, and n singular values."""
    for n, m in ((8, 3), (8, 8)):
        weight = SpectralWeight.init(KEY, n, n, m)
        assert (
            sum(leaf.size for leaf in jax.tree.leaves(weight)) == 2 * (n * m - m * (m - 1) // 2) + n == (weight.plan().parameters)
        )
    fixed: Any = parametrize(eqx.nn.Linear(8, 8, key=KEY), lambda layer: layer.weight, orthogonal()).weight.weight  # pyright: ignore
    assert fixed.free is None
    assert fixed.plan().parameters == 8 * 9
    assert_allclose(fixed.unwrap() @ fixed.unwrap().T, np.eye(8), atol=2e-6)


@pytest.mark.parametrize("shape", [(9, 9), (6, 9)])
def test_few_reflectors_keep_the_largest_singular_values_and_their_vectors(shape):
    wanted = matrix(shape).astype(np.float32)
    weight = SpectralWeight.from_matrix(jnp.asarray(wanted), 2)
    u, s, v = np.linalg.svd(wanted, full_matrices=False)
    assert_allclose(weight.singular_values(), s, rtol=1e-5)
    assert_allclose(u[:, :2].T @ weight.unwrap(), s[:2, None] * v[:2], atol=1e-5)


def test_matrices_outside_the_bounds_are_refused_or_clipped():
    wanted = jnp.diag(jnp.array([2.0, 1.0, 0.1]))
    with pytest.raises(UsageError, match="from 0.1 to 2 do not fit.*clip=True"):
        SpectralWeight.from_matrix(wanted, bounds=(0.5, 1.5))
    clipped = SpectralWeight.from_matrix(wanted, bounds=(0.5, 1.5), clip=True)
    assert_allclose(clipped.unwrap(), np.diag([1.49, 1.0, 0.51]), atol=2e-5)  # 1 percent of the width inside


def test_thin_weights_stay_reflectors_in_a_scan_and_thick_ones_become_dense():
    x = jax.random.normal(KEY, (2, 256))
    thin = SpectralWeight.init(KEY, 256, 256, 8)
    assert thin.structured
    folded = thin.resolved()
    assert isinstance(folded, Folded)
    assert folded.resolved() is folded
    assert_allclose(folded.apply(x), thin.apply(x), atol=2e-5)
    assert_allclose(folded.unwrap(), thin.unwrap(), atol=2e-6)
    assert isinstance(SpectralWeight.init(KEY, 16, 16, 2).resolved(), Dense)
    wide = SpectralWeight.init(KEY, 256, 300, 4)
    assert_allclose(wide.resolved().unwrap(), wide.unwrap(), atol=2e-6)


def flops(function, *arguments):
    return jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]  # pyright: ignore


def test_a_thin_product_costs_a_fraction_of_the_dense_one():
    """4 n m multiplications and additions a side and vector, against 2 n²: m = 16 at n = 512 is an eighth, and S a little."""
    weight, x, dense = SpectralWeight.init(KEY, 512, 512, 16), jnp.ones((128, 512)), jnp.ones((512, 512))
    thin, full = flops(lambda w, x: w.apply(x), weight, x), flops(lambda w, x: x @ w.T, dense, x)
    assert thin < 0.2 * full
    assert weight.plan(128).gain > 7


def test_one_product_takes_the_cheaper_way():
    weight = SpectralWeight.init(KEY, 64, 64)
    assert weight.thin(16)
    assert not weight.thin(4096)
    assert "dense" in weight.plan(4096).way


def test_decay_spares_reflectors_and_a_decayed_matrix_stays_orthogonal():
    weight = SpectralWeight.init(KEY, 5, 5, bounds=(0.5, 1.0))
    mask = decay_mask({"w": weight, "b": jnp.ones(3)})
    assert mask["b"] is True
    assert mask["w"].free is True
    assert mask["w"].left.packed is False
    optimiser = optax.adamw(0.0, weight_decay=1.0, mask=decay_mask)
    optimiser.init(eqx.filter(weight, eqx.is_inexact_array))
    shrunk = jax.tree.map(lambda leaf: leaf * 1e-9, weight.left)
    assert_allclose(shrunk.unwrap(), weight.left.unwrap(), atol=1e-6)
    longer = eqx.tree_at(lambda w: w.left.packed, weight, 100 * weight.left.packed)
    assert_allclose(renormalise(longer).unwrap(), weight.unwrap(), atol=1e-6)
    assert_allclose(jnp.linalg.norm(renormalise(longer).left.rows(), axis=1), 1, rtol=1e-5)


@pytest.mark.x64
def test_symmetric_weights_by_their_eigenvalues():
    wanted = matrix((7, 7))
    wanted = wanted + wanted.T
    with jax.enable_x64(True):
        weight = SpectralSymmetric.from_matrix(jnp.asarray(wanted))
        x = jnp.asarray(matrix((3, 7), 1))
        assert_allclose(weight.unwrap(), wanted, atol=1e-12)
        assert_allclose(weight.apply(x), x @ wanted, atol=1e-12)
        assert_allclose(jnp.sort(weight.eigenvalues()), np.linalg.eigvalsh(wanted), atol=1e-12)
        assert_allclose(weight.singular_values(), np.linalg.svd(wanted, compute_uv=False), atol=1e-12)
        assert_allclose(weight.inverse_apply(weight.apply(x)), x, atol=1e-10)
        assert_allclose(weight.log_abs_det(), np.linalg.slogdet(wanted).logabsdet, atol=1e-10)
        positive = SpectralSymmetric.from_matrix(jnp.asarray(wanted), bounds=(0.1, 2.0), clip=True)
        assert np.linalg.eigvalsh(positive.unwrap()).min() >= 0.1 - 1e-9
    with pytest.raises(UsageError, match="square"):
        SpectralSymmetric.from_matrix(jnp.ones((2, 3)))


def test_blocks_of_a_group_weight_give_it_known_singular_values():
    scheme = hadamard(2, spectral(bounds=(0.25, 0.5)))
    weight = scheme(jnp.asarray(matrix((8, 8)), jnp.float32))
    values = np.linalg.svd(np.asarray(weight.unwrap()), compute_uv=False)
    assert_allclose(weight.singular_values(), values, atol=1e-5)
    assert values.min() >= 0.5 - 1e-5
    assert values.max() <= 1.0 + 1e-5


def test_convolution_norms():
    kernel = jnp.asarray(matrix((3, 2, 3, 3)), jnp.float32)
    weight = SpectralKernel.from_dense(kernel)
    assert weight.shape == (3, 2, 3, 3)
    assert_allclose(weight.unwrap(), kernel, atol=2e-6)
    values = circular_singular_values(kernel, (5, 4))
    x = jnp.eye(2 * 5 * 4).reshape(-1, 5, 4, 2)
    wrapped = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="wrap")
    dense = np.asarray(weight.apply(wrapped, padding="VALID")).reshape(2 * 5 * 4, -1)
    assert_allclose(values, np.linalg.svd(dense, compute_uv=False), atol=2e-4)
    assert values[0] <= weight.norm_bound() * (1 + 1e-6)
    with pytest.raises(UsageError, match="does not fit"):
        circular_singular_values(kernel, (2, 4))


def test_vmap_over_keys_equals_a_loop():
    keys = jax.random.split(KEY, 3)
    many = eqx.filter_vmap(lambda key: SpectralWeight.init(key, 4, 5, 2))(keys)
    dense = eqx.filter_vmap(lambda weight: weight.unwrap())(many)
    for index, key in enumerate(keys):
        assert_allclose(dense[index], SpectralWeight.init(key, 4, 5, 2).unwrap(), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(bounds=(1.0, 0.5)), "held in \\[1, 0.5\\].*exchanged"),
        (dict(bounds=(0.0, float("inf"))), "infinite"),
        (dict(reflectors=0), "1 to 3 of them, got 0"),
        (dict(reflectors=4), "got 4"),
        (dict(reflectors="all"), "whole number"),
        (dict(strategy="fast"), "strategy must be"),
    ],
)
def test_bad_requests_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        SpectralWeight.init(KEY, 3, 5, **arguments)


@pytest.mark.parametrize("bounds", [1.0, (1.0,), (1.0, 2.0, 3.0), ("low", "high")])
def test_bounds_are_two_numbers(bounds):
    with pytest.raises(UsageError, match="two numbers"):
        check_bounds(bounds)


def test_nan_is_refused_at_construction():
    with pytest.raises(UsageError, match="NaN"):
        SpectralWeight.from_matrix(jnp.full((2, 2), jnp.nan))
    weight = SpectralWeight.init(KEY, 2, 2, bounds=None)
    with pytest.raises(UsageError, match="free singular values hold NaN"):
        SpectralWeight(weight.left, weight.right, jnp.array([1.0, jnp.nan]))
