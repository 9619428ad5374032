"""Column and global sums inside a traced step.

Hydrostatic air over flat ground has the total energy (cp T + (u^2 + v^2) / 2) dp / g: geopotential is in cp T, by parts.
Transport keeps this sum, and separately the sum of vapour; latent heat is therefore no part of it.

A float32 sum of 2.5e9 J m-2 is uncertain by 0.1 W m-2 of a half-hour step. So the fixers weigh changes, layer by layer before
they are summed, energies as anomalies from a fixed profile; and what they could not place (an increment below the spacing of
float32) is a debt which the next step pays.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.columns import ColumnState
from parametra.climate.grid import ColumnGrid
from parametra.climate.host.profiles import reference_temperature
from parametra.core.constants import GRAVITY, HEAT_CAPACITY

Scalar = Float[Array, ""]


def column_sum(x: Float[Array, "column level"], thickness: np.ndarray) -> Float[Array, " column"]:
    """Sum of dsigma x over the layers."""
    return jnp.matmul(x, jnp.asarray(thickness, x.dtype), precision=jax.lax.Precision.HIGHEST)


@dataclass(frozen=True, eq=False)
class GlobalSums:
    """Area means of column integrals, for one grid and one mean surface pressure [Pa]."""

    grid: ColumnGrid
    mean_pressure: float

    def mean(self, x: Float[Array, " column"]) -> Scalar:
        """Area mean, summed first along each circle of latitude: fewer terms in a row, less round-off."""
        weight = jnp.asarray(self.grid.latitude_weights, x.dtype)
        return jnp.sum(jnp.sum(x.reshape(self.grid.shape), axis=1) * weight) / self.grid.longitudes.size

    def integral(self, x: Float[Array, "column level"], pressure: Float[Array, " column"]) -> Scalar:
        """Mean of the column integral of x dp / g [kg m-2 times the unit of x]."""
        return self.mean(pressure * column_sum(x, self.grid.layer_thickness)) / GRAVITY

    def water_change(self, before: ColumnState, after: ColumnState) -> Scalar:
        """Change of the vapour [kg m-2]."""
        return self._change(_water(before), _water(after))

    def energy_change(self, before: ColumnState, after: ColumnState) -> Scalar:
        """Change of enthalpy plus kinetic energy [J m-2]."""
        return self._change(self._energy(before), self._energy(after))

    def _change(self, before: Float[Array, "column level"], after: Float[Array, "column level"]) -> Scalar:
        return self.mean(column_sum(after - before, self.grid.layer_thickness)) / GRAVITY

    def _energy(self, columns: ColumnState) -> Float[Array, "column level"]:
        """Pressure times energy [Pa J kg-1] above that of air at rest with the reference profile and the mean mass."""
        profile = jnp.asarray(reference_temperature(self.grid.sigma), columns.temperature.dtype)
        kinetic = 0.5 * (columns.eastward_wind**2 + columns.northward_wind**2)
        energy = HEAT_CAPACITY * (columns.temperature - profile) + kinetic
        extra_mass = columns.surface_pressure - self.mean_pressure
        return columns.surface_pressure[:, None] * energy + HEAT_CAPACITY * profile * extra_mass[:, None]


def _water(columns: ColumnState) -> Float[Array, "column level"]:
    return columns.surface_pressure[:, None] * columns.specific_humidity
