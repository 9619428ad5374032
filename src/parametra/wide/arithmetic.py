"""Elementary functions at the precision that kernels need, in forms that vector units like."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# asin(x)/x - 1 as a polynomial in x² for |x| <= 1/2, highest power first: Moshier's Cephes library, relative error 2e-7.
ARCSINE = (4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1)


@jax.custom_jvp
def root(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The square root of x >= 0, whose derivative at zero is taken as zero: what stands there is masked or multiplied by zero."""
    return jnp.sqrt(x)


@root.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (t,) = primals, tangents
    y = root(x)
    return y, t * jnp.where(y > 0, 0.5 / jnp.where(y > 0, y, 1.0), 0.0)


@jax.custom_jvp
def arcsine(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """asin(x) for |x| <= 1. In float32 by one polynomial and one square root: XLA's own goes through atan2.

    Its derivative at the ends is taken as zero, as that of `root`.
    """
    if x.dtype == jnp.float64:
        return jnp.arcsin(x)
    size = jnp.abs(x)
    far = size > 0.5
    square = jnp.where(far, 0.5 - 0.5 * size, size * size)
    start = jnp.where(far, jnp.sqrt(square), size)
    series = start + start * square * _horner(ARCSINE, square)
    return jnp.copysign(jnp.where(far, 0.5 * math.pi - 2.0 * series, series), x)


@arcsine.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (t,) = primals, tangents
    slope = root((1.0 - x) * (1.0 + x))
    return arcsine(x), t * jnp.where(slope > 0, 1.0 / jnp.where(slope > 0, slope, 1.0), 0.0)


def correlation(
    a: Float[Array, "..."], b: Float[Array, "..."], c: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(sqrt(ab), c / sqrt(ab) within [-1, 1]); the correlation with a variable that is zero is zero.

    The product of two reciprocal roots, each of one row: no division and no root per pair.
    """
    root_a, root_b = root(a), root(b)
    inverse_a = jnp.where(a > 0, 1.0 / jnp.where(a > 0, root_a, 1.0), 0.0)
    inverse_b = jnp.where(b > 0, 1.0 / jnp.where(b > 0, root_b, 1.0), 0.0)
    return root_a * root_b, jnp.clip(c * inverse_a * inverse_b, -1.0, 1.0)


def _horner(coefficients: tuple[float, ...], x: Float[Array, "..."]) -> Float[Array, "..."]:
    result = jnp.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result = result * x + coefficient
    return result
