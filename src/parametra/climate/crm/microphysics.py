"""Single-moment ice microphysics: saturation adjustment, conversion to rain, snow and graupel, evaporation, fall.

Source: the single-moment scheme of SAM (Khairoutdinov & Randall 2003, J. Atmos. Sci. 60, appendix). Ours differs in that rates of
a mixture of rain, snow and graupel are those of the pure species weighted by their shares, that ventilation uses the mean
temperature of the layer, that precipitation falls by an implicit sweep, and that cloud ice falls at 0.4 m/s.
"""

from math import gamma, pi
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.crm.grid import CRMGrid, level_array
from parametra.climate.thermodynamics import (
    EPSILON,
    saturation_vapour_pressure_ice,
    saturation_vapour_pressure_liquid,
)
from parametra.core.constants import (
    GAS_CONSTANT_VAPOUR,
    HEAT_CAPACITY,
    LATENT_HEAT_CONDENSATION,
    LATENT_HEAT_FUSION,
    LATENT_HEAT_SUBLIMATION,
)

LIQUID, FUSION = LATENT_HEAT_CONDENSATION / HEAT_CAPACITY, LATENT_HEAT_FUSION / HEAT_CAPACITY  # K
AUTOCONVERSION, AUTOCONVERSION_THRESHOLD = 1e-3, 1e-3  # s-1, kg kg-1
AGGREGATION, AGGREGATION_THRESHOLD = 1e-3, 1e-4  # s-1, kg kg-1
ICE_FALL_SPEED = 0.4  # m s-1
SURFACE_DENSITY = 1.29  # kg m-3, to which the fall speeds refer


class Species(NamedTuple):
    """Marshall-Palmer distribution and fall law V = a D^b of one kind of precipitation (SAM)."""

    density: float  # kg m-3
    intercept: float  # m-4
    a: float  # m^(1-b) s-1
    b: float
    collects_liquid: float
    collects_ice: float


RAIN = Species(1000.0, 8e6, 842.0, 0.8, 1.0, 0.0)
SNOW = Species(100.0, 3e6, 4.84, 0.25, 1.0, 0.1)
GRAUPEL = Species(400.0, 4e6, 94.5, 0.5, 1.0, 0.1)


class Evaporation(NamedTuple):
    """Ventilation coefficients by species at the mean temperature of each layer, (z, 1, column)."""

    first: tuple[Float[Array, "z one column"], ...]
    second: tuple[Float[Array, "z one column"], ...]


def liquid_share(temperature: Float[Array, "..."]) -> Float[Array, "..."]:
    """Share of cloud water that is liquid: 0 below -20 C, 1 above 0 C."""
    return jnp.clip((temperature - 253.16) * (1.0 / 20.0), 0.0, 1.0)


def rain_share(temperature: Float[Array, "..."]) -> Float[Array, "..."]:
    """Share of precipitating water that is rain: 0 below -5 C, 1 above 10 C."""
    return jnp.clip((temperature - 268.16) * (1.0 / 15.0), 0.0, 1.0)


def graupel_share(temperature: Float[Array, "..."]) -> Float[Array, "..."]:
    """Share of frozen precipitation that is graupel."""
    return jnp.clip((temperature - 223.16) * (1.0 / 60.0), 0.0, 1.0)


