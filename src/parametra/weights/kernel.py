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

WIDE = 512


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
        if not self._wide:
            return convolve(x, self.taps(), strides, padding)
        taps = self.taps()
        return jnp.concatenate(patches(x, taps.shape[:-2], strides, padding), -1) @ taps.reshape(-1, taps.shape[-1])

    @property
    def _wide(self) -> bool:
        # From 512 channels on, the gradient of XLA's convolution takes 1.25 times that of a matrix product of what the taps see
        # (im2col; CPU, JAX 0.10.2).
        outputs, inputs, *window = self.shape
        return math.prod(window) > 1 and min(outputs, inputs) >= WIDE

    @property
    def structured(self) -> bool:
        """Whether a convolution is cheaper by `apply` than by the dense kernel made once."""
        return False

    def resolved(self) -> "AbstractKernel":
        """What to convolve with many times: the dense kernel, or itself if nothing needs making."""
        from parametra.weights.free_kernel import FreeKernel

        return FreeKernel(self.taps())

    def plan(self, rows: int = 1) -> Plan:
        """How a convolution with `rows` output positions is done, and what it costs."""
        return dense_plan(self, self.shape, rows, way="im2col" if self._wide else "convolution")


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
