"""Numbers and multiplications of a network, from shapes alone."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from parametra.networks import LanguageModel, Linear
from parametra.weights import AbstractKernel
from parametra.weights.plan import stored


def parameters(network: Any) -> int:
    """Free numbers; shapes suffice."""
    return stored(network)[0]


class Tally:
    """A sum that grows while a network is traced."""

    def __init__(self) -> None:
        self.flops = 0


class Counted(AbstractKernel):
    """A kernel that adds what it costs to a tally when it is applied."""

    kernel: AbstractKernel
    tally: Tally = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the kernel."""
        return self.kernel.shape

    def taps(self) -> Array:
        """Those of the kernel."""
        return self.kernel.taps()

    def apply(self, x: Array, strides: Any = 1, padding: Any = "SAME") -> Array:
        """The convolution, counted."""
        y = self.kernel.apply(x, strides, padding)
        self.tally.flops += self.kernel.plan(math.prod(y.shape[:-1])).flops
        return y


def image_flops(network: Any, shape: tuple[int, int, int]) -> int:
    """FLOPs of convolutions and classifier for one image (height, width, channels), forward; an addition counts as one.

    Outputs at the border count as others do, as is usual; a compiler may skip the zeros there.
    """
    tally = Tally()

    def counted(node: Any) -> Any:
        return Counted(node, tally) if isinstance(node, AbstractKernel) else node

    def linear(node: Any) -> bool:
        return isinstance(node, Linear)

    wrapped = jax.tree.map(counted, network, is_leaf=lambda node: isinstance(node, AbstractKernel))
    image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    eqx.filter_eval_shape(lambda network, x: network(x), wrapped, image)
    heads = [node for node in jax.tree.leaves(network, is_leaf=linear) if linear(node)]
    return tally.flops + sum(head.weight.plan(1).flops for head in heads)


def word_flops(model: LanguageModel) -> int:
    """FLOPs of the matrix products for one word, forward."""
    words, width = model.embedding.shape
    cells = sum(cell.hidden.plan(1).flops + cell.inputs.plan(1).flops for cell in model.cells)
    return cells + 2 * words * width
