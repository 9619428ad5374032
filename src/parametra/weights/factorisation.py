"""From given orthonormal columns to reflectors: the QR factorisation of Householder, which LAPACK does."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int8

from parametra.weights.reflectors import Reflectors


def leading_reflectors(columns: Float[Array, "size count"]) -> tuple[Reflectors, Int8[Array, " count"]]:
    """Reflectors of a Q whose first columns, times the signs, are the given orthonormal ones.

    Householder's choice of sign makes every reflector different from zero, so that all of them can be trained; the price is a
    sign for each column.
    """
    size, count = columns.shape
    factors, tau = jnp.linalg.qr(columns, mode="raw")  # row i: the triangle up to the diagonal, then the reflector without its 1
    rows = jnp.triu(factors, 1) + jnp.eye(count, size, dtype=columns.dtype)
    # LAPACK leaves a column alone that has nothing below its diagonal (tau = 0); a reflector along its axis turns its sign round.
    positive = (jnp.diagonal(factors) >= 0) == (tau != 0)
    return Reflectors.from_rows(rows), jnp.where(positive, 1, -1).astype(jnp.int8)
