"""What it costs to multiply by a weight, and how it is done.

FLOPs count a multiplication and an addition as two, sums of a butterfly included. Bytes are those of the stored numbers, read
once.
"""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Plan:
    """One way to multiply vectors by a weight.

    Attributes:
        way: the algorithm, in words.
        parameters: stored numbers.
        bytes: of these numbers.
        flops: for all the vectors of the call.
        dense_flops: what a free matrix of the same shape takes.
    """

    way: str
    parameters: int
    bytes: int
    flops: int
    dense_flops: int

    @property
    def gain(self) -> float:
        """FLOPs of the dense product over those of this way."""
        return self.dense_flops / max(self.flops, 1)


def stored(weight: Any) -> tuple[int, int]:
    """(numbers, bytes) of the floating-point arrays that a weight holds; shapes alone are enough."""
    leaves = [leaf for leaf in jax.tree.leaves(weight) if is_float(leaf)]
    return sum(math.prod(leaf.shape) for leaf in leaves), sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def is_float(leaf: Any) -> bool:
    """Whether a leaf is an array of floating-point numbers, or the shape of one."""
    return eqx.is_inexact_array(leaf) or (isinstance(leaf, jax.ShapeDtypeStruct) and jnp.issubdtype(leaf.dtype, jnp.inexact))


def dense_plan(weight: Any, shape: tuple[int, ...], rows: int, *, way: str = "dense product", flops: int | None = None) -> Plan:
    """The plan of a weight of `shape` (outputs, inputs, ...) whose product costs `flops`, or as much as a dense one."""
    parameters, size = stored(weight)
    dense = 2 * rows * math.prod(shape)
    return Plan(way, parameters, size, dense if flops is None else flops, dense)
