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


class Deltas(eqx.Module):
    """Derivatives of the k outputs by what leaves an affine layer.

    Attributes:
        matrix: (k, n, outputs, ...), or (k, outputs) where it is the same for all samples but for `slopes`.
        slopes: (n, outputs), of the pointwise layer behind it; None for ones.
    """

    matrix: Array
    slopes: Array | None = None

    def whole(self) -> Float[Array, "k n ..."]:
        """All of them, one by one; (k, 1, outputs) where no sample differs."""
        shared = self.matrix if self.matrix.ndim > 2 else self.matrix[:, None]
        return shared if self.slopes is None else shared * self.slopes


Signals = list[tuple[Any, Array, Deltas]]


def signals(model: Callable[..., Any], x: Float[Array, "n ..."]) -> Signals:
    """For each affine layer: (the layer, its inputs (n, ...), derivatives of the outputs by what leaves it).

    The derivatives by the last layer's output are one, those by its input are its matrix: both the same for all samples, which
    the layer before sees through the slopes of the activation between them. Those two are never formed.
    """
    layers = flat(model)
    if len(layers) < 3 or not (_affine(layers[-1]) and isinstance(layers[-2], ntk.AbstractActivation)):
        return _pulled(layers, x, None)
    last, phi = layers[-1], layers[-2]
    shape = jax.eval_shape(functools.partial(_run, layers[:-2]), x)
    if len(shape.shape) != 2:
        return _pulled(layers, x, None)
    z = _run(layers[:-2], x)
    entering, slopes = jax.jvp(phi, (z,), (jnp.ones_like(z),))
    matrix = last.scales[0] * last.weight if isinstance(last, ntk.Dense) else jax.jacrev(last)(jnp.zeros(z.shape[1:], z.dtype))
    before = _pulled(layers[:-2], x, matrix[:, None] * slopes)
    if _affine(layers[-3]):
        before[-1] = (*before[-1][:2], Deltas(matrix, slopes))
    return [*before, (last, entering, Deltas(jnp.eye(len(matrix), dtype=z.dtype)))]


def _pulled(layers: tuple[Any, ...], x: Array, cotangents: Array | None) -> Signals:
    """The same for `layers` alone, with `cotangents` (k, n, ...) at their end, or each output by itself where None."""
    known: Record = []
    shapes = jax.eval_shape(lambda x: [layer(a) for layer, a in _walked(layers, x, None, known)[1]], x[0])

    def run(taps: list[Array]) -> tuple[Array, list[Array]]:
        def one(x: Array, taps: list[Array]) -> tuple[Array, list[Array]]:
            record: Record = []
            outputs, _ = _walked(layers, x, iter(taps), record)
            return jnp.ravel(outputs), [entering for _, entering in record]

        return jax.vmap(one)(x, taps)

    outputs, pull, inputs = jax.vjp(run, [jnp.zeros((len(x), *s.shape), s.dtype) for s in shapes], has_aux=True)
    if cotangents is None:
        n, k = outputs.shape
        cotangents = jnp.broadcast_to(jnp.eye(k, dtype=outputs.dtype)[:, None], (k, n, k))
    (deltas,) = jax.vmap(pull)(cotangents)
    return [(layer, a, Deltas(delta)) for (layer, _), a, delta in zip(known, inputs, deltas, strict=True)]


def flat(model: Callable[..., Any]) -> tuple[Any, ...]:
    """The layers that `model` applies one after the other, containers opened."""
    inner = parts(model)
    return (model,) if inner is None else tuple(layer for part in inner for layer in flat(part))


def _walked(layers: tuple[Any, ...], x: Array, taps: Iterator[Array] | None, record: Record) -> tuple[Array, Record]:
    return functools.reduce(lambda x, layer: walk(layer, x, taps, record), layers, x), record


def _run(layers: tuple[Any, ...], x: Array) -> Array:
    return jax.vmap(lambda x: functools.reduce(lambda x, layer: layer(x), layers, x))(x)


def _affine(layer: Any) -> bool:
    return isinstance(layer, ntk.Dense | ntk.Conv) or (isinstance(layer, Linear) and isinstance(layer.weight, FreeMatrix))
