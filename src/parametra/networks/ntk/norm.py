"""Layers without free numbers that act on a whole row of features."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError


class LayerNorm(eqx.Module):
    """(x - mean) / sqrt(variance + epsilon) over the channels; no gain, no offset.

    Source: Ba, Kiros & Hinton (2016, arXiv 1607.06450).
    """

    epsilon: float = eqx.field(static=True, default=1e-6)

    def __check_init__(self):
        if not self.epsilon > 0:
            raise UsageError(f"The epsilon of a layer norm must be positive, got {self.epsilon}.")

    def __call__(self, x: Float[Array, "*batch channels"]) -> Float[Array, "*batch channels"]:
        """Normalized along the last axis."""
        centred = x - jnp.mean(x, -1, keepdims=True)
        return centred / jnp.sqrt(jnp.mean(centred**2, -1, keepdims=True) + self.epsilon)


class Dropout(eqx.Module):
    """Sets a share `rate` of the features to zero and scales the rest up, where a key is given; the identity at test time."""

    rate: float = eqx.field(static=True)

    def __check_init__(self):
        if not 0 <= self.rate < 1:
            raise UsageError(f"The rate of a dropout must be in [0, 1), got {self.rate}.")

    def __call__(self, x: Float[Array, "..."], key: PRNGKeyArray | None = None) -> Float[Array, "..."]:
        """`x` itself without a key."""
        if key is None:
            return x
        return jnp.where(jax.random.bernoulli(key, 1.0 - self.rate, x.shape), x / (1.0 - self.rate), 0.0)
