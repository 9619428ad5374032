"""Convolutions with a symmetry among blocks of channels: k small ones between two butterflies."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from parametra.weights.between import BetweenButterflies, complex_product
from parametra.weights.butterflies import AbstractTransform
from parametra.weights.free_kernel import FreeKernel
from parametra.weights.kernel import AbstractKernel, Padding
from parametra.weights.plan import Plan, dense_plan


class GroupKernel(BetweenButterflies[AbstractKernel], AbstractKernel):
    """Every tap is S diag(P_0, ..., P_{k-1}) A; the butterflies act on the channels once, not on every tap.

    Attributes:
        blocks: k kernels of shape (outputs/k, inputs/k, *window).
        transform: A and S: `Walsh(k)`, `Reversal()` or `Fourier(k)`.
    """

    @classmethod
    def from_dense(
        cls,
        kernel: Float[Array, "outputs inputs *window"],
        transform: AbstractTransform,
        block: Callable[[Array], AbstractKernel] = FreeKernel.from_dense,
    ) -> "GroupKernel":
        """The nearest kernel with the symmetry, its blocks made by `block`; UsageError if the channels do not divide."""
        parts = transform.project(jnp.moveaxis(kernel, (0, 1), (-2, -1)))
        return cls(tuple(block(jnp.moveaxis(part, (-2, -1), (0, 1))) for part in parts), transform)

    def taps(self) -> Float[Array, "*window inputs outputs"]:
        """The dense kernel."""
        # paramax unwraps from the inside out: its blocks are arrays (outputs, inputs, *window) by the time it comes here.
        dense = [block.unwrap() if isinstance(block, AbstractKernel) else block for block in self.blocks]
        expanded = self.transform.expand([jnp.moveaxis(block, (0, 1), (-2, -1)) for block in dense])
        return jnp.swapaxes(expanded, -1, -2)

    def apply(
        self, x: Float[Array, "batch *space inputs"], strides=1, padding: Padding = "SAME"
    ) -> Float[Array, "batch *out outputs"]:
        """Butterfly, k small convolutions, butterfly."""

        def act(own: tuple[int, ...], chunk: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
            parts = [lambda v, block=self.blocks[index]: block.apply(v, strides, padding) for index in own]
            if len(own) == 1:
                return parts[0](chunk)
            return complex_product(_batchwise(parts[0]), _batchwise(parts[1]), None, chunk)

        return self.between(x, act)

    def apart(self, x: Float[Array, "batch *space inputs"]) -> list[Float[Array, "batch *space chunk"]]:
        """Slices: around convolutions an axis of their own for the chunks costs up to as much as the convolutions (CPU)."""
        return jnp.split(x, self.transform.order, axis=-1)

    def together(self, acted: list[Inexact[Array, "batch *out chunk"]]) -> Float[Array, "batch *out outputs"]:
        """The second butterfly, concatenated."""
        return jnp.concatenate(self.transform.synthesise(acted), axis=-1)

    def plan(self, rows: int = 1) -> Plan:
        """K small convolutions (four for a complex pair), and the additions of the butterflies at as many positions."""
        flops = rows * self.transform.additions * sum(self.shape[:2])
        for own in self.transform.frequencies:
            flops += sum(self.blocks[index].plan(rows if len(own) == 1 else 2 * rows).flops for index in own)
        return dense_plan(self, self.shape, rows, way=f"butterfly of {self.transform.order} around convolutions", flops=flops)


def _batchwise(part: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A convolution of a stack of two batches as one of twice the batch."""

    def both(v: Array) -> Array:
        y = part(v.reshape(-1, *v.shape[2:]))
        return y.reshape(2, -1, *y.shape[1:])

    return both
