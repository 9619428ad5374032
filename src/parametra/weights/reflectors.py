r"""Orthogonal matrices held as reflectors, packed.

Row i of m has its first i entries zero, the layout of LAPACK and of Zhang, Lei & Dhillon (2018, arXiv 1803.09327): m reflectors
of n coordinates are n m - m (m - 1)/2 numbers. Rows i and m - 1 - i have 2 n - m + 1 entries together, whatever i: row m - 1 - i
is folded into the zeros of row i, so that packing and unpacking are a few reversals and no gather.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.weights.checks import check_axes, check_finite, check_whole, known
from parametra.weights.householder import TINY, multiply, multiply_plain
from parametra.weights.meshes import divided


class Reflectors(eqx.Module):
    """Q = H_1 H_2 ... H_m, orthogonal (n, n), with H_i the identity on the first i - 1 coordinates.

    Lengths of the rows mean nothing; a zero row is the identity and stays one (its gradient is zero), a NaN makes all of Q NaN.
    det Q = (-1)^(reflectors that are not zero): training never changes it.

    Attributes:
        packed: the n m - m (m - 1)/2 numbers, folded.
        size: n.
        count: m, from 1 to n.
    """

    packed: Float[Array, " packed"]
    size: int = eqx.field(static=True)
    count: int = eqx.field(static=True)

    def __check_init__(self):
        check_count(self.count, self.size)
        if self.packed.shape != (packed_length(self.count, self.size),):
            raise UsageError(
                f"{self.count} reflectors of {self.size} coordinates are {packed_length(self.count, self.size)} numbers, got an "
                f"array of shape {self.packed.shape}. Likely cause: the rows themselves. Remedy: Reflectors.from_rows(rows)."
            )
        check_finite("reflectors", self.packed)

    @classmethod
    def init(cls, key: PRNGKeyArray, size: int, count: int) -> "Reflectors":
        """Normal rows. Q is random, but not by Haar's distribution: its diagonal leans to positive values."""
        check_count(count, size)
        return cls(jax.random.normal(key, (packed_length(count, size),)), size, count)

    @classmethod
    def from_rows(cls, rows: Float[Array, "count size"]) -> "Reflectors":
        """Of rows (m, n); what stands before column i of row i is left out.

        Raises:
            UsageError: more rows than columns, or a row that is zero: give a count without it.
        """
        check_axes(rows, 2, "A product of reflectors")
        count, size = rows.shape
        check_count(count, size)
        rows = jnp.triu(rows)
        length = known(jnp.sum(jnp.square(rows), axis=1))
        if length is not None and np.isinf(length).any() and np.isfinite(np.asarray(rows)).all():
            raise UsageError(
                f"The square of reflector {int(np.argmax(np.isinf(length)))} is beyond {rows.dtype}. Likely cause: another unit. "
                "Remedy: divide each row by its norm, which changes no product."
            )
        zero = known(~_present(rows))
        if zero is not None and zero.any():
            raise UsageError(
                f"Reflector {int(np.argmax(zero))} has norm 0. Likely cause: rows of an all-zero initialiser. Remedy: leave it "
                "out, it would stay the identity for ever."
            )
        return cls(pack(rows), size, count)

    def rows(self) -> Float[Array, "count size"]:
        """The rows (m, n), zeros before column i of row i."""
        return unpack(self.packed, self.count, self.size)

    def apply(self, x: Float[Array, "*batch size"]) -> Float[Array, "*batch size"]:
        """Q x along the last axis."""
        return self._multiply(x, transposed=False)

    def transpose_apply(self, x: Float[Array, "*batch size"]) -> Float[Array, "*batch size"]:
        """Qᵀ x along the last axis."""
        return self._multiply(x, transposed=True)

    def _multiply(self, x: Float[Array, "*batch size"], transposed: bool) -> Float[Array, "*batch size"]:
        # A single vector may be one of many under vmap: a rule of its own would make a gradient of the rows for each of them.
        if x.shape[-1:] != (self.size,):  # a batch is reshaped, which would glue rows of another width together
            raise UsageError(
                f"Reflectors on {self.size} coordinates meet an array of shape {x.shape}; its last axis must agree. Likely "
                "cause: a layer of another number of inputs."
            )
        product: Any = multiply_plain if x.ndim == 1 else multiply
        vectors = x.reshape(-1, self.size)
        if divided(x, self.packed):
            product, vectors = multiply_plain, vectors + 0 * self.packed[0]  # what a scan carries varies where its blocks do
        return product(vectors, self.rows(), transposed, True).reshape(x.shape)

    def unwrap(self) -> Float[Array, "size size"]:
        """Q itself."""
        return self.transpose_apply(jnp.eye(self.size, dtype=self.packed.dtype))

    def determinant(self) -> Float[Array, ""]:
        """±1."""
        present = jnp.sum(_present(self.rows()))
        return jnp.where(present % 2 == 0, 1, -1).astype(self.packed.dtype)

    def renormalised(self) -> "Reflectors":
        """The same Q with rows of norm 1, as the authors' code makes them after every step of the optimiser."""
        rows = self.rows()
        length = jnp.where(_present(rows)[:, None], jnp.linalg.norm(rows, axis=1, keepdims=True), 1)
        return Reflectors(pack(rows / length), self.size, self.count)


