"""From pixels to features: means over windows, over the whole image, or all pixels side by side."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.core.errors import UsageError


class AveragePool(eqx.Module):
    """Mean over windows of `window` pixels, one every `strides`; no padding.

    Attributes:
        window: rows and columns of a window.
        strides: pixels from one window to the next; None for windows side by side.
    """

    window: tuple[int, int] = eqx.field(static=True, default=(2, 2))
    strides: tuple[int, int] | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        if min(*self.window, *(self.strides or (1, 1))) < 1:
            raise UsageError(f"Pooling windows and strides must be at least 1, got {self.window} and {self.strides}.")

    @property
    def steps(self) -> tuple[int, int]:
        """The strides in use."""
        return self.strides or self.window

    def __call__(self, x: Float[Array, "*batch height width channels"]) -> Float[Array, "*batch rows columns channels"]:
        """The means."""
        ones = (1,) * (x.ndim - 3)
        zero = np.zeros((), x.dtype)  # not of jnp: only from a sum that starts at a known zero can JAX take a derivative
        total = jax.lax.reduce_window(x, zero, jax.lax.add, (*ones, *self.window, 1), (*ones, *self.steps, 1), "VALID")
        return total / (self.window[0] * self.window[1])


class GlobalAveragePool(eqx.Module):
    """Mean over all pixels."""

    def __call__(self, x: Float[Array, "*batch height width channels"]) -> Float[Array, "*batch channels"]:
        """The mean."""
        return jnp.mean(x, (-3, -2))


class Flatten(eqx.Module):
    """All pixels and channels as one row of features."""

    def __call__(self, x: Float[Array, "*batch height width channels"]) -> Float[Array, "*batch features"]:
        """The row."""
        return x.reshape(*x.shape[:-3], -1)
