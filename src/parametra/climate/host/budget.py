"""Global budgets in float64 NumPy, outside the traced step: the judge of the fixers, not a part of them."""

from collections.abc import Mapping

import jax
import numpy as np

from parametra.climate.grid import ColumnGrid
from parametra.climate.host.state import HostState
from parametra.core.constants import EARTH_RADIUS, GRAVITY, HEAT_CAPACITY

EARTH_ROTATION = 7.292e-5  # s-1, that of the dynamical core


def budget(grid: ColumnGrid, state: HostState) -> Mapping[str, float]:
    """Area means: `mass` and `water_vapour` [kg m-2], `energy` [J m-2], `angular_momentum` [kg s-1], and the mean ledger."""
    columns = jax.tree.map(lambda x: np.asarray(x, np.float64), state.columns)
    pressure, temperature, humidity = columns.surface_pressure, columns.temperature, columns.specific_humidity
    u, v = columns.eastward_wind, columns.northward_wind
    mass = grid.layer_mass(pressure) * grid.area_weight[:, None]
    arm = EARTH_RADIUS * np.cos(np.radians(grid.column_latitude))[:, None]
    sums = {
        "mass": np.sum(pressure * grid.area_weight) / GRAVITY,
        "water_vapour": np.sum(mass * humidity),
        "energy": np.sum(mass * (HEAT_CAPACITY * temperature + 0.5 * (u**2 + v**2))),
        "kinetic_energy": np.sum(mass * 0.5 * (u**2 + v**2)),
        "angular_momentum": np.sum(mass * (u + EARTH_ROTATION * arm) * arm),
    }
    steps = max(int(state.step), 1)
    totals = {
        name: (float(high) + float(low)) / steps
        for (name, high), low in zip(state.totals.sums.entries().items(), state.totals.lost.entries().values(), strict=True)
    }
    return {name: float(value) for name, value in sums.items()} | totals
