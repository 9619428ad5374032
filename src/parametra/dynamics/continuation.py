"""Fixed points and cycles followed through the control, with their stability, around folds too: pseudo-arclength continuation.

Source: Keller (1977), Numerical solution of bifurcation and nonlinear eigenvalue problems. For a flow, a fixed point of its step
is an equilibrium; a period counts steps, so limit cycles of flows are not covered.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from parametra.core.errors import UsageError
from parametra.dynamics.precision import in_float64
from parametra.dynamics.systems import AbstractSystem, check_controls


@dataclass(frozen=True)
class Branch:
    """A curve of cycles.

    Attributes:
        control: (point,).
        states: (point, state), one point of the cycle.
        multipliers: (point, state), complex, eigenvalues of the derivative over one period, largest modulus first.
        events: (kind, control) in order along the curve: "fold" where the control turns, "flip" where a multiplier passes -1,
            "torus" where a complex pair leaves the unit circle, "branch" where a multiplier passes 1 without a fold.
    """

    control: np.ndarray
    states: np.ndarray
    multipliers: np.ndarray
    events: tuple[tuple[str, float], ...]

    @property
    def stable(self) -> np.ndarray:
        """(point,), whether all multipliers lie inside the unit circle."""
        return np.abs(self.multipliers[:, 0]) < 1.0


@in_float64
def follow(
    system: AbstractSystem, state: np.ndarray, control: float, until: tuple[float, float], *, period: int = 1,
    step: float = 0.01, most: int = 2000,
) -> Branch:  # fmt: skip
    """The branch of cycles through the one near `state` at `control`, growing control first, until it leaves `until`.

    Args:
        system: exact or learned, with one control.
        state: (state,), a guess.
        control: where to start.
        until: (low, high) controls at which to stop.
        period: steps of the cycle.
        step: arclength between points, in units of state and control together.
        most: points at most.

    Raises:
        UsageError: no cycle near the guess, a range that does not hold the start, or several controls.
    """
    if not until[0] <= control <= until[1] or step <= 0 or period < 1:
        raise UsageError(f"Need {until[0]} <= control <= {until[1]}, a positive step and a period of at least 1.")
    check_controls(system, 1)
    point = np.append(np.atleast_1d(np.asarray(state, np.float64)), control)
    flat = np.zeros(len(point))
    flat[-1] = 1.0
    start = _correct(system, period, point, flat)
    if start is None:
        raise UsageError(f"No cycle of period {period} near {state} at {control}. Remedy: a better guess, from an orbit.")
    points, jacobians, tangents = [start[0]], [start[1]], [_tangent(start[1], flat)]
    while len(points) < most:
        length, found = step, None
        while found is None and length > 1e-3 * step:
            found = _correct(system, period, points[-1] + length * tangents[-1], tangents[-1])
            length /= 2
        if found is None or not until[0] <= found[0][-1] <= until[1]:
            break
        points.append(found[0])
        jacobians.append(found[1])
        tangents.append(_tangent(found[1], tangents[-1]))
    path = np.stack(points)
    eye = np.eye(path.shape[1] - 1)
    multipliers = np.stack([_sorted(np.linalg.eigvals(jacobian[:, :-1] + eye)) for jacobian in jacobians])
    return Branch(path[:, -1], path[:, :-1], multipliers, _events(path[:, -1], multipliers, np.stack(tangents)[:, -1]))


@eqx.filter_jit
def _miss(system: AbstractSystem, period: int, point: Array) -> tuple[Array, Array]:
    """(f^period(x) - x, its derivative by x and control)."""

    def function(point: Array) -> Array:
        step = system.at(point[-1:])
        return jax.lax.scan(lambda x, _: (step(x), None), point[:-1], None, length=period)[0] - point[:-1]

    return function(point), jax.jacfwd(function)(point)


def _correct(system: AbstractSystem, period: int, guess: np.ndarray, tangent: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Newton's method on the plane through `guess` across `tangent`; None if it does not converge in ten steps."""
    point = guess
    for _ in range(10):
        miss, jacobian = (np.asarray(part) for part in _miss(system, period, jnp.asarray(point)))
        if not np.isfinite(miss).all():
            return None
        equations = np.vstack([jacobian, tangent])
        move = np.linalg.lstsq(equations, np.append(-miss, tangent @ (guess - point)), rcond=None)[0]
        point = point + move
        if np.abs(move).max() < 1e-12 * (1.0 + np.abs(point).max()):
            miss, jacobian = (np.asarray(part) for part in _miss(system, period, jnp.asarray(point)))
            # where the equations are singular a step of zero is no solution
            return (point, jacobian) if np.abs(miss).max() < 1e-9 * (1.0 + np.abs(point).max()) else None
    return None


def _tangent(jacobian: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The direction in which the equations stay satisfied, continuing `before`."""
    direction = np.linalg.svd(jacobian)[2][-1]
    return direction if direction @ before >= 0 else -direction


def _sorted(values: np.ndarray) -> np.ndarray:
    return values[np.argsort(-np.abs(values))].astype(complex)


def _events(control: np.ndarray, multipliers: np.ndarray, turn: np.ndarray) -> tuple[tuple[str, float], ...]:
    """Changes between neighbouring points, placed by linear interpolation of the test function."""
    tests = {
        "fold": turn,
        "flip": np.prod(multipliers + 1.0, axis=1).real,
        "branch": np.prod(multipliers - 1.0, axis=1).real,
        "torus": np.where(np.abs(np.imag(multipliers[:, 0])) > 1e-9, np.abs(multipliers[:, 0]) - 1.0, np.nan),
    }
    found: list[tuple[int, str, float]] = []
    for kind, value in tests.items():
        for i in np.flatnonzero(value[:-1] * value[1:] < 0):
            share = value[i] / (value[i] - value[i + 1])
            found.append((int(i), kind, float(control[i] + share * (control[i + 1] - control[i]))))
    folds = {i for i, kind, _ in found if kind == "fold"}
    return tuple((kind, at) for i, kind, at in sorted(found) if kind != "branch" or not folds & {i - 1, i, i + 1})
