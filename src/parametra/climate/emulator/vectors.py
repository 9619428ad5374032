"""What the network sees and says: two vectors per column, their order, names, units and scaling.

Inputs, 3n + 4 for n levels: T(n), q(n), u(n), surface pressure, insolation, sensible and latent heat flux. The wind is the
eastward one, the component in the plane of the two-dimensional CRM: no other drives it. Outputs, 2n + 5: heating, moistening,
net short-wave at top and surface, net long-wave at top and surface, precipitation.

Source: Rasp, Pritchard & Gentine (2018, PNAS 115, 9684) and its public code for order and factors. Ours differ in the wind
(theirs is the meridional one), in the heat capacity (1004.0 here, 1004.64 there), and in that the fluxes of a step are those
that the CRM of that very step was given.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.core.constants import DENSITY_WATER, HEAT_CAPACITY, LATENT_HEAT_SUBLIMATION, SECONDS_PER_DAY


class Variable(NamedTuple):
    """A part of a vector: CF name, unit, whether it has a value per level, and the factor from its unit to the network's."""

    name: str
    units: str
    profile: bool
    factor: float = 1.0


INPUTS = (
    Variable("air_temperature", "K", True),
    Variable("specific_humidity", "1", True),
    Variable("eastward_wind", "m s-1", True),
    Variable("surface_air_pressure", "Pa", False),
    Variable("toa_incoming_shortwave_flux", "W m-2", False),
    Variable("surface_upward_sensible_heat_flux", "W m-2", False),
    Variable("surface_upward_latent_heat_flux", "W m-2", False),
)
PRECIPITATION_FACTOR = 1e3 / DENSITY_WATER * SECONDS_PER_DAY * 0.02  # 0.02 per mm/day; 1.728e6 per m/s
OUTPUTS = (
    Variable("tendency_of_air_temperature", "K s-1", True, HEAT_CAPACITY),
    Variable("tendency_of_specific_humidity", "s-1", True, LATENT_HEAT_SUBLIMATION),
    Variable("toa_net_downward_shortwave_flux", "W m-2", False, 1e-3),
    Variable("surface_net_downward_shortwave_flux", "W m-2", False, -1e-3),
    Variable("toa_outgoing_longwave_flux", "W m-2", False, -1e-3),
    Variable("surface_net_upward_longwave_flux", "W m-2", False, 1e-3),
    Variable("precipitation_flux", "kg m-2 s-1", False, PRECIPITATION_FACTOR),
)
SNOW_ONLY, RAIN_ONLY = 268.16, 283.16  # K, the partition of precipitating water in SAM (Khairoutdinov & Randall 2003)


def size(variables: tuple[Variable, ...], levels: int) -> int:
    """Length of a vector: 3n + 4 for `INPUTS`, 2n + 5 for `OUTPUTS`."""
    return sum(levels if variable.profile else 1 for variable in variables)


def slices(variables: tuple[Variable, ...], levels: int) -> dict[str, slice]:
    """Where each variable stands in the vector."""
    lengths = [levels if variable.profile else 1 for variable in variables]
    ends = np.cumsum(lengths)
    names = (variable.name for variable in variables)
    return {name: slice(int(end) - length, int(end)) for name, end, length in zip(names, ends, lengths, strict=True)}


def mirror_signs(levels: int) -> Float[np.ndarray, " inputs"]:
    """-1 for the wind, 1 for the rest, (3n + 4,) float32: the inputs of the same column seen in a mirror.

    The CRM is symmetric: with every wind along its plane reversed and its cells in opposite order it does the same. A target
    therefore stays what it is when the inputs are multiplied by these.
    """
    signs = np.ones(size(INPUTS, levels), np.float32)
    signs[slices(INPUTS, levels)["eastward_wind"]] = -1.0
    return signs


def feature_names(variables: tuple[Variable, ...], levels: int) -> list[str]:
    """One name per element, "air_temperature[3]" for level 3 (0 at the top)."""
    pairs = ((variable.name, variable.profile) for variable in variables)
    return [part for name, profile in pairs for part in ([f"{name}[{k}]" for k in range(levels)] if profile else [name])]


