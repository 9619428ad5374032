"""A free convolution kernel: what every other one is compared with."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.weights.checks import check_axes
from parametra.weights.kernel import AbstractKernel


class FreeKernel(AbstractKernel):
    """K = array, as many free numbers as it has entries, in the order in which a convolution reads them: nothing is transposed.

    Attributes:
        array: (*window, inputs, outputs), dimensionless.
    """

    array: Float[Array, "*window inputs outputs"]

    @classmethod
    def from_dense(cls, kernel: Float[Array, "outputs inputs *window"]) -> "FreeKernel":
        """The kernel itself; UsageError for fewer than two axes."""
        if kernel.ndim < 2:
            check_axes(kernel, 2, "A kernel")
        return cls(jnp.moveaxis(kernel, (1, 0), (-2, -1)))

    @property
    def shape(self) -> tuple[int, ...]:
        """(outputs, inputs, *window)."""
        *window, inputs, outputs = self.array.shape
        return (outputs, inputs, *window)

    def taps(self) -> Float[Array, "*window inputs outputs"]:
        """The array itself."""
        return self.array

    def resolved(self) -> "FreeKernel":
        """Itself."""
        return self
