"""The affine layer over any weight."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.weights import AbstractWeight, Dense


class Linear(eqx.Module):
    """W x + b along the last axis.

    Attributes:
        weight: any weight of shape (outputs, inputs).
        bias: (outputs,), or None.
    """

    weight: AbstractWeight
    bias: Float[Array, " outputs"] | None

    @classmethod
    def init(cls, key: PRNGKeyArray, outputs: int, inputs: int) -> "Linear":
        """A dense layer with Glorot-uniform weight and zero bias, the defaults of Keras."""
        return cls(Dense.init(key, outputs, inputs), jnp.zeros(outputs))

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """W x + b."""
        y = self.weight.apply(x)
        return y if self.bias is None else y + self.bias
