"""What an atmosphere and its closure say to each other, as arrays `(column, level)`, SI, level 0 at the top."""

from typing import Protocol

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray, PyTree


class ColumnState(eqx.Module):
    """Resolved state of every column before physics."""

    temperature: Float[Array, "column level"]  # K
    specific_humidity: Float[Array, "column level"]  # kg kg-1
    eastward_wind: Float[Array, "column level"]  # m s-1
    northward_wind: Float[Array, "column level"]  # m s-1
    surface_pressure: Float[Array, " column"]  # Pa


class ColumnForcing(eqx.Module):
    """What the surface and the sun do to a column over the coming step.

    The two surface fluxes are those the host computed at the end of the previous step. CRM, network inputs, conservation layer
    and budget of the coming step all use exactly these.
    """

    surface_temperature: Float[Array, " column"]  # K
    insolation: Float[Array, " column"]  # W m-2, downward at the top
    cosine_zenith: Float[Array, " column"]  # 1, zero at night
    sensible_heat_flux: Float[Array, " column"]  # W m-2, upward
    latent_heat_flux: Float[Array, " column"]  # W m-2, upward: evaporation times the latent heat of condensation
    time_step: float = eqx.field(static=True)  # s


class ColumnTendency(eqx.Module):
    """What a scheme does to a column; winds only where a scheme gives them."""

    temperature: Float[Array, "column level"]  # K s-1
    specific_humidity: Float[Array, "column level"]  # s-1
    eastward_wind: Float[Array, "column level"] | None = None  # m s-2
    northward_wind: Float[Array, "column level"] | None = None  # m s-2


class ColumnFluxes(eqx.Module):
    """Fluxes at the two ends of a column, means over the step. Net short-wave is positive downward, net long-wave upward."""

    net_shortwave_top: Float[Array, " column"]  # W m-2
    net_shortwave_surface: Float[Array, " column"]  # W m-2
    net_longwave_top: Float[Array, " column"]  # W m-2
    net_longwave_surface: Float[Array, " column"]  # W m-2
    rain: Float[Array, " column"]  # kg m-2 s-1
    snow: Float[Array, " column"]  # kg m-2 s-1

    @property
    def precipitation(self) -> Float[Array, " column"]:
        """Rain and snow [kg m-2 s-1]."""
        return self.rain + self.snow


class ColumnScheme(Protocol):
    """The closure of an atmosphere: `parametra.coupling.Closure` with these types."""

    def init(self, state: ColumnState, forcing: ColumnForcing, key: PRNGKeyArray, /) -> PyTree[Array]:
        """The scheme's memory at the start; every leaf has the column as axis 0."""
        ...

    def __call__(
        self, state: ColumnState, forcing: ColumnForcing, carry: PyTree[Array], key: PRNGKeyArray, /
    ) -> tuple[ColumnTendency, ColumnFluxes, PyTree[Array]]:
        """Tendency and fluxes of the coming step, and the new memory."""
        ...
