"""One suite over all schemes: projection, product, counts, rank, and the same tap by tap for convolutions."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.weights import (
    block4,
    block_symmetric,
    centrosymmetric,
    chunk,
    circulant,
    dense,
    dihedrally_symmetric,
    eigen,
    eighth,
    gates,
    hadamard,
    ldl,
    penalty,
    quarter,
    soft,
    spatially_symmetric,
    stacked,
    symmetric,
)
from parametra.weights.checks import check_whole

# scheme, free numbers of 16 x 16, rank, whether W = W^T, whether J W J = W: the table of the schemes
SCHEMES = [
    (dense(), 256, 16, False, False),
    (symmetric(), 136, 16, True, False),
    (eigen(), 272, 16, True, False),
    (eigen(7), 119, 7, True, False),
    (ldl(), 136, 16, True, False),
    (soft(), 256, 16, False, False),
    (quarter(), 72, 16, True, True),
    (block4(), 64, 8, False, True),
    (eighth(), 36, 8, True, True),
    (chunk(2, 1), 128, 8, False, False),
    (chunk(1, 4), 64, 4, False, False),
    (hadamard(4), 64, 16, False, False),
    (hadamard(4, symmetric()), 40, 16, True, False),
    (block_symmetric(), 128, 16, False, False),
    (centrosymmetric(), 128, 16, False, True),
    (circulant(4), 64, 16, False, False),
]
IDS = [scheme.name + str(index) for index, (scheme, *_) in enumerate(SCHEMES)]
RNG = np.random.default_rng(0)
MATRIX = jnp.asarray(RNG.normal(size=(16, 16)), jnp.float32)
KERNEL = jnp.asarray(RNG.normal(size=(16, 16, 3, 3)), jnp.float32)
X = jnp.asarray(RNG.normal(size=(5, 16)), jnp.float32)
IMAGE = jnp.asarray(RNG.normal(size=(2, 5, 6, 16)), jnp.float32)


def numbers(weight):
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(weight, eqx.is_inexact_array)))


@pytest.mark.parametrize(("scheme", "free", "rank", "is_symmetric", "persymmetric"), SCHEMES, ids=IDS)
def test_a_matrix_has_the_symmetry_the_numbers_and_the_rank_that_the_table_says(scheme, free, rank, is_symmetric, persymmetric):
    weight = scheme(MATRIX)
    full = np.asarray(weight.unwrap())
    assert weight.shape == (16, 16)
    assert numbers(weight) == weight.plan().parameters == free
    assert np.linalg.matrix_rank(full, tol=1e-4) == rank
    assert np.allclose(full, full.T, atol=1e-4) == is_symmetric
    assert np.allclose(full, full[::-1, ::-1], atol=1e-5) == persymmetric
    assert_allclose(weight.apply(X), X @ full.T, rtol=1e-4, atol=2e-4)
    assert_allclose(weight.resolved().apply(X), X @ full.T, rtol=1e-4, atol=2e-4)
    assert_allclose(paramax.unwrap(weight), full, rtol=1e-6, atol=1e-6)
    assert_allclose(scheme(jnp.asarray(full)).unwrap(), full, rtol=1e-3, atol=1e-3)  # ldl of a random matrix loses digits


@pytest.mark.parametrize(("scheme", "free", "rank", "is_symmetric", "persymmetric"), SCHEMES, ids=IDS)
def test_every_number_learns(scheme, free, rank, is_symmetric, persymmetric):
    """The published code of the eigenvalue scheme cuts the gradient off."""
    gradient = jax.grad(lambda w: jnp.sum(jnp.sin(w.apply(X))))(scheme(MATRIX))
    assert all(bool((leaf != 0).all()) for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize(("scheme", "free", "rank", "is_symmetric", "persymmetric"), SCHEMES, ids=IDS)
def test_a_kernel_has_it_in_every_tap(scheme, free, rank, is_symmetric, persymmetric):
    kernel = scheme(KERNEL)
    full = kernel.unwrap()
    assert kernel.shape == full.shape == KERNEL.shape
    assert numbers(kernel) == 9 * free
    assert_allclose(full[:, :, 1, 2], scheme(KERNEL[:, :, 1, 2]).unwrap(), rtol=1e-4, atol=1e-4)
    assert_allclose(kernel.apply(IMAGE, 2, "SAME"), convolution(IMAGE, full, 2), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("scheme", "taps"), [(spatially_symmetric(), 6), (dihedrally_symmetric(), 3), (spatially_symmetric(symmetric()), 6)]
)
def test_tied_taps(scheme, taps):
    kernel = scheme(KERNEL)
    full = np.asarray(kernel.unwrap())
    assert_allclose(full, np.swapaxes(full, 2, 3), atol=1e-6)
    if taps == 3:
        assert_allclose(full, full[:, :, ::-1], atol=1e-6)
    per_tap = 136 if np.allclose(full, np.swapaxes(full, 0, 1), atol=1e-6) else 256
    assert numbers(kernel) == taps * per_tap
    assert_allclose(scheme(jnp.asarray(full)).unwrap(), full, atol=1e-5)
    for stride, padding in ((1, "SAME"), (2, "VALID"), (1, ((2, 0), (1, 1)))):
        assert_allclose(kernel.apply(IMAGE, stride, padding), convolution(IMAGE, full, stride, padding), rtol=1e-3, atol=1e-3)
    assert_allclose(kernel.resolved().apply(IMAGE), kernel.apply(IMAGE), rtol=1e-4, atol=1e-4)


def convolution(x, kernel, stride, padding: Any = "SAME"):
    """Torch's layout, by XLA."""
    y = jax.lax.conv_general_dilated(jnp.moveaxis(x, -1, 1), kernel, (stride, stride), padding)
    return jnp.moveaxis(y, 1, -1)


