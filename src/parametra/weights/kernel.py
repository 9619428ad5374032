"""A convolution kernel is an object too: whatever stands for an array (outputs, inputs, *window).

Signals are channels last, (batch, *space, channels): then every tap of the window is a matrix that acts on the last axis, like
any weight, and group symmetries of channels act as they do there.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import paramax
from jaxtyping import Array, Float

from parametra.weights.convolve import Padding, convolve
from parametra.weights.plan import Plan, dense_plan


class AbstractKernel(paramax.AbstractUnwrappable[Array]):
    """A kernel K (outputs, inputs, *window), dimensionless; tap t of the window is the matrix K[..., t]."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(outputs, inputs, *window)."""

    @abstractmethod
    def taps(self) -> Float[Array, "*window inputs outputs"]:
        """The dense kernel in the order in which a channels-last convolution reads it."""

    def unwrap(self) -> Float[Array, "outputs inputs *window"]:
        """The dense kernel in the order of Equinox and torch."""
        return jnp.moveaxis(self.taps(), (-1, -2), (0, 1))

    def apply(
        self, x: Float[Array, "batch *space inputs"], strides: Sequence[int] | int = 1, padding: Padding = "SAME"
    ) -> Float[Array, "batch *out outputs"]:
        """The convolution (in the sense of networks: a correlation); members with a cheaper way override it."""
        return convolve(x, self.taps(), strides, padding)

    @property
    def structured(self) -> bool:
        """Whether a convolution is cheaper by `apply` than by the dense kernel made once."""
        return False

    def resolved(self) -> "AbstractKernel":
        """What to convolve with many times: the dense kernel, or itself if nothing needs making."""
        from parametra.weights.tap_kernel import TapKernel

        return TapKernel.from_taps(self.taps())

    def plan(self, rows: int = 1) -> Plan:
        """How a convolution with `rows` output positions is done, and what it costs."""
        return dense_plan(self, self.shape, rows, way="convolution")


def patches(
    x: Float[Array, "batch *space inputs"], window: Sequence[int], strides: Sequence[int] | int, padding: Padding
) -> list[Float[Array, "batch *out inputs"]]:
    """For each tap of the window, row by row, the input that it sees: what im2col puts side by side."""
    dims = len(window)
    strides = (strides,) * dims if isinstance(strides, int) else tuple(strides)
    space = x.shape[1:-1]
    pads = jax.lax.padtype_to_pads(space, tuple(window), strides, padding) if isinstance(padding, str) else list(padding)
    x = jnp.pad(x, [(0, 0), *pads, (0, 0)])
    sizes = [(size - width) // stride + 1 for size, width, stride in zip(x.shape[1:-1], window, strides, strict=True)]
    found = []
    for number in range(math.prod(window)):
        starts = [int(index) for index in np.unravel_index(number, tuple(window))]
        ends = [start + (size - 1) * stride + 1 for start, size, stride in zip(starts, sizes, strides, strict=True)]
        found.append(jax.lax.slice(x, [0, *starts, 0], [x.shape[0], *ends, x.shape[-1]], [1, *strides, 1]))
    return found
