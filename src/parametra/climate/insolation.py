"""Sunlight at perpetual equinox with a diurnal cycle, averaged exactly over a time step.

The sun stands over the equator, so the cosine of the zenith angle is cos(latitude) max(cos h, 0) with the hour angle h; its
integral over a step is elementary. Time is an integer step counter: nothing is lost to round-off, however long the run.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from parametra.climate.grid import ColumnGrid
from parametra.core.constants import SOLAR_CONSTANT


def _daylight(turn: Float[Array, "..."]) -> Float[Array, "..."]:
    """Integral of max(cos h, 0) from midnight to h = 2 pi turn - pi, counted over any number of turns."""
    whole = jnp.floor(turn)
    return 2.0 * whole + 1.0 + jnp.sin(jnp.clip(2.0 * np.pi * (turn - whole) - np.pi, -0.5 * np.pi, 0.5 * np.pi))


def cosine_zenith(step: Int[Array, ""], steps_per_day: int, grid: ColumnGrid) -> Float[Array, " column"]:
    """Cosine of the zenith angle, averaged over step number `step`, zero at night; longitude 0 has noon at half a day."""
    start = (step % steps_per_day).astype(float) / steps_per_day + jnp.asarray(grid.column_longitude / 360.0)
    mean = (_daylight(start + 1.0 / steps_per_day) - _daylight(start)) * (steps_per_day / (2.0 * np.pi))
    return jnp.maximum(mean, 0.0) * jnp.asarray(np.cos(np.radians(grid.column_latitude)))


def insolation(cosine: Float[Array, " column"]) -> Float[Array, " column"]:
    """Downward flux at the top [W m-2] from the mean cosine of the zenith angle."""
    return SOLAR_CONSTANT * cosine
