"""Spectral schemes by name: what to hand to `parametrize`."""

from parametra.weights.scheme import Scheme
from parametra.weights.spectral import Count, SpectralWeight
from parametra.weights.spectral_kernel import SpectralKernel
from parametra.weights.spectral_symmetric import SpectralSymmetric
from parametra.weights.spectrum import check_bounds


def spectral(
    reflectors: Count = "full",
    bounds: tuple[float | int, float | int] | None = None,
    clip: bool = True,
    strategy: str = "auto",
) -> Scheme:
    """W = U diag(sigma) Vᵀ, sigma in [lo, hi] or free; kernels as matrices of patches.

    Singular values of the array outside the bounds go to 1 percent of the width inside; with clip=False they are an error.
    """
    check_bounds(bounds)
    return Scheme(
        "spectral",
        lambda matrix: SpectralWeight.from_matrix(matrix, reflectors, bounds, strategy, clip),
        lambda kernel: SpectralKernel.from_dense(kernel, reflectors, bounds, clip),
    )


def orthogonal(reflectors: Count = "full") -> Scheme:
    """The nearest matrix with all singular values 1, which stays one: nothing but reflectors is trained."""
    return spectral(reflectors, (1.0, 1.0))


def spectral_symmetric(
    reflectors: Count = "full", bounds: tuple[float | int, float | int] | None = None, clip: bool = True
) -> Scheme:
    """W = Q diag(lambda) Qᵀ, lambda in [lo, hi] or free."""
    check_bounds(bounds)
    return Scheme("spectral_symmetric", lambda matrix: SpectralSymmetric.from_matrix(matrix, reflectors, bounds, clip))
