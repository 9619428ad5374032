"""Normalisation of channels with nothing to remember between calls."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

SMALL = 1e-5


class GroupNorm(eqx.Module):
    """scale · (x - mean) / sd + shift, mean and sd over space and a group of channels of each sample.

    Source: Wu & He (2018, arXiv 1803.08494). It has the free numbers of batch normalisation, two for each channel, and no running
    statistics: what a sample gives does not depend on the batch, in training as in use.

    Attributes:
        scale: (channels,).
        shift: (channels,).
        groups: number of groups, a divisor of the channels.
    """

    scale: Float[Array, " channels"]
    shift: Float[Array, " channels"]
    groups: int = eqx.field(static=True)

    @classmethod
    def init(cls, channels: int, groups: int = 32) -> "GroupNorm":
        """Scale 1, shift 0; as many groups as `groups` and the channels have in common."""
        return cls(jnp.ones(channels), jnp.zeros(channels), math.gcd(channels, groups))

    def __call__(self, x: Float[Array, "batch *space channels"]) -> Float[Array, "batch *space channels"]:
        """The normalised signal."""
        grouped = x.reshape(x.shape[0], -1, self.groups, x.shape[-1] // self.groups)
        mean = grouped.mean((1, 3), keepdims=True)
        variance = jnp.square(grouped - mean).mean((1, 3), keepdims=True)
        return ((grouped - mean) / jnp.sqrt(variance + SMALL)).reshape(x.shape) * self.scale + self.shift
