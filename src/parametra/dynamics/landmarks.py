"""Where the dynamics of a one-dimensional map with one hump changes, to many digits: a sharper score than any picture.

With c the critical point of the map at a control and x_n its orbit, x_0 = c: superstable cycles of period 2^n close, x_{2^n} = c;
they accumulate at the onset of chaos; two bands merge where x_4 = x_3; the attractor ends in a boundary crisis where x_3 = x_2;
the window of period 3 opens by a tangent bifurcation, f^3(x) = x with (f^3)'(x) = 1.

Source: Collet & Eckmann (1980), Iterated maps on the interval as dynamical systems.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array
from scipy.optimize import brentq

from parametra.core.errors import UsageError
from parametra.dynamics.precision import in_float64
from parametra.dynamics.systems import AbstractSystem, check_controls

LEVELS = 9  # superstable cycles up to period 2^9: the next ones would be lost in rounding
GRID = 601
NAMES = ("accumulation", "period3", "band_merging", "crisis")
ESCAPED = 1e3  # images of the critical point beyond it close nothing
ASIDE = (0.0, 0.01, -0.01, 0.03, -0.03)  # starts of Newton's method beside the critical point, in units of the interval


@dataclass(frozen=True)
class Landmarks:
    """Controls at which something happens; NaN where it was not found.

    Attributes:
        superstable: of period 2, 4, 8, ..., as far as found.
        accumulation: where they accumulate, by Aitken's extrapolation.
        period3: tangent bifurcation that opens the window of period 3.
        band_merging: two chaotic bands become one.
        crisis: the attractor meets the edge of its basin.
        delta: last ratio of gaps between superstable controls; universal, so no sign of quality.
    """

    superstable: tuple[float, ...]
    accumulation: float
    period3: float
    band_merging: float
    crisis: float
    delta: float


@in_float64
def find_landmarks(system: AbstractSystem, control: tuple[float, float], interval: tuple[float, float]) -> Landmarks:
    """The landmarks of a map of one variable between two controls.

    Args:
        system: of dimension 1 with one control; its step has one maximum in the interval.
        control: where to look; the superstable cycles of period 2 and 4, or 4 and 8, must lie in it.
        interval: of states, in which the critical point is.

    Raises:
        UsageError: another dimension, several controls, or an empty range.
    """
    low, high = control
    if system.dimension != 1 or not low < high or not interval[0] < interval[1]:
        raise UsageError("Landmarks need a system of one variable, a range of controls and an interval of states, low < high.")
    check_controls(system, 1)
    bounds = jnp.asarray(interval, float)

    def orbits(mu: np.ndarray | float) -> np.ndarray:
        return np.asarray(_critical_orbits(system, jnp.atleast_1d(jnp.asarray(mu, float)), bounds))

    grid = np.linspace(low, high, GRID)
    seen = orbits(grid)
    superstable = _cascade(orbits, grid, seen)
    accumulation, delta = _limit(superstable)
    after = grid > (accumulation if np.isfinite(accumulation) else np.inf)
    merging = _first_meeting(orbits, 4, 3, grid[after], seen[after])
    beyond = grid > (merging if np.isfinite(merging) else np.inf)
    crisis = _first_meeting(orbits, 3, 2, grid[beyond], seen[beyond])
    closing = _first_meeting(orbits, 3, 0, grid[beyond], seen[beyond])
    period3 = float("nan")
    if np.isfinite(closing):
        period3 = _tangent(system, float(orbits(closing)[0, 0]), closing, control, interval)
    return Landmarks(tuple(superstable), accumulation, period3, merging, crisis, delta)


@eqx.filter_jit
def _critical_orbits(system: AbstractSystem, controls: Array, interval: Array) -> Array:
    """(control, 1 + 2^LEVELS): the critical point and its images, held at 1e6 where they escape."""

    def one(mu: Array) -> Array:
        step = system.at(mu[None])
        value = lambda x: step(x[None])[0]
        points = jnp.linspace(interval[0], interval[1], 129)
        top = jnp.clip(jnp.argmax(jax.vmap(value)(points)), 1, 127)
        slope = jax.grad(value)

        def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            middle = 0.5 * (ends[0] + ends[1])
            rising = slope(middle) > 0
            return jnp.where(rising, middle, ends[0]), jnp.where(rising, ends[1], middle)

        # bisection, not Newton: at a maximum of higher order the second derivative vanishes with the first
        left, right = jax.lax.fori_loop(0, 52, halve, (points[top - 1], points[top + 1]))
        critical = 0.5 * (left + right)

        def body(x: Array, _: None) -> tuple[Array, Array]:
            after = value(x)
            after = jnp.where(jnp.isfinite(after), jnp.clip(after, -1e6, 1e6), 1e6)
            return after, after

        return jnp.concatenate([critical[None], jax.lax.scan(body, critical, None, length=2**LEVELS)[1]])

    return jax.vmap(one)(controls)


Orbits = Callable[[float], np.ndarray]


def _cascade(orbits: Orbits, grid: np.ndarray, seen: np.ndarray) -> list[float]:
    """Superstable controls of period 2, 4, 8, ...; each next one is looked for where the ratio of gaps puts it."""
    found: list[float] = []
    for level in (1, 2, 3):
        start = grid > (found[-1] if found else -np.inf)
        root = _first_meeting(orbits, 2**level, 0, grid[start], seen[start], _proper(level))
        if np.isfinite(root):
            found.append(root)
        if len(found) == 2:
            break
    if len(found) < 2:
        return found
    for higher in range(level + 1, LEVELS + 1):
        gap = found[-1] - found[-2]
        ratio = (found[-2] - found[-3]) / gap if len(found) > 2 else 4.669
        near = found[-1] + gap / ratio * np.linspace(0.5, 1.5, 41)
        images = np.concatenate([orbits(mu) for mu in near])
        root = _first_meeting(orbits, 2**higher, 0, near, images, _proper(higher))
        if not np.isfinite(root):
            break
        found.append(root)
    return found


def _proper(level: int) -> Callable[[np.ndarray], bool]:
    """Whether the cycle has the period 2^level and not half of it, which closes too."""
    return lambda x: bool(abs(x[0, 2 ** (level - 1)] - x[0, 0]) > 1e-9)


def _first_meeting(
    orbits: Orbits, later: int, earlier: int, grid: np.ndarray, seen: np.ndarray,
    accept: Callable[[np.ndarray], bool] = lambda _: True,
) -> float:  # fmt: skip
    """The first control in the range of `grid` where two images of the critical point are one, by Brent's method; NaN if none."""
    gaps = seen[:, later] - seen[:, earlier]
    held = np.abs(seen[:, later]) > ESCAPED  # two images of an escaped orbit are held at one value
    hits = np.flatnonzero((gaps == 0) & ~held)  # Brent's method needs a change of sign; a round control may be the root itself
    changes = np.flatnonzero(gaps[:-1] * gaps[1:] < 0)
    for index in np.sort(np.concatenate([hits, changes])):
        root = float(grid[index])
        if gaps[index] != 0:
            if max(abs(gaps[index]), abs(gaps[index + 1])) > ESCAPED:
                continue
            gap = lambda mu: float(np.subtract(*orbits(mu)[0, [later, earlier]]))
            root = float(np.asarray(brentq(gap, grid[index], grid[index + 1], xtol=1e-15, rtol=np.float64(1e-15))))
        if accept(orbits(root)):
            return root
    return float("nan")


