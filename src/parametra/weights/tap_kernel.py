"""Kernels whose taps are weights: symmetric in the channels, tied in space, or both."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.weights.dense import Dense
from parametra.weights.kernel import AbstractKernel, Padding, patches
from parametra.weights.plan import Plan, dense_plan
from parametra.weights.tied import Tied
from parametra.weights.weight import AbstractWeight


class TapKernel(AbstractKernel):
    """Tap t of the window is the matrix number `orbits[t]` of a family of weights.

    With as many matrices as taps every scheme of matrices is a channel-wise scheme of convolutions. With fewer, taps are tied:
    inputs of tied taps are added before they are multiplied, which saves as many multiplications as it saves numbers.

    Attributes:
        numbers: the arrays of the family, each with a leading axis, the number of the matrix.
        family: the structure that they fill; paramax must not take a family for one weight.
        channels: (outputs, inputs).
        window: the sides of the window.
        orbits: for each tap, row by row, the number of its matrix.
    """

    numbers: tuple[Array, ...]
    family: Any = eqx.field(static=True)
    channels: tuple[int, int] = eqx.field(static=True)
    window: tuple[int, ...] = eqx.field(static=True)
    orbits: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, matrices: AbstractWeight, shape: tuple[int, ...], orbits: tuple[int, ...]) -> "TapKernel":
        """Of a weight made under `jax.vmap`, whose arrays carry a leading axis."""
        numbers, family = jax.tree.flatten(matrices)
        return cls(tuple(numbers), family, (shape[0], shape[1]), tuple(shape[2:]), orbits)

    @property
    def matrices(self) -> AbstractWeight:
        """The family, as one weight under `jax.vmap`."""
        return jax.tree.unflatten(self.family, self.numbers)

    @classmethod
    def from_dense(
        cls,
        kernel: Float[Array, "outputs inputs *window"],
        block: Callable[[Array], AbstractWeight],
        orbits: Callable[[tuple[int, ...]], tuple[int, ...]] | None = None,
    ) -> "TapKernel":
        """The nearest kernel whose taps are tied by `orbits(window)` and made by `block`; UsageError from either."""
        window = tuple(kernel.shape[2:])
        ties = tuple(range(math.prod(window))) if orbits is None else orbits(window)
        stack = jnp.moveaxis(kernel.reshape(*kernel.shape[:2], -1), -1, 0)
        means = jnp.stack([stack[np.flatnonzero(np.equal(ties, number))].mean(0) for number in range(max(ties) + 1)])
        matrices = [block(mean) for mean in means]  # one by one, so that each sees its values and can refuse them
        return cls.of(jax.tree.map(lambda *numbers: jnp.stack(numbers), *matrices), tuple(kernel.shape), ties)

    @property
    def shape(self) -> tuple[int, ...]:
        """(outputs, inputs, *window)."""
        return (*self.channels, *self.window)

    @property
    def tied(self) -> bool:
        """Whether taps share matrices."""
        return max(self.orbits) + 1 < len(self.orbits)

    def stack(self) -> Float[Array, "matrices outputs inputs"]:
        """The free matrices."""
        return jax.vmap(lambda weight: weight.unwrap())(self.matrices)

    def taps(self) -> Float[Array, "*window inputs outputs"]:
        """The dense kernel."""
        stack = self.stack()
        chosen = stack[np.array(self.orbits)] if self.tied else stack
        return jnp.swapaxes(chosen, -1, -2).reshape(*self.window, stack.shape[-1], stack.shape[-2])

    def apply(
        self, x: Float[Array, "batch *space inputs"], strides=1, padding: Padding = "SAME"
    ) -> Float[Array, "batch *out outputs"]:
        """The convolution; of tied taps, a matrix product of the sums that they see; of tied channels, one of fewer."""
        matrices = self.matrices
        if isinstance(matrices, Tied):
            return matrices.unfold(self._inner().apply(matrices.fold(x), strides, padding))
        if not self.tied:
            return super().apply(x, strides, padding)
        seen = patches(x, self.window, strides, padding)
        sums = [sum(seen[t] for t, own in enumerate(self.orbits) if own == number) for number in range(max(self.orbits) + 1)]
        stack = self.stack()
        return jnp.concatenate(sums, -1) @ jnp.moveaxis(stack, 1, -1).reshape(-1, stack.shape[1])

    @property
    def structured(self) -> bool:
        """Whether taps or channels are tied."""
        return self.tied or isinstance(self.matrices, Tied)

    def resolved(self) -> AbstractKernel:
        """Its matrices made dense where taps are tied, the blocks of tied channels resolved, else a free kernel."""
        if isinstance(self.matrices, Tied):
            return TapKernel.of(jax.vmap(lambda weight: weight.resolved())(self.matrices), self.shape, self.orbits)
        return TapKernel.of(jax.vmap(Dense)(self.stack()), self.shape, self.orbits) if self.tied else super().resolved()

    def plan(self, rows: int = 1) -> Plan:
        """A dense convolution, or a product with as many matrices as are free and the sums before it; the matrices made."""
        one = self._one()
        if isinstance(one, Tied):
            inner = jax.eval_shape(lambda kernel: kernel._inner(), self)
            flops = inner.plan(rows).flops + rows * one.additions
            return dense_plan(self, self.shape, rows, way="fold, convolution of fewer channels, unfold", flops=flops)
        number = max(self.orbits) + 1
        made = number * one.making
        if not self.tied:
            plan = super().plan(rows)
            return dataclasses.replace(plan, flops=plan.flops + made)
        outputs, inputs = self.shape[:2]
        flops = made + rows * (2 * outputs * inputs * number + inputs * (len(self.orbits) - number))
        return dense_plan(self, self.shape, rows, way=f"im2col over {number} sums of taps", flops=flops)

    def _one(self) -> Any:
        """One of the matrices, as shapes."""
        return jax.tree.map(lambda numbers: jax.ShapeDtypeStruct(numbers.shape[1:], numbers.dtype), self.matrices)

    def _inner(self) -> "TapKernel":
        """The kernel between fold and unfold."""
        return TapKernel.of(self.matrices.block, (*self._one().block.shape, *self.window), self.orbits)  # pyright: ignore[reportAttributeAccessIssue]


def spatial(window: tuple[int, ...]) -> tuple[int, ...]:
    """K_ab = K_ba: six free taps of nine; UsageError unless the window is a square."""
    side = _square(window, "spatially symmetric")
    return _orbits(side, lambda a, b: (min(a, b), max(a, b)))


def dihedral(window: tuple[int, ...]) -> tuple[int, ...]:
    """All rotations and reflections: centre, edge and corner of a 3 x 3 window; UsageError unless it is a square."""
    side = _square(window, "dihedral")

    def representative(a: int, b: int) -> tuple[int, int]:
        a, b = min(a, side - 1 - a), min(b, side - 1 - b)
        return min(a, b), max(a, b)

    return _orbits(side, representative)


def _orbits(side: int, representative: Callable[[int, int], tuple[int, int]]) -> tuple[int, ...]:
    owners = [representative(a, b) for a in range(side) for b in range(side)]
    order = {owner: number for number, owner in enumerate(dict.fromkeys(owners))}
    return tuple(order[owner] for owner in owners)


def _square(window: tuple[int, ...], kind: str) -> int:
    if len(window) != 2 or window[0] != window[1]:
        raise UsageError(
            f"A {kind} kernel needs a square window, got {window}. Likely cause: a convolution in one dimension, or an oblong "
            "window. Remedy: a scheme of the channels, such as symmetric()."
        )
    return window[0]
