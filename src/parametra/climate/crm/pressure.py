"""The anelastic projection: div(rho grad phi) = div(rho V), V <- V - grad phi, by a dense separable solver.

One reference profile for all columns means one precomputed operator: a real Fourier matrix along x, a dense nz x nz inverse for
each wavenumber, and the matrix back: three matrix products, on a CPU 3-4 percent of a step and on a GPU three kernels. The
products run at the highest precision; with TF32 a divergence of 1e-3 would stay.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.crm.grid import CRMGrid, level_array


@dataclass(frozen=True, eq=False)
class PressureSolver:
    """Operators built in float64, stored in float32.

    Attributes:
        forward: real Fourier matrix (mode, x), orthonormal.
        inverse: inverse of the vertical operator (mode, z, z).
    """

    grid: CRMGrid
    forward: np.ndarray
    inverse: np.ndarray

    @classmethod
    def build(cls, grid: CRMGrid) -> "PressureSolver":
        """Factorise the operator of `grid`."""
        n, nz = grid.columns_x, grid.layers
        fourier, eigenvalues = real_fourier_matrix(n)
        mass, spacing, density = grid.mass, grid.interior_spacing, grid.interior_density
        vertical = np.zeros((nz, nz))
        coupling = density / spacing
        for k in range(nz - 1):
            vertical[k, k] -= coupling[k]
            vertical[k, k + 1] += coupling[k]
            vertical[k + 1, k + 1] -= coupling[k]
            vertical[k + 1, k] += coupling[k]
        inverses = []
        for eigenvalue in eigenvalues:
            matrix = vertical + np.diag(mass * eigenvalue / grid.spacing**2)
            if eigenvalue == 0.0:
                # The mean mode fixes phi only up to a constant; the pseudo-inverse takes the one of zero mean.
                inverses.append(np.linalg.pinv(matrix, rcond=1e-12))
            else:
                inverses.append(np.linalg.inv(matrix))
        return cls(grid, fourier.astype(np.float32), np.stack(inverses).astype(np.float32))

    def __call__(
        self, u: Float[Array, "z x column"], w: Float[Array, "half x column"]
    ) -> tuple[Float[Array, "z x column"], Float[Array, "half x column"]]:
        """Take the gradient part out of (u, w); the mean of w over x vanishes, the mean of u is untouched."""
        grid = self.grid
        mass = level_array(grid.mass)
        density = level_array(grid.interior_density)
        flux = density * w[1:-1]
        flux = jnp.concatenate([jnp.zeros_like(flux[:1]), flux, jnp.zeros_like(flux[:1])])
        divergence = mass * (jnp.roll(u, -1, 1) - u) * np.float32(1.0 / grid.spacing) + flux[1:] - flux[:-1]
        modes = jnp.einsum("kx,zxc->kzc", self.forward, divergence, precision="highest")
        modes = jnp.einsum("kzy,kyc->kzc", self.inverse, modes, precision="highest")
        phi = jnp.einsum("kx,kzc->zxc", self.forward, modes, precision="highest")
        u = u - (phi - jnp.roll(phi, 1, 1)) * np.float32(1.0 / grid.spacing)
        interior = w[1:-1] - (phi[1:] - phi[:-1]) * level_array(1.0 / grid.interior_spacing)
        return u, jnp.concatenate([jnp.zeros_like(w[:1]), interior, jnp.zeros_like(w[:1])])


def real_fourier_matrix(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal real Fourier basis (mode, x), and the eigenvalue of the periodic second difference of each mode."""
    x = np.arange(n)
    rows, eigenvalues = [np.full(n, n**-0.5)], [0.0]
    for k in range(1, n // 2 + 1):
        eigenvalue = 2.0 * np.cos(2.0 * np.pi * k / n) - 2.0
        if 2 * k == n:
            rows.append((-1.0) ** x * n**-0.5)
            eigenvalues.append(eigenvalue)
            break
        rows += [np.cos(2.0 * np.pi * k * x / n) * (2.0 / n) ** 0.5, np.sin(2.0 * np.pi * k * x / n) * (2.0 / n) ** 0.5]
        eigenvalues += [eigenvalue, eigenvalue]
    return np.stack(rows), np.array(eigenvalues)
