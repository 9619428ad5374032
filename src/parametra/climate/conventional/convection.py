r"""Simplified Betts-Miller convection: relaxation towards a moist adiabat of fixed relative humidity, at constant enthalpy.

From the lowest layer up to the level of zero buoyancy, and over a time tau,

    dq/dt = (q_r - q) / tau,    dT/dt = (T_r + D - T) / tau,

T_r being the ascent of the lowest air and q_r a fixed share of saturation at T_r in the cloud, below it the mean of q. With
P = -sum m dq/dt the shift D is such that sum m cp dT/dt = L P to round-off. Three cases:

- deep, P > 0 and sum m (T_r - T) > 0: as written;
- shallow, the air is too dry for rain: the top comes down to where the lower layers can pay for the moistening, what else they
  give goes into the layer above, P = 0, and D keeps the dry enthalpy;
- none, without buoyancy or where the adjustment would cool the layer.

Source: Frierson (2007, J. Atmos. Sci. 64, 1959), after Betts & Miller (1986). Buoyancy is that of temperature alone, as there.
Ours differs below the cloud, where a fixed relative humidity would carry vapour down into the lowest layer. In the small world it
rains too often in the dry belts, 1.8 and 2.2 mm/day in their driest rows where the multi-scale scheme has 0.5 and 1.3.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from parametra.climate.conventional.parcel import lift
from parametra.climate.crm.microphysics import saturation
from parametra.core.constants import HEAT_CAPACITY

Profile = Float[Array, "column level"]
Number = Float[Array, " column"]
Layers = Bool[Array, "column level"]


class Convection(NamedTuple):
    """What convection does to a column."""

    heating: Profile  # K s-1
    moistening: Profile  # s-1
    precipitation: Number  # kg m-2 s-1
    layers: Layers  # from the ground to the level of zero buoyancy where it rains, nowhere else


def convect(
    temperature: Profile, humidity: Profile, pressure: Profile, mass: Profile, latent_heat: Number, *, time: float,
    relative: float,
) -> Convection:  # fmt: skip
    """Tendencies of simplified Betts-Miller convection.

    Args:
        temperature: K.
        humidity: specific humidity.
        pressure: of the layer centres [Pa].
        mass: of the layers [kg m-2].
        latent_heat: that a kilogram of precipitation leaves behind in each column [J kg-1].
        time: tau [s].
        relative: relative humidity of the reference profile [1].
    """
    ascent, level = lift(temperature[:, -1], humidity[:, -1], pressure)
    layers = buoyant_layers(ascent - temperature, pressure < level[:, None])
    rate = jnp.asarray(1.0 / time, temperature.dtype)
    below = layers & (pressure >= level[:, None])
    air = jnp.where(below, mass, 0.0)
    mixed = jnp.sum(air * humidity, axis=1) / jnp.maximum(jnp.sum(air, axis=1), 1.0)
    reference = jnp.where(below, mixed[:, None], relative * saturation(ascent, pressure)[0])
    drying = jnp.where(layers, (reference - humidity) * rate, 0.0)
    warming = jnp.where(layers, (ascent - temperature) * rate, 0.0)
    warms, rains = jnp.sum(mass * warming, axis=1) > 0.0, jnp.sum(mass * drying, axis=1) < 0.0
    deep, shallow = warms & rains, warms & ~rains

    shallow_drying, shallow_layers = _shallow(drying, layers, mass)
    moistening = jnp.where(deep[:, None], drying, jnp.where(shallow[:, None], shallow_drying, 0.0))
    active = (layers & deep[:, None]) | (shallow_layers & shallow[:, None])
    precipitation = jnp.where(deep, -jnp.sum(mass * moistening, axis=1), 0.0)
    heating = jnp.where(active, warming, 0.0)
    wanted = latent_heat / HEAT_CAPACITY * precipitation
    for _ in range(2):  # the second time for the rounding of the first
        missing = wanted - jnp.sum(mass * heating, axis=1)
        air = jnp.sum(jnp.where(active, mass, 0.0), axis=1)
        heating = heating + jnp.where(active, (missing / jnp.maximum(air, 1.0))[:, None], 0.0)
    return Convection(heating, moistening, precipitation, layers & deep[:, None])


def buoyant_layers(buoyancy: Profile, condensed: Layers) -> Layers:
    """From the ground to the first level without buoyancy above the level of free convection; none if no level has any."""
    free = (buoyancy > 0.0) & condensed
    upward = free[:, ::-1]
    begun = jnp.cumsum(upward, axis=1) > 0
    ended = jnp.cumsum(begun & ~upward, axis=1) > 0
    return (~ended & jnp.any(upward, axis=1, keepdims=True))[:, ::-1]


def _shallow(drying: Profile, layers: Layers, mass: Profile) -> tuple[Profile, Layers]:
    """Moistening of sum zero in the deepest part of the layer that can pay for itself, and that part."""
    gain = (mass * drying)[:, ::-1]
    given = -jnp.cumsum(gain, axis=1)  # what the layers up to here give more than they take
    pays = (given > 0.0) & layers[:, ::-1]
    count = jnp.arange(1, mass.shape[1] + 1)
    top = jnp.max(jnp.where(pays, count, 0), axis=1)  # number of layers from the ground, 0: none
    inside = (count <= top[:, None])[:, ::-1] & layers
    above = ((count == top[:, None] + 1) & (top[:, None] > 0))[:, ::-1]
    kept = jnp.where(inside, drying, 0.0)
    surplus = -jnp.sum(mass * kept, axis=1)
    return kept + jnp.where(above, surplus[:, None] / mass, 0.0), inside
