"""A weight is an object: whatever stands for a matrix W of shape (outputs, inputs) inside a layer.

A member of the family says how its matrix is made (`unwrap`) and, where it knows a cheaper way, how to multiply by it (`apply`).
Closed forms that only some members have (singular values, determinant, inverse) refuse by default rather than fall back on a
dense decomposition, so that a cost of n³ is never hidden.
"""

from abc import abstractmethod

import paramax
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.weights.plan import Plan, dense_plan


class AbstractWeight(paramax.AbstractUnwrappable[Array]):
    """A matrix W (outputs, inputs), dimensionless, acting on the last axis of its argument."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""

    @abstractmethod
    def unwrap(self) -> Float[Array, "outputs inputs"]:
        """The dense matrix W."""

    def apply(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """W x along the last axis of `x`; members with a faster way than the dense product override it."""
        return x @ self.unwrap().T

    @property
    def structured(self) -> bool:
        """Whether a product is cheaper by `apply` than by the dense matrix made once."""
        return False

    def resolved(self) -> "AbstractWeight":
        """What to multiply by many times: whatever can be made once is made here, outside a scan.

        By default the dense matrix; members that multiply faster than it, and need nothing made, return themselves.
        """
        from parametra.weights.dense import Dense

        return Dense(self.unwrap())

    @property
    def making(self) -> int:
        """FLOPs of the dense matrix where it takes products, 0 where numbers are copied and added."""
        return 0

    def plan(self, rows: int = 1) -> Plan:
        """How `apply` multiplies `rows` vectors, and what that costs; see `Plan`."""
        return dense_plan(self, self.shape, rows)

    def singular_values(self) -> Float[Array, " rank"]:
        """Singular values, largest first; UsageError where no closed form is known."""
        raise self.no_closed_form("singular values", "jnp.linalg.svd(weight.unwrap(), compute_uv=False)")

    def log_abs_det(self) -> Float[Array, ""]:
        """Logarithm of |det W|; UsageError where no closed form is known."""
        raise self.no_closed_form("log |det W|", "jnp.linalg.slogdet(weight.unwrap()).logabsdet")

    def inverse_apply(self, y: Float[Array, "*batch outputs"]) -> Float[Array, "*batch inputs"]:
        """The x with W x = y; UsageError where no closed form is known."""
        raise self.no_closed_form("inverse", "jnp.linalg.solve on weight.unwrap(), or a weight that knows its singular values")

    def no_closed_form(self, what: str, remedy: str) -> UsageError:
        """The refusal that a member without `what` raises."""
        return UsageError(
            f"{type(self).__name__} of shape {self.shape} has no {what} in closed form. "
            f"Likely cause: this needs a weight with more structure. Remedy: {remedy}."
        )
