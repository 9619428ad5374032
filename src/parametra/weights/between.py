"""What group weights and group kernels have in common: blocks between two butterflies."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from parametra.core.errors import UsageError
from parametra.weights.butterflies import AbstractTransform
from parametra.weights.kernel import AbstractKernel
from parametra.weights.weight import AbstractWeight

Block = TypeVar("Block", bound=AbstractWeight | AbstractKernel)


class BetweenButterflies(eqx.Module, Generic[Block]):
    """S diag(P_0, ..., P_{k-1}) A, whatever the blocks are.

    Attributes:
        blocks: k weights (outputs/k, inputs/k) or kernels (outputs/k, inputs/k, *window).
        transform: A and S: `Walsh(k)`, `Reversal()` or `Fourier(k)`.
    """

    blocks: tuple[Block, ...]
    transform: AbstractTransform = eqx.field(static=True)

    def __check_init__(self):
        check_blocks(tuple(block.shape for block in self.blocks), self.transform)

    @property
    def shape(self) -> tuple[int, ...]:
        """(outputs, inputs) or (outputs, inputs, *window)."""
        rows, columns, *window = self.blocks[0].shape
        return (self.transform.order * rows, self.transform.order * columns, *window)

    @property
    def structured(self) -> bool:
        """Always."""
        return True

    def resolved(self):
        """The same with its blocks resolved."""
        blocks: Any = tuple(block.resolved() for block in self.blocks)
        return type(self)(blocks, self.transform)

    def between(
        self, x: Float[Array, "*batch channels"], act: Callable[[tuple[int, ...], Array], Array]
    ) -> Float[Array, "*out others"]:
        """Butterfly, `act(blocks of a frequency, chunk)` on every chunk, butterfly."""
        chunks = self.transform.analyse(self.apart(x))
        acted = [act(own, chunk) for own, chunk in zip(self.transform.frequencies, chunks, strict=True)]
        return self.together(acted)

    @abstractmethod
    def apart(self, x: Float[Array, "*batch channels"]) -> list[Float[Array, "*batch chunk"]]:
        """The chunks of the channels, in the way that is quick around these blocks."""

    @abstractmethod
    def together(self, acted: list[Inexact[Array, "*out chunk"]]) -> Float[Array, "*out others"]:
        """The second butterfly, and its chunks side by side."""


def complex_product(
    real: Callable[[Array], Array],
    imag: Callable[[Array], Array],
    together: Callable[[Array], Array] | None,
    x: Inexact[Array, "..."],
) -> Inexact[Array, "..."]:
    """(R + i I) x by three real products if R + I is at hand (Gauss), else by four, two at a time."""
    if together is not None:
        a, b, c = real(x.real), imag(x.imag), together(x.real + x.imag)
        return jax.lax.complex(a - b, c - a - b)
    both = jnp.stack([x.real, x.imag])
    r, i = real(both), imag(both)
    return jax.lax.complex(r[0] - i[1], r[1] + i[0])


def check_blocks(shapes: tuple[tuple[int, ...], ...], transform: AbstractTransform) -> None:
    """UsageError unless there are `order` blocks of one shape."""
    if len(shapes) != transform.order or len(set(shapes)) != 1:
        raise UsageError(
            f"A group weight of order {transform.order} needs as many blocks of one shape, got {list(shapes)}. Likely cause: "
            "blocks made for another group. Remedy: from_dense or init."
        )
