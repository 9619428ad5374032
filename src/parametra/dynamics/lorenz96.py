r"""Two-scale Lorenz-96: a chain of slow variables X, each over fast variables Y, as a host and its closures.

    dX_k/dt = -X_{k-1} (X_{k-2} - X_{k+1}) - X_k + F + U_k,      U_k = -(h c / b) sum_j Y_{j,k}                        (slow)
    dY_j/dt = -c b Y_{j+1} (Y_{j+2} - Y_{j-1}) - c Y_j + (h c / b) X_k                                                  (fast)

Source: Lorenz (1996), Predictability: a problem partly solved, ECMWF Seminar. Ours differs in the coupling, which is that of a
multi-scale atmosphere: over one host step the fast scale sees X as it was, and the slow scale feels the mean of U. It converges
to the equations above at first order in the step. With `own_ring` the Y of each X are a ring of their own, as each column of a
multi-scale atmosphere has its own periodic cloud-resolving model: then columns do not see each other and can run in blocks.

Energy: the advection terms conserve sum X^2 / 2 and sum Y^2 / 2, and what the coupling takes from X it gives to Y:

    d/dt (sum X^2 + sum Y^2) / 2 = F sum X - sum X^2 - c sum Y^2
"""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

Slow = Float[Array, " column"]
Fast = Float[Array, "column fast"]


class SlowState(eqx.Module):
    """The slow variables, ring after ring: column = ring * slow variables of a ring + k. Dimensionless, like time."""

    x: Slow


class SlowForcing(eqx.Module):
    """The forcing F of each column."""

    forcing: Slow


class SlowTendency(eqx.Module):
    """U, the tendency of x by the fast scale."""

    x: Slow


class FastFluxes(eqx.Module):
    """Energy that the slow scale hands to the fast one per unit of time, from each column: -x U."""

    energy: Slow


class Lorenz96(eqx.Module):
    """The slow scale as a Host: `rings` rings of `slow` variables each, fourth-order Runge-Kutta with U held over the step.

    Attributes:
        forcing: F.
        slow: variables of one ring, at least 4.
        rings: independent copies; they make statistics cheap.
        time_step: length of a coupled step, in the system's unit of time.
    """

    forcing: float = eqx.field(static=True, default=10.0)
    slow: int = eqx.field(static=True, default=8)
    rings: int = eqx.field(static=True, default=1)
    time_step: float = eqx.field(static=True, default=0.005)

    def init(self, key: PRNGKeyArray) -> SlowState:
        """A random state about F / 4, that needs a few units of time to reach the climate."""
        return SlowState(self.forcing * (0.25 + 0.3 * jax.random.normal(key, (self.rings * self.slow,))))

    def resolved(self, state: SlowState) -> tuple[SlowState, SlowForcing]:
        """All of x, and F."""
        return state, SlowForcing(jnp.full_like(state.x, self.forcing))

    def step(self, state: SlowState, tendency: SlowTendency) -> SlowState:
        """The slow equation over one time step."""

        def slope(x: Slow) -> Slow:
            return slow_advection(x.reshape(self.rings, self.slow)).reshape(-1) - x + self.forcing + tendency.x

        return SlowState(runge_kutta(slope, state.x, self.time_step))

    def budget(self, state: SlowState) -> Mapping[str, float]:
        """Energy of the slow scale, sum x^2 / 2, mean over rings."""
        return {"slow_energy": float(np.sum(np.asarray(state.x, np.float64) ** 2)) / 2 / self.rings}


