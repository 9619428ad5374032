"""The multi-scale scheme: a cloud-resolving model with radiation in every column of the host.

Coupling (the formulas of SAM's multi-scale use, Khairoutdinov & Randall 2003): the CRM's mean temperature and vapour are taken
to the host's over the interval, condensate stays with the CRM, and what the CRM's means end up with beyond the host's is the
tendency. Momentum is not fed back. Layers map one to one; the CRM has the mass of 1000 hPa in every column, so surface fluxes go
in times p_ref / ps and precipitation comes out times ps / p_ref. The host's own heights enter the static energy, its pressure
saturation.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.crm import CloudModel, CRMForcing, CRMGrid, CRMMeans, CRMState, rest, run_interval
from parametra.climate.crm.microphysics import liquid_share, saturation
from parametra.climate.radiation import CloudOptics, RadiativeFluxes, radiate
from parametra.climate.thermodynamics import heights
from parametra.core.constants import LATENT_HEAT_CONDENSATION, REFERENCE_PRESSURE
from parametra.core.errors import UsageError


class MultiscaleCarry(eqx.Module):
    """The CRMs, column first, and what they said of their last interval."""

    crm: CRMState
    diagnostics: dict[str, Float[Array, " column"]]


class Multiscale(eqx.Module):
    """A cloud-resolving model in every column."""

    model: CloudModel = eqx.field(static=True)
    optics: CloudOptics
    sigma_half: tuple[float, ...] = eqx.field(static=True)

    @classmethod
    def build(
        cls,
        sigma_half: tuple[float, ...],
        columns_x: int = 8,
        spacing: float = 4000.0,
        crm_time_step: float = 30.0,
        optics: CloudOptics | None = None,
    ) -> "Multiscale":
        """Scheme on the host's layers, `sigma_half` from 0 at the top to 1; spacing [m] and time step [s] are the CRM's."""
        grid = CRMGrid.from_sigma(np.asarray(sigma_half), columns_x, spacing, crm_time_step)
        return cls(CloudModel.build(grid), optics or CloudOptics(), tuple(float(s) for s in sigma_half))

    def init(self, state: ColumnState, forcing: ColumnForcing, key: PRNGKeyArray) -> MultiscaleCarry:
        """Cloudless CRMs at the host's means, with 0.1 K of noise."""
        grid = self.model.grid
        columns = state.temperature.shape[0]
        noise = 0.1 * jax.random.normal(key, (grid.layers, grid.columns_x, columns), state.temperature.dtype)
        zeros = jnp.zeros_like(noise)
        crm = rest(grid, self._forcing(state, forcing, zeros), noise)
        nothing = jnp.zeros_like(state.surface_pressure)
        return MultiscaleCarry(_column_first(crm), dict.fromkeys(DIAGNOSTICS, nothing))

    def __call__(
        self, state: ColumnState, forcing: ColumnForcing, carry: MultiscaleCarry, key: PRNGKeyArray
    ) -> tuple[ColumnTendency, ColumnFluxes, MultiscaleCarry]:
        """Radiation on the CRM's cells, then one interval of the CRM under the host's forcing."""
        grid = self.model.grid
        steps = self._steps(forcing.time_step)
        crm = _column_last(carry.crm)
        radiation = self._radiation(state, forcing, crm)
        crm_forcing = self._forcing(state, forcing, radiation.heating[::-1])
        crm, means = run_interval(self.model, crm, crm_forcing, steps)
        ratio = state.surface_pressure * np.float32(1.0 / REFERENCE_PRESSURE)
        tendency = ColumnTendency(
            temperature=means.temperature[::-1].T / np.float32(forcing.time_step),
            specific_humidity=(means.vapour - crm_forcing.vapour)[::-1].T / np.float32(forcing.time_step),
        )
        fluxes = ColumnFluxes(
            net_shortwave_top=jnp.mean(radiation.net_shortwave_top, axis=0),
            net_shortwave_surface=jnp.mean(radiation.net_shortwave_surface, axis=0),
            net_longwave_top=jnp.mean(radiation.net_longwave_top, axis=0),
            net_longwave_surface=jnp.mean(radiation.net_longwave_surface, axis=0),
            rain=means.rain * ratio,
            snow=means.snow * ratio,
        )
        assert grid.layers == state.temperature.shape[1]
        return tendency, fluxes, MultiscaleCarry(_column_first(crm), _diagnostics(means, ratio))

    def perturb(self, carry: MultiscaleCarry, state: ColumnState, key: PRNGKeyArray, amplitude: float = 0.1) -> MultiscaleCarry:
        """CRMs with temperature noise [K] in every cell, re-centred so that the host's means do not change."""
        shape = carry.crm.temperature.shape
        noise = amplitude * jax.random.normal(key, shape, carry.crm.temperature.dtype)
        noise = noise - jnp.mean(noise, axis=2, keepdims=True)
        return eqx.tree_at(
            lambda c: (c.crm.temperature, c.crm.liquid_temperature),
            carry,
            (carry.crm.temperature + noise, carry.crm.liquid_temperature + noise),
        )

    def _steps(self, time_step: float) -> int:
        steps = time_step / self.model.grid.time_step
        if abs(steps - round(steps)) > 1e-6 or round(steps) % 2:
            raise UsageError(
                f"A host step of {time_step:g} s is not an even number of CRM steps of {self.model.grid.time_step:g} s. "
                "Remedy: choose crm.time_step so that half the host step is a multiple of it."
            )
        return round(steps)

    def _forcing(self, state: ColumnState, forcing: ColumnForcing, heating: Float[Array, "z x column"]) -> CRMForcing:
        """The host's columns, turned upward and transposed; vapour below zero counts as none."""
        ratio = np.float32(REFERENCE_PRESSURE) / state.surface_pressure
        wind = jnp.hypot(state.eastward_wind[:, -1], state.northward_wind[:, -1])
        vapour = jnp.maximum(state.specific_humidity, 1e-7)
        return CRMForcing(
            temperature=state.temperature.T[::-1],
            vapour=vapour.T[::-1],
            wind=jnp.clip(state.eastward_wind.T[::-1], -100.0, 100.0),
            height=heights(self.sigma_half, state.temperature, vapour).T[::-1],
            pressure=self._sigma()[::-1, None] * state.surface_pressure,
            heating=heating,
            sensible_heat_flux=forcing.sensible_heat_flux * ratio,
            evaporation=forcing.latent_heat_flux * np.float32(1.0 / LATENT_HEAT_CONDENSATION) * ratio,
            surface_wind=jnp.sqrt(wind**2 + 25.0),
        )

    def _sigma(self) -> Float[Array, " level"]:
        half = np.asarray(self.sigma_half)
        return jnp.asarray(0.5 * (half[1:] + half[:-1]), jnp.float32)

    def _radiation(self, state: ColumnState, forcing: ColumnForcing, crm: CRMState) -> RadiativeFluxes:
        """Radiation of every CRM column, from the cells as they stand at the start of the step."""
        temperature = crm.reference_temperature[:, None] + crm.temperature
        pressure = (self._sigma()[::-1, None] * state.surface_pressure)[:, None]
        cloud = jnp.maximum(crm.total_water - saturation(temperature, pressure)[0], 0.0)
        liquid = cloud * liquid_share(temperature)
        return radiate(
            self.optics,
            temperature[::-1],
            (crm.total_water - cloud)[::-1],
            liquid[::-1],
            (cloud - liquid)[::-1],
            np.diff(np.asarray(self.sigma_half)),
            state.surface_pressure,
            forcing.surface_temperature,
            forcing.insolation,
        )


DIAGNOSTICS = (
    "cloud_water",
    "precipitating_water",
    "ice",
    "water_residual",
    "energy_residual",
    "returned_heat",
    "largest_courant",
    "largest_updraught",
)


def _diagnostics(means: CRMMeans, ratio: Float[Array, " column"]) -> dict[str, Float[Array, " column"]]:
    """Condensate and audit in the host's masses; Courant number and updraught as they are."""
    plain = ("largest_courant", "largest_updraught")
    return {name: getattr(means, name) * (1.0 if name in plain else ratio) for name in DIAGNOSTICS}


def _column_first(crm: CRMState) -> CRMState:
    return jax.tree.map(lambda a: jnp.moveaxis(a, -1, 0), crm)


def _column_last(crm: CRMState) -> CRMState:
    return jax.tree.map(lambda a: jnp.moveaxis(a, 0, -1), crm)