def _present(rows: Float[Array, "count size"]) -> Bool[Array, " count"]:
    """Which rows are reflectors: one whose squared norm is below `TINY` is the identity."""
    return ~(jnp.sum(jnp.square(rows), axis=1) < TINY)  # NaN is no zero, and is refused for itself


def packed_length(count: int, size: int) -> int:
    """How many numbers `count` reflectors of `size` coordinates are."""
    return size * count - count * (count - 1) // 2


def pack(rows: Float[Array, "count size"]) -> Float[Array, " packed"]:
    """The free numbers of rows with zeros before column i of row i."""
    count, size = rows.shape
    if count % 2:
        return jnp.concatenate([rows[0], pack(rows[1:, 1:])]) if count > 1 else rows[0]
    top, bottom = rows[: count // 2], rows[count // 2 :][::-1]
    folded = top.at[:, : count - 1].add(bottom[:, : count - 1][:, ::-1])
    return jnp.concatenate([folded, bottom[:, count - 1 :]], 1).ravel()


def unpack(packed: Float[Array, " packed"], count: int, size: int) -> Float[Array, "count size"]:
    """The inverse of `pack`."""
    if count % 2:
        first = packed[None, :size]
        if count == 1:
            return first
        return jnp.concatenate([first, jnp.pad(unpack(packed[size:], count - 1, size - 1), ((0, 0), (1, 0)))])
    folded = packed.reshape(count // 2, 2 * size - count + 1)
    own = np.arange(size) >= np.arange(count // 2)[:, None]
    top = jnp.where(own, folded[:, :size], 0)
    bottom = jnp.where(own, 0, folded[:, :size])[:, : count - 1][:, ::-1]
    return jnp.concatenate([top, jnp.concatenate([bottom, folded[:, size:]], 1)[::-1]])


def check_count(count: int, size: int) -> None:
    """UsageError unless both are whole numbers and 1 <= count <= size."""
    check_whole("The number of coordinates", size, 1)
    if not 1 <= count <= size or int(count) != count:
        raise UsageError(
            f"A product of reflectors on {size} coordinates takes 1 to {size} of them, got {count}. Likely cause: the number "
            f'meant for a wider layer. Remedy: at most {size}, or reflectors="full".'
        )


def number_of(reflectors: Any, rank: int) -> int:
    """Reflectors a side; UsageError for a number that cannot be."""
    if reflectors == "full":
        return rank
    if isinstance(reflectors, bool) or not isinstance(reflectors, (int, np.integer)):
        raise UsageError(f'reflectors must be a whole number or "full", got {reflectors!r}.')
    check_count(int(reflectors), rank)
    return int(reflectors)
