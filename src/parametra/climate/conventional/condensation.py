"""Large-scale condensation: vapour beyond saturation falls out at once, and evaporates on its way where the air is dry.

What condenses is the excess over saturation at the temperature after condensation (two Newton steps). In a layer of relative
humidity H below, precipitation P evaporates at k (1 - H) sqrt(P), at most to half of the way to saturation.

Source: evaporation after Sundqvist (1988), with the constant of the NCAR CCM3 (Kiehl et al. 1996, NCAR/TN-420).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.climate.crm.microphysics import saturation
from parametra.core.constants import HEAT_CAPACITY

Profile = Float[Array, "column level"]
Number = Float[Array, " column"]


class Condensation(NamedTuple):
    """What large-scale condensation does to a column."""

    heating: Profile  # K s-1
    moistening: Profile  # s-1
    precipitation: Number  # kg m-2 s-1


def condense(
    temperature: Profile, humidity: Profile, pressure: Profile, mass: Profile, latent_heat: Number, *, time_step: float,
    evaporation: float,
) -> Condensation:  # fmt: skip
    """Tendencies of condensation and evaporation over `time_step` [s]; arguments as in `convection.convect`.

    `evaporation` is k [(kg m-2 s-1)^-1/2 s-1].
    """
    warming = latent_heat[:, None] / HEAT_CAPACITY
    condensed = jnp.zeros_like(humidity)
    for _ in range(2):
        saturated, slope = saturation(temperature + warming * condensed, pressure)
        condensed = jnp.maximum(condensed + (humidity - condensed - saturated) / (1.0 + warming * slope), 0.0)
    saturated, slope = saturation(temperature + warming * condensed, pressure)
    relative = jnp.clip((humidity - condensed) / saturated, 0.0, 1.0)
    room = 0.5 * (1.0 - relative) * saturated / (1.0 + warming * slope) / time_step

    def fall(rain: Number, layer: tuple[Number, Number, Number, Number]) -> tuple[Number, Number]:
        gain, dryness, limit, air = layer
        lost = jnp.minimum(jnp.minimum(evaporation * dryness * jnp.sqrt(rain), limit), rain / air)
        net = gain - lost  # s-1, what the layer gives to the rain
        return jnp.maximum(rain + net * air, 0.0), net

    layers = ((condensed / time_step).T, (1.0 - relative).T, room.T, mass.T)
    _, net = jax.lax.scan(fall, jnp.zeros_like(latent_heat), layers)
    net = net.T
    # A sum that rounding takes below zero is no rain; the layers then keep a billionth of their vapour more or less.
    precipitation = jnp.maximum(jnp.sum(mass * net, axis=1), 0.0)
    return Condensation(warming * net, -net, precipitation)
