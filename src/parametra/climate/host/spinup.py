"""A start state with jets and eddies: the host itself, driven for some weeks by relaxation instead of a closure.

Source of the idea: Held & Suarez (1994, Bull. Amer. Meteor. Soc. 75, 1825). The profile is simpler, one power of sigma over the
temperature of the sea; humidity is relaxed to a profile of the form of Manabe & Wetherald (1967, J. Atmos. Sci. 24, 241), but
moister aloft, as the multi-scale model itself becomes: a drier start costs a week of truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.climate.columns import ColumnState, ColumnTendency
from parametra.climate.grid import ColumnGrid
from parametra.climate.host.config import SpinUpConfig
from parametra.climate.host.core import ModalState
from parametra.climate.host.state import HostState
from parametra.climate.thermodynamics import (
    saturation_specific_humidity,
    saturation_vapour_pressure_ice,
    saturation_vapour_pressure_liquid,
)
from parametra.core.constants import SECONDS_PER_DAY

if TYPE_CHECKING:
    from parametra.climate.host.atmosphere import Atmosphere

LONGEST_STEP = 3600.0  # s, of the relaxation run, which takes twice the host's step where that is allowed


def target_temperature(config: SpinUpConfig, surface_temperature: np.ndarray, grid: ColumnGrid) -> np.ndarray:
    """max(minimum, (SST - offset) sigma^exponent) [K] (column, level), float64.

    Exponent and minimum grow towards the poles: without the steeper gradient aloft the relaxation keeps eddies that are too weak,
    surface winds and evaporation with them, and the multi-scale model would cool for a week before it warms again.
    """
    polar = np.sin(np.radians(grid.column_latitude))[:, None] ** 2
    profile = grid.sigma ** (config.exponent + config.polar_exponent * polar)
    return np.maximum(config.minimum + config.polar_minimum * polar, (surface_temperature - config.offset)[:, None] * profile)


def target_humidity(config: SpinUpConfig, state: ColumnState, grid: ColumnGrid) -> Float[Array, "column level"]:
    """Humidity of a relative humidity that falls as the root of (sigma - 0.02) / 0.98; nowhere above more than below."""
    sigma = jnp.asarray(grid.sigma, state.temperature.dtype)
    vapour = jnp.minimum(saturation_vapour_pressure_liquid(state.temperature), saturation_vapour_pressure_ice(state.temperature))
    saturated = saturation_specific_humidity(vapour, state.surface_pressure[:, None] * sigma)
    humidity = config.humidity * jnp.sqrt(jnp.maximum(sigma - 0.02, 0.0) / 0.98) * saturated
    return jax.lax.cummin(humidity, axis=1, reverse=True)


def spin_up(host: Atmosphere, key: PRNGKeyArray) -> HostState:
    """`config.spin_up.days` of relaxation from rest and noise, then the ledger and the clock start at zero."""
    config, grid = host.config.spin_up, host.grid
    runner = _with_longer_step(host)
    target = jnp.asarray(target_temperature(config, host.surface_temperature, grid))
    noise = config.noise * jax.random.normal(key, target.shape, target.dtype)
    zeros = jnp.zeros(host.core.horizontal.modal_shape, target.dtype)
    modes = jnp.broadcast_to(zeros, (grid.levels, *zeros.shape))
    temperature = host.core.to_modal(target - host.config.reference_temperature + noise)
    modal = ModalState(modes, modes, temperature, zeros[None])
    state = runner.start(modal, jnp.zeros_like(target))
    state = runner.start(modal, target_humidity(config, state.columns, grid))

    def relax(state: HostState, _):
        columns = state.columns
        tendency = ColumnTendency(
            temperature=(target - columns.temperature) / (config.temperature_days * SECONDS_PER_DAY),
            specific_humidity=(target_humidity(config, columns, grid) - columns.specific_humidity)
            / (config.humidity_days * SECONDS_PER_DAY),
        )
        return runner.step(state, tendency), None

    steps = round(config.days * SECONDS_PER_DAY / runner.time_step)
    if steps:  # a scan of no steps would still be compiled
        state, _ = jax.lax.scan(relax, state, length=steps)
    return host.start(state.modal, state.columns.specific_humidity)


def _with_longer_step(host: Atmosphere) -> Atmosphere:
    step = 2.0 * host.config.time_step
    if step > LONGEST_STEP or host.config.steps_per_day % 2:
        return host
    return type(host)(host.config.model_copy(update={"time_step": step}))
