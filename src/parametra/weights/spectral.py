r"""Weights made from their singular value decomposition: W = U diag(sigma) Vᵀ with U and V products of reflectors.

Norm, condition number, determinant and inverse are then known without any decomposition, and the singular values can be held in
an interval while the network trains.

Source: Zhang, Lei & Dhillon (2018, arXiv 1803.09327), theorems 1 to 4: with n reflectors a side every matrix can be written so.
Ours differs in the way of multiplying (by blocks, see `householder`), in the packed storage, and in the signs, which let both
signs of the determinant be reached with reflectors of which none is zero.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int8, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.weights import spectrum
from parametra.weights.checks import check_factorable, check_finite, known
from parametra.weights.dense import Dense
from parametra.weights.factorisation import leading_reflectors
from parametra.weights.folded import Folded
from parametra.weights.plan import Plan, dense_plan
from parametra.weights.reflectors import Reflectors, check_count, number_of
from parametra.weights.spectrum import Bounds, check_bounds
from parametra.weights.weight import AbstractWeight

Count = int | str  # the only text is "full"; `number_of` says so


class SpectralWeight(AbstractWeight):
    """W = U diag(signs * sigma) Vᵀ of shape (p, q), with d = min(p, q) singular values.

    Attributes:
        left: U, at most d reflectors of p coordinates.
        right: V, at most d reflectors of q coordinates.
        free: s (d,), from which sigma is made; None if lo = hi, where nothing is free.
        signs: ±1 (d,), not trained, or None where all are +1.
        bounds: (lo, hi) for sigma; None for free singular values, sigma = s of any sign.
        strategy: "thin" multiplies by the reflectors, "resolve" by the dense matrix, "auto" by what is cheaper.
    """

    left: Reflectors
    right: Reflectors
    free: Float[Array, " rank"] | None
    signs: Int8[Array, " rank"] | None = None
    bounds: Bounds | None = eqx.field(static=True, default=None)
    strategy: str = eqx.field(static=True, default="auto")

    def __check_init__(self):
        check_bounds(self.bounds)
        if self.strategy not in ("auto", "thin", "resolve"):
            raise UsageError(f'strategy must be "auto", "thin" or "resolve", got {self.strategy!r}.')
        for count in (self.left.count, self.right.count):
            check_count(count, self.rank)
        spectrum.check_free(self.free, self.bounds, self.rank)

    @classmethod
    def init(
        cls,
        key: PRNGKeyArray,
        outputs: int,
        inputs: int,
        reflectors: Count = "full",
        bounds: tuple[float | int, float | int] | None = (0.99, 1.01),
        strategy: str = "auto",
    ) -> "SpectralWeight":
        """Random U and V, not by Haar's distribution (`Reflectors.init`); every sigma at the centre of the bounds, or 1.

        Args:
            key: a random key.
            outputs: p.
            inputs: q.
            reflectors: m a side, 1 to min(p, q), or "full" for that many.
            bounds: (lo, hi) or None; (0.99, 1.01) is the recurrent network of the paper.
            strategy: see the class.

        Raises:
            UsageError: a number of reflectors or bounds that cannot be.
        """
        held, rank = check_bounds(bounds), min(outputs, inputs)
        count = number_of(reflectors, rank)
        keys = jax.random.split(key)
        left, right = Reflectors.init(keys[0], outputs, count), Reflectors.init(keys[1], inputs, count)
        return cls(left, right, spectrum.middle(rank, held, left.packed.dtype), None, held, strategy)

    @classmethod
    def from_matrix(
        cls,
        matrix: Float[Array, "outputs inputs"],
        reflectors: Count = "full",
        bounds: tuple[float | int, float | int] | None = None,
        strategy: str = "auto",
        clip: bool = False,
    ) -> "SpectralWeight":
        """The weight of a given matrix, exact with full reflectors.

        With m reflectors a side, all singular values and the m largest ones' singular vectors are those of `matrix`; the other
        vectors are some orthogonal complement. `clip` moves singular values outside the bounds, or at them, to 1 percent of the
        width inside, where they have a gradient: about the nearest matrix inside.

        Raises:
            UsageError: singular values outside the bounds without `clip`, NaN, or a number of reflectors that cannot be.
        """
        check_factorable(matrix)
        held, (outputs, inputs) = check_bounds(bounds), matrix.shape
        count = number_of(reflectors, min(outputs, inputs))
        check_finite("matrix's entries", matrix)
        u, sigma, v = jnp.linalg.svd(matrix, full_matrices=False)
        left, left_signs = leading_reflectors(u[:, :count])
        right, right_signs = leading_reflectors(v[:count].T)
        signs = jnp.pad(left_signs * right_signs, (0, len(sigma) - count), constant_values=1)
        return cls(left, right, spectrum.release(sigma, held, clip), signs, held, strategy)

    @property
    def shape(self) -> tuple[int, int]:
        """(p, q)."""
        return self.left.size, self.right.size

    @property
    def rank(self) -> int:
        """Number of singular values, min(p, q)."""
        return min(self.shape)

    @property
    def sigma(self) -> Float[Array, " rank"]:
        """Values within the bounds, in the order of the columns of U and V."""
        return spectrum.hold(self.free, self.bounds, self.rank, self.left.packed.dtype)

    @property
    def signed(self) -> Float[Array, " rank"]:
        """The diagonal between U and Vᵀ: signs * sigma."""
        return self.sigma if self.signs is None else self.sigma * self.signs.astype(self.sigma.dtype)

    def unwrap(self) -> Float[Array, "outputs inputs"]:
        """The dense matrix: reflectors applied to the narrower side's identity."""
        if self.shape[0] < self.shape[1]:
            return self.transposed().unwrap().T
        return self._thin(jnp.eye(self.shape[1], dtype=self.left.packed.dtype)).T

    def apply(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """W x: V's reflectors, sigma, U's reflectors; or the dense product where `plan` finds that cheaper."""
        return self._thin(x) if self.thin(x.size // self.shape[1]) else x @ self.unwrap().T

    def _thin(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        z = self.right.transpose_apply(x)[..., : self.rank] * self.signed
        return self.left.apply(jnp.pad(z, [(0, 0)] * (x.ndim - 1) + [(0, self.shape[0] - self.rank)]))

    def thin(self, rows: int) -> bool:
        """Whether `apply` multiplies `rows` vectors by the reflectors: fewer FLOPs than making the matrix and using it."""
        if self.strategy != "auto":
            return self.strategy == "thin"
        return rows * self._flops_thin() <= rows * 2 * self.shape[0] * self.shape[1] + self.rank * self._flops_thin()

    def _flops_thin(self) -> int:
        sides = ((self.left.size, self.left.count), (self.right.size, self.right.count))
        return sum(4 * (n * m - m * (m - 1) // 2) for n, m in sides) + self.rank

    @property
    def structured(self) -> bool:
        """Whether few enough reflectors make a product cheaper than by the dense matrix: the rule of `resolved`."""
        return self.strategy == "thin" or (self.strategy == "auto" and folds(self.shape, self.left.count, self.right.count))

    def resolved(self) -> AbstractWeight:
        """For many products in a row: the reflectors with S⁻¹ folded in where that is cheaper, else the dense matrix."""
        if not self.structured:
            return Dense(self.unwrap())
        return Folded.of(self.left.rows(), self.signed, self.right.rows())

    @property
    def making(self) -> int:
        """The identity of the narrower side, sent through the reflectors."""
        return self.rank * self._flops_thin()

    def plan(self, rows: int = 1) -> Plan:
        """By the reflectors, or by the dense matrix made for this product."""
        thin = self.thin(rows)
        flops = rows * self._flops_thin() if thin else self.making + rows * 2 * self.shape[0] * self.shape[1]
        way = f"{self.left.count} + {self.right.count} reflectors" if thin else "dense matrix made from reflectors"
        return dense_plan(self, self.shape, rows, way=way, flops=flops)

    def singular_values(self) -> Float[Array, " rank"]:
        """|sigma|, largest first."""
        return jnp.sort(jnp.abs(self.sigma), descending=True)

    def norm(self) -> Float[Array, ""]:
        """The largest singular value: max |W x| / |x|."""
        return jnp.max(jnp.abs(self.sigma))

    def condition(self) -> Float[Array, ""]:
        """Largest over smallest singular value."""
        return self.norm() / jnp.min(jnp.abs(self.sigma))

    def frobenius_norm(self) -> Float[Array, ""]:
        """Root of the sum of squares of all entries."""
        return jnp.linalg.norm(self.sigma)

    def log_abs_det(self) -> Float[Array, ""]:
        """Sum of log |sigma|; UsageError if W is not square."""
        self._need_square("log |det W|")
        return jnp.sum(jnp.log(jnp.abs(self.sigma)))

    def determinant_sign(self) -> Float[Array, ""]:
        """Sign of det W; UsageError if W is not square. Bounded weights with lo > 0 keep it for ever."""
        self._need_square("determinant")
        return self.left.determinant() * self.right.determinant() * jnp.prod(jnp.sign(self.signed))

    def transposed(self) -> "SpectralWeight":
        """Wᵀ, the same numbers."""
        return SpectralWeight(self.right, self.left, self.free, self.signs, self.bounds, self.strategy)

    def inverse(self) -> "SpectralWeight":
        """W⁻¹ = V diag(1/sigma) Uᵀ as a weight of free singular values.

        UsageError if W is not square, or if one of its singular values, where they are known, is zero.
        """
        self._need_square("inverse")
        sigma = known(self.sigma)
        if sigma is not None and (sigma == 0).any():
            raise UsageError("The matrix has a singular value of zero, and so no inverse. Remedy: pseudo_inverse().")
        return self.pseudo_inverse(0.0)

    def pseudo_inverse(self, cutoff: float = 1e-7) -> "SpectralWeight":
        """Moore and Penrose's inverse, (q, p): the 1/sigma of singular values above `cutoff` times the largest, else 0."""
        keep = jnp.abs(self.sigma) > cutoff * self.norm()
        inverse = jnp.where(keep, 1 / jnp.where(keep, self.sigma, 1), 0)
        return SpectralWeight(self.right, self.left, inverse, self.signs, None, self.strategy)

    def inverse_apply(self, y: Float[Array, "*batch outputs"]) -> Float[Array, "*batch inputs"]:
        """W⁻¹ y by the same reflectors; UsageError if W is not square (then `pseudo_inverse().apply`)."""
        return self.inverse().apply(y)

    def _need_square(self, what: str) -> None:
        if self.shape[0] != self.shape[1]:
            raise self.no_closed_form(what, "a square weight, or pseudo_inverse() and singular_values()")


def folds(shape: tuple[int, int], left: int, right: int) -> bool:
    """Whether a scan should multiply by reflectors in every step rather than by the dense matrix made once.

    Four thin products against one: in a prototype (2-core AVX-512 Xeon, JAX 0.10.2, batch 32) they paid from n = 256 on, and up
    to n/8 reflectors a side.
    """
    return min(shape) >= 256 and 8 * max(left, right) <= min(shape)
