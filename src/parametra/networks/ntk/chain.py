"""Layers one after the other, and the sum of two branches."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.networks.ntk.norm import Dropout


class Chain(eqx.Module):
    """Layers applied in order; an empty chain is the identity.

    Attributes:
        layers: callables of one array.
    """

    layers: tuple[Callable[..., Any], ...]

    def __call__(self, x: Float[Array, "..."], key: PRNGKeyArray | None = None) -> Float[Array, "..."]:
        """The last layer's output; `key` switches dropout on."""
        for number, layer in enumerate(self.layers):
            x = call(layer, x, None if key is None else jax.random.fold_in(key, number))
        return x


class ResidualSum(eqx.Module):
    """branch(x) + shortcut(x).

    Attributes:
        branch: ends in an affine layer with weights of its own.
        shortcut: the identity by default.
    """

    branch: Callable[..., Any]
    shortcut: Callable[..., Any] = Chain(())

    def __call__(self, x: Float[Array, "..."], key: PRNGKeyArray | None = None) -> Float[Array, "..."]:
        """The sum."""
        one, two = (None, None) if key is None else jax.random.split(key)
        return call(self.branch, x, one) + call(self.shortcut, x, two)


def call(layer: Callable[..., Any], x: Array, key: PRNGKeyArray | None) -> Array:
    """The layer's output, with the key where the layer can use one."""
    return layer(x, key) if isinstance(layer, Chain | ResidualSum | Dropout) else layer(x)
