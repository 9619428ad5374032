"""One small world for all tests of the host: each compiled function is used by many of them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.climate.columns import ColumnTendency
from parametra.climate.host.atmosphere import Atmosphere
from parametra.climate.host.config import HostConfig, SpinUpConfig
from parametra.climate.host.core import ModalState
from parametra.climate.host.levels import layers
from parametra.climate.host.spinup import target_temperature
from parametra.climate.thermodynamics import saturation_specific_humidity, saturation_vapour_pressure_ice
from parametra.core.constants import GRAVITY, HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, SECONDS_PER_DAY


class SimpleMoistPhysics:
    """A user's ten lines: surface fluxes into the lowest layers, rain above 80 percent, relaxation of temperature."""

    def __init__(self, host: Atmosphere):
        self.grid, self.target = (
            host.grid,
            jnp.asarray(target_temperature(host.config.spin_up, host.surface_temperature, host.grid)),
        )

    def __call__(self, state, forcing):
        thickness, sigma = jnp.asarray(self.grid.layer_thickness), jnp.asarray(self.grid.sigma)
        low = jnp.where(sigma > 0.8, 1.0, 0.0)
        into_low = low / jnp.sum(low * thickness) * GRAVITY / state.surface_pressure[:, None]
        vapour = saturation_vapour_pressure_ice(state.temperature)
        saturated = saturation_specific_humidity(vapour, state.surface_pressure[:, None] * sigma)
        rain = jnp.maximum(state.specific_humidity - 0.8 * saturated, 0.0) / (4.0 * 3600.0)
        evaporation = forcing.latent_heat_flux[:, None] / LATENT_HEAT_CONDENSATION
        cooling = (self.target - state.temperature) / (15.0 * SECONDS_PER_DAY)
        heating = (LATENT_HEAT_CONDENSATION * rain + forcing.sensible_heat_flux[:, None] * into_low) / HEAT_CAPACITY
        return ColumnTendency(heating + cooling, evaporation * into_low - rain)


class Run(NamedTuple):
    """Ten moist days: states at both ends, the ledger of every step, and what the closure gave, summed in float64."""

    start: Any
    end: Any
    ledger: dict[str, np.ndarray]
    gained_water: float  # kg m-2
    gained_heat: float  # J m-2
    lowest_humidity: float


def make_state(host, temperature, eastward_wind=0.0, humidity=0.0, log_pressure=0.0):
    """State of given fields, each a (column, level) array or a number; log pressure (column,)."""
    core, shape = host.core, (host.grid.columns, host.grid.levels)
    u, v = jnp.broadcast_to(jnp.asarray(eastward_wind, float), shape), jnp.zeros(shape)
    vorticity, divergence = core.curl_and_divergence(u, v)
    pressure = core.to_modal(jnp.broadcast_to(jnp.asarray(log_pressure, float), shape[:1])[:, None])
    anomaly = core.to_modal(jnp.broadcast_to(jnp.asarray(temperature, float), shape) - host.config.reference_temperature)
    return host.start(ModalState(vorticity, divergence, anomaly, pressure), jnp.broadcast_to(jnp.asarray(humidity, float), shape))


def nothing(host):
    zeros = jnp.zeros((host.grid.columns, host.grid.levels))
    return ColumnTendency(zeros, zeros)


def largest_deviation(host, x):
    """Largest deviation from the zonal mean."""
    field = np.asarray(x).reshape(*host.grid.shape, -1)
    return np.abs(field - field.mean(axis=1, keepdims=True)).max()


@pytest.fixture(scope="session")
def start_state():
    """Function: a state of given fields."""
    return make_state


@pytest.fixture(scope="session")
def no_tendency():
    """Function: a closure's tendency of nothing."""
    return nothing


@pytest.fixture(scope="session")
def zonal_deviation():
    """Function: largest deviation from the zonal mean."""
    return largest_deviation


@pytest.fixture(scope="session")
def host():
    return Atmosphere(HostConfig(spin_up=SpinUpConfig(days=10.0)))


@pytest.fixture(scope="session")
def spun_up(host):
    return jax.jit(host.init)


@pytest.fixture(scope="session")
def moist_run(host, spun_up):
    physics = SimpleMoistPhysics(host)

    @jax.jit
    def day(state):
        def step(state, _):
            tendency = physics(*host.resolved(state))
            after = host.step(state, tendency)
            given = (tendency, state.columns.surface_pressure, jnp.min(after.columns.specific_humidity))
            return after, (host.diagnose(after), given)

        return jax.lax.scan(step, state, length=host.config.steps_per_day)

    start = state = spun_up(jax.random.key(0))
    ledgers, water, heat, lowest = [], 0.0, 0.0, np.inf
    for _ in range(10):
        state, (ledger, (tendency, pressure, humidity)) = day(state)
        mass = host.grid.layer_mass(np.asarray(pressure, np.float64)) * host.grid.area_weight[:, None]
        water += host.time_step * np.sum(mass * np.asarray(tendency.specific_humidity, np.float64))
        heat += host.time_step * HEAT_CAPACITY * np.sum(mass * np.asarray(tendency.temperature, np.float64))
        ledgers.append(ledger)
        lowest = min(lowest, float(np.min(humidity)))
    records = {name: np.concatenate([np.asarray(ledger[name], np.float64) for ledger in ledgers]) for name in ledgers[0]}
    return Run(start, state, records, water, heat, lowest)


@pytest.fixture(scope="session")
def bare():
    """A dry core without any physics of its own, on eight layers."""
    config = HostConfig.model_validate(
        {
            "sigma_half": layers(8), "momentum_diffusion": 0.0, "boundary_diffusion": 0.0, "scalar_diffusion": 0.0,
            "stratosphere_days": (), "sponge_days": (), "diffusion_hours": 1000.0,
            "surface": {"drag": 0.0, "exchange": 0.0},
        }
    )  # fmt: skip
    return Atmosphere(config)


@pytest.fixture(scope="session")
def bare_day(bare):
    """The bare core one day later."""

    def step(state, _):
        return bare.step(state, nothing(bare)), None

    return jax.jit(lambda state: jax.lax.scan(step, state, length=bare.config.steps_per_day)[0])
