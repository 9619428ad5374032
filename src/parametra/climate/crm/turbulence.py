"""Subgrid mixing of the CRM: Smagorinsky's eddy viscosity, and a K-profile for the boundary layer that it cannot see.

Sources: Smagorinsky-Lilly with Cs = 0.15 and the layer thickness as length, in the form of SAM; K-profile after Troen & Mahrt
(1986, Boundary-Layer Meteor. 37) with the height where a surface parcel loses its buoyancy.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.crm.dynamics import VAPOUR_BUOYANCY, pad_interfaces
from parametra.climate.crm.grid import CRMGrid, level_array
from parametra.core.constants import GRAVITY, HEAT_CAPACITY, LATENT_HEAT_CONDENSATION

SMAGORINSKY = 0.15
VON_KARMAN = 0.4


def largest_viscosity(grid: CRMGrid) -> np.ndarray:
    """Stability limit of explicit diffusion (z,) [m2 s-1]."""
    rates = grid.time_step * (horizontal_factor(grid) / grid.spacing**2 + 1.0 / grid.thickness**2)
    return 0.09 / rates


def horizontal_factor(grid: CRMGrid) -> np.ndarray:
    """How much larger horizontal mixing is than vertical (z,): (dx/dz)^2, at most 16 as in SAM."""
    return np.minimum(16.0, (grid.spacing / grid.thickness) ** 2)


def smagorinsky(
    grid: CRMGrid,
    u: Float[Array, "z x column"],
    w: Float[Array, "half x column"],
    temperature: Float[Array, "z x column"],
    vapour: Float[Array, "z x column"],
    cloud: Float[Array, "z x column"],
    lapse: Float[Array, "inner one column"],
) -> Float[Array, "z x column"]:
    """Eddy viscosity at centres [m2 s-1]: (Cs dz)^2 sqrt(max(0, S^2 - N^2)).

    `lapse` [K] is g dz/cp of the host's heights between centres. Where both neighbours are cloudy, N^2 is that of saturated air.
    """
    dx = np.float32(1.0 / grid.spacing)
    stretch = (jnp.roll(u, -1, 1) - u) * dx
    squeeze = (w[1:] - w[:-1]) * level_array(1.0 / grid.thickness)
    inverse_spacing = level_array(1.0 / grid.interior_spacing)
    shear = (u[1:] - u[:-1]) * inverse_spacing + (w[1:-1] - jnp.roll(w[1:-1], 1, 1)) * dx
    shear = 0.5 * (shear * shear + jnp.roll(shear * shear, -1, 1))
    edge = jnp.concatenate([shear[:1], shear, shear[-1:]])
    deformation = 2.0 * (stretch * stretch + squeeze * squeeze) + 0.5 * (edge[1:] + edge[:-1])
    middle = 0.5 * (temperature[1:] + temperature[:-1])
    difference = temperature[1:] - temperature[:-1]
    dry = difference + lapse + VAPOUR_BUOYANCY * middle * (vapour[1:] - vapour[:-1])
    humidity = 0.5 * (vapour[1:] + vapour[:-1])
    # Ratio of the saturated to the dry adiabatic lapse rate, with qs = qv inside cloud.
    a = np.float32(LATENT_HEAT_CONDENSATION / HEAT_CAPACITY) * humidity / middle
    ratio = (1.0 + 3.5 * a) / (1.0 + a * np.float32(LATENT_HEAT_CONDENSATION / 461.0) / middle)
    cloudy = jnp.minimum(cloud[1:], cloud[:-1]) > 0.0
    stability = jnp.where(cloudy, difference + lapse * ratio, dry) * np.float32(GRAVITY) * inverse_spacing / middle
    edge = jnp.concatenate([stability[:1], stability, stability[-1:]])
    excess = jnp.maximum(deformation - 0.5 * (edge[1:] + edge[:-1]), 0.0)
    viscosity = level_array((SMAGORINSKY * grid.thickness) ** 2) * jnp.sqrt(excess)
    return jnp.minimum(viscosity, level_array(largest_viscosity(grid)))


def boundary_layer(
    grid: CRMGrid,
    temperature: Float[Array, "z column"],
    vapour: Float[Array, "z column"],
    height: Float[Array, "z column"],
    wind: Float[Array, " column"],
    sensible: Float[Array, " column"],
    latent: Float[Array, " column"],
) -> Float[Array, "inner one column"]:
    """Eddy viscosity of the boundary layer at the interior interfaces [m2 s-1], from the means of a column.

    K = k ws z (1 - z/h)^2 with ws^3 = u*^3 + 0.6 w*^3; h is where virtual potential temperature passes that of the lowest layer
    by 0.5 K, at least 400 m; 2 m2/s decaying over 1.5 km stays above it, for shallow clouds.
    """
    virtual = (temperature + np.float32(GRAVITY / HEAT_CAPACITY) * height) * (1.0 + VAPOUR_BUOYANCY * vapour)
    excess = virtual - virtual[:1] - 0.5
    # First crossing, linear between the two centres around it.
    above = jnp.argmax(excess > 0.0, axis=0)
    upper, lower = (jnp.take_along_axis(excess, i[None], 0)[0] for i in (above, jnp.maximum(above - 1, 0)))
    z = jnp.asarray(grid.height, temperature.dtype)
    share = jnp.clip(-lower / jnp.where(upper - lower == 0.0, 1.0, upper - lower), 0.0, 1.0)
    top = z[jnp.maximum(above - 1, 0)] * (1.0 - share) + z[above] * share
    top = jnp.clip(top, 400.0, 3000.0)
    friction = np.float32(np.sqrt(1.5e-3)) * wind
    flux = (sensible + 0.07 * latent) / np.float32(1.2 * HEAT_CAPACITY)
    convective = jnp.maximum(np.float32(GRAVITY / 300.0) * flux * top, 0.0)
    speed = jnp.cbrt(friction**3 + 0.6 * convective)
    level = np.asarray(grid.interface_height[1:-1], np.float32)[:, None]
    inside = jnp.clip(1.0 - level / top, 0.0, 1.0)
    profile = VON_KARMAN * speed * level * inside**2 + 2.0 * np.exp(-((level / 1500.0) ** 2))
    limit = 0.5 * largest_viscosity(grid)
    return jnp.minimum(profile, np.minimum(limit[1:], limit[:-1]).astype(np.float32)[:, None])[:, None, :]


def interface_viscosity(
    viscosity: Float[Array, "z x column"], background: Float[Array, "inner one column"]
) -> Float[Array, "inner x column"]:
    """Vertical mixing at the interior interfaces: Smagorinsky's plus the boundary layer's."""
    return 0.5 * (viscosity[1:] + viscosity[:-1]) + background


def diffuse_momentum(
    grid: CRMGrid,
    u: Float[Array, "z x column"],
    w: Float[Array, "half x column"],
    viscosity: Float[Array, "z x column"],
    vertical: Float[Array, "inner x column"],
) -> tuple[Float[Array, "z x column"], Float[Array, "inner x column"]]:
    """Divergence of the subgrid stress [m s-2]."""
    dx = np.float32(1.0 / grid.spacing)
    density = level_array(grid.interior_density)
    stress_x = (2.0 * dx * level_array(horizontal_factor(grid))) * viscosity * (jnp.roll(u, -1, 1) - u)
    shear = (u[1:] - u[:-1]) * level_array(1.0 / grid.interior_spacing) + (w[1:-1] - jnp.roll(w[1:-1], 1, 1)) * dx
    stress_z = density * 0.5 * (vertical + jnp.roll(vertical, 1, 1)) * shear
    padded = pad_interfaces(stress_z)
    du = (stress_x - jnp.roll(stress_x, 1, 1)) * dx + (padded[1:] - padded[:-1]) * level_array(1.0 / grid.mass)
    stress_w = 2.0 * level_array(grid.density) * viscosity * (w[1:] - w[:-1]) * level_array(1.0 / grid.thickness)
    inverse_inner = level_array(2.0 / (grid.mass[1:] + grid.mass[:-1]))
    factor = horizontal_factor(grid)
    side = stress_z * level_array(grid.interior_spacing * 0.5 * (factor[1:] + factor[:-1]))
    dw = ((jnp.roll(side, -1, 1) - side) * dx + stress_w[1:] - stress_w[:-1]) * inverse_inner
    return du, dw


def diffuse_scalar(
    grid: CRMGrid,
    q: Float[Array, "z x column"],
    viscosity: Float[Array, "z x column"],
    vertical: Float[Array, "inner x column"],
    reference_step: Float[Array, "inner one column"] | None = None,
) -> Float[Array, "z x column"]:
    """Change of q in one step by subgrid mixing; `reference_step` adds a reference profile that varies with height only."""
    side = 0.5 * (viscosity + jnp.roll(viscosity, 1, 1)) * (q - jnp.roll(q, 1, 1))
    side = side * level_array(horizontal_factor(grid) * (grid.time_step / grid.spacing**2))
    step = q[1:] - q[:-1]
    if reference_step is not None:
        step = step + reference_step
    flux = pad_interfaces(vertical * step * level_array(grid.interior_density * grid.time_step / grid.interior_spacing))
    return jnp.roll(side, -1, 1) - side + (flux[1:] - flux[:-1]) * level_array(1.0 / grid.mass)
