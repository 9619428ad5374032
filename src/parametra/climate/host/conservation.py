"""Global sums inside a traced step, and the three global fixers: mass, water, energy.

Hydrostatic air over flat ground has the total energy (cp T + (u^2 + v^2) / 2) dp / g; geopotential is in cp T by parts. Transport
keeps it, and keeps water; it does not keep the latent heat of vapour plus cp T in any other way than by keeping both.

Float32 sums lose seven digits of 2.5e9 J m-2, which is 0.1 W m-2 in a half-hour step. So energies are anomalies from a fixed profile,
and what a fixer could not place (a uniform increment below the spacing of float32) is a debt that the next step pays.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.columns import ColumnState
from parametra.climate.grid import ColumnGrid
from parametra.climate.host.profiles import reference_temperature
from parametra.core.constants import GRAVITY, HEAT_CAPACITY

Scalar = Float[Array, ""]


@dataclass(frozen=True, eq=False)
class GlobalSums:
    """Area means over the sphere of column integrals, for one grid and one mean surface pressure [Pa]."""

    grid: ColumnGrid
    mean_pressure: float

    def mean(self, x: Float[Array, " column"]) -> Scalar:
        """Area mean, summed first along each circle of latitude: fewer terms in a row, less round-off."""
        weight = jnp.asarray(self.grid.latitude_weights, x.dtype)
        return jnp.sum(jnp.sum(x.reshape(self.grid.shape), axis=1) * weight) / self.grid.longitudes.size

    def integral(self, x: Float[Array, "column level"], pressure: Float[Array, " column"]) -> Scalar:
        """Mean of the column integral of x dp / g, in units of x times kg m-2."""
        return self.mean(pressure * (x @ jnp.asarray(self.grid.layer_thickness, x.dtype))) / GRAVITY

    def water(self, columns: ColumnState) -> Scalar:
        """Water vapour [kg m-2]."""
        return self.integral(columns.specific_humidity, columns.surface_pressure)

    def energy(self, columns: ColumnState) -> Scalar:
        """Enthalpy and kinetic energy [J m-2] above an atmosphere of the reference profile with the same mass."""
        profile = reference_temperature(self.grid.sigma)
        anomaly = columns.temperature - jnp.asarray(profile, columns.temperature.dtype)
        kinetic = 0.5 * (columns.eastward_wind**2 + columns.northward_wind**2)
        missing_mass = self.mean(columns.surface_pressure - self.mean_pressure) / GRAVITY
        offset = HEAT_CAPACITY * float(np.sum(profile * self.grid.layer_thickness)) * missing_mass
        return self.integral(HEAT_CAPACITY * anomaly + kinetic, columns.surface_pressure) + offset

    def mass_factor(self, pressure: Float[Array, " column"]) -> Scalar:
        """Change of surface pressure, relative, that restores the mean."""
        return -self.mean(pressure - self.mean_pressure) / self.mean_pressure

    def warming(self, energy: Scalar) -> Scalar:
        """Uniform temperature increment [K] that holds `energy` [J m-2]."""
        return energy * (GRAVITY / (HEAT_CAPACITY * self.mean_pressure))
