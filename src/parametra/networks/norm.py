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
        space = tuple(range(1, x.ndim - 1))
        mean = self._of_groups(x.mean(space), space)
        variance = self._of_groups(jnp.square(x - mean).mean(space), space)
        return (x - mean) * (self.scale / jnp.sqrt(variance + SMALL)) + self.shift

    def _of_groups(self, means: Float[Array, "batch channels"], space: tuple[int, ...]) -> Float[Array, "batch *ones channels"]:
        """Means over groups, at each of their channels: space goes first, for sums over a few neighbours do not vectorise."""
        grouped = means.reshape(len(means), self.groups, -1)
        spread = jnp.broadcast_to(grouped.mean(-1, keepdims=True), grouped.shape).reshape(means.shape)
        return jnp.expand_dims(spread, space)
