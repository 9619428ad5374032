"""Laws of group weights: invariance, the butterfly, and closed forms, against dense linear algebra in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.weights import Dense, Fourier, GroupWeight, PackedSymmetric, Reversal, Walsh, hadamard

TRANSFORMS = [Walsh(1), Walsh(2), Walsh(4), Walsh(8), Reversal(), Fourier(2), Fourier(3), Fourier(4), Fourier(5), Fourier(8)]
pytestmark = pytest.mark.x64


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def random(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def action(transform, size):
    """Generators of the group as permutations of `size` channels."""
    chunks = np.arange(size).reshape(transform.order, -1)
    if isinstance(transform, Reversal):
        return [np.arange(size)[::-1]]
    if isinstance(transform, Fourier):
        return [np.roll(chunks, 1, axis=0).ravel()]
    return [chunks[np.arange(transform.order) ^ (1 << bit)].ravel() for bit in range(transform.order.bit_length() - 1)]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=str)
def test_projection_is_the_mean_over_the_group_and_the_butterfly_its_product(transform):
    rows, columns = 3 * transform.order * (2 - transform.order % 2), 2 * transform.order
    matrix, x = random(0, rows, columns), random(1, 3, columns)
    weight = GroupWeight.from_dense(matrix, transform)
    dense = weight.unwrap()
    assert weight.shape == dense.shape == (rows, columns)
    for out, into in zip(action(transform, rows), action(transform, columns), strict=True):
        assert_allclose(dense[out][:, into], dense, atol=1e-14)
    # Orthogonal projection: what it removes is orthogonal to what it keeps, and what it keeps it keeps again.
    assert_allclose(jnp.vdot(matrix - dense, dense), 0, atol=1e-12)
    assert_allclose(GroupWeight.from_dense(dense, transform).unwrap(), dense, atol=1e-14)
    assert_allclose(weight.apply(x), x @ dense.T, atol=1e-13)
    assert sum(leaf.size for leaf in jax.tree.leaves(weight)) * transform.order == rows * columns


@pytest.mark.parametrize("transform", TRANSFORMS, ids=str)
def test_closed_forms_agree_with_dense_decompositions(transform):
    size = 2 * transform.order
    weight = GroupWeight.from_dense(random(2, size, size), transform)
    dense, y = np.asarray(weight.unwrap()), random(3, 2, size)
    assert_allclose(weight.singular_values(), scipy.linalg.svdvals(dense), atol=1e-13)
    assert_allclose(weight.log_abs_det(), np.linalg.slogdet(dense)[1], atol=1e-11)
    assert_allclose(weight.inverse_apply(y), np.linalg.solve(dense, y.T).T, rtol=1e-9, atol=1e-9)


def test_walsh_is_the_hadamard_matrix_of_scipy():
    blocks = random(0, 4, 1, 1)
    weight = GroupWeight(tuple(Dense(block) for block in blocks), Walsh(4))
    h = scipy.linalg.hadamard(4)
    assert_allclose(weight.unwrap(), h @ np.diag(blocks.ravel()) @ h, atol=1e-14)


def test_two_blocks_are_the_swap_symmetric_matrix():
    dense = hadamard(2)(random(0, 6, 6)).unwrap()
    np.testing.assert_allclose(dense[:3, :3], dense[3:, 3:], atol=1e-15)
    np.testing.assert_allclose(dense[:3, 3:], dense[3:, :3], atol=1e-15)


def test_symmetric_blocks_make_a_symmetric_matrix_and_blocks_may_be_groups():
    symmetric = GroupWeight.from_dense(random(0, 12, 12), Walsh(4), PackedSymmetric.from_dense)
    assert_allclose(symmetric.unwrap(), symmetric.unwrap().T, atol=1e-14)
    nested = GroupWeight.from_dense(random(0, 12, 12), Walsh(2), lambda m: GroupWeight.from_dense(m, Fourier(3)))
    x = random(1, 12)
    assert_allclose(nested.apply(x), nested.unwrap() @ x, atol=1e-13)
    assert_allclose(nested.singular_values(), scipy.linalg.svdvals(np.asarray(nested.unwrap())), atol=1e-13)


@pytest.mark.parametrize("transform", [Walsh(4), Reversal(), Fourier(4)], ids=str)
def test_initial_entries_have_the_variance_of_a_free_matrix(transform):
    weight = GroupWeight.init(jax.random.key(0), 240, 120, transform)
    assert_allclose(np.var(weight.unwrap()), 2 / 360, rtol=0.05)


@pytest.mark.parametrize("transform", [Walsh(4), Fourier(4)], ids=str)
def test_it_is_never_expanded(transform):
    """The compiled gradient counts fewer operations than a third of the dense one: nothing of size n² is multiplied."""
    size, batch = 256, 64

    def cost(weight):
        x = jax.ShapeDtypeStruct((batch, size), jnp.float32)
        gradient = jax.jit(jax.grad(lambda w, v: jnp.sum(jnp.sin(w.apply(v))), (0, 1)))
        return gradient.lower(weight, x).compile().cost_analysis()["flops"]  # pyright: ignore[reportOptionalSubscript]

    shapes = jax.eval_shape(lambda: GroupWeight.from_dense(jnp.ones((size, size), jnp.float32), transform))
    dense = jax.eval_shape(lambda: Dense(jnp.ones((size, size), jnp.float32)))
    assert cost(shapes) < cost(dense) / (3 if isinstance(transform, Walsh) else 2)


def test_what_cannot_be_is_refused():
    for wrong in (lambda: Walsh(3), lambda: Walsh(0), lambda: Fourier(1), lambda: Reversal(3)):
        with pytest.raises(UsageError, match="Remedy"):
            wrong()
    with pytest.raises(UsageError, match="10 outputs and 8 inputs.*4 equal chunks.*Remedy"):
        GroupWeight.from_dense(jnp.ones((10, 8)), Walsh(4))
    with pytest.raises(UsageError, match="as many blocks of one shape"):
        GroupWeight((Dense(jnp.ones((2, 2))),), Walsh(2))
    with pytest.raises(UsageError, match="inverse.*a square weight"):
        GroupWeight.from_dense(jnp.ones((4, 2)), Walsh(2)).inverse_apply(jnp.ones(4))
