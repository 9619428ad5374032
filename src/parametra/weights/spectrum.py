r"""Singular values held in an interval, or free.

$\sigma_i = \sigma_* + 2 r\,(\mathrm{sigmoid}(s_i) - 1/2)$, with centre $\sigma_*$ and half-width r of [lo, hi]: eq. 8 of Zhang,
Lei & Dhillon (2018), after Vorontsov et al. (2017, arXiv 1702.00071).
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.weights.checks import check_finite, known

Bounds = tuple[float, float]


def check_bounds(bounds: Any) -> Bounds | None:
    """The interval as floats; UsageError unless it is finite and not empty. None means free."""
    if bounds is None:
        return None
    try:
        low, high = (float(bound) for bound in bounds)
    except (TypeError, ValueError) as error:
        raise UsageError(f"bounds must be two numbers (lo, hi), or None for free singular values; got {bounds!r}.") from error
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise UsageError(
            f"Singular values cannot be held in [{low:g}, {high:g}]. Likely cause: the two bounds exchanged, or an infinite one. "
            "Remedy: finite bounds with lo <= hi, or bounds=None for free singular values."
        )
    return low, high


def check_free(free: Array | None, bounds: Bounds | None, rank: int) -> None:
    """UsageError unless there is one finite free number for each singular value, and none where lo = hi."""
    fixed = bounds is not None and bounds[0] == bounds[1]
    if (free is None) != fixed or (free is not None and free.shape != (rank,)):
        found = "none" if free is None else f"an array of shape {free.shape}"
        needed = "no free numbers" if fixed else f"{rank} free numbers"
        raise UsageError(f"{rank} singular values with bounds {bounds} need {needed}, got {found}. Remedy: from_matrix or init.")
    if free is not None:
        check_finite("free singular values", free)


def hold(free: Float[Array, " rank"] | None, bounds: Bounds | None, rank: int, dtype: Any) -> Float[Array, " rank"]:
    """From free numbers s to values in [lo, hi]; the free numbers themselves without bounds; lo where lo = hi."""
    if bounds is None:
        assert free is not None
        return free
    low, high = bounds
    if free is None:
        return jnp.full(rank, low, dtype)
    return jnp.clip(low + (high - low) * jax.nn.sigmoid(free), low, high)  # the sum may round to just above hi


def release(values: Float[Array, " rank"], bounds: Bounds | None, clip: bool = False) -> Float[Array, " rank"] | None:
    """The free numbers of given values; None where lo = hi.

    Values on a bound are moved inside by 1e-6 of the width (1e-13 in float64) or a few units in the last place, where s is
    finite. With `clip` it is 1 percent of the width: a value on a bound has next to no gradient, and would never leave it.

    Raises:
        UsageError: values outside the bounds, unless `clip` asks for near ones inside; or bounds hardly apart.
    """
    if bounds is None:
        return values
    low, high = bounds
    single = values.dtype == jnp.float32
    margin, rounding = (high - low) * (1e-6 if single else 1e-13), max(abs(low), abs(high)) * (1e-5 if single else 1e-13)
    given = known(values)
    if not clip and given is not None and (given.min() < low - rounding or given.max() > high + rounding):
        raise UsageError(
            f"Singular values from {given.min():.4g} to {given.max():.4g} do not fit into [{low:g}, {high:g}]. Likely cause: a "
            "matrix of another scale. Remedy: wider bounds, clip=True for the nearest matrix inside, or bounds=None."
        )
    if low == high:
        return None
    margin = max(0.01 * (high - low) if clip else margin, 4.0 * float(jnp.finfo(values.dtype).eps) * max(abs(low), abs(high)))
    if margin > (high - low) / 4.0:
        raise UsageError(
            f"Bounds {low!r} and {high!r} are hardly apart in {values.dtype}. Remedy: wider bounds, float64, or equal bounds to "
            "hold the values fixed."
        )
    inside = jnp.clip(values, low + margin, high - margin)
    return jnp.log(inside - low) - jnp.log(high - inside)


def middle(rank: int, bounds: Bounds | None, dtype: Any) -> Float[Array, " rank"] | None:
    """Free numbers at the start: of the centre of the interval, or 1 without bounds."""
    if bounds is None:
        return jnp.ones(rank, dtype)
    return None if bounds[0] == bounds[1] else jnp.zeros(rank, dtype)
