r"""Expectations of a pointwise function under a Gaussian: what a wide layer's activation does to a covariance.

For (u, v) normal with zero mean, variances a, b and covariance c:
`T = E[phi(u) phi(v)]` and `Tdot = E[phi'(u) phi'(v)] = dT/dc` (Price 1958).

Sources: Cho & Saul (2009, arc-cosine kernels of degree 0 and 1); Williams (1997, erf); Tsuchida, Pearce, van der Heide, Roosta &
Gallagher (2021, GELU); Daniely, Frostig & Singer (2016, arXiv 1602.05897, the Hermite series). Each is tested against quadrature.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.networks.ntk import GELU, ABReLU, AbstractActivation, Erf, Exponential, Gaussian, Pointwise, Polynomial, Sine
from parametra.wide.arithmetic import arcsine, correlation, root

Numbers = Float[Array, "..."]
Pair = tuple[Numbers, Numbers]


@functools.singledispatch
def dual(activation: AbstractActivation, a: Numbers, b: Numbers, c: Numbers) -> Pair:
    """(T, Tdot) for variances `a`, `b` and covariance `c`, arrays that broadcast to the shape of `c`.

    Register an own activation with `dual.register`. `dual_diagonal` must then be registered too, unless the formulas hold at
    a = b = c to rounding. UsageError for a type that is not registered.
    """
    raise UsageError(
        f"No dual of the activation {type(activation).__name__}. Likely cause: an own class. Remedy: ntk.Pointwise(function), or "
        "register wide.dual for it."
    )


@functools.singledispatch
def dual_diagonal(activation: AbstractActivation, a: Numbers) -> Pair:
    """(T, Tdot) of a variable with itself, a = b = c: exact where the general formula loses digits."""
    return dual(activation, a, a, a)


@dual.register
def _(activation: ABReLU, a: Numbers, b: Numbers, c: Numbers) -> Pair:
    product, bend = activation.below * activation.above, (activation.above - activation.below) ** 2
    if bend == 0.0:
        return product * c, jnp.full_like(c, product)
    size, rho = correlation(a, b, c)
    share = 0.25 + arcsine(rho) / (2.0 * math.pi)  # (pi - arccos rho) / 2 pi: both above zero
    height = root((1.0 - rho) * (1.0 + rho))
    return product * c + bend * size * (height / (2.0 * math.pi) + share * rho), product + bend * share


@dual_diagonal.register
def _(activation: ABReLU, a: Numbers) -> Pair:
    half = 0.5 * (activation.below**2 + activation.above**2)
    return half * a, jnp.full_like(a, half)


@dual.register
def _(activation: Erf, a: Numbers, b: Numbers, c: Numbers) -> Pair:
    square, size = activation.scale**2, activation.amplitude**2
    root_a, root_b = jax.lax.rsqrt(1.0 + 2.0 * square * a), jax.lax.rsqrt(1.0 + 2.0 * square * b)
    sine = jnp.clip(2.0 * square * c * root_a * root_b, -1.0, 1.0)
    slope = root_a * root_b * jax.lax.rsqrt(jnp.maximum((1.0 - sine) * (1.0 + sine), jnp.finfo(c.dtype).tiny))
    return size * (2.0 / math.pi) * arcsine(sine) + activation.offset**2, size * square * (4.0 / math.pi) * slope


@dual_diagonal.register
def _(activation: Erf, a: Numbers) -> Pair:
    u, size = activation.scale**2 * a, activation.amplitude**2
    root = jax.lax.rsqrt(1.0 + 4.0 * u)
    value = size * (2.0 / math.pi) * jnp.arctan(2.0 * u * root) + activation.offset**2
    return value, size * activation.scale**2 * (4.0 / math.pi) * root


@dual.register
def _(activation: GELU, a: Numbers, b: Numbers, c: Numbers) -> Pair:
    def value(c: Numbers) -> Numbers:
        product = (1.0 + a) * (1.0 + b)
        root = jnp.sqrt(product)
        numerator = a * b + c * c * (1.0 - a * b) / product
        return 0.25 * c + (c * arcsine(c / root) + numerator / jnp.sqrt(product - c * c)) / (2.0 * math.pi)

    return jax.jvp(value, (c,), (jnp.ones_like(c),))


@dual_diagonal.register
def _(activation: GELU, a: Numbers) -> Pair:
    root, over = jax.lax.rsqrt(1.0 + 2.0 * a), a / (1.0 + a)
    angle = jnp.arctan(a * root)
    value = 0.25 * a + a * (angle + 2.0 * over * root) / (2.0 * math.pi)
    return value, 0.25 + (angle + over * (3.0 + 5.0 * a) * root**3) / (2.0 * math.pi)


@dual.register
def _(activation: Sine, a: Numbers, b: Numbers, c: Numbers) -> Pair:
    square, phase = activation.frequency**2, math.cos(2.0 * activation.phase)
    near = jnp.exp(-0.5 * square * (a + b - 2.0 * c))
    far = phase * jnp.exp(-0.5 * square * (a + b + 2.0 * c))
    half = 0.5 * activation.amplitude**2
    return half * (near - far), half * square * (near + far)


@dual.register
def _(activation: Exponential, a: Numbers, b: Numbers, c: Numbers) -> Pair:
    value = jnp.exp(0.5 * (a + b) + c)
    return value, value


@dual.register
def _(activation: Gaussian, a: Numbers, b: Numbers, c: Numbers) -> Pair:
    root = jax.lax.rsqrt((1.0 + 2.0 * a) * (1.0 + 2.0 * b) - 4.0 * c * c)
    return root, 4.0 * c * root**3


@dual_diagonal.register
def _(activation: Gaussian, a: Numbers) -> Pair:
    root = jax.lax.rsqrt(1.0 + 4.0 * a)
    return root, 4.0 * a * root**3


@dual.register(Polynomial)
@dual.register(Pointwise)
def _(activation: Polynomial | Pointwise, a: Numbers, b: Numbers, c: Numbers) -> Pair:
    _, rho = correlation(a, b, c)
    slope = _slope(activation)
    return _series(activation, activation, a, b, rho), _series(activation, slope, a, b, rho)


@dual_diagonal.register(Polynomial)
@dual_diagonal.register(Pointwise)
def _(activation: Polynomial | Pointwise, a: Numbers) -> Pair:
    nodes, table = hermite_table(*_degrees(activation))
    x = jnp.sqrt(a)[..., None] * jnp.asarray(nodes, a.dtype)
    weights = jnp.asarray(table[0], a.dtype)
    return jnp.square(activation(x)) @ weights, jnp.square(_slope(activation)(x)) @ weights


def truncation_error(activation: Pointwise | Polynomial, variance: float | int) -> tuple[float, float]:
    """Largest error of T and of Tdot that the Hermite series leaves, over all correlations, for variances up to `variance`.

    By Parseval E[phi²] is the sum of all squared coefficients h_k², so that the terms left out are at most what the first `terms`
    leave of it. To this comes the error of the h_k themselves, found by Gauss-Hermite quadrature, which a kink makes the larger
    part: by Cauchy-Schwarz at most |d| (|h| + |h + d|) for errors d. Found in float64 over a ladder of variances on a fine grid,
    whose own error at a jump is of the order of 1e-4; diagonals do not use the series and are better.
    """
    terms, nodes = _degrees(activation)
    rough, table = hermite_table(terms, nodes)
    fine = (np.arange(FINE) + 0.5) * (2.0 * REACH / FINE) - REACH
    density = np.exp(-0.5 * fine**2)
    exact = _hermite_rows(fine, density / density.sum(), terms)
    errors = []
    for function in (activation, _slope(activation)):
        worst = 0.0
        for size in np.geomspace(1e-3, 1.0, 7) * variance:
            with jax.enable_x64(True):
                few, many = (np.asarray(function(jnp.asarray(np.sqrt(size) * z)), np.float64) for z in (rough, fine))
            found, true = table @ few, exact @ many
            left = exact[0] @ many**2 - true @ true
            wrong = np.linalg.norm(found - true) * (np.linalg.norm(found) + np.linalg.norm(true))
            worst = max(worst, abs(left) + wrong)
        errors.append(float(worst))
    return errors[0], errors[1]


FINE, REACH = 40_000, 13.0  # points and ends of the grid that judges the series; even, so that zero is between two points


def _series(
    activation: Polynomial | Pointwise, function: Callable[[Array], Array], a: Numbers, b: Numbers, rho: Numbers
) -> Numbers:
    """Sum over k of h_k(a) h_k(b) rho^k, h_k(a) = E[function(sqrt(a) z) He_k(z) / sqrt(k!)]."""
    nodes, table = hermite_table(*_degrees(activation))

    def coefficients(variance: Numbers) -> Numbers:
        return jnp.asarray(table, variance.dtype) @ function(
            jnp.sqrt(variance).reshape(1, -1) * jnp.asarray(nodes, variance.dtype)[:, None]
        )

    one = coefficients(a).reshape(-1, *a.shape)
    two = coefficients(b).reshape(-1, *b.shape)
    result = jnp.zeros_like(rho)
    for first, second in zip(one[::-1], two[::-1], strict=True):
        result = result * rho + first * second
    return result


def _slope(activation: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The derivative, elementwise."""
    return lambda x: jax.jvp(activation, (x,), (jnp.ones_like(x),))[1]


def _degrees(activation: Polynomial | Pointwise) -> tuple[int, int]:
    """(terms of the series, nodes of the quadrature)."""
    if isinstance(activation, Polynomial):
        return len(activation.coefficients), len(activation.coefficients) + 1
    return activation.terms, max(128, 2 * activation.terms)


@functools.lru_cache(maxsize=16)
def hermite_table(terms: int, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """(nodes z_i, table[k, i] = w_i He_k(z_i) / sqrt(k!)) of Gauss-Hermite quadrature under the standard normal law."""
    z, w = scipy.special.roots_hermitenorm(nodes)
    w = w / np.sum(w)
    return z, _hermite_rows(z, w, terms)


def _hermite_rows(z: np.ndarray, w: np.ndarray, terms: int) -> np.ndarray:
    """w_i He_k(z_i) / sqrt(k!) in row k."""
    rows = [np.ones_like(z), z]
    for k in range(1, terms):
        rows.append((z * rows[k] - math.sqrt(k) * rows[k - 1]) / math.sqrt(k + 1))
    return np.stack(rows[:terms]) * w
