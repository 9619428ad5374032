"""A free matrix: the weight that every other one is compared with."""

from collections.abc import Callable

from jaxtyping import Array, Float, PRNGKeyArray

from parametra.weights.initialisers import glorot_uniform
from parametra.weights.weight import AbstractWeight


class Dense(AbstractWeight):
    """W = matrix, outputs x inputs free numbers.

    Attributes:
        matrix: (outputs, inputs), dimensionless.
    """

    matrix: Float[Array, "outputs inputs"]

    @classmethod
    def init(
        cls, key: PRNGKeyArray, outputs: int, inputs: int, initialiser: Callable[..., Float[Array, "_ _"]] = glorot_uniform
    ) -> "Dense":
        """A random matrix; `initialiser(key, outputs, inputs)` draws it."""
        return cls(initialiser(key, outputs, inputs))

    @classmethod
    def from_dense(cls, matrix: Float[Array, "outputs inputs"]) -> "Dense":
        """The matrix itself."""
        return cls(matrix)

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        outputs, inputs = self.matrix.shape
        return outputs, inputs

    def unwrap(self) -> Float[Array, "outputs inputs"]:
        """The matrix itself."""
        return self.matrix

    def resolved(self) -> "Dense":
        """Itself."""
        return self
