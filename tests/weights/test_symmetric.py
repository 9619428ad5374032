"""Laws of packed symmetric weights: the count, the isometry, the product and its gradient, in every shape of argument."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.weights import PackedSymmetric

# One tile, an odd size with a border, several levels with and without a border.
SIZES = (1, 2, 7, 33, 64, 130, 300)


def random(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


@pytest.mark.parametrize("size", SIZES)
def test_it_holds_exactly_the_symmetric_part_in_half_of_the_numbers(size):
    matrix = random(size, size, size)
    weight = PackedSymmetric.from_dense(matrix)
    leaves = jax.tree.leaves(weight)
    assert sum(leaf.size for leaf in leaves) == size * (size + 1) // 2
    dense = weight.unwrap()
    np.testing.assert_array_equal(dense, dense.T)
    assert_allclose(dense, (matrix + matrix.T) / 2, rtol=1e-6, atol=1e-6)
    assert_allclose(sum(float(jnp.vdot(leaf, leaf)) for leaf in leaves), float(jnp.vdot(dense, dense)), rtol=1e-5)
    again = PackedSymmetric.from_dense(dense)
    for leaf, same in zip(leaves, jax.tree.leaves(again), strict=True):
        assert_allclose(leaf, same, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [1, 7, 130, 300])
@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 5)], ids=str)
def test_product_and_gradients_are_those_of_the_dense_matrix(size, batch):
    weight = PackedSymmetric.from_dense(random(size, size, size) / size**0.5)
    x, g = random(1, *batch, size), random(2, *batch, size)

    @jax.jit
    def both(weight, x):
        tiled = jax.value_and_grad(lambda w, v: jnp.vdot(w.apply(v), g), (0, 1))(weight, x)
        dense = jax.value_and_grad(lambda w, v: jnp.vdot(v @ w.unwrap(), g), (0, 1))(weight, x)
        return (weight.apply(x), tiled), (x @ weight.unwrap(), dense)

    ours, theirs = both(weight, x)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("size", [33, 130])
def test_a_vector_alone_and_a_batch_made_by_vmap_agree(size):
    weight, x = PackedSymmetric.from_dense(random(0, size, size)), random(1, 4, size)
    assert_allclose(weight.matvec(x[0]), weight.apply(x)[0], rtol=1e-5, atol=1e-4)

    def mapped(weight):
        return jnp.sum(jnp.sin(jax.vmap(weight.apply)(x)))

    together, apart = jax.jit(jax.grad(lambda w: jnp.sum(jnp.sin(w.apply(x)))))(weight), jax.jit(jax.grad(mapped))(weight)
    for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(apart), strict=True):
        assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@given(st.sampled_from((5, 33)), st.integers(0, 2**31 - 1))
def test_a_gradient_step_is_the_dense_step_projected(size, seed):
    matrix, target = random(seed, size, size), random(seed ^ 1, size, size)
    weight = PackedSymmetric.from_dense(matrix)
    dense = jax.grad(lambda w: jnp.sum(jnp.cos(w) * target))(weight.unwrap())
    ours = jax.grad(lambda w: jnp.sum(jnp.cos(w.unwrap()) * target))(weight)
    assert_allclose(ours.unwrap(), (dense + dense.T) / 2, rtol=1e-5, atol=1e-5)


def test_the_dense_matrix_has_forward_mode_and_its_gradient_keeps_its_way_under_vmap():
    weights = jax.vmap(PackedSymmetric.from_dense)(random(3, 2, 33, 33))
    first, second = (jax.tree.map(lambda leaf, i=i: leaf[i], weights) for i in (0, 1))
    tangent = jax.jit(lambda w, t: jax.jvp(lambda w: w.unwrap(), (w,), (t,))[1])(first, second)
    assert_allclose(tangent, second.unwrap(), rtol=1e-6)
    gradient = jax.grad(lambda w: jnp.sum(jnp.sin(w.unwrap())))
    for many, one in zip(jax.tree.leaves(jax.jit(jax.vmap(gradient))(weights)), jax.tree.leaves(gradient(second)), strict=True):
        assert_allclose(many[1], one, rtol=1e-5, atol=1e-6)


def test_half_precision():
    weight, x = PackedSymmetric.from_dense(random(4, 33, 33)), random(5, 3, 33)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), weight)
    y, gradient = jax.jit(jax.value_and_grad(lambda w: jnp.sum(w.apply(x.astype(jnp.bfloat16)) ** 2)))(half)
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype(jnp.bfloat16)}
    assert_allclose(float(y), float(jnp.sum(weight.apply(x) ** 2)), rtol=0.05)


def test_optimiser_state_is_packed_too():
    weight = PackedSymmetric.init(jax.random.key(0), 96)
    moments = jax.tree.leaves(optax.adam(1e-3).init(weight))  # pyright: ignore[reportArgumentType]
    assert sum(leaf.size for leaf in moments if leaf.ndim) == 2 * 96 * 97 // 2


def test_initial_values_have_the_variance_of_a_free_matrix_on_and_off_the_diagonal():
    dense = PackedSymmetric.init(jax.random.key(0), 400).unwrap()
    off = np.asarray(dense)[np.triu_indices(400, 1)]
    assert_allclose(off.var(), 2 / 800, rtol=0.05)  # Glorot; the average of V with its transpose has half of it
    assert_allclose(np.diag(dense).var(), 2 / 800, rtol=0.3)


def test_a_product_with_a_batch_costs_no_more_operations():
    """As many operations as a dense product: no more than blocks on the diagonal are put together."""
    size = 1024
    weight = jax.eval_shape(lambda: PackedSymmetric.from_dense(jnp.ones((size, size))))
    x = jax.ShapeDtypeStruct((128, size), jnp.float32)
    ours = jax.jit(lambda w, v: w.apply(v)).lower(weight, x).compile().cost_analysis()
    assert ours is not None
    assert ours["flops"] < 1.02 * 2 * 128 * size**2


def test_a_product_with_one_vector_and_its_gradient_cost_little_more_than_the_dense_ones():
    """Those are 5 n² operations. Here the gradient of an entry is two products and a sum, and small triangles are opened."""
    size = 512
    weight = jax.eval_shape(lambda: PackedSymmetric.from_dense(jnp.ones((size, size))))
    x = jax.ShapeDtypeStruct((size,), jnp.float32)
    both = jax.jit(jax.value_and_grad(lambda w, v: jnp.sum(jnp.sin(w.matvec(v))), (0, 1)))
    ours = both.lower(weight, x).compile().cost_analysis()
    assert ours is not None
    assert ours["flops"] < 1.3 * 5 * size**2


@pytest.mark.parametrize("shape", [(2, 3), (0, 0)])
def test_other_shapes_are_refused_with_cause_and_remedy(shape):
    with pytest.raises(UsageError, match="must be square.*Likely cause.*Remedy"):
        PackedSymmetric.from_dense(jnp.ones(shape))
