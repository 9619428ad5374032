"""The ocean under the atmosphere: prescribed temperature and bulk fluxes."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.columns import ColumnState
from parametra.climate.thermodynamics import saturation_specific_humidity, saturation_vapour_pressure_liquid
from parametra.core.constants import GAS_CONSTANT, HEAT_CAPACITY, KAPPA, LATENT_HEAT_CONDENSATION

ZERO_CELSIUS = 273.15
SALINITY_FACTOR = 0.98  # vapour pressure over sea water relative to fresh water


def aquaplanet_temperature(
    latitude: np.ndarray, longitude: np.ndarray, *, offset: float = 2.0, wave: float = 0.0, warming: float = 0.0
) -> np.ndarray:
    """Sea surface temperature [K] with its maximum at 5 N, from latitude and longitude in degrees (any shape), float64.

    T = offset + 13.5 (2 - z - z^2) in Celsius, with z = sin^2 of (latitude - 5) pi / 110 to the north and pi / 130 to the
    south, 1 poleward of 60. `wave` adds a zonal wave number one of that amplitude [K] between 25 S and 35 N (3 in the "3KW1"
    experiment), and `warming` a uniform change [K].

    Source: Andersen & Kuang (2012, J. Climate 25, 2782), with the constants used by Rasp, Pritchard & Gentine (2018).
    """
    north = np.sin(np.pi * (latitude - 5.0) / 110.0) ** 2
    south = np.sin(np.pi * (latitude - 5.0) / 130.0) ** 2
    z = np.where(np.abs(latitude) >= 60.0, 1.0, np.where(latitude > 5.0, north, south))
    envelope = np.where(np.abs(latitude - 5.0) < 30.0, np.cos(0.5 * np.pi * (latitude - 5.0) / 30.0) ** 2, 0.0)
    return ZERO_CELSIUS + offset + 13.5 * (2.0 - z - z**2) + wave * np.cos(np.radians(longitude)) * envelope + warming


def wind_speed(state: ColumnState, gustiness: float) -> Float[Array, " column"]:
    """Speed at the lowest layer with a floor, sqrt(u^2 + v^2 + gustiness^2) [m s-1]."""
    u, v = state.eastward_wind[:, -1], state.northward_wind[:, -1]
    return jnp.sqrt(u**2 + v**2 + gustiness**2)


def bulk_fluxes(
    state: ColumnState, surface_temperature: Float[Array, " column"], sigma: float, *, exchange: float, gustiness: float
) -> tuple[Float[Array, " column"], Float[Array, " column"]]:
    """Upward sensible and latent heat flux [W m-2], rho C V (X_s - X_1), from the lowest layer at `sigma`.

    X is cp times the temperature brought dry-adiabatically to the surface, and Lc times the specific humidity; over the sea that
    is 0.98 of saturation. The lowest layer is some hundred metres up: without the adiabat neutral air would be heated.
    """
    temperature, humidity, pressure = state.temperature[:, -1], state.specific_humidity[:, -1], state.surface_pressure
    transfer = pressure / (GAS_CONSTANT * temperature) * exchange * wind_speed(state, gustiness)
    saturated = saturation_specific_humidity(saturation_vapour_pressure_liquid(surface_temperature), pressure)
    sensible = HEAT_CAPACITY * transfer * (surface_temperature - temperature * sigma**-KAPPA)
    latent = LATENT_HEAT_CONDENSATION * transfer * (SALINITY_FACTOR * saturated - humidity)
    return sensible, latent
