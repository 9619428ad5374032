"""Humidity is made positive by borrowing inside its column, so that the column keeps its water."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.host.sums import column_sum


def fill_columns(
    humidity: Float[Array, "column level"], thickness: np.ndarray
) -> tuple[Float[Array, "column level"], Float[Array, " column"], Float[Array, " column"]]:
    """Negative layers are set to zero and the others of the column scaled down to pay for it.

    Args:
        humidity: specific humidity with holes.
        thickness: dsigma (level,).

    Returns:
        The filled humidity; the water moved, as a column sum of dsigma q; and what a column with less than no water could not
        pay, positive: it is left at zero, and that much water has been made.
    """
    positive = jnp.maximum(humidity, 0.0)
    total, available = column_sum(humidity, thickness), column_sum(positive, thickness)
    factor = jnp.maximum(total, 0.0) / jnp.maximum(available, jnp.finfo(humidity.dtype).tiny)
    return positive * factor[:, None], available - total, jnp.maximum(-total, 0.0)
