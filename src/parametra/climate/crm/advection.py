"""Scalars in flux form: split van Leer sweeps that carry mass along, hence exact for constants, positive and monotone per sweep.

Source: van Leer (1977, J. Comput. Phys. 23) limiter; the intermediate density of each sweep makes the split scheme consistent
with the projected mass flux. The order of the sweeps alternates from step to step.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.crm.grid import CRMGrid, level_array


def limited_slope(backward: Float[Array, "..."], forward: Float[Array, "..."]) -> Float[Array, "..."]:
    """Harmonic mean of two differences, zero at an extremum (van Leer's limiter)."""
    product = backward * forward
    total = backward + forward
    return jnp.where(product > 0.0, 2.0 * product / jnp.where(total == 0.0, 1.0, total), 0.0)


def sweep_x(
    mass: Float[Array, "z x column"], q: Float[Array, "z x column"], courant_mass: Float[Array, "z x column"]
) -> Float[Array, "z x column"]:
    """Q after transport along x by the mass `courant_mass` [kg m-2] that crosses each left face in this step."""
    left = jnp.roll(q, 1, 1)
    difference = q - left
    slope = limited_slope(difference, jnp.roll(difference, -1, 1))
    mass_left, slope_left = jnp.roll(mass, 1, 1), jnp.roll(slope, 1, 1)
    up = jnp.where(courant_mass >= 0.0, left, q)
    courant = courant_mass / jnp.where(courant_mass >= 0.0, mass_left, mass)
    # Upwind value plus half the limited slope times what of the cell stays behind.
    value = up + 0.5 * jnp.where(courant_mass >= 0.0, (1.0 - courant) * slope_left, -(1.0 + courant) * slope)
    flux = courant_mass * value
    after = mass + courant_mass - jnp.roll(courant_mass, -1, 1)
    return (mass * q + flux - jnp.roll(flux, -1, 1)) / after


def sweep_z(
    mass: Float[Array, "z x column"], q: Float[Array, "z x column"], courant_mass: Float[Array, "inner x column"]
) -> tuple[Float[Array, "z x column"], Float[Array, "inner x column"]]:
    """Q after transport along z by the mass that crosses each interior interface upward; also the flux of q itself."""
    difference = q[1:] - q[:-1]
    zero = jnp.zeros_like(q[:1])
    slope = limited_slope(jnp.concatenate([zero, difference]), jnp.concatenate([difference, zero]))
    upward = courant_mass >= 0.0
    courant = courant_mass / jnp.where(upward, mass[:-1], mass[1:])
    value = jnp.where(upward, q[:-1] + 0.5 * (1.0 - courant) * slope[:-1], q[1:] - 0.5 * (1.0 + courant) * slope[1:])
    flux = courant_mass * value
    inward = jnp.concatenate([zero, flux]) - jnp.concatenate([flux, zero])
    mass_inward = jnp.concatenate([zero, courant_mass]) - jnp.concatenate([courant_mass, zero])
    return (mass * q + inward) / (mass + mass_inward), flux


def courant_masses(
    grid: CRMGrid, u: Float[Array, "z x column"], w: Float[Array, "half x column"]
) -> tuple[Float[Array, "z x column"], Float[Array, "inner x column"]]:
    """Mass through left faces and interior interfaces in one step, per unit of layer area [kg m-2]."""
    mass_x = u * level_array(grid.mass * grid.time_step / grid.spacing)
    mass_z = w[1:-1] * level_array(grid.interior_density * grid.time_step)
    return mass_x, mass_z


def advect(
    grid: CRMGrid,
    q: Float[Array, "z x column"],
    mass_x: Float[Array, "z x column"],
    mass_z: Float[Array, "inner x column"],
    x_first: bool,
) -> Float[Array, "z x column"]:
    """One step of transport of `q` by the projected flow."""
    mass = jnp.broadcast_to(level_array(grid.mass), q.shape)
    if x_first:
        between = mass + mass_x - jnp.roll(mass_x, -1, 1)
        return sweep_z(between, sweep_x(mass, q, mass_x), mass_z)[0]
    zero = jnp.zeros_like(mass_z[:1])
    between = mass + jnp.concatenate([zero, mass_z]) - jnp.concatenate([mass_z, zero])
    return sweep_x(between, sweep_z(mass, q, mass_z)[0], mass_x)


def advect_reference(
    grid: CRMGrid, step: Float[Array, "inner one column"], mass_z: Float[Array, "inner x column"]
) -> Float[Array, "z x column"]:
    """Change of h' in one step by vertical motion through the reference profile.

    `step` is the reference at the upper centre minus at the lower one [K]; each interface sees half of it on either side, which
    is the flux form of rho w h_ref once continuity is used.
    """
    half = 0.5 * step * mass_z
    zero = jnp.zeros_like(half[:1])
    return -(jnp.concatenate([half, zero]) + jnp.concatenate([zero, half])) * level_array(1.0 / grid.mass)


def largest_courant(grid: CRMGrid, u: Float[Array, "z x column"], w: Float[Array, "half x column"]) -> Float[Array, " column"]:
    """Largest Courant number of any face of a column; the sweeps are monotone up to 1."""
    mass_x, mass_z = courant_masses(grid, u, w)
    lower = np.minimum(grid.mass[1:], grid.mass[:-1])
    along_x = jnp.max(jnp.abs(mass_x) * level_array(1.0 / grid.mass), axis=(0, 1))
    return jnp.maximum(along_x, jnp.max(jnp.abs(mass_z) * level_array(1.0 / lower), axis=(0, 1)))
