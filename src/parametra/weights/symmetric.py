"""Symmetric matrices that are stored, optimised and saved as exactly n(n+1)/2 numbers.

Source: Hu, Zagoruyko & Komodakis (2018, arXiv 1812.11027), whose code copies a triangle or averages V with its transpose at every
use, and keeps n² numbers.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.weights.checks import check_whole
from parametra.weights.initialisers import glorot_uniform
from parametra.weights.meshes import divided
from parametra.weights.packed_product import levels_multiplied, plain_product, product
from parametra.weights.packing import Layout, Parts, pack, unpack
from parametra.weights.plan import Plan, dense_plan
from parametra.weights.weight import AbstractWeight


class PackedSymmetric(AbstractWeight):
    """W = Wᵀ, n(n+1)/2 free numbers.

    Symmetry ties entries of different rows and columns, so it saves no multiplication; it halves parameters, optimiser state,
    checkpoint and gradient traffic, and the bytes read by the product with one vector.

    Attributes:
        parts: the numbers, an isometry of the matrix; see `packing`.
        size: n, the number of inputs and of outputs.
    """

    parts: Parts
    size: int = eqx.field(static=True)

    @classmethod
    def from_dense(cls, matrix: Float[Array, "rows columns"]) -> "PackedSymmetric":
        """The nearest symmetric matrix, (W + Wᵀ)/2; UsageError if `matrix` is not square."""
        size = check_square(tuple(matrix.shape), "symmetric")
        return cls(pack(matrix, Layout(size)), size)

    @classmethod
    def init(
        cls, key: PRNGKeyArray, size: int, initialiser: Callable[..., Float[Array, "_ _"]] = glorot_uniform
    ) -> "PackedSymmetric":
        """A random matrix whose entries have the variance of the free one, on and off the diagonal; UsageError for size 0."""
        check_whole("The size of a symmetric weight", size, 1)
        matrix = jnp.triu(initialiser(key, size, size))
        return cls.from_dense(matrix + jnp.triu(matrix, 1).T)

    @property
    def layout(self) -> Layout:
        """How the numbers lie."""
        return Layout(self.size)

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.size, self.size

    def unwrap(self) -> Float[Array, "n n"]:
        """The dense matrix."""
        return unpack(self.parts, self.layout)

    def apply(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """W x from the tiles; the matrix is not formed.

        A single vector may be one of many under `vmap`, and is multiplied so that these become matrix products. `matvec`, or a
        batch of one, is faster for a vector that is alone.
        """
        self._check(x.shape)
        if x.ndim == 1:
            return plain_product(jnp.broadcast_to(x, (1, self.size)), self.parts, self.layout)[0]
        return jnp.reshape(self._product(x.reshape(-1, self.size)), x.shape)

    def matvec(self, x: Float[Array, " n"]) -> Float[Array, " n"]:
        """W x for one vector that is alone: half the bytes of the dense product."""
        self._check(x.shape)
        return self._product(x[None])[0]

    def _product(self, x: Float[Array, "rows n"]) -> Float[Array, "rows n"]:
        if divided(x, *jax.tree.leaves(self.parts)):
            return plain_product(x, self.parts, self.layout)
        return product(x, self.parts, self.layout)  # pyright: ignore[reportReturnType]

    def _check(self, shape: tuple[int, ...]) -> None:
        if shape[-1:] != (self.size,):  # a batch is reshaped, which would glue rows of another width together
            raise UsageError(
                f"A symmetric weight of {self.size} inputs meets an array of shape {shape}; its last axis must agree."
            )

    def plan(self, rows: int = 1) -> Plan:
        """Tiles; as many multiplications as dense."""
        level = levels_multiplied(self.layout, rows)
        return dense_plan(self, self.shape, rows, way=f"packed tiles, {level} of {self.layout.levels} levels unformed")


def check_square(shape: tuple[int, ...], kind: str) -> int:
    """The size of a square matrix; UsageError for any other shape."""
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
        raise UsageError(
            f"A {kind} weight must be square, got shape {shape}. Likely cause: this layer changes the width, or an LSTM that "
            "holds its gates in one array. Remedy: leave it dense, or stacked(gates, scheme) for recurrent cells."
        )
    return shape[0]
