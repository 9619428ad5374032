"""Pairs of pixels by the rows between them: layers that shift both pixels alike never mix two offsets, until a global mean.

One offset has height x width² numbers, which stay in the processor's cache through all layers, where (height x width)² do not.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.networks import ntk
from parametra.wide.rules import Layer, parts, pooled, rule
from parametra.wide.start import start_pair
from parametra.wide.state import State

NUMBERS = 2**15  # of one array of one turn: more leave the cache, fewer are too short for a loop


@functools.singledispatch
def keeps_offsets(layer: Any) -> bool:
    """Whether the layer maps the pairs of pixels at each offset to those at the same offset, and keeps the image's size."""
    layers = parts(layer)
    return layers is not None and all(map(keeps_offsets, layers))


@keeps_offsets.register
def _(layer: ntk.Conv) -> bool:
    return layer.strides == (1, 1) and layer.padding != "VALID"


@keeps_offsets.register
def _(layer: ntk.ResidualSum) -> bool:
    return keeps_offsets(layer.branch) and keeps_offsets(layer.shortcut)


@keeps_offsets.register(ntk.AbstractActivation)
@keeps_offsets.register(ntk.LayerNorm)
@keeps_offsets.register(ntk.Dropout)
@keeps_offsets.register(ntk.Dense)
def _(layer: Any) -> bool:
    return True


def split(model: Any) -> tuple[tuple[Layer, ...], tuple[Layer, ...]] | None:
    """The layers before the first global mean and those after it; None if the former do not keep offsets."""
    layers = _flat(model)
    place = next((number for number, layer in enumerate(layers) if isinstance(layer, ntk.GlobalAveragePool)), None)
    if place is None or not all(map(keeps_offsets, layers[:place])):
        return None
    return layers[:place], layers[place + 1 :]


def _flat(model: Any) -> tuple[Layer, ...]:
    layers = parts(model)
    return (model,) if layers is None else tuple(inner for layer in layers for inner in _flat(layer))


def global_mean(
    layers: Sequence[Layer],
    x1: Float[Array, "h w c"],
    x2: Float[Array, "h w c"] | None,
    variances: tuple[tuple[Array, Array], ...] = (),
) -> State:
    """The state of one image with another (with itself where None) after `layers` and the mean over all pairs of pixels.

    `variances`: those after this mean and after later pooling, as in `State.pooled`.
    """
    height, width, _ = x1.shape
    # Of an image with itself, offsets s and height - s hold the same numbers, transposed.
    count = height if x2 is not None else height // 2 + 1
    together = min(count, max(1, NUMBERS // (height * width**2)))
    offsets = jnp.arange(-(-count // together) * together).reshape(-1, together)
    once = (offsets == 0) | (2 * offsets == height) if x2 is None else True
    weights = jnp.where(offsets < count, jnp.where(once, 1.0, 2.0), 0.0).astype(x1.dtype)

    def sums(turn: tuple[Array, Array]) -> State:
        offsets, weights = turn
        state = functools.reduce(lambda state, layer: rule(layer, state), layers, start_pair(x1, x2, offsets % height))
        nngp, tangent = (jnp.sum(weights * jnp.sum(x, (-3, -2, -1)), keepdims=True) for x in (state.nngp, state.ntk))
        return state.replace(nngp=nngp, ntk=tangent, first=nngp, second=nngp, offsets=None, pixels="none")

    means = jax.tree.map(lambda x: jnp.sum(x, 0) / (height * width) ** 2, jax.lax.map(sums, (offsets, weights)))
    return pooled(means.replace(pooled=variances))
