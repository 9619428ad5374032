"""The global mass of vapour is kept by one factor on humidity: a few parts in a million per step."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.climate.host.sums import GlobalSums, Scalar


def restore_water(
    humidity: Float[Array, "column level"], pressure: Float[Array, " column"], sums: GlobalSums, before: Scalar, gain: Scalar
) -> tuple[Float[Array, "column level"], Scalar]:
    """Humidity, positive, scaled so that its global mass is `before + gain` [kg m-2], and the mass made by that."""
    present = sums.integral(humidity, pressure)
    made = (before - present) + gain
    return humidity + humidity * (made / jnp.maximum(present, 1e-12)), made
