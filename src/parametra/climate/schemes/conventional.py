"""The conventional scheme: what an atmosphere is closed with where nothing is resolved, the counterpart of a control run.

One step is a split in the order boundary layer, convection, large-scale condensation, radiation; each process sees what the ones
before it left, and its tendency is added. Radiation, saturation and the split of precipitation into rain and snow are those of
the multi-scale scheme. Nothing is remembered: condensate falls out in the step that makes it, so that

    sum m dq = E - P,    sum m cp dT = SHF + radiation + (Lc rain + Ls snow)

hold for every column to round-off. Momentum stays with the host, as in every run.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.conventional.boundary_layer import mix
from parametra.climate.conventional.clouds import diagnose_clouds
from parametra.climate.conventional.condensation import condense
from parametra.climate.conventional.convection import convect
from parametra.climate.crm.microphysics import rain_share
from parametra.climate.radiation import CloudOptics, radiate
from parametra.climate.thermodynamics import heights
from parametra.core.constants import GRAVITY, LATENT_HEAT_CONDENSATION, LATENT_HEAT_FUSION


class Conventional(eqx.Module):
    """Simplified Betts-Miller convection, large-scale condensation, boundary-layer diffusion and three-band radiation.

    Attributes:
        sigma_half: interfaces of the host's layers, 0 at the top to 1.
        optics: cloud optics; those of the truth.
        convection_time: relaxation time of convection [s].
        reference_humidity: relative humidity of its reference profile [1].
        evaporation: constant of evaporating rain [(kg m-2 s-1)^-1/2 s-1].
        critical_humidity: relative humidity above which there is cloud [1].
        cloud_content: condensate of a cloud over saturation humidity [1].
        critical_richardson: at the top of the boundary layer [1].
        drag: bulk coefficient of momentum, of the friction velocity [1].
        gustiness: wind speed of unresolved gusts [m s-1].
    """

    sigma_half: tuple[float, ...] = eqx.field(static=True)
    optics: CloudOptics = CloudOptics()
    convection_time: float = eqx.field(static=True, default=7200.0)
    reference_humidity: float = eqx.field(static=True, default=0.8)
    evaporation: float = eqx.field(static=True, default=1e-5)
    critical_humidity: float = eqx.field(static=True, default=0.85)
    cloud_content: float = eqx.field(static=True, default=0.03)
    critical_richardson: float = eqx.field(static=True, default=1.0)
    drag: float = eqx.field(static=True, default=1.8e-3)
    gustiness: float = eqx.field(static=True, default=5.0)

    def init(self, state: ColumnState, forcing: ColumnForcing, key: PRNGKeyArray) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def __call__(
        self, state: ColumnState, forcing: ColumnForcing, carry: tuple[()], key: PRNGKeyArray
    ) -> tuple[ColumnTendency, ColumnFluxes, tuple[()]]:
        """Tendency and fluxes of the coming step; `key` is not used."""
        dt = forcing.time_step
        pressure = self._sigma(state.temperature.dtype) * state.surface_pressure[:, None]
        mass = self._thickness(state.temperature.dtype) * (state.surface_pressure / GRAVITY)[:, None]
        temperature, humidity = state.temperature, jnp.maximum(state.specific_humidity, 0.0)
        rain = rain_share(temperature[:, -1])
        latent_heat = LATENT_HEAT_CONDENSATION + LATENT_HEAT_FUSION * (1.0 - rain)

        mixed = mix(
            temperature, humidity, heights(self.sigma_half, temperature, humidity), pressure, mass,
            state.eastward_wind**2 + state.northward_wind**2, forcing.sensible_heat_flux, forcing.latent_heat_flux,
            time_step=dt, drag=self.drag, gustiness=self.gustiness, critical=self.critical_richardson,
        )  # fmt: skip
        heating, moistening = mixed.heating, mixed.moistening
        deep = convect(
            temperature + dt * heating, humidity + dt * moistening, pressure, mass, latent_heat,
            time=self.convection_time, relative=self.reference_humidity,
        )  # fmt: skip
        heating, moistening = heating + deep.heating, moistening + deep.moistening
        large = condense(
            temperature + dt * heating, humidity + dt * moistening, pressure, mass, latent_heat,
            time_step=dt, evaporation=self.evaporation,
        )  # fmt: skip
        heating, moistening = heating + large.heating, moistening + large.moistening
        precipitation = deep.precipitation + large.precipitation

        temperature, humidity = temperature + dt * heating, humidity + dt * moistening
        liquid, ice = diagnose_clouds(
            temperature, humidity, pressure, deep.precipitation, deep.layers,
            critical=self.critical_humidity, content=self.cloud_content,
        )  # fmt: skip
        radiation = radiate(
            self.optics, temperature.T, humidity.T, liquid.T, ice.T, np.diff(np.asarray(self.sigma_half)),
            state.surface_pressure, forcing.surface_temperature, forcing.insolation,
        )  # fmt: skip
        fluxes = ColumnFluxes(
            net_shortwave_top=radiation.net_shortwave_top,
            net_shortwave_surface=radiation.net_shortwave_surface,
            net_longwave_top=radiation.net_longwave_top,
            net_longwave_surface=radiation.net_longwave_surface,
            rain=rain * precipitation,
            snow=(1.0 - rain) * precipitation,
        )
        return ColumnTendency(heating + radiation.heating.T, moistening), fluxes, carry

    def _sigma(self, dtype: jnp.dtype) -> Float[Array, " level"]:
        half = np.asarray(self.sigma_half)
        return jnp.asarray(0.5 * (half[1:] + half[:-1]), dtype)

    def _thickness(self, dtype: jnp.dtype) -> Float[Array, " level"]:
        return jnp.asarray(np.diff(np.asarray(self.sigma_half)), dtype)
