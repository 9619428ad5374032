"""Two long-wave bands and one short-wave band, with water vapour and clouds, on every column that is given.

Source: Geen, Czaja & Haigh (2016, Geophys. Res. Lett. 43) clear-sky optical depths, as functions of humidity and sigma at 360 ppm
CO2. Clouds are ours: a grey absorption added to both long-wave bands, and in the short wave a conservative two-stream
reflectance of each layer, joined by the adding method. Heating is the divergence of the fluxes on the mass grid, so top minus
surface equals the heating of the column to round-off.

All arrays are (z, ...), z from the TOP down here, as for the host; whoever holds them upward flips them.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.core.constants import GRAVITY, HEAT_CAPACITY, STEFAN_BOLTZMANN

WINDOW_SHARE = 0.3732


class CloudOptics(eqx.Module):
    """Numbers that are tuned so that the aquaplanet's balance holds."""

    absorption_liquid: float = eqx.field(static=True, default=100.0)  # m2 kg-1, long wave
    absorption_ice: float = eqx.field(static=True, default=25.0)  # m2 kg-1, long wave
    radius_liquid: float = eqx.field(static=True, default=12e-6)  # m
    radius_ice: float = eqx.field(static=True, default=27e-6)  # m
    shortwave_scale: float = eqx.field(static=True, default=0.5)  # 1, on the optical depth: inhomogeneity
    surface_albedo: float = eqx.field(static=True, default=0.08)  # 1


class RadiativeFluxes(NamedTuple):
    """Net fluxes at the two ends, and the heating rate; short-wave positive down, long-wave positive up."""

    heating: Float[Array, "z *columns"]  # K s-1
    net_shortwave_top: Float[Array, "*columns"]  # W m-2
    net_shortwave_surface: Float[Array, "*columns"]  # W m-2
    net_longwave_top: Float[Array, "*columns"]  # W m-2
    net_longwave_surface: Float[Array, "*columns"]  # W m-2


def longwave(
    temperature: Float[Array, "z *columns"],
    vapour: Float[Array, "z *columns"],
    cloud_depth: Float[Array, "z *columns"],
    thickness: Float[Array, "z *#columns"],
    surface_temperature: Float[Array, "*#columns"],
) -> Float[Array, "half *columns"]:
    """Net upward flux at the interfaces [W m-2]; `thickness` is that of the layers in sigma, `cloud_depth` their cloud's."""
    q = jnp.maximum(vapour, 0.0)
    non_window = (0.154925 + 351.48 * jnp.sqrt(q)) * thickness + cloud_depth
    window = (0.2150 + 147.11 * q + 1.0814e4 * q * q) * thickness + cloud_depth
    source = STEFAN_BOLTZMANN * temperature**4
    surface = STEFAN_BOLTZMANN * surface_temperature**4
    net = 0.0
    for share, depth in ((1.0 - WINDOW_SHARE, non_window), (WINDOW_SHARE, window)):
        transmission = jnp.exp(-depth)
        emission = share * source * (1.0 - transmission)

        def through(flux: Array, layer: tuple[Array, Array]) -> tuple[Array, Array]:
            flux = flux * layer[0] + layer[1]
            return flux, flux

        zero = jnp.zeros_like(source[0])
        _, down = jax.lax.scan(through, zero, (transmission, emission))
        _, up = jax.lax.scan(through, zero + share * surface, (transmission, emission), reverse=True)
        up = jnp.concatenate([up, jnp.broadcast_to(share * surface, zero.shape)[None]])
        net = net + up - jnp.concatenate([zero[None], down])
    return jnp.asarray(net)


def shortwave(
    vapour: Float[Array, "z *columns"],
    cloud_depth: Float[Array, "z *columns"],
    thickness: Float[Array, "z *#columns"],
    insolation: Float[Array, "*#columns"],
    albedo: float,
) -> Float[Array, "half *columns"]:
    """Net downward flux at the interfaces [W m-2].

    Vapour absorbs exp(-dtau) of what passes a layer either way; cloud reflects R = (1 - g) tau / (2 + (1 - g) tau), g = 0.85.
    """

    def absorb(depth: Array, layer: tuple[Array, Array]) -> tuple[Array, Array]:
        q, ds = layer
        rate = 0.0596 + jnp.exp(0.01887 / (depth + 0.009522) + 1.603 / (depth + 0.5194) ** 2) * q
        return depth + rate * ds, jnp.exp(-rate * ds)

    q = jnp.maximum(vapour, 0.0)
    _, transmission = jax.lax.scan(absorb, jnp.zeros_like(q[0]), (q, jnp.broadcast_to(thickness, q.shape)))
    scaled = 0.15 * cloud_depth
    cloud = scaled / (2.0 + scaled)
    reflection, passage = cloud * transmission, (1.0 - cloud) * transmission

    def add_above(below: Array, layer: tuple[Array, Array]) -> tuple[Array, Array]:
        r, t = layer
        return r + t * t * below / (1.0 - r * below), below

    ground = jnp.full_like(q[0], albedo)
    top, below = jax.lax.scan(add_above, ground, (reflection, passage), reverse=True)

    def descend(down: Array, layer: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        r, t, albedo_below = layer
        down = down * t / (1.0 - r * albedo_below)
        return down, down

    start = jnp.broadcast_to(insolation, q[0].shape)
    _, down = jax.lax.scan(descend, start, (reflection, passage, below))
    return jnp.concatenate([(start * (1.0 - top))[None], down * (1.0 - below)])


def radiate(
    optics: CloudOptics,
    temperature: Float[Array, "z *columns"],
    vapour: Float[Array, "z *columns"],
    liquid: Float[Array, "z *columns"],
    ice: Float[Array, "z *columns"],
    layer_thickness: np.ndarray,
    surface_pressure: Float[Array, "*#columns"],
    surface_temperature: Float[Array, "*#columns"],
    insolation: Float[Array, "*#columns"],
) -> RadiativeFluxes:
    """Heating and net fluxes of columns of air, vapour and cloud [kg kg-1], over a surface of the given temperature [K].

    `layer_thickness` is in sigma (z,); trailing axes of the surface fields broadcast against those of the columns.
    """
    shape = (-1,) + (1,) * (temperature.ndim - 1)
    ds = jnp.asarray(layer_thickness, temperature.dtype).reshape(shape)
    mass = ds * surface_pressure * np.float32(1.0 / GRAVITY)
    liquid_path, ice_path = liquid * mass, ice * mass
    infrared = optics.absorption_liquid * liquid_path + optics.absorption_ice * ice_path
    # tau = 3/2 W / (rho r_e), density of water and of ice.
    solar = 1.5 * liquid_path / (1000.0 * optics.radius_liquid) + 1.5 * ice_path / (917.0 * optics.radius_ice)
    up = longwave(temperature, vapour, infrared, ds, surface_temperature)
    down = shortwave(vapour, optics.shortwave_scale * solar, ds, insolation, optics.surface_albedo)
    convergence = up[1:] - up[:-1] + down[:-1] - down[1:]
    return RadiativeFluxes(convergence / (mass * HEAT_CAPACITY), down[0], down[-1], up[0], up[-1])
