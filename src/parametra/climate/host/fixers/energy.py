"""Enthalpy plus kinetic energy is kept by one increment of temperature, the same everywhere: the core leaks some 0.1 W m-2."""

from parametra.climate.columns import ColumnState
from parametra.climate.host.sums import GlobalSums, Scalar
from parametra.core.constants import GRAVITY, HEAT_CAPACITY


def restore_energy(columns: ColumnState, sums: GlobalSums, before: ColumnState, gain: Scalar) -> tuple[Scalar, Scalar]:
    """Increment of temperature [K] with which the columns hold `gain` [J m-2] more than `before`, and the energy made by that."""
    made = gain - sums.energy_change(before, columns)
    return made * (GRAVITY / (HEAT_CAPACITY * sums.mean_pressure)), made
