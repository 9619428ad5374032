"""Inverse of small upper triangular matrices by products of matrices alone, batched.

Halves are inverted and joined: [[A, B], [0, C]]⁻¹ = [[A⁻¹, -A⁻¹ B C⁻¹], [0, C⁻¹]]. No triangular solve: on a CPU that one is
threaded behind the compiler's back and may wait for ever inside a scan. No Neumann series: for nearly equal reflectors it
overflows.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

BASE = 16  # below, whole-matrix doubling costs less than it takes to cut the matrix up


@jax.custom_jvp
def triangular_inverse(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """S⁻¹ of upper triangular S with diagonal 1/2; n is `BASE` or less, or `BASE` times a power of two.

    One Newton step T (2 I - S T) at the end: where reflectors are nearly equal, S⁻¹ is large and halves the digits lost to it.
    """
    inverse = _halves(matrix)
    return inverse + inverse @ (jnp.eye(matrix.shape[-1], dtype=matrix.dtype) - matrix @ inverse)


@triangular_inverse.defjvp
def _derivative(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """Of T: -T dS T, exact, and nothing of the doubling is kept for the way back."""
    inverse = triangular_inverse(*primals)
    return inverse, -inverse @ tangents[0] @ inverse


def _halves(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    size = matrix.shape[-1]
    if size <= BASE:
        return _doubling(matrix)
    half = size // 2
    first, second = _halves(jnp.stack([matrix[..., :half, :half], matrix[..., half:, half:]]))  # both in one batch
    corner = -first @ matrix[..., :half, half:] @ second
    return jnp.concatenate([jnp.concatenate([first, corner], -1), jnp.concatenate([jnp.zeros_like(corner), second], -1)], -2)


def _doubling(matrix: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """T <- T - T (M_h o S) T for h = 1, 2, 4, ...: M_h picks the corner that joins two inverted blocks of size h."""
    size = matrix.shape[-1]
    index, half = np.arange(size), 1
    inverse = jnp.broadcast_to(2 * jnp.eye(size, dtype=matrix.dtype), matrix.shape)
    while half < size:
        row, column = index[:, None] // half, index // half
        joins = (row // 2 == column // 2) & (row % 2 == 0) & (column % 2 == 1)
        inverse = inverse - inverse @ jnp.where(joins, matrix, 0) @ inverse
        half *= 2
    return inverse
