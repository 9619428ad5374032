"""One host interval of the cloud-resolving model: the boundary behind which faster kernels can take its place.

Step order follows SAM (Khairoutdinov & Randall 2003): buoyancy, subgrid stress, momentum (Adams-Bashforth 3), projection, forcing
and subgrid mixing of scalars, their transport, microphysics. Two corrections to the published form: descent does work on the air
(`-w b / cp`), and falling water carries its latent heat (`d(L F)/dz`).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from parametra.climate.crm import advection, dynamics, microphysics, turbulence
from parametra.climate.crm.fence import fence
from parametra.climate.crm.grid import CRMGrid, level_array
from parametra.climate.crm.pressure import PressureSolver
from parametra.climate.crm.state import CRMForcing, CRMMeans, CRMState
from parametra.core.constants import (
    GRAVITY,
    HEAT_CAPACITY,
    LATENT_HEAT_CONDENSATION,
    LATENT_HEAT_FUSION,
    LATENT_HEAT_SUBLIMATION,
)

DRAG = 1.5e-3
ADAMS_BASHFORTH = (23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0)


@dataclass(frozen=True, eq=False)
class CloudModel:
    """The model with its operators.

    Attributes:
        moist: False leaves out water altogether (dry test cases).
        viscosity: a constant eddy viscosity [m2 s-1] in place of the closures, for test cases.
        buoyancy_work: False leaves out `-w b / cp`, to show what it does.
        iterations: Newton steps of the saturation adjustment.
        fenced: stages compiled apart; needed on CPU, harmful on GPU.
    """

    grid: CRMGrid
    solver: PressureSolver
    moist: bool = True
    viscosity: float | None = None
    buoyancy_work: bool = True
    iterations: int = 2
    fenced: bool = True

    @classmethod
    def build(cls, grid: CRMGrid, **options: bool | float | int | None) -> "CloudModel":
        """The model on `grid`; `options` are the attributes."""
        options.setdefault("fenced", jax.default_backend() == "cpu")
        return cls(grid, PressureSolver.build(grid), **options)  # type: ignore[arg-type]


def rest(grid: CRMGrid, forcing: CRMForcing, noise: Float[Array, "z x column"]) -> CRMState:
    """A cloudless CRM at the host's means, with temperature `noise` [K]."""
    zeros = jnp.zeros_like(noise)
    half = jnp.zeros((grid.layers + 1, *noise.shape[1:]), noise.dtype)
    noise = noise - jnp.mean(noise, axis=1, keepdims=True)
    return CRMState(
        u=zeros + forcing.wind[:, None],
        w=half,
        liquid_temperature=noise,
        temperature=noise,
        total_water=zeros + forcing.vapour[:, None],
        precipitating_water=zeros,
        reference_temperature=forcing.temperature,
        acceleration=(zeros, half, zeros, half),
    )


def move_reference(state: CRMState, reference: Float[Array, "z column"]) -> CRMState:
    """The same state with its temperatures counted from another reference."""
    shift = (state.reference_temperature - reference)[:, None]
    return CRMState(
        u=state.u,
        w=state.w,
        liquid_temperature=state.liquid_temperature + shift,
        temperature=state.temperature + shift,
        total_water=state.total_water,
        precipitating_water=state.precipitating_water,
        reference_temperature=reference,
        acceleration=state.acceleration,
    )