class FastScale(eqx.Module):
    """The fast scale as a Closure: the truth of two-scale Lorenz-96. The carry is Y, `(column, fast)`.

    Attributes:
        host_step: time step of the host.
        slow: slow variables of one ring.
        fast: fast variables under each slow one.
        coupling, speed, amplitude: h, c and b.
        substeps: Runge-Kutta steps per host step.
        own_ring: Y of each column closes on itself, instead of on its neighbours'.
    """

    host_step: float = eqx.field(static=True, default=0.005)
    slow: int = eqx.field(static=True, default=8)
    fast: int = eqx.field(static=True, default=32)
    coupling: float = eqx.field(static=True, default=1.0)
    speed: float = eqx.field(static=True, default=10.0)
    amplitude: float = eqx.field(static=True, default=10.0)
    substeps: int = eqx.field(static=True, default=2)
    own_ring: bool = eqx.field(static=True, default=False)

    def init(self, resolved: SlowState, forcing: SlowForcing, key: PRNGKeyArray) -> Fast:
        """Small random Y."""
        return 0.1 * jax.random.normal(key, (resolved.x.shape[0], self.fast))

    def __call__(
        self, resolved: SlowState, forcing: SlowForcing, carry: Fast, key: PRNGKeyArray
    ) -> tuple[SlowTendency, FastFluxes, Fast]:
        """U as the mean over the step, by the trapezoidal rule over the substeps, with x held."""
        ring = self.fast if self.own_ring else self.slow * self.fast
        pull = self.coupling * self.speed / self.amplitude

        def slope(y: Fast) -> Fast:
            advection = fast_advection(y.reshape(-1, ring)).reshape(y.shape)
            return self.speed * self.amplitude * advection - self.speed * y + pull * resolved.x[:, None]

        def substep(_: Any, loop: tuple[Fast, Slow]) -> tuple[Fast, Slow]:
            y, total = loop
            after = runge_kutta(slope, y, self.host_step / self.substeps)
            return after, total + 0.5 * (y.sum(axis=1) + after.sum(axis=1))

        carry, total = jax.lax.fori_loop(0, self.substeps, substep, (carry, jnp.zeros_like(resolved.x)))
        tendency = -pull * total / self.substeps
        return SlowTendency(tendency), FastFluxes(-resolved.x * tendency), carry


class PolynomialClosure(eqx.Module):
    """U as a polynomial of x in the same column: the classical closure of this system, without its noise.

    Source: Wilks (2005), Effects of stochastic parametrizations in the Lorenz '96 system, QJRMS 131, 389-407.

    Attributes:
        coefficients: of x^0, x^1, ...; two of them make the linear closure.
    """

    coefficients: Float[Array, " power"]

    def init(self, resolved: SlowState, forcing: SlowForcing, key: PRNGKeyArray) -> tuple[()]:
        """No memory."""
        return ()

    def __call__(
        self, resolved: SlowState, forcing: SlowForcing, carry: tuple[()], key: PRNGKeyArray
    ) -> tuple[SlowTendency, FastFluxes, tuple[()]]:
        """The polynomial at x."""
        tendency = jnp.polyval(self.coefficients[::-1], resolved.x)
        return SlowTendency(tendency), FastFluxes(-resolved.x * tendency), carry


def fit_polynomial(x: np.ndarray, tendency: np.ndarray, degree: int) -> PolynomialClosure:
    """The polynomial closure of that degree with the least squared error on pairs (x, U) of any, equal shape."""
    coefficients = np.polynomial.polynomial.polyfit(np.ravel(x).astype(np.float64), np.ravel(tendency).astype(np.float64), degree)
    return PolynomialClosure(jnp.asarray(coefficients, jnp.float32))


def slow_advection(x: Float[Array, "ring slow"]) -> Float[Array, "ring slow"]:
    """-X_{k-1} (X_{k-2} - X_{k+1}) on each ring; its product with X sums to zero."""
    return -jnp.roll(x, 1, -1) * (jnp.roll(x, 2, -1) - jnp.roll(x, -1, -1))


def fast_advection(y: Float[Array, "ring fast"]) -> Float[Array, "ring fast"]:
    """-Y_{j+1} (Y_{j+2} - Y_{j-1}) on each ring; its product with Y sums to zero."""
    return -jnp.roll(y, -1, -1) * (jnp.roll(y, -2, -1) - jnp.roll(y, 1, -1))


def runge_kutta(slope: Callable[[Array], Array], value: Array, time_step: float) -> Array:
    """One step of the classical fourth-order Runge-Kutta method."""
    first = slope(value)
    second = slope(value + 0.5 * time_step * first)
    third = slope(value + 0.5 * time_step * second)
    fourth = slope(value + time_step * third)
    return value + time_step / 6 * (first + 2 * second + 2 * third + fourth)
