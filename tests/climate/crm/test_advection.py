"""Transport: constants stay constant, mass of the scalar is kept, nothing new below the smallest or above the largest value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parametra.climate.crm.advection import advect, advect_reference, courant_masses, largest_courant, sweep_z
from parametra.climate.crm.grid import CRMGrid
from parametra.climate.crm.pressure import PressureSolver
from parametra.climate.host.levels import LEVELS_20

GRID = CRMGrid.from_sigma(np.asarray(LEVELS_20), 8, 4000.0, 30.0)
SOLVER = PressureSolver.build(GRID)


def flow(seed: int, speed: float = 20.0) -> tuple[jax.Array, jax.Array]:
    """A divergence-free flow of about `speed` [m s-1] along x."""
    first, second = jax.random.split(jax.random.key(seed))
    u = speed * jax.random.normal(first, (20, 8, 4))
    w = 2.0 * jax.random.normal(second, (21, 8, 4)).at[jnp.array([0, 20])].set(0.0)
    return SOLVER(u, w)


@given(st.integers(0, 10**6), st.booleans())
def test_constants_are_exact_and_mass_is_kept(seed, x_first):
    mass_x, mass_z = courant_masses(GRID, *flow(seed))
    constant = advect(GRID, jnp.full((20, 8, 4), 3.0), mass_x, mass_z, x_first)
    np.testing.assert_allclose(constant, 3.0, rtol=2e-6)
    q = jax.random.uniform(jax.random.key(seed + 1), (20, 8, 4))
    after = advect(GRID, q, mass_x, mass_z, x_first)
    weight = GRID.mass[:, None, None]
    np.testing.assert_allclose((weight * after).sum((0, 1)), (weight * q).sum((0, 1)), rtol=2e-6)


@given(st.integers(0, 10**6), st.booleans())
def test_no_new_extremes_while_the_courant_number_is_below_one(seed, x_first):
    u, w = flow(seed)
    assert float(largest_courant(GRID, u, w).max()) < 1.0
    q = jnp.where(jax.random.uniform(jax.random.key(seed), (20, 8, 4)) > 0.7, 1.0, 0.0)
    after = advect(GRID, q, *courant_masses(GRID, u, w), x_first)
    assert float(after.min()) >= -1e-6
    assert float(after.max()) <= 1.0 + 1e-6


def test_second_order_in_smooth_flow():
    """A sine carried once around: the error falls by about four when the grid is refined by two."""
    errors = []
    for n in (16, 32, 64, 128):
        grid = CRMGrid(np.ones(2), np.full(2, 100.0), n, 6400.0 / n, 3200.0 / n / 10.0)
        q = start = jnp.sin(2 * jnp.pi * (jnp.arange(n) + 0.5) / n)[None, :, None] * jnp.ones((2, 1, 1))
        masses = courant_masses(grid, jnp.full((2, n, 1), 10.0), jnp.zeros((3, n, 1)))
        step = jax.jit(lambda q, grid=grid, masses=masses: advect(grid, q, masses[0], masses[1], True))
        for _ in range(2 * n):
            q = step(q)
        errors.append(float(jnp.abs(q - start).mean()))
    slope = np.polyfit(np.log([16, 32, 64, 128]), np.log(errors), 1)[0]
    assert slope == pytest.approx(-2.0, abs=0.3)


def test_the_reference_profile_is_carried_as_a_constant_gradient_would_be():
    """w dh/dz for uniform ascent: what the flux form of a linear reference gives inside the column."""
    grid = CRMGrid(np.ones(10), np.full(10, 100.0), 4, 1000.0, 1.0)
    mass_z = jnp.full((9, 4, 1), 2.0)
    change = advect_reference(grid, jnp.full((9, 1, 1), 0.5), mass_z)
    np.testing.assert_allclose(change[1:-1], -2.0 * 0.5 / 100.0, rtol=1e-6)


def test_the_flux_that_a_sweep_reports_is_what_moved():
    _, mass_z = courant_masses(GRID, *flow(5))
    q = jax.random.uniform(jax.random.key(6), (20, 8, 4))
    mass = jnp.broadcast_to(jnp.asarray(GRID.mass[:, None, None], jnp.float32), q.shape)
    after, flux = sweep_z(mass, q, mass_z)
    inner = jnp.concatenate([jnp.zeros_like(flux[:1]), mass_z, jnp.zeros_like(flux[:1])])
    new_mass = mass + inner[:-1] - inner[1:]
    gained = np.cumsum(np.asarray(new_mass * after - mass * q, np.float64), axis=0)[:-1]
    np.testing.assert_allclose(gained, -flux, atol=2e-4 * float(jnp.abs(flux).max()) + 1e-3)
