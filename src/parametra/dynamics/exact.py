"""Known systems, to learn and to be judged by.

Sources: May (1976, Nature 261, 459), logistic and Ricker; Henon (1976, Commun. Math. Phys. 50, 69); Lorenz (1963, J. Atmos. Sci.
20, 130). `QUARTIC` has a maximum of order four (its own universality class, delta = 7.2847), `SINE_LAW` a control that enters by
a sine: neither is learned by the quadratic, affine recipe that fits the logistic map.
"""

import jax.numpy as jnp
from jaxtyping import Array

from parametra.dynamics.systems import Flow, Map


def logistic(x: Array, r: Array) -> Array:
    """R x (1 - x)."""
    return r * x * (1.0 - x)


def quartic(x: Array, r: Array) -> Array:
    """R (1 - (2 x - 1)^4) / 4: on [0, 1] for r up to 4, like the logistic map, with a flat top."""
    return r * (1.0 - (2.0 * x - 1.0) ** 4) / 4.0


def sine_law(x: Array, mu: Array) -> Array:
    """4 sin(mu) x (1 - x): chaos up to mu = pi/2, where dependence on mu has turned flat."""
    return 4.0 * jnp.sin(mu) * x * (1.0 - x)


def ricker(x: Array, r: Array) -> Array:
    """X exp(r (1 - x))."""
    return x * jnp.exp(r * (1.0 - x))


def henon(state: Array, a: Array) -> Array:
    """(1 - a x^2 + y, 0.3 x)."""
    x, y = state
    return jnp.stack([1.0 - a[0] * x**2 + y, 0.3 * x])


def lorenz63(state: Array, rho: Array) -> Array:
    """Slopes of (x, y, z) with sigma = 10, beta = 8/3."""
    x, y, z = state
    return jnp.stack([10.0 * (y - x), x * (rho[0] - z) - y, x * y - 8.0 / 3.0 * z])


LOGISTIC, QUARTIC, SINE_LAW, RICKER = Map(logistic), Map(quartic), Map(sine_law), Map(ricker)
HENON = Map(henon, dimension=2)
LORENZ63 = Flow(lorenz63, dimension=3, time_step=0.01)
