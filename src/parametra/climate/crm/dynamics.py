"""Momentum of the CRM: advection in flux form and buoyancy on an Arakawa C grid.

Form follows Khairoutdinov & Randall (2003, J. Atmos. Sci. 60): second order centred, energy conserving in space.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.crm.grid import CRMGrid, level_array
from parametra.core.constants import GRAVITY

VAPOUR_BUOYANCY = 0.61


def pad_interfaces(inner: Float[Array, "inner x column"]) -> Float[Array, "half x column"]:
    """Interior interface values with zeros at the two lids."""
    zero = jnp.zeros_like(inner[:1])
    return jnp.concatenate([zero, inner, zero])


def momentum_advection(
    grid: CRMGrid, u: Float[Array, "z x column"], w: Float[Array, "half x column"]
) -> tuple[Float[Array, "z x column"], Float[Array, "inner x column"]]:
    """Advective tendencies of u (left faces) and of w (interior interfaces) [m s-2]."""
    dx = np.float32(1.0 / grid.spacing)
    mass, inverse_mass = level_array(grid.mass), level_array(1.0 / grid.mass)
    density = level_array(grid.interior_density)
    centre = 0.5 * (u + jnp.roll(u, -1, 1))
    along_x = centre * centre
    inner = w[1:-1]
    flux = density * inner
    corner = pad_interfaces(0.25 * (flux + jnp.roll(flux, 1, 1)) * (u[1:] + u[:-1]))
    du = (jnp.roll(along_x, 1, 1) - along_x) * dx + (corner[:-1] - corner[1:]) * inverse_mass
    mass_u = mass * u
    side = 0.25 * (mass_u[1:] + mass_u[:-1]) * (inner + jnp.roll(inner, 1, 1))
    padded = density_padded(flux)
    centre_w = 0.25 * (padded[1:] + padded[:-1]) * (w[1:] + w[:-1])
    inverse_inner = level_array(2.0 / (grid.mass[1:] + grid.mass[:-1]))
    dw = ((side - jnp.roll(side, -1, 1)) * dx + centre_w[:-1] - centre_w[1:]) * inverse_inner
    return du, dw


def density_padded(flux: Float[Array, "inner x column"]) -> Float[Array, "half x column"]:
    """Vertical mass flux on all interfaces; nothing crosses the lids."""
    return pad_interfaces(flux)


def buoyancy(
    grid: CRMGrid,
    temperature: Float[Array, "z x column"],
    vapour: Float[Array, "z x column"],
    condensate: Float[Array, "z x column"],
) -> Float[Array, "inner x column"]:
    """Buoyancy at the interior interfaces [m s-2]; condensate holds cloud and precipitating water.

    b = g { 0.61 (qv - qv0) - (qn - qn0) + (T - T0)(1 + 0.61 qv0 - qn0)/T0 }, 0 the mean over x.
    """
    t0, v0, c0 = (jnp.mean(a, axis=1, keepdims=True) for a in (temperature, vapour, condensate))
    thermal = (temperature - t0) * ((1.0 + VAPOUR_BUOYANCY * v0 - c0) / t0)
    b = np.float32(GRAVITY) * (thermal + VAPOUR_BUOYANCY * (vapour - v0) - (condensate - c0))
    below = level_array(grid.thickness[:-1] / (grid.thickness[1:] + grid.thickness[:-1]))
    return b[1:] * below + b[:-1] * (1.0 - below)


def kinetic_energy(grid: CRMGrid, u: Float[Array, "z x column"], w: Float[Array, "half x column"]) -> Float[Array, "z column"]:
    """Kinetic energy of the motion relative to the mean over x, mean over x, by layer [J m-2]."""
    anomaly = u - jnp.mean(u, axis=1, keepdims=True)
    weight = level_array(0.5 * (grid.mass[1:] + grid.mass[:-1]))
    squared = pad_interfaces(weight * w[1:-1] ** 2)
    along_x = level_array(grid.mass) * anomaly**2
    return 0.5 * jnp.mean(along_x + 0.5 * (squared[1:] + squared[:-1]), axis=1)
