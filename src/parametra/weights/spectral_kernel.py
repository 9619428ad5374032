r"""Convolution kernels by their singular values, and the exact norm of a convolution.

The choice made here: the kernel K (outputs, inputs, *window) is reshaped to a matrix (outputs, inputs · taps), and that matrix is
the spectral weight. It is the map from one patch to the outputs there. Its norm is **not** the norm of the convolution, in which
patches overlap, but bounds it: each input is in at most `taps` patches, so

    |K * x| <= sqrt(taps) sigma_max |x|    for any stride, zero or circular padding.

For circular padding on a given grid and stride 1 the exact singular values are those of the (outputs x inputs) matrices that the
discrete Fourier transform makes of the kernel (Sedghi, Gupta & Long 2019, arXiv 1805.10408): `circular_singular_values`.
"""

import dataclasses
import math
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.weights.kernel import AbstractKernel
from parametra.weights.plan import Plan
from parametra.weights.spectral import Count, SpectralWeight


class SpectralKernel(AbstractKernel):
    """A kernel whose matrix of patches is a spectral weight.

    Attributes:
        matrix: (outputs, inputs · taps), inputs slowest.
        window: sizes of the window, (3, 3).
    """

    matrix: SpectralWeight
    window: tuple[int, ...] = eqx.field(static=True)

    def __check_init__(self):
        if self.matrix.shape[1] % math.prod(self.window):
            raise UsageError(
                f"{self.matrix.shape[1]} columns are no whole number of windows {self.window}. Remedy: SpectralKernel.from_dense."
            )

    @classmethod
    def from_dense(
        cls,
        kernel: Float[Array, "outputs inputs *window"],
        reflectors: Count = "full",
        bounds: tuple[float | int, float | int] | None = None,
        clip: bool = False,
    ) -> "SpectralKernel":
        """Of a given kernel; see `SpectralWeight.from_matrix`."""
        matrix = kernel.reshape(kernel.shape[0], -1)
        return cls(SpectralWeight.from_matrix(matrix, reflectors, bounds, clip=clip), tuple(kernel.shape[2:]))

    @property
    def shape(self) -> tuple[int, ...]:
        """(outputs, inputs, *window)."""
        outputs, columns = self.matrix.shape
        return (outputs, columns // math.prod(self.window), *self.window)

    def taps(self) -> Float[Array, "*window inputs outputs"]:
        """The dense kernel, channels last."""
        # paramax unwraps from the inside out: the weight is an array by the time it comes here.
        matrix = self.matrix.unwrap() if isinstance(self.matrix, SpectralWeight) else self.matrix
        kernel = matrix.reshape(matrix.shape[0], -1, *self.window)
        return jnp.moveaxis(kernel, (1, 0), (-2, -1))

    def plan(self, rows: int = 1) -> Plan:
        """The matrix made from its reflectors, and a dense convolution with it."""
        plan = super().plan(rows)
        return dataclasses.replace(plan, way=f"{plan.way}, kernel made from reflectors", flops=plan.flops + self.matrix.making)

    def norm_bound(self) -> Float[Array, ""]:
        """sqrt(taps) times the largest singular value: no convolution with this kernel is longer."""
        return self.matrix.norm() * jnp.sqrt(jnp.asarray(math.prod(self.window), self.matrix.sigma.dtype))


def circular_singular_values(
    kernel: Float[Array, "outputs inputs *window"], grid: Sequence[int]
) -> Float[Array, " frequencies_times_rank"]:
    """All singular values, largest first, of the convolution with circular padding and stride 1 on `grid`.

    One decomposition of an (outputs x inputs) matrix for each point of the grid.

    Raises:
        UsageError: a grid of another dimension, or smaller than the window.
    """
    window = kernel.shape[2:]
    if len(grid) != len(window) or any(size < width for size, width in zip(grid, window, strict=False)):
        raise UsageError(f"A window {window} does not fit on a grid {tuple(grid)}. Remedy: as many axes, each at least as long.")
    spectrum = jnp.fft.fftn(kernel, s=tuple(grid), axes=tuple(range(2, kernel.ndim)))
    matrices = jnp.moveaxis(spectrum, (0, 1), (-2, -1))
    return jnp.sort(jnp.linalg.svd(matrices, compute_uv=False).ravel(), descending=True)
