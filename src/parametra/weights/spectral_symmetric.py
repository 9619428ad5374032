"""Symmetric matrices by their eigenvalues, W = Q diag(lambda) Qᵀ with Q a product of reflectors.

Half of the reflectors of a spectral weight, and the eigenvalues are at hand: any symmetric matrix has this form (Hu, Zagoruyko &
Komodakis 2018 call it "evd", without holding Q orthogonal).
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.weights import spectrum
from parametra.weights.checks import check_factorable, check_finite
from parametra.weights.factorisation import leading_reflectors
from parametra.weights.plan import Plan, dense_plan
from parametra.weights.reflectors import Reflectors, number_of
from parametra.weights.spectrum import Bounds, check_bounds
from parametra.weights.symmetric import check_square
from parametra.weights.weight import AbstractWeight


class SpectralSymmetric(AbstractWeight):
    """W = Q diag(lambda) Qᵀ.

    Attributes:
        vectors: Q, m reflectors of n coordinates.
        free: numbers (n,) from which lambda is made; None if lo = hi.
        bounds: (lo, hi) for lambda, of any sign; None for free eigenvalues. With lo > 0, W is positive definite.
    """

    vectors: Reflectors
    free: Float[Array, " n"] | None
    bounds: Bounds | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_bounds(self.bounds)
        spectrum.check_free(self.free, self.bounds, self.vectors.size)

    @classmethod
    def init(
        cls,
        key: PRNGKeyArray,
        size: int,
        reflectors: int | str = "full",
        bounds: tuple[float | int, float | int] | None = (0.99, 1.01),
    ) -> "SpectralSymmetric":
        """Random Q; every eigenvalue at the centre of the bounds, or 1; UsageError for what cannot be."""
        held = check_bounds(bounds)
        vectors = Reflectors.init(key, size, number_of(reflectors, size))
        return cls(vectors, spectrum.middle(size, held, vectors.packed.dtype), held)

    @classmethod
    def from_matrix(
        cls,
        matrix: Float[Array, "rows columns"],
        reflectors: int | str = "full",
        bounds: tuple[float | int, float | int] | None = None,
        clip: bool = False,
    ) -> "SpectralSymmetric":
        """The symmetric part of a matrix, exact with full reflectors; with m, the m largest |lambda| keep their eigenvectors.

        Raises:
            UsageError: not square, NaN, or eigenvalues outside the bounds without `clip`.
        """
        held, size = check_bounds(bounds), check_square(tuple(matrix.shape), "symmetric")
        check_finite("matrix's entries", matrix)
        check_factorable(matrix)
        values, vectors = jnp.linalg.eigh((matrix + matrix.T) / 2)
        order = jnp.argsort(jnp.abs(values), descending=True)
        product, _ = leading_reflectors(vectors[:, order[: number_of(reflectors, size)]])  # D diag(lambda) D = diag(lambda)
        return cls(product, spectrum.release(values[order], held, clip), held)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return self.vectors.size, self.vectors.size

    def eigenvalues(self) -> Float[Array, " n"]:
        """Of W, in the order of the columns of Q."""
        return spectrum.hold(self.free, self.bounds, self.vectors.size, self.vectors.packed.dtype)

    def unwrap(self) -> Float[Array, "n n"]:
        """The dense matrix."""
        return self._apply(jnp.eye(self.shape[0], dtype=self.vectors.packed.dtype))

    def apply(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """W x: Qᵀ, lambda, Q; or the dense product where `plan` finds that cheaper."""
        return self._apply(x) if self._thin(x.size // self.shape[1]) else x @ self.unwrap()

    def _apply(self, x: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        return self.vectors.apply(self.vectors.transpose_apply(x) * self.eigenvalues())

    @property
    def _flops(self) -> int:
        n, m = self.vectors.size, self.vectors.count
        return 8 * (n * m - m * (m - 1) // 2) + n

    def _thin(self, rows: int) -> bool:
        n = self.vectors.size
        return rows * self._flops <= rows * 2 * n * n + n * self._flops

    def plan(self, rows: int = 1) -> Plan:
        """By the reflectors, or by the dense matrix made for this product."""
        n = self.vectors.size
        if self._thin(rows):
            return dense_plan(self, self.shape, rows, way=f"{self.vectors.count} reflectors twice", flops=rows * self._flops)
        flops = self.making + 2 * rows * n * n
        return dense_plan(self, self.shape, rows, way="dense matrix made from reflectors", flops=flops)

    @property
    def making(self) -> int:
        """The identity, sent through the reflectors twice."""
        return self.vectors.size * self._flops

    def singular_values(self) -> Float[Array, " n"]:
        """|lambda|, largest first."""
        return jnp.sort(jnp.abs(self.eigenvalues()), descending=True)

    def norm(self) -> Float[Array, ""]:
        """The largest |lambda|."""
        return jnp.max(jnp.abs(self.eigenvalues()))

    def condition(self) -> Float[Array, ""]:
        """Largest over smallest |lambda|."""
        return self.norm() / jnp.min(jnp.abs(self.eigenvalues()))

    def log_abs_det(self) -> Float[Array, ""]:
        """Sum of log |lambda|."""
        return jnp.sum(jnp.log(jnp.abs(self.eigenvalues())))

    def inverse(self) -> "SpectralSymmetric":
        """W⁻¹ = Q diag(1/lambda) Qᵀ."""
        return SpectralSymmetric(self.vectors, 1 / self.eigenvalues(), None)

    def inverse_apply(self, y: Float[Array, "*batch n"]) -> Float[Array, "*batch n"]:
        """W⁻¹ y by the same reflectors."""
        return self.inverse().apply(y)
