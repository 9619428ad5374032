r"""Boundary layer: the surface fluxes, and what turbulence makes of them below a diagnosed height.

The height h is where the bulk Richardson number of virtual static energy s_v = cp T (1 + 0.608 q) + g z,

    Ri(z) = g z (s_v(z) - s_v(z_1)) / (s_v(z_1) max(|u|^2, gustiness^2))

first passes its critical value, from the lowest layer up. Below it the diffusivity is

    K(z) = k w z (1 - z / h)^2,    w^3 = u*^3 + 0.6 max(g z F / (rho s_v), 0),

F the upward flux of virtual static energy at the surface and k = 0.4. Static energy s = cp T + g z and humidity are diffused
implicitly; tendencies are taken from the fluxes, so the column gains what the surface gives to round-off.

Source: K profile after Troen & Mahrt (1986, Boundary-Layer Meteor. 37, 129) in the form of Holtslag & Boville (1993, J. Climate
6, 1825), without the counter-gradient term; critical Richardson number 1 after Frierson, Held & Zurita-Gotor (2006).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.constants import GAS_CONSTANT, GRAVITY, HEAT_CAPACITY, LATENT_HEAT_CONDENSATION

KARMAN = 0.4
BACKGROUND = 0.1  # m2 s-1, above the boundary layer

Profile = Float[Array, "column level"]
Half = Float[Array, "column half"]
Number = Float[Array, " column"]


class Mixing(NamedTuple):
    """What the boundary layer does to a column."""

    heating: Profile  # K s-1
    moistening: Profile  # s-1
    height: Number  # m


def mix(
    temperature: Profile, humidity: Profile, height: Profile, pressure: Profile, mass: Profile, wind_squared: Profile,
    sensible: Number, latent: Number, *, time_step: float, drag: float, gustiness: float, critical: float,
) -> Mixing:  # fmt: skip
    """Tendencies of diffusion and surface fluxes over `time_step` [s].

    Args:
        temperature: K.
        humidity: specific humidity.
        height: of the layer centres above the surface [m].
        pressure: of the layer centres [Pa].
        mass: of the layers [kg m-2].
        wind_squared: |u|^2 [m2 s-2].
        sensible: upward heat flux at the surface [W m-2].
        latent: upward latent heat flux at the surface [W m-2].
        time_step: s.
        drag: bulk coefficient of momentum [1].
        gustiness: m s-1.
        critical: bulk Richardson number at the top of the boundary layer [1].
    """
    wind_squared = jnp.maximum(wind_squared, gustiness**2)
    energy = HEAT_CAPACITY * temperature + GRAVITY * height
    virtual = energy + HEAT_CAPACITY * 0.608 * temperature * humidity
    top = boundary_height(virtual, height, wind_squared, critical)
    density = pressure / (GAS_CONSTANT * temperature)
    buoyancy = (sensible + 0.608 * HEAT_CAPACITY / LATENT_HEAT_CONDENSATION * temperature[:, -1] * latent) / density[:, -1]
    friction = jnp.sqrt(drag * wind_squared[:, -1])[:, None]

    middle = 0.5 * (height[:, 1:] + height[:, :-1])
    inside = jnp.clip(1.0 - middle / top[:, None], 0.0, 1.0)
    lift = jnp.maximum(0.6 * GRAVITY * middle * (buoyancy / virtual[:, -1])[:, None], 0.0)
    speed = jnp.cbrt(friction**3 + lift)
    diffusivity = KARMAN * speed * middle * inside**2 + BACKGROUND
    exchange = 0.5 * (density[:, 1:] + density[:, :-1]) * diffusivity / (height[:, :-1] - height[:, 1:])  # kg m-2 s-1

    heat = diffuse(energy, mass, exchange, sensible, time_step) / HEAT_CAPACITY
    water = diffuse(humidity, mass, exchange, latent / LATENT_HEAT_CONDENSATION, time_step)
    return Mixing(heat, water, top)


def boundary_height(virtual: Profile, height: Profile, wind_squared: Profile, critical: float) -> Number:
    """Height [m] where the bulk Richardson number first passes `critical`, linear between layers, at least the lowest layer's."""
    ground = virtual[:, -1:]
    number = GRAVITY * height * (virtual - ground) / (ground * wind_squared)
    upward, z = number[:, ::-1], height[:, ::-1]
    first = jnp.argmax(upward > critical, axis=1)  # 0 where it never passes: no atmosphere is that unstable
    above, below = first[:, None], jnp.maximum(first - 1, 0)[:, None]
    pick = lambda a, k: jnp.take_along_axis(a, k, axis=1)[:, 0]
    low, high = pick(upward, below), pick(upward, above)
    share = jnp.clip((critical - low) / jnp.maximum(high - low, 1e-6), 0.0, 1.0)
    return pick(z, below) + share * (pick(z, above) - pick(z, below))


def diffuse(x: Profile, mass: Profile, exchange: Half, surface: Number, time_step: float) -> Profile:
    """Tendency of x by diffusion, implicit over `time_step` [s], and a flux `surface` from below [unit of x kg m-2 s-1].

    `exchange` is rho K / dz between the layers [kg m-2 s-1], (column, level - 1). The column's gain is the flux to round-off.
    """
    given = jnp.zeros_like(x).at[:, -1].set(surface)
    up = jnp.pad(exchange, ((0, 0), (1, 0)))  # with the layer above, none at the top
    down = jnp.pad(exchange, ((0, 0), (0, 1)))
    # Solved for the change over the step, which is small, so that rounding is too.
    flux = exchange * (x[:, 1:] - x[:, :-1])  # upward through the interface below each layer but the last
    explicit = jnp.pad(flux, ((0, 0), (0, 1))) - jnp.pad(flux, ((0, 0), (1, 0))) + given
    change = tridiagonal(-up * time_step, mass + (up + down) * time_step, -down * time_step, explicit * time_step)
    flux = flux + exchange * (change[:, 1:] - change[:, :-1])
    return (jnp.pad(flux, ((0, 0), (0, 1))) - jnp.pad(flux, ((0, 0), (1, 0))) + given) / mass


def tridiagonal(lower: Profile, diagonal: Profile, upper: Profile, right: Profile) -> Profile:
    """Solution of lower x_{k-1} + diagonal x_k + upper x_{k+1} = right, by elimination (Thomas 1949); diagonally dominant."""

    def eliminate(loop: tuple[Number, Number], row: tuple[Number, ...]) -> tuple[tuple[Number, Number], tuple[Number, Number]]:
        ratio, value = loop
        a, b, c, d = row
        pivot = 1.0 / (b - a * ratio)
        done = (c * pivot, (d - a * value) * pivot)
        return done, done

    def back(x: Number, row: tuple[Number, Number]) -> tuple[Number, Number]:
        x = row[1] - row[0] * x
        return x, x

    zero = jnp.zeros_like(right[:, 0])
    _, rows = jax.lax.scan(eliminate, (zero, zero), tuple(a.T for a in (lower, diagonal, upper, right)))
    _, x = jax.lax.scan(back, zero, rows, reverse=True)
    return x.T
