"""The multilayer perceptron."""

from collections.abc import Sequence

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.networks.activations import ACTIVATIONS
from parametra.networks.linear import Linear


class MLP(eqx.Module):
    """Linear layers with a nonlinearity after each but the last.

    Source: Rasp, Pritchard & Gentine (2018, PNAS 115, 9684): LeakyReLU with slope 0.3, and the defaults of Keras that their code
    relies on, Glorot-uniform weights with zero bias.

    Attributes:
        layers: the affine layers, first to last; each may hold any weight.
        activation: a name in `ACTIVATIONS`.
    """

    layers: tuple[Linear, ...]
    activation: str = eqx.field(static=True, default="leaky_relu")

    def __check_init__(self):
        if self.activation not in ACTIVATIONS:
            raise UsageError(f"Unknown activation {self.activation!r}. Known: {', '.join(ACTIVATIONS)}.")

    @classmethod
    def init(cls, key: PRNGKeyArray, inputs: int, outputs: int, hidden: Sequence[int], activation: str = "leaky_relu") -> "MLP":
        """A dense network; `hidden` holds the widths of the hidden layers, and may be empty."""
        sizes = (inputs, *hidden, outputs)
        if min(sizes) < 1:
            raise UsageError(f"Layer sizes must be at least 1, got {sizes}.")
        keys = jax.random.split(key, len(sizes) - 1)
        pairs = zip(keys, sizes[1:], sizes[:-1], strict=True)
        return cls(tuple(Linear.init(k, rows, columns) for k, rows, columns in pairs), activation)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(inputs, widths of the hidden layers, outputs)."""
        return (self.layers[0].weight.shape[1], *(layer.weight.shape[0] for layer in self.layers))

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """The network along the last axis of `x`."""
        nonlinearity = ACTIVATIONS[self.activation]
        for layer in self.layers[:-1]:
            x = nonlinearity(layer(x))
        return self.layers[-1](x)
