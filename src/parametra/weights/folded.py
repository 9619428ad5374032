"""A thin spectral weight made ready for a scan: what depends on the reflectors alone is done once."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.weights.householder import compact
from parametra.weights.plan import Plan, dense_plan
from parametra.weights.weight import AbstractWeight


class Folded(AbstractWeight):
    """W x = (I - Uᵀ B) diag(sigma) (I - Aᵀ V) x: four thin products, with S⁻¹ folded into A and B.

    Made by `SpectralWeight.resolved`; it holds no free numbers of its own.

    Attributes:
        right_in: A = S_V⁻ᵀ V (m, q), which x meets first.
        right_out: V (m, q).
        signed: the diagonal (d,).
        left_in: B = S_U⁻¹ U (m, p).
        left_out: U (m, p).
    """

    right_in: Float[Array, "right inputs"]
    right_out: Float[Array, "right inputs"]
    signed: Float[Array, " rank"]
    left_in: Float[Array, "left outputs"]
    left_out: Float[Array, "left outputs"]

    @classmethod
    def of(
        cls, left: Float[Array, "left outputs"], signed: Float[Array, " rank"], right: Float[Array, "right inputs"]
    ) -> "Folded":
        """Of the rows of both sides' reflectors."""
        u, left_inverse = compact(left)
        v, right_inverse = compact(right)
        return cls(right_inverse.T @ v, v, signed, left_inverse @ u, u)

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.left_out.shape[1], self.right_out.shape[1]

    def unwrap(self) -> Float[Array, "outputs inputs"]:
        """The dense matrix."""
        return self.apply(jnp.eye(self.shape[1], dtype=self.signed.dtype)).T

    def apply(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """W x."""
        rank = self.signed.shape[0]
        z = (x - (x @ self.right_in.T) @ self.right_out)[..., :rank] * self.signed
        z = jnp.pad(z, [(0, 0)] * (x.ndim - 1) + [(0, self.shape[0] - rank)])
        return z - (z @ self.left_in.T) @ self.left_out

    @property
    def structured(self) -> bool:
        """Always: it is made only where it is cheaper than the dense matrix."""
        return True

    def resolved(self) -> "Folded":
        """Itself."""
        return self

    def plan(self, rows: int = 1) -> Plan:
        """Four thin products."""
        flops = rows * (4 * (self.right_out.size + self.left_out.size) + self.signed.size)
        return dense_plan(self, self.shape, rows, way="reflectors with S⁻¹ folded in", flops=flops)