def test_the_low_rank_scheme_keeps_the_largest_eigenvalues():
    """The published code drops the largest."""
    kept = np.abs(np.linalg.eigvalsh(eigen(3)(MATRIX).unwrap()))
    everything = np.sort(np.abs(np.linalg.eigvalsh((MATRIX + MATRIX.T) / 2)))
    assert_allclose(np.sort(kept)[-3:], everything[-3:], rtol=1e-4)


def test_ldl_knows_determinant_and_inverse():
    weight = ldl()(MATRIX)
    assert_allclose(weight.log_abs_det(), np.linalg.slogdet(weight.unwrap())[1], rtol=1e-3)
    assert_allclose(weight.apply(weight.inverse_apply(X)), X, atol=2e-2)  # no pivoting: digits are lost
    with pytest.raises(UsageError, match="leading minor that vanishes"):
        ldl()(jnp.zeros((3, 3)))


def test_the_penalty_draws_to_symmetry():
    weight = soft(0.5)(MATRIX)
    assert_allclose(penalty({"a": weight, "b": MATRIX}), 0.5 * jnp.sum((MATRIX - MATRIX.T) ** 2), rtol=1e-5)
    assert penalty({"b": MATRIX}) == 0.0
    assert_allclose(penalty(soft(0.5)(KERNEL)), 0.5 * jnp.sum((KERNEL - jnp.swapaxes(KERNEL, 0, 1)) ** 2), rtol=1e-5)


def test_gates_of_a_recurrent_cell():
    matrix = jnp.concatenate([MATRIX, 2 * MATRIX, -MATRIX])
    same, mixed = stacked(3, symmetric())(matrix), gates(symmetric(), dense(), hadamard(4))(matrix)
    assert numbers(same) == 3 * 136
    assert numbers(mixed) == 136 + 256 + 64
    for weight in (same, mixed):
        assert weight.shape == (48, 16)
        assert_allclose(weight.apply(X), X @ weight.unwrap().T, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(mixed.unwrap()[16:32], 2 * MATRIX)


@pytest.mark.parametrize(
    ("scheme", "shape", "message"),
    [
        (symmetric(), (3, 5), "must be square"),
        (symmetric(), (16, 8, 3, 3), "must be square"),
        (symmetric(), (5,), "no weight for a vector"),
        (quarter(), (4, 6), "must be square"),
        (quarter(), (5, 5), "2 equal chunks"),
        (block4(), (5, 5), "even number of channels"),
        (hadamard(4), (6, 8), "4 equal chunks"),
        (hadamard(4), (6, 8, 3, 3), "4 equal chunks"),
        (circulant(3), (4, 3), "3 equal chunks"),
        (chunk(3, 1), (4, 4), "equal blocks"),
        (eigen(9), (4, 4), "rank must be in"),
        (soft(-1.0), (4, 4), "strength"),
        (stacked(3, symmetric()), (8, 4), "3 equal parts"),
        (stacked(2, symmetric()), (8, 4, 3), "no weight for a convolution kernel"),
        (spatially_symmetric(), (4, 4), "no weight for a matrix"),
        (spatially_symmetric(), (4, 4, 3, 5), "square window"),
        (dihedrally_symmetric(), (4, 4, 3), "square window"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_what_a_scheme_cannot_hold_is_refused(scheme, shape, message):
    with pytest.raises(UsageError, match=message):
        scheme(jnp.ones(shape))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hadamard(6), "power of two"),
        (lambda: hadamard(1), "ties nothing"),
        (lambda: circulant(1), "at least 2"),
        (lambda: chunk(), "repeats nothing"),
        (lambda: chunk(0, 2), "at least 1"),
        (lambda: stacked(0, symmetric()), "at least 1"),
        (gates, "Remedy"),
    ],
)
def test_schemes_that_cannot_be_are_refused_when_they_are_made(make, message):
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize("value", [0, 2.5, True, "4", None])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(UsageError, match="order must be a whole number of at least 1"):
        check_whole("The order", value, 1)


@pytest.mark.parametrize("scheme", [scheme for scheme, *_ in SCHEMES], ids=IDS)
def test_no_scheme_takes_nan_or_what_holds_no_numbers(scheme):
    with pytest.raises(UsageError, match="NaN"):
        scheme(MATRIX.at[3, 5].set(jnp.nan))
    for wrong in (jnp.zeros((0, 0)), jnp.ones((16, 16), int)):
        with pytest.raises(UsageError, match="floating-point numbers"):
            scheme(wrong)