def output_factors(levels: int) -> Float[np.ndarray, " outputs"]:
    """Factors from SI to the network's units, (2n + 5,), float64: everything then is of order one, energies in W/kg."""
    return np.concatenate([np.full(levels if variable.profile else 1, variable.factor) for variable in OUTPUTS])


class Inputs(eqx.Module):
    """The input vector by name; same units and signs as `ColumnState` and `ColumnForcing`."""

    temperature: Float[Array, "column level"]
    specific_humidity: Float[Array, "column level"]
    eastward_wind: Float[Array, "column level"]
    surface_pressure: Float[Array, " column"]
    insolation: Float[Array, " column"]
    sensible_heat_flux: Float[Array, " column"]
    latent_heat_flux: Float[Array, " column"]

    @classmethod
    def from_columns(cls, state: ColumnState, forcing: ColumnForcing) -> "Inputs":
        """What the network may see of a column."""
        return cls(
            state.temperature,
            state.specific_humidity,
            state.eastward_wind,
            state.surface_pressure,
            forcing.insolation,
            forcing.sensible_heat_flux,
            forcing.latent_heat_flux,
        )

    @classmethod
    def from_vector(cls, vector: Float[Array, "column inputs"]) -> "Inputs":
        """Inverse of `vector`."""
        levels = (vector.shape[1] - 4) // 3
        temperature, humidity, wind, rest = jnp.split(vector, (levels, 2 * levels, 3 * levels), axis=1)
        return cls(temperature, humidity, wind, rest[:, 0], rest[:, 1], rest[:, 2], rest[:, 3])

    def vector(self) -> Float[Array, "column inputs"]:
        """(column, 3n + 4), SI; humidity below zero counts as none."""
        scalars = (self.surface_pressure, self.insolation, self.sensible_heat_flux, self.latent_heat_flux)
        profiles = (self.temperature, jnp.maximum(self.specific_humidity, 0.0), self.eastward_wind)
        return jnp.concatenate([*profiles, jnp.stack(scalars, axis=1)], axis=1)

    @property
    def snow_share(self) -> Float[Array, " column"]:
        """Share of precipitation that is snow, by the temperature of the lowest level: 1 below -5 C, falling to 0 at 10 C.

        The network predicts the sum of rain and snow; the split decides which latent heat it leaves behind.
        """
        return jnp.clip((RAIN_ONLY - self.temperature[:, -1]) / (RAIN_ONLY - SNOW_ONLY), 0.0, 1.0)


class Outputs(eqx.Module):
    """The output vector by name, SI; signs as in `ColumnFluxes`."""

    heating: Float[Array, "column level"]  # K s-1
    moistening: Float[Array, "column level"]  # s-1
    net_shortwave_top: Float[Array, " column"]  # W m-2, downward
    net_shortwave_surface: Float[Array, " column"]  # W m-2, downward
    net_longwave_top: Float[Array, " column"]  # W m-2, upward
    net_longwave_surface: Float[Array, " column"]  # W m-2, upward
    precipitation: Float[Array, " column"]  # kg m-2 s-1

    @classmethod
    def from_vector(cls, vector: Float[Array, "column outputs"]) -> "Outputs":
        """Inverse of `vector`."""
        levels = (vector.shape[1] - 5) // 2
        heating, moistening, rest = jnp.split(vector, (levels, 2 * levels), axis=1)
        return cls(heating, moistening, rest[:, 0], rest[:, 1], rest[:, 2], rest[:, 3], rest[:, 4])

    def vector(self) -> Float[Array, "column outputs"]:
        """(column, 2n + 5), SI."""
        longwave = (self.net_longwave_top, self.net_longwave_surface)
        scalars = (self.net_shortwave_top, self.net_shortwave_surface, *longwave, self.precipitation)
        return jnp.concatenate([self.heating, self.moistening, jnp.stack(scalars, axis=1)], axis=1)

    def columns(self, snow_share: Float[Array, " column"]) -> tuple[ColumnTendency, ColumnFluxes]:
        """As a host takes them, precipitation split into rain and snow."""
        snow = snow_share * self.precipitation
        fluxes = ColumnFluxes(
            self.net_shortwave_top,
            self.net_shortwave_surface,
            self.net_longwave_top,
            self.net_longwave_surface,
            self.precipitation - snow,
            snow,
        )
        return ColumnTendency(self.heating, self.moistening), fluxes
