"""Symmetric matrices by eigenpairs that are not held orthogonal."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.weights.checks import check_factorable, check_whole, known
from parametra.weights.plan import Plan, dense_plan
from parametra.weights.symmetric import check_square
from parametra.weights.weight import AbstractWeight


class Eigen(AbstractWeight):
    """W = V diag(e) Vᵀ with p columns, symmetric of rank at most p.

    Source: Hu, Zagoruyko & Komodakis (2018), "evd" (p = n) and "pdpt". Ours differs from their code: both V and e are learnt
    (theirs rebuilds W from constants, so that nothing is), and the p eigenpairs kept are those of largest |e| (theirs drops the
    largest). V stays free, so p = n stores n² + n numbers of which n(n+1)/2 count; to hold V orthogonal, with no number too
    many, use the spectral symmetric weight.

    Attributes:
        vectors: V (n, p).
        values: e (p,).
    """

    vectors: Float[Array, "n p"]
    values: Float[Array, " p"]

    @classmethod
    def from_dense(cls, matrix: Float[Array, "rows columns"], rank: int | None = None) -> "Eigen":
        """The nearest symmetric matrix of that rank; None for p = n. UsageError if not square, or for a rank out of [1, n]."""
        size = check_square(tuple(matrix.shape), "symmetric")
        rank = size if rank is None else check_whole("The rank", rank, 1)
        if rank > size:
            raise UsageError(f"The rank must be in [1, {size}], got {rank}. Remedy: half of the channels, as in the paper.")
        check_factorable(matrix)
        values, vectors = jnp.linalg.eigh((matrix + matrix.T) / 2)
        largest = jnp.argsort(jnp.abs(values), descending=True)[:rank]
        return cls(vectors[:, largest], values[largest])

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.vectors.shape[0], self.vectors.shape[0]

    def unwrap(self) -> Float[Array, "n n"]:
        """The dense matrix."""
        return (self.vectors * self.values) @ self.vectors.T

    def apply(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """Two thin products, where these are cheaper than the matrix."""
        return ((x @ self.vectors) * self.values) @ self.vectors.T if self.structured else super().apply(x)

    @property
    def structured(self) -> bool:
        """For p < n/2."""
        return 2 * self.values.shape[0] < self.vectors.shape[0]

    def resolved(self) -> AbstractWeight:
        """Itself if thin, else the dense matrix."""
        return self if self.structured else super().resolved()

    @property
    def making(self) -> int:
        """V diag(e) times Vᵀ."""
        n, p = self.vectors.shape
        return 2 * n * n * p + n * p

    def plan(self, rows: int = 1) -> Plan:
        """Two thin products, or n² p to make the matrix and a dense one."""
        n, p = self.vectors.shape
        if self.structured:
            return dense_plan(self, self.shape, rows, way=f"two products with {p} columns", flops=rows * (4 * n * p + p))
        return dense_plan(self, self.shape, rows, way="matrix made", flops=self.making + 2 * rows * n * n)


class LDL(AbstractWeight):
    """W = L diag(d) Lᵀ, L unit lower triangular: n(n+1)/2 numbers, log |det W| and W⁻¹ at hand.

    Named by Hu, Zagoruyko & Komodakis (2018). Covers the symmetric matrices whose leading minors do not vanish.

    Attributes:
        below: L below its diagonal, row by row, n(n-1)/2 numbers.
        diagonal: d (n,).
    """

    below: Float[Array, " pairs"]
    diagonal: Float[Array, " n"]

    @classmethod
    def from_dense(cls, matrix: Float[Array, "rows columns"]) -> "LDL":
        """Of the symmetric part of `matrix`.

        Raises:
            UsageError: not square, or a leading minor vanishes; inside jit an error at run time.
        """
        size = check_square(tuple(matrix.shape), "symmetric")

        def eliminate(rest: Array, k: Array) -> tuple[Array, tuple[Array, Array]]:
            pivot = rest[k, k]
            column = rest[:, k] / pivot
            return rest - pivot * jnp.outer(column, column), (column, pivot)

        _, (columns, pivots) = jax.lax.scan(eliminate, (matrix + matrix.T) / 2, jnp.arange(size))
        i, j = jnp.tril_indices(size, -1)
        weight = cls(columns.T[i, j], pivots)
        vanishes = ~jnp.isfinite(weight.below).all() | (weight.diagonal == 0).any()
        message = "This symmetric matrix has a leading minor that vanishes, so it has no L diag(d) Lᵀ. Remedy: symmetric()."
        if known(vanishes):
            raise UsageError(message)
        return eqx.error_if(weight, vanishes, message)

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.diagonal.shape[0], self.diagonal.shape[0]

    def lower(self) -> Float[Array, "n n"]:
        """L."""
        size = self.diagonal.shape[0]
        i, j = jnp.tril_indices(size, -1)
        return jnp.eye(size, dtype=self.below.dtype).at[i, j].set(self.below)

    def unwrap(self) -> Float[Array, "n n"]:
        """The dense matrix."""
        lower = self.lower()
        return (lower * self.diagonal) @ lower.T

    @property
    def making(self) -> int:
        """L diag(d) times Lᵀ."""
        n = self.diagonal.shape[0]
        return 2 * n**3 + n**2

    def plan(self, rows: int = 1) -> Plan:
        """The matrix made, 2 n³, and a dense product."""
        return dense_plan(self, self.shape, rows, way="matrix made", flops=self.making + 2 * rows * self.diagonal.shape[0] ** 2)

    def log_abs_det(self) -> Float[Array, ""]:
        """The sum of log |d|."""
        return jnp.sum(jnp.log(jnp.abs(self.diagonal)))

    def inverse_apply(self, y: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """Two triangular solves and a division."""
        from jax.scipy.linalg import solve_triangular

        lower, columns = self.lower(), y.reshape(-1, y.shape[-1]).T
        z = solve_triangular(lower, columns, lower=True, unit_diagonal=True) / self.diagonal[:, None]
        return solve_triangular(lower, z, lower=True, unit_diagonal=True, trans=1).T.reshape(y.shape)
