"""The projection: no divergence is left, rotation is untouched, projecting twice changes nothing."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from parametra.climate.crm.grid import CRMGrid
from parametra.climate.crm.pressure import PressureSolver, real_fourier_matrix
from parametra.climate.host.levels import LEVELS_20

GRID = CRMGrid.from_sigma(np.asarray(LEVELS_20), 8, 4000.0, 30.0)
SOLVER = PressureSolver.build(GRID)


def divergence(u, w):
    """Of mass, per unit of area [kg m-2 s-1], in float64."""
    u, w = np.asarray(u, np.float64), np.asarray(w, np.float64)
    flux = np.zeros_like(w)
    flux[1:-1] = GRID.interior_density[:, None, None] * w[1:-1]
    return GRID.mass[:, None, None] * (np.roll(u, -1, 1) - u) / GRID.spacing + flux[1:] - flux[:-1]


@given(st.integers(0, 10**6))
def test_divergence_is_removed_to_round_off_and_the_mean_wind_stays(seed):
    keys = jax.random.split(jax.random.key(seed))
    u = 10.0 * jax.random.normal(keys[0], (20, 8, 3))
    w = jax.random.normal(keys[1], (21, 8, 3)).at[jnp.array([0, 20])].set(0.0)
    before = np.abs(divergence(u, w)).max()
    new_u, new_w = SOLVER(u, w)
    assert np.abs(divergence(new_u, new_w)).max() < 3e-5 * before  # float32: 1e-5 is the largest of 1,500 draws
    np.testing.assert_allclose(jnp.mean(new_u, axis=1), jnp.mean(u, axis=1), atol=3e-5)
    np.testing.assert_allclose(jnp.mean(new_w, axis=1), 0.0, atol=3e-5)
    again_u, again_w = SOLVER(new_u, new_w)
    np.testing.assert_allclose(again_u, new_u, atol=5e-5)
    np.testing.assert_allclose(again_w, new_w, atol=2e-4)


def test_fourier_basis_is_orthonormal_and_diagonalises_the_second_difference():
    for n in (2, 5, 8):
        basis, eigenvalues = real_fourier_matrix(n)
        np.testing.assert_allclose(basis @ basis.T, np.eye(n), atol=1e-12)
        second = np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0) - 2 * np.eye(n)
        np.testing.assert_allclose(basis @ second @ basis.T, np.diag(eigenvalues), atol=1e-12)
