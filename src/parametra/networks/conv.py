"""The convolutional layer over any kernel, channels last."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.weights import AbstractKernel, FreeKernel


class Conv(eqx.Module):
    """K * x + b over a batch of signals (batch, *space, channels).

    Attributes:
        weight: any kernel of shape (outputs, inputs, *window).
        bias: (outputs,), or None.
        strides: steps between output positions, the same along every axis.
        padding: "SAME" or "VALID", or (before, after) for each axis.
    """

    weight: AbstractKernel
    bias: Float[Array, " outputs"] | None
    strides: int = eqx.field(static=True, default=1)
    padding: str | tuple[tuple[int, int], ...] = eqx.field(static=True, default="SAME")

    @classmethod
    def init(
        cls,
        key: PRNGKeyArray,
        outputs: int,
        inputs: int,
        window: Sequence[int] = (3, 3),
        strides: int = 1,
        bias: bool = False,
        padding: str | tuple[tuple[int, int], ...] = "SAME",
    ) -> "Conv":
        """A free kernel, normal with variance 2 / (outputs · window) (He et al. 2015, backward), and zero bias.

        Raises:
            UsageError: a size below 1.
        """
        if min(outputs, inputs, strides, *window) < 1:
            raise UsageError(f"Sizes of a convolution must be at least 1, got {outputs}, {inputs}, {tuple(window)}, {strides}.")
        positions = 1
        for side in window:
            positions *= side
        taps = jax.random.normal(key, (*window, inputs, outputs)) * (2.0 / (outputs * positions)) ** 0.5
        return cls(FreeKernel(taps), jnp.zeros(outputs) if bias else None, strides, padding)

    def __call__(self, x: Float[Array, "batch *space inputs"]) -> Float[Array, "batch *out outputs"]:
        """K * x + b."""
        y = self.weight.apply(x, self.strides, self.padding)
        return y if self.bias is None else y + self.bias
