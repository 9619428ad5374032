"""Runs a network while looking at its affine layers: what enters each, and how the outputs depend on what leaves it."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.networks import Linear, ntk
from parametra.weights import Dense as FreeMatrix
from parametra.wide.rules import parts

Record = list[tuple[Any, Array]]


class UntappableError(Exception):
    """The network holds free numbers in a layer that is not known here."""


def walk(layer: Callable[..., Any], x: Array, taps: Iterator[Array] | None, record: Record) -> Array:
    """`layer`'s output, with the next of `taps` added after each affine layer; notes each affine layer and its input.

    Raises:
        UntappableError: free numbers outside of affine layers over a free matrix.
    """
    if _affine(layer):
        record.append((layer, x))
        z = layer(x)
        return z if taps is None else z + next(taps)
    if isinstance(layer, ntk.ResidualSum):
        return walk(layer.branch, x, taps, record) + walk(layer.shortcut, x, taps, record)
    inner = parts(layer)
    if inner is not None:
        return functools.reduce(lambda x, part: walk(part, x, taps, record), inner, x)
    if jax.tree.leaves(eqx.filter(layer, eqx.is_inexact_array)):
        raise UntappableError(type(layer).__name__)
    return layer(x)


def signals(model: Callable[..., Any], x: Float[Array, "n ..."]) -> list[tuple[Any, Array, Array]]:
    """For each affine layer: (the layer, its inputs (n, ...), derivatives (n, outputs, ...) of the outputs by what leaves it)."""

    def sizes(x: Array) -> list[Array]:
        record: Record = []
        walk(model, x, None, record)
        return [layer(entering) for layer, entering in record]

    shapes = jax.eval_shape(sizes, x[0])
    layers: Record = []
    jax.eval_shape(lambda x: walk(model, x, None, layers), x[0])

    def one(x: Array) -> tuple[list[Array], list[Array]]:
        def run(taps: list[Array]) -> tuple[Array, list[Array]]:
            record: Record = []
            outputs = walk(model, x, iter(taps), record)
            return jnp.ravel(outputs), [entering for _, entering in record]

        deltas, inputs = jax.jacrev(run, has_aux=True)([jnp.zeros(s.shape, s.dtype) for s in shapes])
        return inputs, deltas

    inputs, deltas = jax.vmap(one)(x)
    return [(layer, a, delta) for (layer, _), a, delta in zip(layers, inputs, deltas, strict=True)]


def _affine(layer: Any) -> bool:
    return isinstance(layer, ntk.Dense | ntk.Conv) or (isinstance(layer, Linear) and isinstance(layer.weight, FreeMatrix))