def run_interval(model: CloudModel, state: CRMState, forcing: CRMForcing, steps: int) -> tuple[CRMState, CRMMeans]:
    """`steps` CRM steps (an even number) under constant forcing.

    The mean temperature, vapour and wind are taken to the host's over the interval, as in SAM's multi-scale coupling:
    F_T = (T_G - <T>)/Dt and so on; condensate stays with the CRM.

    Returns:
        The new state, and the means, fluxes and audit of the interval.
    """
    if steps % 2:
        raise ValueError(f"An interval needs an even number of CRM steps (the sweeps alternate), got {steps}.")
    grid = model.grid
    duration = np.float32(steps * grid.time_step)
    state = move_reference(state, forcing.temperature)
    pressure, mean = forcing.pressure[:, None], forcing.temperature[:, None]
    cloud = _cloud(model, state, pressure)
    vapour_mean = jnp.mean(state.total_water - cloud, axis=1)
    tendencies = _Tendencies(model, forcing, state, vapour_mean, duration)
    start_energy, start_water = _energy(model, state), _water(model, state)
    start_motion = dynamics.kinetic_energy(grid, state.u, state.w)
    true = jnp.all(forcing.pressure > 0.0) if model.fenced else None
    evaporation = microphysics.evaporation_coefficients(grid, mean, pressure) if model.moist else None

    def pair(carry: tuple, _: None) -> tuple[tuple, None]:
        for x_first in (True, False):
            carry = _step(model, forcing, tendencies, evaporation, true, x_first, carry)
        return carry, None

    zero = jnp.zeros_like(forcing.sensible_heat_flux)
    carry = (state, cloud, (zero, zero, zero, zero, zero))
    (state, cloud, sums), _ = jax.lax.scan(pair, carry, None, length=steps // 2)
    fallen, fallen_heat, work, courant, updraught = sums
    state, returned = _return_dissipation(model, state, start_motion, work)
    return state, _means(
        model, forcing, tendencies, state, _cloud(model, state, pressure), start_energy, start_water, duration,
        (fallen, fallen_heat, work, returned, courant, updraught),
    )  # fmt: skip


class _Tendencies:
    """Constant increments of one CRM step: host forcing, surface fluxes, radiation, boundary-layer viscosity."""

    def __init__(self, model: CloudModel, forcing: CRMForcing, state: CRMState, vapour: Array, duration: np.float32):
        grid, dt = model.grid, np.float32(model.grid.time_step)
        mass = np.float32(grid.mass[0])
        first = np.zeros((grid.layers, 1), np.float32)
        first[0] = dt / mass
        self.mean_temperature = jnp.mean(state.temperature, axis=1)
        self.temperature_forcing = -self.mean_temperature / duration
        self.water_forcing = (forcing.vapour - vapour) / duration
        self.wind = ((forcing.wind - jnp.mean(state.u, axis=1)) * (dt / duration))[:, None]
        surface = first * forcing.sensible_heat_flux / np.float32(HEAT_CAPACITY)
        self.temperature = (self.temperature_forcing * dt + surface)[:, None] + forcing.heating * dt
        self.water = (self.water_forcing * dt + first * forcing.evaporation)[:, None]
        step = forcing.height[1:] - forcing.height[:-1]
        self.lapse = (step * np.float32(GRAVITY / HEAT_CAPACITY))[:, None]
        self.reference_step = (forcing.temperature[1:] - forcing.temperature[:-1])[:, None] + self.lapse
        if model.viscosity is None:
            self.boundary_layer = turbulence.boundary_layer(
                grid, forcing.temperature, forcing.vapour, forcing.height, forcing.surface_wind,
                forcing.sensible_heat_flux, forcing.evaporation * LATENT_HEAT_CONDENSATION,
            )  # fmt: skip
        else:
            self.boundary_layer = jnp.zeros_like(self.lapse)
        drag = np.zeros((grid.layers, 1, 1), np.float32)
        drag[0] = DRAG * dt / grid.thickness[0] * (model.viscosity is None)
        sponge = level_array(grid.sponge_rate * grid.time_step) * (model.viscosity is None)
        self.keep_u = 1.0 / (1.0 + sponge + drag * forcing.surface_wind)
        self.keep = 1.0 / (1.0 + sponge)
        self.keep_w = np.concatenate([0.5 * (self.keep[1:] + self.keep[:-1])])


def _step(
    model: CloudModel,
    forcing: CRMForcing,
    tendencies: _Tendencies,
    evaporation: microphysics.Evaporation | None,
    true: Bool[Array, ""] | None,
    x_first: bool,
    carry: tuple[CRMState, Array, tuple[Array, ...]],
) -> tuple[CRMState, Array, tuple[Array, ...]]:
    """One CRM step; each fenced stage is compiled on its own."""
    grid, dt = model.grid, np.float32(model.grid.time_step)
    state, cloud, (fallen, fallen_heat, work, courant, updraught) = carry
    mean, pressure = forcing.temperature[:, None], forcing.pressure[:, None]

    def forces(state: CRMState, cloud: Array) -> tuple[Array, Array]:
        temperature = mean + state.temperature
        vapour = state.total_water - cloud
        b = dynamics.buoyancy(grid, temperature, vapour, cloud + state.precipitating_water)
        if model.viscosity is not None:
            return b, jnp.full_like(temperature, model.viscosity)
        return b, turbulence.smagorinsky(grid, state.u, state.w, temperature, vapour, cloud, tendencies.lapse)

    b, viscosity = fence(true, forces, state, cloud)
    vertical = turbulence.interface_viscosity(viscosity, tendencies.boundary_layer)

    def momentum(u: Array, w: Array, b: Array, viscosity: Array, history: tuple) -> tuple[Array, Array, Array, Array]:
        du, dw = dynamics.momentum_advection(grid, u, w)
        su, sw = turbulence.diffuse_momentum(
            grid, u, w, viscosity, turbulence.interface_viscosity(viscosity, tendencies.boundary_layer)
        )
        du, dw = du + su, dynamics.pad_interfaces(dw + sw + b)
        one, two, three = (np.float32(c) * dt for c in ADAMS_BASHFORTH)
        u = u + one * du + two * history[0] + three * history[2] + tendencies.wind
        w = w + one * dw + two * history[1] + three * history[3]
        u_mean = jnp.mean(u, axis=1, keepdims=True)
        u = u_mean + (u - u_mean) * tendencies.keep_u
        limit = level_array(0.9 * np.minimum(grid.thickness[1:], grid.thickness[:-1]) / grid.time_step)
        inner = jnp.clip(w[1:-1] * tendencies.keep_w, -limit, limit)
        return u, dynamics.pad_interfaces(inner), du, dw

    u, w, du, dw = fence(true, momentum, state.u, state.w, b, viscosity, state.acceleration)
    u, w = fence(true, model.solver, u, w)
    mass_x, mass_z = advection.courant_masses(grid, u, w)

    def buoyant_work(w: Array, b: Array) -> tuple[Array, Array]:
        at_interface = dynamics.pad_interfaces(w[1:-1] * b * level_array(0.5 * (grid.mass[1:] + grid.mass[:-1])))
        by_layer = 0.5 * (at_interface[1:] + at_interface[:-1])
        return by_layer * level_array(dt / (HEAT_CAPACITY * grid.mass)), jnp.sum(jnp.mean(by_layer, axis=1), axis=0) * dt

    cooling, new_work = fence(true, buoyant_work, w, b)

    def mix_heat(h: Array, viscosity: Array, vertical: Array, mass_z: Array, cooling: Array) -> Array:
        change = turbulence.diffuse_scalar(grid, h, viscosity, vertical, tendencies.reference_step)
        change = change + advection.advect_reference(grid, tendencies.reference_step, mass_z) + tendencies.temperature
        h = h + change - (cooling if model.buoyancy_work else 0.0)
        h_mean = jnp.mean(h, axis=1, keepdims=True)
        return h_mean + (h - h_mean) * tendencies.keep

    def mix_water(q: Array, viscosity: Array, vertical: Array) -> Array:
        q = q + turbulence.diffuse_scalar(grid, q, viscosity, vertical) + tendencies.water
        q_mean = jnp.mean(q, axis=1, keepdims=True)
        return _fill_layer(q_mean + (q - q_mean) * tendencies.keep)

    def mix_falling(q: Array, viscosity: Array, vertical: Array) -> Array:
        return _fill_layer(q + turbulence.diffuse_scalar(grid, q, viscosity, vertical))

    def transport(q: Array, mass_x: Array, mass_z: Array) -> Array:
        return advection.advect(grid, q, mass_x, mass_z, x_first)

    h = fence(true, mix_heat, state.liquid_temperature, viscosity, vertical, mass_z, cooling)
    h = fence(true, transport, h, mass_x, mass_z)
    qt, qp, temperature = state.total_water, state.precipitating_water, h
    if model.moist:
        assert evaporation is not None
        qt = fence(true, mix_water, qt, viscosity, vertical)
        qt = fence(true, transport, qt, mass_x, mass_z)
        qp = fence(true, mix_falling, qp, viscosity, vertical)
        qp = fence(true, transport, qp, mass_x, mass_z)

        def adjustment(h: Array, qt: Array, qp: Array, guess: Array) -> tuple[Array, Array]:
            deviation = microphysics.adjust(h, qt, qp, guess, mean, pressure, model.iterations)
            return deviation, microphysics.saturation(mean + deviation, pressure)[0]

        temperature, saturated = fence(true, adjustment, h, qt, qp, state.temperature)

        def precipitation(temperature: Array, qt: Array, qp: Array, saturated: Array) -> tuple[Array, Array]:
            return microphysics.convert(grid, mean + temperature, qt, qp, saturated, evaporation)

        gain, speed = fence(true, precipitation, temperature, qt, qp, saturated)

        def fall(h: Array, qt: Array, qp: Array, gain: Array, speed: Array, temperature: Array, saturated: Array) -> tuple:
            absolute = mean + temperature
            qt = qt - gain
            qp, flux = microphysics.sediment(grid, qp + gain, speed)
            frozen = 1.0 - microphysics.rain_share(absolute)
            heat = flux * (np.float32(LATENT_HEAT_CONDENSATION) + np.float32(LATENT_HEAT_FUSION) * frozen)
            ice = jnp.maximum(qt - saturated, 0.0) * (1.0 - microphysics.liquid_share(absolute))
            change, ice_flux = microphysics.ice_fall(grid, ice)
            heat_down = heat + ice_flux * np.float32(LATENT_HEAT_SUBLIMATION)
            inflow = jnp.concatenate([heat_down[1:], jnp.zeros_like(heat_down[:1])])
            h = h - (inflow - heat_down) * level_array(1.0 / (HEAT_CAPACITY * grid.mass))
            qt = qt + change
            return h, qt, qp, jnp.maximum(qt - saturated, 0.0), jnp.mean(flux[0], axis=0), jnp.mean(heat[0], axis=0)

        h, qt, qp, cloud, new_fallen, new_heat = fence(true, fall, h, qt, qp, gain, speed, temperature, saturated)
        fallen, fallen_heat = fallen + new_fallen, fallen_heat + new_heat

    def extremes(u: Array, w: Array) -> tuple[Array, Array]:
        return advection.largest_courant(grid, u, w), jnp.max(w, axis=(0, 1))

    fast, high = fence(true, extremes, u, w)
    state = CRMState(
        u=u,
        w=w,
        liquid_temperature=h,
        temperature=temperature,
        total_water=qt,
        precipitating_water=qp,
        reference_temperature=state.reference_temperature,
        acceleration=(du, dw, *state.acceleration[:2]),
    )
    sums = (fallen, fallen_heat, work + new_work, jnp.maximum(courant, fast), jnp.maximum(updraught, high))
    return state, cloud, sums


def _fill_layer(q: Float[Array, "z x column"]) -> Float[Array, "z x column"]:
    """Negative cells paid for by the other cells of their layer; a layer that cannot pay keeps its (negative) mean."""
    positive = jnp.maximum(q, 0.0)
    total, available = jnp.sum(q, axis=1, keepdims=True), jnp.sum(positive, axis=1, keepdims=True)
    filled = positive * (total / jnp.maximum(available, 1e-30))
    return jnp.where(total > 0.0, filled, total * np.float32(1.0 / q.shape[1]))


def _cloud(model: CloudModel, state: CRMState, pressure: Float[Array, "z one column"]) -> Float[Array, "z x column"]:
    """Cloud water of a state [kg kg-1]."""
    if not model.moist:
        return jnp.zeros_like(state.total_water)
    temperature = state.reference_temperature[:, None] + state.temperature
    return jnp.maximum(state.total_water - microphysics.saturation(temperature, pressure)[0], 0.0)


def _water(model: CloudModel, state: CRMState) -> Float[Array, " column"]:
    """All water of a column [kg m-2]."""
    mass = level_array(model.grid.mass)[:, :, 0]
    return jnp.sum(mass * jnp.mean(state.total_water + state.precipitating_water, axis=1), axis=0)


def _energy(model: CloudModel, state: CRMState) -> Float[Array, " column"]:
    """Cp h' + Lc (qt + qp) of a column [J m-2]: its frozen moist static energy, from the reference."""
    mass = level_array(model.grid.mass)[:, :, 0]
    heat = np.float32(HEAT_CAPACITY) * jnp.sum(mass * jnp.mean(state.liquid_temperature, axis=1), axis=0)
    return heat + np.float32(LATENT_HEAT_CONDENSATION) * _water(model, state)


def _return_dissipation(
    model: CloudModel, state: CRMState, start_motion: Float[Array, "z column"], work: Float[Array, " column"]
) -> tuple[CRMState, Float[Array, " column"]]:
    """Kinetic energy that buoyancy made and friction took, given back as heat where the motion is [J m-2]."""
    motion = dynamics.kinetic_energy(model.grid, state.u, state.w)
    made = work - jnp.sum(motion - start_motion, axis=0)
    if not model.buoyancy_work:
        made = jnp.zeros_like(made)
    shape = motion + start_motion + np.float32(1e-6) * level_array(model.grid.mass)[:, :, 0]
    share = shape / jnp.sum(shape, axis=0)
    heat = (made * share * level_array(1.0 / (HEAT_CAPACITY * model.grid.mass))[:, :, 0])[:, None]
    return CRMState(
        u=state.u,
        w=state.w,
        liquid_temperature=state.liquid_temperature + heat,
        temperature=state.temperature + heat,
        total_water=state.total_water,
        precipitating_water=state.precipitating_water,
        reference_temperature=state.reference_temperature,
        acceleration=state.acceleration,
    ), made


def _means(
    model: CloudModel, forcing: CRMForcing, tendencies: _Tendencies, state: CRMState, cloud: Float[Array, "z x column"],
    start_energy: Float[Array, " column"], start_water: Float[Array, " column"], duration: np.float32, sums: tuple[Array, ...],
) -> CRMMeans:  # fmt: skip
    """Means over x and the audit: what the budgets of water and frozen moist static energy leave over."""
    fallen, fallen_heat, work, returned, courant, updraught = sums
    mass = level_array(model.grid.mass)[:, :, 0]
    absolute = state.reference_temperature[:, None] + state.temperature
    liquid, rain = microphysics.liquid_share(absolute), microphysics.rain_share(absolute)
    frozen = jnp.mean(cloud * (1.0 - liquid) + state.precipitating_water * (1.0 - rain), axis=1)
    cloud_mean, falling = jnp.mean(cloud, axis=1), jnp.mean(state.precipitating_water, axis=1)
    fusion = (fallen_heat - np.float32(LATENT_HEAT_CONDENSATION) * fallen) / np.float32(LATENT_HEAT_FUSION)
    snow = jnp.clip(fusion, 0.0, fallen) / duration
    water_in = (forcing.evaporation + jnp.sum(mass * tendencies.water_forcing, axis=0)) * duration
    radiation = jnp.sum(mass * (jnp.mean(forcing.heating, axis=1) + tendencies.temperature_forcing), axis=0)
    energy_in = (forcing.sensible_heat_flux + np.float32(HEAT_CAPACITY) * radiation) * duration
    energy_in = energy_in + np.float32(LATENT_HEAT_CONDENSATION) * (water_in - fallen) + fallen_heat
    energy_in = energy_in + returned - (work if model.buoyancy_work else 0.0)
    return CRMMeans(
        temperature=jnp.mean(state.temperature, axis=1),
        vapour=jnp.mean(state.total_water - cloud, axis=1),
        rain=fallen / duration - snow,
        snow=snow,
        latent_flux=fallen_heat / duration,
        cloud_water=jnp.sum(mass * cloud_mean, axis=0),
        precipitating_water=jnp.sum(mass * falling, axis=0),
        ice=jnp.sum(mass * frozen, axis=0),
        water_residual=_water(model, state) - start_water - (water_in - fallen),
        energy_residual=_energy(model, state) - start_energy - energy_in,
        returned_heat=returned / duration,
        largest_courant=courant,
        largest_updraught=updraught,
    )
