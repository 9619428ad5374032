"""The host's half of physics: the closure's tendency applied, drag, vertical diffusion, sponge and stratospheric relaxation.

These stay explicit in every run, whatever stands for the unresolved.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from parametra.climate.columns import ColumnState, ColumnTendency
from parametra.climate.grid import ColumnGrid
from parametra.climate.host.config import HostConfig
from parametra.climate.host.fixers.positivity import fill_columns
from parametra.climate.host.mixing import VerticalMixing
from parametra.climate.host.profiles import rates, reference_temperature
from parametra.climate.host.sums import GlobalSums, Scalar
from parametra.climate.surface import wind_speed
from parametra.core.constants import GAS_CONSTANT, GRAVITY, HEAT_CAPACITY


class PhysicsRecord(NamedTuple):
    """Global means over the step, named as in the ledger."""

    closure_heating: Scalar
    closure_moistening: Scalar
    closure_work: Scalar
    stratospheric_relaxation: Scalar
    drag_heating: Scalar
    moistening_limit: Scalar
    mixing_water: Scalar
    mixing_heat: Scalar


@dataclass(frozen=True, eq=False)
class HostPhysics:
    """Physics of one step at fixed surface pressure."""

    config: HostConfig
    grid: ColumnGrid
    sums: GlobalSums

    @cached_property
    def _momentum(self) -> VerticalMixing:
        inner, config = self.grid.sigma_half[1:-1], self.config
        boundary = config.boundary_diffusion * np.exp(-(((1.0 - inner) / config.boundary_depth) ** 2))
        sponge = rates(config.sponge_days, self.grid.sigma)
        return VerticalMixing.build(self.grid.sigma_half, config.momentum_diffusion + boundary, config.time_step, sponge)

    @cached_property
    def _scalars(self) -> VerticalMixing:
        diffusivity = np.full(self.grid.levels - 1, self.config.scalar_diffusion)
        return VerticalMixing.build(self.grid.sigma_half, diffusivity, self.config.time_step)

    @cached_property
    def _relaxation(self) -> np.ndarray:
        """Share of the distance to the stratosphere's temperature covered in a step (level,)."""
        return -np.expm1(-self.config.time_step * rates(self.config.stratosphere_days, self.grid.sigma))

    def __call__(self, columns: ColumnState, tendency: ColumnTendency) -> tuple[ColumnState, PhysicsRecord]:
        """The columns after physics, and its global means."""
        dt, pressure = self.config.time_step, columns.surface_pressure
        u, v = columns.eastward_wind, columns.northward_wind
        forced_u = u if tendency.eastward_wind is None else u + dt * tendency.eastward_wind
        forced_v = v if tendency.northward_wind is None else v + dt * tendency.northward_wind
        mixed_u, mixed_v, heat = self._mix_momentum(columns, forced_u, forced_v)

        profile = jnp.asarray(reference_temperature(self.grid.sigma), u.dtype)
        anomaly = columns.temperature + dt * tendency.temperature + heat / HEAT_CAPACITY - profile
        mixed = self._scalars(anomaly)
        relaxation = (self.config.stratosphere - profile - mixed) * jnp.asarray(self._relaxation, u.dtype)

        wanted = columns.specific_humidity + dt * tendency.specific_humidity
        humidity, moved, _ = fill_columns(wanted, self.grid.layer_thickness)
        mixed_humidity = self._scalars(humidity)

        def mean(x):
            return self.sums.integral(x, pressure) / dt

        record = PhysicsRecord(
            closure_heating=HEAT_CAPACITY * mean(dt * tendency.temperature),
            closure_moistening=mean(dt * tendency.specific_humidity),
            closure_work=mean(0.5 * ((forced_u - u) * (forced_u + u) + (forced_v - v) * (forced_v + v))),
            stratospheric_relaxation=HEAT_CAPACITY * mean(relaxation),
            drag_heating=mean(heat),
            moistening_limit=self.sums.mean(pressure * moved) / (GRAVITY * dt),
            mixing_water=mean(mixed_humidity - humidity),
            mixing_heat=HEAT_CAPACITY * mean(mixed - anomaly),
        )
        after = ColumnState(profile + mixed + relaxation, mixed_humidity, mixed_u, mixed_v, pressure)
        return after, record

    def _mix_momentum(self, columns: ColumnState, u, v):
        """Wind after drag, vertical diffusion and sponge, and the kinetic energy lost [J kg-1] (column, level)."""
        surface = self.config.surface
        speed = surface.drag * wind_speed(columns, surface.gustiness)
        mass = GAS_CONSTANT * columns.temperature[:, -1] * self.grid.layer_thickness[-1]
        drag = self.config.time_step * GRAVITY * speed / mass
        mixed_u, mixed_v = self._momentum.with_drag(u, drag), self._momentum.with_drag(v, drag)
        heat = self._momentum.dissipation(u, mixed_u, drag) + self._momentum.dissipation(v, mixed_v, drag)
        return mixed_u, mixed_v, heat
