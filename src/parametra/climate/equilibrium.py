"""Radiative-convective equilibrium: a host without dynamics, to run a column scheme on its own.

    python -m parametra.climate.equilibrium --days 20 --surface-temperature 300 --out equilibrium.png

Columns do not speak to each other; each keeps what its scheme gives it. Surface fluxes are the bulk formulas of the aquaplanet.
"""

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from parametra.climate.columns import ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.surface import bulk_fluxes
from parametra.climate.thermodynamics import saturation_specific_humidity, saturation_vapour_pressure_liquid
from parametra.core.constants import GRAVITY, HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, REFERENCE_PRESSURE


class EquilibriumState(eqx.Module):
    """Columns and the surface fluxes found at the end of the last step."""

    columns: ColumnState
    sensible_heat_flux: Float[Array, " column"]
    latent_heat_flux: Float[Array, " column"]
    steps: Int[Array, ""]


class Equilibrium(eqx.Module):
    """A host of independent columns over one surface temperature, under constant insolation.

    Attributes:
        columns: number of columns.
        sigma_half: interfaces of the layers, 0 at the top.
        surface_temperature: K.
        insolation: W m-2; the default is the 409.6 of the RCEMIP protocol (Wing et al. 2018).
    """

    columns: int = eqx.field(static=True)
    sigma_half: tuple[float, ...] = eqx.field(static=True)
    surface_temperature: float = eqx.field(static=True, default=300.0)
    insolation: float = eqx.field(static=True, default=409.6)
    wind: float = eqx.field(static=True, default=5.0)
    time_step: float = eqx.field(static=True, default=1800.0)

    @property
    def sigma(self) -> np.ndarray:
        """Layer centres (level,)."""
        half = np.asarray(self.sigma_half)
        return 0.5 * (half[1:] + half[:-1])

    def init(self, key: PRNGKeyArray) -> EquilibriumState:
        """A moist adiabat of sorts under 203 K, 80 percent humid near the ground, drier upward; the same for every column."""
        del key
        sigma = jnp.asarray(self.sigma, jnp.float32)
        temperature = jnp.maximum((self.surface_temperature - 1.5) * sigma**0.1755, 203.0)
        pressure = sigma * REFERENCE_PRESSURE
        humid = 0.8 * jnp.clip((sigma - 0.1) / 0.9, 0.0, 1.0)
        q = humid * saturation_specific_humidity(saturation_vapour_pressure_liquid(temperature), pressure)
        profile = [jnp.tile(a, (self.columns, 1)) for a in (temperature, q, jnp.full_like(q, self.wind), jnp.zeros_like(q))]
        state = ColumnState(*profile, surface_pressure=jnp.full(self.columns, REFERENCE_PRESSURE, jnp.float32))
        return self._with_fluxes(state, jnp.zeros((), jnp.int32))

    def resolved(self, state: EquilibriumState) -> tuple[ColumnState, ColumnForcing]:
        """The columns, and sun and surface of the coming step."""
        ones = jnp.ones(self.columns, jnp.float32)
        forcing = ColumnForcing(
            surface_temperature=self.surface_temperature * ones,
            insolation=self.insolation * ones,
            cosine_zenith=0.74 * ones,
            sensible_heat_flux=state.sensible_heat_flux,
            latent_heat_flux=state.latent_heat_flux,
            time_step=self.time_step,
        )
        return state.columns, forcing

    def step(self, state: EquilibriumState, tendency: ColumnTendency) -> EquilibriumState:
        """The tendency added; nothing else moves the air."""
        columns = eqx.tree_at(
            lambda c: (c.temperature, c.specific_humidity),
            state.columns,
            (
                state.columns.temperature + self.time_step * tendency.temperature,
                state.columns.specific_humidity + self.time_step * tendency.specific_humidity,
            ),
        )
        return self._with_fluxes(columns, state.steps + 1)

    def budget(self, state: EquilibriumState) -> Mapping[str, float]:
        """Mean water [kg m-2] and moist enthalpy [J m-2] of a column."""
        mass = np.diff(np.asarray(self.sigma_half)) * REFERENCE_PRESSURE / GRAVITY
        q = np.asarray(state.columns.specific_humidity, np.float64) @ mass
        t = np.asarray(state.columns.temperature, np.float64) @ mass
        return {
            "water": float(q.mean()),
            "energy": float((HEAT_CAPACITY * t + LATENT_HEAT_CONDENSATION * q).mean()),
        }

    def _with_fluxes(self, columns: ColumnState, steps: Int[Array, ""]) -> EquilibriumState:
        surface = jnp.full(self.columns, self.surface_temperature, jnp.float32)
        sensible, latent = bulk_fluxes(columns, surface, float(self.sigma[-1]), exchange=1.2e-3, gustiness=5.0)
        return EquilibriumState(columns, sensible, latent, steps)
