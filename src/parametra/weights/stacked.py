"""Matrices above one another: the gates of a recurrent cell, each with a symmetry of its own."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.weights.plan import Plan, dense_plan
from parametra.weights.weight import AbstractWeight


class Stacked(AbstractWeight):
    """W = [W_1; ...; W_g], rows above rows.

    Attributes:
        parts: weights with the same inputs.
    """

    parts: tuple[AbstractWeight, ...]

    def __check_init__(self):
        if not self.parts or len({part.shape[1] for part in self.parts}) != 1:
            raise UsageError(
                f"Stacked weights need the same inputs, got {[part.shape for part in self.parts]}. Likely cause: gates of "
                "different cells. Remedy: one weight for each gate of one cell."
            )

    @classmethod
    def from_dense(cls, matrix: Float[Array, "rows inputs"], blocks: Sequence[Callable[[Array], AbstractWeight]]) -> "Stacked":
        """Equal slices of the rows, one for each of `blocks`, which makes it; UsageError if the rows do not divide."""
        number = len(blocks)
        if number < 1 or matrix.shape[0] % number:
            raise UsageError(
                f"{matrix.shape[0]} rows do not fall into {number} equal parts. Likely cause: another cell; an LSTM has 4 gates, "
                "a GRU 3. Remedy: the number of gates of this cell."
            )
        return cls(tuple(block(part) for block, part in zip(blocks, jnp.split(matrix, number), strict=True)))

    @property
    def shape(self) -> tuple[int, int]:
        """(outputs, inputs)."""
        return sum(part.shape[0] for part in self.parts), self.parts[0].shape[1]

    def unwrap(self) -> Float[Array, "outputs inputs"]:
        """The dense matrix."""
        return jnp.concatenate([part.unwrap() if isinstance(part, AbstractWeight) else part for part in self.parts])

    def apply(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Each part by its own way."""
        return jnp.concatenate([part.apply(x) for part in self.parts], axis=-1)

    @property
    def structured(self) -> bool:
        """Whether every part is: one dense product is faster than several."""
        return all(part.structured for part in self.parts)

    def resolved(self) -> AbstractWeight:
        """The parts resolved, or one dense matrix."""
        return Stacked(tuple(part.resolved() for part in self.parts)) if self.structured else super().resolved()

    def plan(self, rows: int = 1) -> Plan:
        """The sum of the parts."""
        plans = [part.plan(rows) for part in self.parts]
        way = f"{len(plans)} x {plans[0].way}"
        return dense_plan(self, self.shape, rows, way=way, flops=sum(plan.flops for plan in plans))
