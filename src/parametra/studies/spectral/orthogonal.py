"""The orthogonal recurrent networks that the spectral one is compared with: W from a skew-symmetric matrix, A = -Aᵀ.

Sources: Helfrich, Willmott & Ye (2018, arXiv 1707.09520), the Cayley transform W = (I + A)⁻¹ (I - A), here without their diagonal
of signs; Lezcano-Casado & Martínez-Rubio (2019, arXiv 1901.08428), the exponential map W = exp(A). Both start from rotations of
pairs of coordinates by random angles, as those texts do.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.weights import AbstractWeight
from parametra.weights.reflectors import pack, unpack

MAPS = ("cayley", "exponential")
LARGEST = {"cayley": 0.5 * math.pi, "exponential": math.pi}  # angles at the start; Cayley's A grows without bound towards pi


class SkewWeight(AbstractWeight):
    """W orthogonal (n, n) with determinant 1, from the n(n - 1)/2 numbers above A's diagonal.

    Attributes:
        upper: these numbers, packed.
        size: n, at least 2.
        map: "cayley" or "exponential".
    """

    upper: Float[Array, " packed"]
    size: int = eqx.field(static=True)
    map: str = eqx.field(static=True, default="cayley")

    def __check_init__(self):
        if self.map not in MAPS:
            raise UsageError(f"Unknown map {self.map!r} of a skew-symmetric matrix. Known: {', '.join(MAPS)}.")
        if self.size < 2:
            raise UsageError(f"A skew-symmetric matrix needs at least 2 rows, got {self.size}.")

    @classmethod
    def init(cls, key: PRNGKeyArray, size: int, map: str = "cayley") -> "SkewWeight":
        """Rotations of coordinates (0, 1), (2, 3), ... by angles uniform up to half a turn, a quarter for Cayley's map."""
        if map not in MAPS:
            raise UsageError(f"Unknown map {map!r} of a skew-symmetric matrix. Known: {', '.join(MAPS)}.")
        angle = jax.random.uniform(key, (size // 2,), minval=-LARGEST[map], maxval=LARGEST[map])
        entry = jnp.tan(angle / 2) if map == "cayley" else angle
        pairs = jnp.zeros((size - 1, size - 1)).at[2 * jnp.arange(size // 2), 2 * jnp.arange(size // 2)].set(entry)
        return cls(pack(pairs), size, map)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return self.size, self.size

    def skew(self) -> Float[Array, "size size"]:
        """A."""
        upper = jnp.pad(unpack(self.upper, self.size - 1, self.size - 1), ((0, 1), (1, 0)))
        return upper - upper.T

    def unwrap(self) -> Float[Array, "size size"]:
        """W."""
        skew = self.skew()
        if self.map == "exponential":
            return jax.scipy.linalg.expm(skew)
        one = jnp.eye(self.size, dtype=skew.dtype)
        return jnp.linalg.solve(one + skew, one - skew)

    def singular_values(self) -> Float[Array, " size"]:
        """All 1."""
        return jnp.ones(self.size, self.upper.dtype)
