"""Laws of products of reflectors: order, orthogonality, gradients, precision, and what a zero row does."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.weights import Reflectors
from parametra.weights.householder import multiply, multiply_plain
from parametra.weights.reflectors import pack, packed_length, unpack
from parametra.weights.triangular_inverse import triangular_inverse


def trapezoid(seed, count, size, dtype: type = np.float64) -> Any:
    return np.triu(np.random.default_rng(seed).normal(size=(count, size))).astype(dtype)


def one_by_one(rows, x):
    """Q x in NumPy, H_m first."""
    for v in rows[::-1]:
        if v.any():
            x = x - 2 * (x @ v)[:, None] * v / (v @ v)
    return x


def orthogonal(rows):
    """Q of a square or long set of rows, and the largest entry of Qᵀ Q - I in float64."""
    q = np.asarray(jax.jit(lambda r: multiply(jnp.eye(r.shape[1], dtype=r.dtype), r, False, True))(rows)).astype(np.float64)
    return np.abs(q @ q.T - np.eye(len(q))).max()


@pytest.mark.parametrize(("count", "size"), [(1, 1), (1, 4), (2, 5), (3, 3), (5, 8), (6, 6)])
def test_packing_keeps_every_free_number_and_nothing_else(count, size):
    rows = trapezoid(0, count, size, np.float32)
    packed = pack(jnp.asarray(rows))
    assert packed.shape == (packed_length(count, size),) == (size * count - count * (count - 1) // 2,)
    np.testing.assert_array_equal(unpack(packed, count, size), rows)
    assert sorted(packed.tolist()) == sorted(rows[np.triu(np.ones_like(rows)) > 0].tolist())


@pytest.mark.x64
@pytest.mark.parametrize(("count", "size"), [(3, 7), (150, 170)])
def test_blocks_equal_one_reflection_after_another(count, size):
    rows, x = trapezoid(1, count, size), np.random.default_rng(2).normal(size=(4, size))
    with jax.enable_x64(True):
        forth, back = jax.jit(lambda x, r: (multiply(x, r, False, True), multiply(x, r, True, True)))(x, rows)
    assert_allclose(forth, one_by_one(rows, x), atol=1e-12)
    assert_allclose(back, one_by_one(rows[::-1], x), atol=1e-12)


@pytest.mark.x64
def test_gradients_are_those_of_finite_differences():
    """Eq. 15 of the submitted paper, with -2 for +4 in its last term, is off by order one here."""
    rows, x, g = trapezoid(3, 20, 24), *np.random.default_rng(4).normal(size=(2, 3, 24))
    step = 2e-6  # truncation and round-off both near 1e-9
    for transposed in (False, True):
        with jax.enable_x64(True):
            loss = jax.jit(lambda x, r, t=transposed: jnp.vdot(g, multiply(x, r, t, True)))
            dx, drows = jax.jit(jax.grad(loss, (0, 1)))(x, rows)
            for seed in range(3):
                da, db = np.random.default_rng(seed).normal(size=x.shape), trapezoid(seed, 20, 24)
                slope = (loss(x + step * da, rows + step * db) - loss(x - step * da, rows - step * db)) / (2 * step)
                assert_allclose(np.vdot(dx, da) + np.vdot(drows, db), slope, rtol=1e-8, atol=1e-8)


@pytest.mark.x64
def test_the_plain_product_has_the_same_gradient_and_forward_mode():
    with jax.enable_x64(True):
        rows = jnp.asarray(trapezoid(5, 70, 90))
        x = jnp.asarray(np.random.default_rng(6).normal(size=(2, 90)))
        own, plain = (
            jax.jit(jax.grad(lambda r, f=f: jnp.sum(jnp.sin(f(x, r, False, True)))))(rows) for f in (multiply, multiply_plain)
        )
        slope = jax.jit(lambda r: jax.jvp(lambda r: jnp.sum(jnp.sin(multiply_plain(x, r, False, True))), (r,), (r[::-1],))[1])(
            rows
        )
    assert_allclose(own, plain, atol=1e-12)
    assert_allclose(slope, np.vdot(plain, rows[::-1]), rtol=1e-10)


def test_a_vector_among_many_has_the_gradient_of_a_batch():
    q, x = Reflectors.init(jax.random.key(0), 6, 4), jax.random.normal(jax.random.key(1), (3, 6))
    batch = jax.jit(jax.grad(lambda q: jnp.sum(jnp.sin(q.apply(x)))))(q)
    single = jax.jit(jax.grad(lambda q: jnp.sum(jnp.sin(jax.vmap(q.apply)(x)))))(q)
    assert_allclose(single.packed, batch.packed, atol=1e-6)


@pytest.mark.x64
def test_orthogonality_in_double_precision():
    with jax.enable_x64(True):
        assert orthogonal(trapezoid(7, 300, 300)) <= 1e-13


def test_orthogonality_in_single_precision():
    assert orthogonal(trapezoid(8, 300, 300, np.float32)) <= 2e-6
    near = np.triu(np.ones((300, 300)) + 1e-3 * np.random.default_rng(9).normal(size=(300, 300)))
    assert orthogonal(near.astype(np.float32)) <= 2e-5


@pytest.mark.parametrize("size", [2, 16, 64])
def test_triangular_inverse_of_nearly_equal_reflectors(size):
    matrix = np.triu(np.full((3, size, size), 0.999), 1) + 0.5 * np.eye(size)
    found = jax.jit(triangular_inverse)(matrix.astype(np.float32))
    assert_allclose(found, np.linalg.inv(matrix), atol=1e-5 * np.abs(np.linalg.inv(matrix)).max())


def test_a_zero_row_is_the_identity_with_zero_gradient_and_nan_is_seen():
    rows = trapezoid(10, 5, 6, np.float32)
    rows[2] = 0
    x = jnp.ones((1, 6))
    value, gradient = jax.jit(jax.value_and_grad(lambda r: jnp.sum(jnp.sin(multiply(x, r, False, True)))))(rows)
    assert_allclose(value, np.sin(one_by_one(rows.astype(np.float64), np.ones((1, 6)))).sum(), rtol=1e-5)
    np.testing.assert_array_equal(gradient[2], 0)
    assert np.isfinite(gradient).all()
    rows[2, 3] = np.nan
    assert np.isnan(multiply(x, jnp.asarray(rows), False, True)).all()


def test_bad_reflectors_are_refused():
    with pytest.raises(UsageError, match="1 to 3 of them, got 4.*Remedy"):
        Reflectors.init(jax.random.key(0), 3, 4)
    with pytest.raises(UsageError, match="got 0"):
        Reflectors.init(jax.random.key(0), 3, 0)
    with pytest.raises(UsageError, match="Reflector 1 has norm 0"):
        Reflectors.from_rows(jnp.ones((2, 3)).at[1].set(0))
    with pytest.raises(UsageError, match="NaN"):
        Reflectors.from_rows(jnp.full((2, 3), jnp.nan))
    with pytest.raises(UsageError, match="5 numbers.*from_rows"):
        Reflectors(jnp.ones(6), 3, 2)
