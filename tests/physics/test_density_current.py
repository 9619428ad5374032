"""Straka's density current: a cold bubble sinks and spreads along the ground, with a published front position.

Source: Straka et al. (1993, Int. J. Numer. Meth. Fluids 17); converged front at 900 s near 15.5 km from the centre, models at
100 m between 15.0 and 15.6 km. The CRM is anelastic and of second order: it is a little slow.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.climate.crm import CloudModel, CRMForcing, CRMGrid, rest, run_interval
from parametra.core.constants import GAS_CONSTANT, GRAVITY, HEAT_CAPACITY


def density_current(spacing: float, time_step: float, buoyancy_work: bool = True):
    """Potential temperature anomaly (z, x) after 900 s, x of the columns [m], and the means of the interval."""
    columns, layers = int(51200 / spacing), int(6400 / spacing)
    grid = CRMGrid.isentropic(layers, spacing, columns, spacing, time_step, 300.0)
    model = CloudModel.build(grid, moist=False, viscosity=75.0, buoyancy_work=buoyancy_work)
    x = (np.arange(columns) + 0.5) * spacing - 25600.0
    distance = np.hypot(x[None] / 4000.0, (grid.height[:, None] - 3000.0) / 2000.0)
    cold = np.where(distance < 1.0, -7.5 * (np.cos(np.pi * distance) + 1.0), 0.0)[:, :, None].astype(np.float32)
    profile = 300.0 - GRAVITY * grid.height / HEAT_CAPACITY

    def one(values):
        return jnp.asarray(values[:, None], jnp.float32)

    mean = profile + cold.mean((1, 2))  # the forcing is towards the mean that is there: nothing
    nothing = jnp.zeros(1)
    forcing = CRMForcing(
        temperature=one(mean), vapour=one(0.0 * profile), wind=one(0.0 * profile), height=one(grid.height),
        pressure=one(grid.density * GAS_CONSTANT * profile), heating=jnp.zeros((layers, columns, 1)),
        sensible_heat_flux=nothing, evaporation=nothing, surface_wind=nothing,
    )  # fmt: skip
    state = rest(grid, forcing, jnp.zeros((layers, columns, 1)))
    anomaly = jnp.asarray(cold - cold.mean(1, keepdims=True))
    state = eqx.tree_at(lambda s: (s.liquid_temperature, s.temperature), state, (anomaly, anomaly))
    steps = round(900.0 / time_step / 2.0) * 2
    state, means = jax.jit(lambda state, forcing: run_interval(model, state, forcing, steps))(state, forcing)
    absolute = np.asarray(state.reference_temperature) + np.asarray(state.temperature[:, :, 0])
    return absolute * (300.0 / profile)[:, None] - 300.0, x, means


def front(theta: np.ndarray, x: np.ndarray) -> float:
    """Where the anomaly at the ground passes -1 K, linear between columns [m]."""
    last = int(np.flatnonzero(theta[0] < -1.0).max())
    return float(x[last] + (x[1] - x[0]) * (-1.0 - theta[0, last]) / (theta[0, last + 1] - theta[0, last]))


def test_front_and_coldest_air_at_100_m():
    theta, x, means = density_current(100.0, 1.0)
    assert 15.0e3 < front(theta, x) < 15.6e3
    assert -10.0 < theta.min() < -8.5
    # Mirror symmetry, up to round-off that 900 steps let grow.
    np.testing.assert_allclose(theta, theta[:, ::-1], atol=2e-3)
    # 6.4 km of air cooled by some kelvin hold 1e6 J m-2: the budget closes to a hundred-thousandth.
    assert abs(float(means.energy_residual[0])) < 20.0
    assert float(means.largest_courant[0]) < 1.0


def test_the_work_of_buoyancy_makes_the_front_faster():
    """Without it descending air keeps its temperature anomaly, not its potential temperature: the front falls short."""
    with_work, without = (front(*density_current(400.0, 4.0, work)[:2]) for work in (True, False))
    assert with_work == pytest.approx(14.5e3, rel=0.03)
    assert 0.01 < 1.0 - without / with_work < 0.06
