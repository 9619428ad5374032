"""The resolved atmosphere as a host: spectral dynamics, explicit surface and stratosphere, fixers, a ledger.

One step is a Lie split: physics at fixed surface pressure, dynamics, then the fixers. They come in the order column filler, dry mass,
water, energy, since water and energy are weighed with the mass that is final.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.climate import insolation
from parametra.climate.columns import ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.grid import ColumnGrid
from parametra.climate.host.budget import budget
from parametra.climate.host.config import HostConfig
from parametra.climate.host.conservation import GlobalSums
from parametra.climate.host.core import ModalState, SpectralCore
from parametra.climate.host.ledger import Ledger, Totals
from parametra.climate.host.physics import HostPhysics
from parametra.climate.host.positivity import fill_columns
from parametra.climate.host.spinup import spin_up
from parametra.climate.host.state import HostState
from parametra.climate.surface import aquaplanet_temperature, bulk_fluxes
from parametra.core.constants import GRAVITY, HEAT_CAPACITY


@dataclass(frozen=True)
class Atmosphere:
    """A moist global atmosphere over a prescribed sea; a `parametra.coupling.Host` for any `ColumnScheme`.

    Equal configurations are equal atmospheres, so one can be a static argument of a compiled function.
    """

    config: HostConfig = HostConfig()

    @cached_property
    def core(self) -> SpectralCore:
        """The dynamical core."""
        return SpectralCore(self.config)

    @cached_property
    def grid(self) -> ColumnGrid:
        """Where the columns are."""
        return self.core.grid

    @cached_property
    def sums(self) -> GlobalSums:
        """Global means on this grid."""
        return GlobalSums(self.grid, self.config.mean_surface_pressure)

    @cached_property
    def physics(self) -> HostPhysics:
        """The explicit physics."""
        return HostPhysics(self.config, self.grid, self.sums)

    @cached_property
    def surface_temperature(self) -> np.ndarray:
        """Sea surface temperature (column,) [K], float64."""
        sea = self.config.surface
        latitude, longitude = self.grid.column_latitude, self.grid.column_longitude
        return aquaplanet_temperature(latitude, longitude, offset=sea.offset, wave=sea.wave, warming=sea.warming)

    @property
    def time_step(self) -> float:
        """Length of a step [s]."""
        return self.config.time_step

    def init(self, key: PRNGKeyArray) -> HostState:
        """A start state with jets, eddies and sensible humidity, after the relaxation run of `config.spin_up`."""
        return spin_up(self, key)

    def start(self, modal: ModalState, humidity: Float[Array, "column level"]) -> HostState:
        """The state at step zero from given modes and humidity (column, level); the ledger is empty."""
        u, v = self.core.wind(modal)
        columns = ColumnState(self.core.temperature(modal), humidity, u, v, self.core.surface_pressure(modal))
        zero = jnp.zeros((), humidity.dtype)
        return HostState(
            modal, columns, *self._fluxes(columns), jnp.zeros((), jnp.int32), zero, zero, Ledger.zeros(), Totals.zeros()
        )

    def resolved(self, state: HostState) -> tuple[ColumnState, ColumnForcing]:
        """The columns, and the forcing of the coming step: its sunlight, and the surface fluxes of the end of the last one."""
        cosine = insolation.cosine_zenith(state.step, self.config.steps_per_day, self.grid)
        forcing = ColumnForcing(
            surface_temperature=jnp.asarray(self.surface_temperature, cosine.dtype),
            insolation=insolation.insolation(cosine),
            cosine_zenith=cosine,
            sensible_heat_flux=state.sensible_heat_flux,
            latent_heat_flux=state.latent_heat_flux,
            time_step=self.time_step,
        )
        return state.columns, forcing

    def step(self, state: HostState, tendency: ColumnTendency) -> HostState:
        """The state one step later. The tendency holds all of the closure's work, the surface fluxes included."""
        dt, sums, core = self.time_step, self.sums, self.core
        before = state.columns
        after, physics = self.physics(before, tendency)

        increment = core.to_modal(after.temperature - before.temperature)
        curl, divergence = core.curl_and_divergence(
            after.eastward_wind - before.eastward_wind, after.northward_wind - before.northward_wind
        )
        modal = ModalState(
            state.modal.vorticity + curl, state.modal.divergence + divergence, state.modal.temperature + increment,
            state.modal.log_pressure,
        )  # fmt: skip
        humidity = core.to_modal(after.specific_humidity)
        pressure_modes = core.to_modal(before.surface_pressure[:, None])
        thickness = jnp.asarray(self.grid.layer_thickness, increment.dtype)

        def truncated(modes, columns):
            """Change of the global sum by the cut at the truncation; the quadrature of a product of cut fields is a product of modes."""
            kept = jnp.sum(jnp.sum(modes * pressure_modes, axis=(1, 2)) * thickness) / (4.0 * np.pi * GRAVITY)
            return kept - sums.integral(columns, before.surface_pressure)

        moved_modal, moved_humidity = core.integrate(modal, humidity)
        moved_modal, moved_humidity, lost = core.diffuse(moved_modal, moved_humidity)
        temperature_modes = core.add_mean(moved_modal.temperature, lost / HEAT_CAPACITY)
        diffusion_energy = jnp.sum(lost * thickness) * (self.config.mean_surface_pressure / GRAVITY)

        keep = self._noise_kept
        raw_humidity = core.to_columns(moved_humidity - keep * humidity) + keep * after.specific_humidity
        filled, moved, missing = fill_columns(raw_humidity, self.grid.layer_thickness)

        raw_pressure = core.surface_pressure(moved_modal)
        mass_factor = sums.mass_factor(raw_pressure)
        pressure = raw_pressure * (1.0 + mass_factor)
        log_pressure = core.add_mean(moved_modal.log_pressure, jnp.log1p(mass_factor))

        water_before, water_filled = sums.water(before), sums.integral(filled, pressure)
        water_wanted = dt * physics.closure_moistening + state.water_debt
        water_made = (water_before - water_filled) + water_wanted
        filled = filled + filled * (water_made / jnp.maximum(water_filled, 1e-12))

        u, v = core.wind(moved_modal)
        anomaly = core.to_columns(temperature_modes)
        energy_before = sums.energy(before)
        energy_wanted = (
            dt * (physics.closure_heating + physics.closure_work + physics.stratospheric_relaxation) + state.energy_debt
        )
        raw = ColumnState(anomaly + self.config.reference_temperature, filled, u, v, pressure)
        energy_made = (energy_before - sums.energy(raw)) + energy_wanted
        warming = sums.warming(energy_made)
        columns = ColumnState((anomaly + warming) + self.config.reference_temperature, filled, u, v, pressure)

        missing_water = sums.mean(pressure * missing) / GRAVITY
        ledger = Ledger(
            **physics._asdict(),
            diffusion_heating=diffusion_energy / dt,
            negative_humidity=sums.mean(jnp.mean((raw_humidity < 0.0).astype(pressure.dtype), axis=1)),
            column_fill=sums.mean(pressure * moved) / (GRAVITY * dt),
            global_fill=missing_water / dt,
            water_fixer=water_made / dt,
            mass_fixer=mass_factor * (self.config.mean_surface_pressure / (GRAVITY * dt)),
            energy_fixer=energy_made / dt,
            truncated_water=(1.0 - keep) * truncated(humidity, after.specific_humidity) / dt,
            truncated_heat=HEAT_CAPACITY * truncated(increment, after.temperature - before.temperature) / dt,
        )
        modal = ModalState(moved_modal.vorticity, moved_modal.divergence, core.add_mean(temperature_modes, warming), log_pressure)
        return HostState(
            modal, columns, *self._fluxes(columns), state.step + 1,
            water_debt=water_wanted - (sums.water(columns) - water_before),
            energy_debt=energy_wanted - (sums.energy(columns) - energy_before),
            ledger=ledger, totals=state.totals.add(ledger),
        )  # fmt: skip

    def diagnose(self, state: HostState) -> dict[str, Float[Array, ""]]:
        """The ledger of the last step by name, traceable, so that a coupled run can record every fixer of every step."""
        return state.ledger.entries()

    def budget(self, state: HostState) -> Mapping[str, float]:
        """Global means in float64: mass, water vapour, energy, angular momentum, and each ledger entry averaged over all steps."""
        return budget(self.grid, state)

    @cached_property
    def _noise_kept(self) -> float:
        hours = self.config.humidity_noise_hours
        return float(np.exp(-self.time_step / (3600.0 * hours))) if hours > 0.0 else 0.0

    def _fluxes(self, columns: ColumnState) -> tuple[Float[Array, " column"], Float[Array, " column"]]:
        sea = self.config.surface
        temperature = jnp.asarray(self.surface_temperature, columns.temperature.dtype)
        sigma = float(self.grid.sigma[-1])
        return bulk_fluxes(columns, temperature, sigma, exchange=sea.exchange, gustiness=sea.gustiness)
