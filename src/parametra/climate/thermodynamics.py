"""Saturation over liquid and ice, and the hydrostatic heights.

Source: saturation vapour pressure after Bolton (1980, Mon. Wea. Rev. 108, eq. 10) over liquid, and the Magnus form of Alduchov
& Eskridge (1996, J. Appl. Meteor. 35) over ice. Every part of the model, host, CRM and network inputs, uses these two.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.core.constants import GAS_CONSTANT, GAS_CONSTANT_VAPOUR, GRAVITY

EPSILON = GAS_CONSTANT / GAS_CONSTANT_VAPOUR


def saturation_vapour_pressure_liquid(temperature: Float[Array, "..."]) -> Float[Array, "..."]:
    """Over liquid [Pa], temperature [K]; the argument is held above 150 K, where the formula has its pole far away."""
    celsius = jnp.maximum(temperature, 150.0) - 273.15
    return 611.2 * jnp.exp(17.67 * celsius / (celsius + 243.5))


def saturation_vapour_pressure_ice(temperature: Float[Array, "..."]) -> Float[Array, "..."]:
    """Over ice [Pa], temperature [K]."""
    celsius = jnp.maximum(temperature, 150.0) - 273.15
    return 611.21 * jnp.exp(22.587 * celsius / (celsius + 273.86))


def saturation_specific_humidity(vapour_pressure: Float[Array, "..."], pressure: Float[Array, "..."]) -> Float[Array, "..."]:
    """e0/p e/(p - (1 - e0) e) with e0 = Rd/Rv, held at e0 where e exceeds p; pressures in Pa, result in kg/kg."""
    return EPSILON * vapour_pressure / jnp.maximum(vapour_pressure, pressure - (1.0 - EPSILON) * vapour_pressure)


def heights(
    sigma_half: tuple[float, ...], temperature: Float[Array, "column level"], vapour: Float[Array, "column level"]
) -> Float[Array, "column level"]:
    """Hydrostatic heights of the layer centres above the surface [m], level 0 at the top.

    One product with a matrix of layers: XLA's cumulative sum is five times slower on a CPU.
    """
    half = np.asarray(sigma_half, float)
    centre = 0.5 * (half[1:] + half[:-1])
    whole = np.log(half[1:] / np.maximum(half[:-1], 1e-6))  # of the top layer nothing is asked
    above = np.tril(np.broadcast_to(whole[:, None], (whole.size, whole.size)), -1)  # whole layers that lie below a centre
    parts = (above + np.diag(np.log(half[1:] / centre))) * (GAS_CONSTANT / GRAVITY)
    virtual = temperature * (1.0 + 0.608 * vapour)
    return jnp.matmul(virtual, parts.astype(temperature.dtype), precision=jax.lax.Precision.HIGHEST)