def saturation(
    temperature: Float[Array, "..."], pressure: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Saturation specific humidity of the mixture of liquid and ice, and its derivative with temperature."""
    share = liquid_share(temperature)
    celsius = temperature - 273.15
    liquid, ice = saturation_vapour_pressure_liquid(temperature), saturation_vapour_pressure_ice(temperature)
    vapour_pressure = share * liquid + (1.0 - share) * ice
    slope = (
        share * liquid * (17.67 * 243.5) / (celsius + 243.5) ** 2
        + (1.0 - share) * ice * (22.587 * 273.86) / (celsius + 273.86) ** 2
    )
    denominator = jnp.maximum(vapour_pressure, pressure - (1.0 - EPSILON) * vapour_pressure)
    humidity = EPSILON * vapour_pressure / denominator
    return humidity, humidity * slope * pressure / (vapour_pressure * denominator)


def adjust(
    liquid_temperature: Float[Array, "z x column"],
    total_water: Float[Array, "z x column"],
    precipitating: Float[Array, "z x column"],
    guess: Float[Array, "z x column"],
    mean: Float[Array, "z one column"],
    pressure: Float[Array, "z one column"],
    iterations: int,
) -> Float[Array, "z x column"]:
    """Temperature after saturation adjustment, as a deviation from `mean`, like the liquid-ice temperature that is given.

    Newton's method on T = T_l + L_n (qt - qs(T))+ / cp + L_p qp / cp; a fixed number of iterations, since the guess is the
    temperature of the step before.
    """
    deviation = guess
    for _ in range(iterations):
        temperature = mean + deviation
        humidity, slope = saturation(temperature, pressure)
        cloud = jnp.maximum(total_water - humidity, 0.0)
        heat = LIQUID + FUSION * (1.0 - liquid_share(temperature))
        heat_falling = LIQUID + FUSION * (1.0 - rain_share(temperature))
        residual = liquid_temperature - deviation + heat * cloud + heat_falling * precipitating
        deviation = deviation + residual / (1.0 + jnp.where(cloud > 0.0, heat * slope, 0.0))
    return deviation


def evaporation_coefficients(
    grid: CRMGrid, temperature: Float[Array, "z one column"], pressure: Float[Array, "z one column"]
) -> Evaporation:
    """Coefficients of qp^(1/2) and qp^((5+b)/8), per unit of (qv/qs - 1) [s-1]."""
    density = level_array(grid.density)
    r1 = 393.0 / (temperature + 120.0) * (temperature / 273.0) ** 1.5
    r2 = (temperature / 273.0) ** 1.94 * (1e5 / pressure)
    conductivity, diffusivity, viscosity = 2.4e-2, 2.21e-5, 1.717e-5
    first, second = [], []
    for species in (RAIN, SNOW, GRAUPEL):
        frozen = species is not RAIN
        latent = LATENT_HEAT_SUBLIMATION if frozen else LATENT_HEAT_CONDENSATION
        vapour = (saturation_vapour_pressure_ice if frozen else saturation_vapour_pressure_liquid)(temperature)
        resistance = (latent / (temperature * GAS_CONSTANT_VAPOUR) - 1.0) * latent / (conductivity * r1 * temperature)
        resistance = resistance + GAS_CONSTANT_VAPOUR * temperature / (diffusivity * r2 * vapour)
        size = pi * species.density * species.intercept
        plain, ventilated = (0.65 * 4.0, 0.49 * 4.0) if frozen else (0.78 * 2.0 * pi, 0.31 * 2.0 * pi * 0.89)
        first.append(plain * species.intercept / size**0.5 / resistance / jnp.sqrt(density))
        second.append(
            ventilated * species.intercept * gamma((5.0 + species.b) / 2.0) * jnp.sqrt(species.a / (viscosity * r1))
            / size ** ((5.0 + species.b) / 8.0) / resistance
            * density ** ((1.0 + species.b) / 8.0) * (SURFACE_DENSITY / density) ** 0.25
        )  # fmt: skip
    return Evaporation(tuple(first), tuple(second))


def _accretion(grid: CRMGrid, species: Species) -> np.ndarray:
    """Rate coefficient of qp^((3+b)/4) for a collection efficiency of one (z, 1, 1)."""
    size = pi * species.density * species.intercept / grid.density
    rate = pi / 4.0 * species.intercept * species.a * gamma(3.0 + species.b) * np.sqrt(SURFACE_DENSITY / grid.density)
    return level_array(rate / size ** ((3.0 + species.b) / 4.0))


def _fall(grid: CRMGrid, species: Species) -> np.ndarray:
    """Coefficient of qp^(b/4) in the mass-weighted fall speed (z, 1, 1) [m s-1]."""
    size = pi * species.density * species.intercept
    speed = species.a * gamma(4.0 + species.b) / 6.0 * size ** (-species.b / 4.0)
    return level_array(speed * grid.density ** (species.b / 4.0) * np.sqrt(SURFACE_DENSITY / grid.density))


def convert(
    grid: CRMGrid,
    temperature: Float[Array, "z x column"],
    total_water: Float[Array, "z x column"],
    precipitating: Float[Array, "z x column"],
    saturated: Float[Array, "z x column"],
    evaporation: Evaporation,
) -> tuple[Float[Array, "z x column"], Float[Array, "z x column"]]:
    """Water that becomes precipitation in this step (negative: evaporates), and the fall speed [m s-1]."""
    dt = np.float32(grid.time_step)
    rain = rain_share(temperature)
    graupel = (1.0 - rain) * graupel_share(temperature)
    shares = (rain, 1.0 - rain - graupel, graupel)
    logarithm = jnp.log(jnp.maximum(precipitating, 1e-12))
    present = precipitating > 1e-8
    cloud = jnp.maximum(total_water - saturated, 0.0)
    liquid = liquid_share(temperature)
    water, ice = cloud * liquid, cloud * (1.0 - liquid)
    cold = jnp.exp(0.025 * (temperature - 273.15))
    collect_water = collect_ice = evaporate = speed = jnp.zeros_like(cloud)
    for share, species, first, second in zip(shares, (RAIN, SNOW, GRAUPEL), evaporation.first, evaporation.second, strict=True):
        rate = share * _accretion(grid, species) * jnp.exp((3.0 + species.b) / 4.0 * logarithm)
        collect_water = collect_water + species.collects_liquid * rate
        if species.collects_ice:
            collect_ice = collect_ice + species.collects_ice * rate
        evaporate = evaporate + share * (first * jnp.exp(0.5 * logarithm) + second * jnp.exp((5.0 + species.b) / 8.0 * logarithm))
        speed = speed + share * _fall(grid, species) * jnp.exp(species.b / 4.0 * logarithm)
    collect_water = jnp.where(present, collect_water, 0.0)
    collect_ice = jnp.where(present, collect_ice * cold, 0.0)
    converting = jnp.where(water > AUTOCONVERSION_THRESHOLD, AUTOCONVERSION, 0.0)
    aggregating = jnp.where(ice > AGGREGATION_THRESHOLD, AGGREGATION, 0.0) * cold
    new_water = (water + dt * converting * AUTOCONVERSION_THRESHOLD) / (1.0 + dt * (collect_water + converting))
    new_ice = (ice + dt * aggregating * AGGREGATION_THRESHOLD) / (1.0 + dt * (collect_ice + aggregating))
    gain = jnp.clip(cloud - new_water - new_ice, 0.0, cloud)
    deficit = jnp.where((cloud == 0.0) & present, total_water / saturated - 1.0, 0.0)
    loss = jnp.maximum(dt * deficit * evaporate, -0.5 * precipitating)
    return gain + jnp.minimum(loss, 0.0), jnp.where(present, speed, 0.0)


def sediment(
    grid: CRMGrid, precipitating: Float[Array, "z x column"], speed: Float[Array, "z x column"]
) -> tuple[Float[Array, "z x column"], Float[Array, "z x column"]]:
    """Precipitating water after one step of fall, and what left each layer downward [kg m-2]; implicit, so for any speed."""
    mass = jnp.asarray(grid.mass, precipitating.dtype)
    rate = (speed * np.float32(grid.time_step)) * level_array(grid.density)

    def layer(above: Array, inputs: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        water, down, m = inputs
        out = down * (m * water + above) / (m + down)
        return out, out

    start = jnp.zeros_like(precipitating[0])
    _, flux = jax.lax.scan(layer, start, (precipitating, rate, mass), reverse=True, unroll=5)
    inflow = jnp.concatenate([flux[1:], jnp.zeros_like(flux[:1])])
    return precipitating + (inflow - flux) * level_array(1.0 / grid.mass), flux


def ice_fall(
    grid: CRMGrid, cloud_ice: Float[Array, "z x column"]
) -> tuple[Float[Array, "z x column"], Float[Array, "z x column"]]:
    """Change of cloud ice by its own fall in one step, and what left each layer downward [kg m-2]; upwind.

    Nothing leaves the lowest layer: ice there counts as cloud until it melts or precipitates.
    """
    flux = cloud_ice * level_array(grid.density * (ICE_FALL_SPEED * grid.time_step))
    flux = jnp.concatenate([jnp.zeros_like(flux[:1]), flux[1:]])
    inflow = jnp.concatenate([flux[1:], jnp.zeros_like(flux[:1])])
    return (inflow - flux) * level_array(1.0 / grid.mass), flux
