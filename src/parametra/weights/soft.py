"""Soft symmetry: a free matrix and a penalty that draws it to a symmetric one."""

from numbers import Real
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.weights.symmetric import check_square
from parametra.weights.weight import AbstractWeight


class SoftSymmetric(AbstractWeight):
    """A free matrix with the penalty strength · ‖W - Wᵀ‖² (Frobenius), to be added to the loss: `loss + penalty(model)`.

    Named by Hu, Zagoruyko & Komodakis (2018). n² numbers, no guarantee.

    Attributes:
        matrix: (n, n).
        strength: of the penalty, at least 0.
    """

    matrix: Float[Array, "n n"]
    strength: float = eqx.field(static=True)

    def __check_init__(self):
        if not isinstance(self.strength, Real) or not 0.0 <= self.strength < float("inf"):
            raise UsageError(f"The strength of a penalty must be a finite number of at least 0, got {self.strength!r}.")

    @classmethod
    def from_dense(cls, matrix: Float[Array, "rows columns"], strength: float = 1e-2) -> "SoftSymmetric":
        """The matrix as it is; UsageError if it is not square."""
        check_square(tuple(matrix.shape), "softly symmetric")
        return cls(matrix, strength)

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return self.matrix.shape[0], self.matrix.shape[0]

    def unwrap(self) -> Float[Array, "n n"]:
        """The matrix itself."""
        return self.matrix

    def penalty(self) -> Float[Array, ""]:
        """Strength · ‖W - Wᵀ‖²; of a family under `vmap`, of all its matrices."""
        return self.strength * jnp.sum(jnp.square(self.matrix - jnp.swapaxes(self.matrix, -1, -2)))


def penalty(model: Any) -> Float[Array, ""]:
    """The sum of the penalties of all soft weights in a model; 0 if there are none."""
    from parametra.weights.tap_kernel import TapKernel

    def inside(node: Any) -> bool:
        return isinstance(node, (SoftSymmetric, TapKernel))

    total = jnp.zeros(())
    for node in jax.tree.leaves(model, is_leaf=inside):
        soft = node.matrices if isinstance(node, TapKernel) else node
        for weight in jax.tree.leaves(soft, is_leaf=lambda part: isinstance(part, SoftSymmetric)):
            if isinstance(weight, SoftSymmetric):
                total = total + weight.penalty()
    return total
