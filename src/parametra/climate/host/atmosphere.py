"""The resolved atmosphere as a host: spectral dynamics, explicit surface and stratosphere, fixers, a ledger.

One step is a Lie split: physics at fixed surface pressure, dynamics, then the fixers. They come in the order column filler, dry
mass, water, energy, since water and energy are weighed with the final mass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.climate import insolation
from parametra.climate.columns import ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.grid import ColumnGrid
from parametra.climate.host.budget import budget
from parametra.climate.host.config import HostConfig
from parametra.climate.host.core import ModalState, SpectralCore
from parametra.climate.host.fixers.energy import restore_energy
from parametra.climate.host.fixers.mass import restore_mass
from parametra.climate.host.fixers.positivity import fill_columns
from parametra.climate.host.fixers.water import restore_water
from parametra.climate.host.ledger import Ledger, Totals
from parametra.climate.host.mature import mature_state
from parametra.climate.host.physics import HostPhysics
from parametra.climate.host.spinup import spin_up
from parametra.climate.host.state import HostState
from parametra.climate.host.sums import GlobalSums
from parametra.climate.host.transport import Transport
from parametra.climate.surface import aquaplanet_temperature, bulk_fluxes
from parametra.core.constants import GRAVITY


@dataclass(frozen=True)
class Atmosphere:
    """A moist global atmosphere over a prescribed sea; a `parametra.coupling.Host` for any `ColumnScheme`.

    Equal configurations are equal atmospheres, so one can be a static argument of a compiled function.
    """

    config: HostConfig = field(default_factory=HostConfig)

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
    def transport(self) -> Transport:
        """Resolved dynamics of a step."""
        return Transport(self.config, self.core, self.sums)

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
        """A start state with jets, eddies and sensible humidity: a mature climate, or the end of a relaxation run."""
        return mature_state(self, key) if self.config.spin_up.start == "mature" else spin_up(self, key)

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
        dt, sums, core, before = self.time_step, self.sums, self.core, state.columns
        after, physics = self.physics(before, tendency)
        moved = self.transport(state.modal, before, after)

        humidity, water_moved, missing = fill_columns(moved.humidity, self.grid.layer_thickness)
        pressure, mass_change = restore_mass(core.surface_pressure(moved.modal), sums)
        deviation = core.to_columns(moved.modal.temperature)  # small numbers: a small increment is not rounded away
        reference = self.config.reference_temperature
        columns = ColumnState(deviation + reference, humidity, *core.wind(moved.modal), pressure)

        water_gain = dt * physics.closure_moistening + state.water_debt
        columns, water_made = restore_water(columns, sums, before, water_gain)
        heating = physics.closure_heating + physics.closure_work + physics.stratospheric_relaxation
        energy_gain = dt * heating + state.energy_debt
        warming, energy_made = restore_energy(columns, sums, before, energy_gain)
        columns = eqx.tree_at(lambda c: c.temperature, columns, (deviation + warming) + reference)

        ledger = Ledger(
            **physics._asdict(),
            diffusion_heating=moved.diffusion_heat / dt,
            negative_humidity=sums.mean(jnp.mean(moved.humidity < 0.0, axis=1, dtype=humidity.dtype)),
            column_fill=sums.mean(pressure * water_moved) / (GRAVITY * dt),
            global_fill=sums.mean(pressure * missing) / (GRAVITY * dt),
            water_fixer=water_made / dt,
            mass_fixer=mass_change * (self.config.mean_surface_pressure / (GRAVITY * dt)),
            energy_fixer=energy_made / dt,
            truncated_water=moved.truncated_water / dt,
            truncated_heat=moved.truncated_heat / dt,
        )
        modal = ModalState(
            moved.modal.vorticity, moved.modal.divergence, core.add_mean(moved.modal.temperature, warming),
            core.add_mean(moved.modal.log_pressure, jnp.log1p(mass_change)),
        )  # fmt: skip
        return HostState(
            modal, columns, *self._fluxes(columns), state.step + 1,
            water_debt=water_gain - sums.water_change(before, columns),
            energy_debt=energy_gain - sums.energy_change(before, columns),
            ledger=ledger, totals=state.totals.add(ledger),
        )  # fmt: skip

    def diagnose(self, state: HostState) -> dict[str, Float[Array, ""]]:
        """The ledger of the last step by name, traceable, so that a coupled run can record every fixer of every step."""
        return state.ledger.entries()

    def budget(self, state: HostState) -> Mapping[str, float]:
        """Global means in float64: mass, vapour, energy, angular momentum, and every ledger entry, its mean over all steps."""
        return budget(self.grid, state)

    def _fluxes(self, columns: ColumnState) -> tuple[Float[Array, " column"], Float[Array, " column"]]:
        sea = self.config.surface
        temperature = jnp.asarray(self.surface_temperature, columns.temperature.dtype)
        sigma = float(self.grid.sigma[-1])
        return bulk_fluxes(columns, temperature, sigma, exchange=sea.exchange, gustiness=sea.gustiness)
