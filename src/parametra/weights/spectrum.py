r"""Singular values held in an interval, or free.

$\sigma_i = \sigma_* + 2 r\,(\mathrm{sigmoid}(s_i) - 1/2)$, with centre $\sigma_*$ and half-width r of [lo, hi]: eq. 8 of Zhang, Lei &
Dhillon (2018), after Vorontsov et al. (2017, arXiv 1702.00071).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.weights.reflectors import known

Bounds = tuple[float, float]


def check_bounds(bounds: tuple[float | int, float | int] | None) -> Bounds | None:
    """The interval as floats; UsageError unless it is finite and not empty. None means free."""
    if bounds is None:
        return None
    low, high = float(bounds[0]), float(bounds[1])
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise UsageError(
            f"Singular values cannot be held in [{low:g}, {high:g}]. Likely cause: the two bounds exchanged, or an infinite one. "
            "Remedy: finite bounds with lo <= hi, or bounds=None for free singular values."
        )
    return low, high


def hold(free: Float[Array, " rank"], bounds: Bounds | None) -> Float[Array, " rank"]:
    """From free numbers s to values in [lo, hi]; the free numbers themselves without bounds."""
    if bounds is None:
        return free
    low, high = bounds
    return jnp.clip(low + (high - low) * jax.nn.sigmoid(free), low, high)  # the sum may round to just above hi


def release(values: Float[Array, " rank"], bounds: Bounds | None, clip: bool = False) -> Float[Array, " rank"]:
    """The free numbers of given values.

    Values on a bound are moved inside by 1e-6 of the width (1e-13 in float64), where s is finite.

    Raises:
        UsageError: values outside the bounds, unless `clip` asks for the nearest ones inside.
    """
    if bounds is None:
        return values
    low, high = bounds
    margin = (high - low) * (1e-6 if values.dtype == jnp.float32 else 1e-13)
    given = known(values)
    if not clip and given is not None and given.size and (given.min() < low - margin or given.max() > high + margin):
        raise UsageError(
            f"Singular values from {given.min():.4g} to {given.max():.4g} do not fit into [{low:g}, {high:g}]. Likely cause: a matrix "
            "of another scale. Remedy: wider bounds, clip=True for the nearest matrix inside, or bounds=None."
        )
    inside = jnp.clip(values, low + margin, high - margin)
    return jnp.log(inside - low) - jnp.log(high - inside)


def middle(rank: int, bounds: Bounds | None) -> np.ndarray:
    """Free numbers at the start: the centre of the interval, or 1."""
    return np.ones(rank) if bounds is None else np.zeros(rank)