def _limit(values: list[float]) -> tuple[float, float]:
    """(Aitken's limit of the sequence, last ratio of its gaps); NaN below four terms."""
    if len(values) < 4:
        return float("nan"), float("nan")
    a, b, c = values[-3:]
    return c - (c - b) ** 2 / ((c - b) - (b - a)), (b - a) / (c - b)


def _tangent(
    system: AbstractSystem, x: float, mu: float, control: tuple[float, float], interval: tuple[float, float]
) -> float:  # fmt: skip
    """The tangent bifurcation of period 3 below a superstable cycle of period 3 at (x, mu); NaN if Newton's method finds none.

    At the critical point of a maximum of higher order than two the equations are singular, so it also starts beside it.
    """
    (low, high), width = control, interval[1] - interval[0]
    for aside in ASIDE:
        point, converged, moves = _tangent_point(system, jnp.asarray([x + aside * width, mu]))
        state, found = (float(value) for value in point)
        near = low < found < mu and mu - found < 0.1 * (high - low)
        if converged and near and np.isfinite(state) and float(moves) > 1e-6 * width:
            return found
    return float("nan")


@eqx.filter_jit
def _tangent_point(system: AbstractSystem, guess: Array) -> tuple[Array, Array, Array]:
    """(state and control, whether they solve the equations, how far one step moves the state: no fixed point has period 3)."""

    def conditions(point: Array, args: None) -> Array:
        step = system.at(point[1:])
        thrice = lambda x: step(step(step(x)))
        image, slope = jax.jvp(thrice, (point[:1],), (jnp.ones(1),))
        return jnp.stack([image[0] - point[0], slope[0] - 1.0])

    solver = optx.Dogleg(rtol=1e-13, atol=1e-14)
    found = optx.root_find(conditions, solver, guess, options={"jac": "fwd"}, max_steps=100, throw=False).value
    moves = jnp.abs(system.step(found[:1], found[1:]) - found[:1])[0]
    return found, jnp.max(jnp.abs(conditions(found, None))) < 1e-9, moves
