"""Long orbits at many controls at once: bifurcation diagrams and Lyapunov exponents, of exact and learned systems alike."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from parametra.core.errors import UsageError
from parametra.dynamics.precision import in_float64
from parametra.dynamics.systems import AbstractSystem, check_controls

TINY = 1e-300


class Diagram(NamedTuple):
    """Orbits by control.

    Attributes:
        control: (orbit, control).
        states: (orbit, steps, state), NaN from where an orbit escaped.
        exponents: (orbit,), largest Lyapunov exponent per unit of time, NaN for an orbit that escaped.
        escaped: (orbit,).
    """

    control: np.ndarray
    states: np.ndarray
    exponents: np.ndarray
    escaped: np.ndarray


@in_float64
def diagram(
    system: AbstractSystem,
    control: np.ndarray | float,
    start: np.ndarray | float,
    *,
    burn: int,
    steps: int,
    bound: float = 1e6,
    every: int = 1,
) -> Diagram:
    """Orbits of `steps` states after `burn`, and the mean growth of a tangent vector along them.

    Args:
        system: exact or learned.
        control: (orbit,) or (orbit, control); a number is one orbit.
        start: (state,) for all, or (orbit, state).
        burn: steps before anything is kept.
        steps: steps that count for the exponent.
        bound: an orbit with a number beyond it, or one that is not finite, has escaped.
        every: keep one state of so many.

    Raises:
        UsageError: shapes that do not fit, or steps that `every` does not divide.
    """
    controls, starts = _aligned(system, control, start)
    if steps < 1 or burn < 0 or steps % every:
        raise UsageError(f"Need steps >= 1, burn >= 0 and steps a multiple of every, got {steps}, {burn} and {every}.")
    states, growth, alive = _orbits(system, controls, starts, jnp.asarray(burn), steps, every, jnp.asarray(float(bound)))
    exponents = np.where(alive, np.asarray(growth) / (steps * system.time_step), np.nan)
    return Diagram(np.asarray(controls), np.asarray(states), exponents, ~np.asarray(alive))


@in_float64
def lyapunov_spectrum(
    system: AbstractSystem, control: np.ndarray | float, start: np.ndarray | float, *, burn: int, steps: int, bound: float = 1e6
) -> np.ndarray:
    """(orbit, state) Lyapunov exponents per unit of time, largest first, by a QR decomposition after every step.

    Source: Benettin, Galgani, Giorgilli & Strelcyn (1980, Meccanica 15, 9). NaN for an orbit that escaped; see `diagram`.
    """
    controls, starts = _aligned(system, control, start)
    if steps < 1 or burn < 0:
        raise UsageError(f"Need steps >= 1 and burn >= 0, got {steps} and {burn}.")
    growth, alive = _spectra(system, controls, starts, jnp.asarray(burn), jnp.asarray(steps), jnp.asarray(float(bound)))
    return np.where(np.asarray(alive)[:, None], np.asarray(growth) / (steps * system.time_step), np.nan)


@eqx.filter_jit
def _orbits(
    system: AbstractSystem, controls: Array, starts: Array, burn: Array, steps: int, every: int, bound: Array
) -> tuple[Array, Array, Array]:
    def orbit(start: Array, control: Array) -> tuple[Array, Array, Array]:
        step = system.at(control)

        def one(_: Any, carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
            x, tangent, growth, alive = carry
            after, moved = jax.jvp(step, (x,), (tangent,))
            alive &= jnp.all(jnp.abs(after) < bound)
            size = jnp.sqrt(jnp.sum(moved**2))
            flat = size < TINY
            moved = jnp.where(flat, tangent, moved / jnp.where(flat, 1.0, size))
            growth += jnp.log(jnp.maximum(size, TINY))
            return jnp.where(alive, after, x), jnp.where(alive, moved, tangent), growth, alive

        def kept(carry: tuple[Array, Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array, Array], Array]:
            carry = jax.lax.fori_loop(0, every, one, carry) if every > 1 else one(0, carry)
            return carry, jnp.where(carry[3], carry[0], jnp.nan)

        tangent = jnp.ones_like(start) / jnp.sqrt(start.size)
        x, tangent, _, alive = jax.lax.fori_loop(0, burn, one, (start, tangent, jnp.zeros(()), jnp.array(True)))
        (_, _, growth, alive), states = jax.lax.scan(kept, (x, tangent, jnp.zeros(()), alive), None, length=steps // every)
        return states, growth, alive

    return jax.vmap(orbit)(starts, controls)


@eqx.filter_jit
def _spectra(
    system: AbstractSystem, controls: Array, starts: Array, burn: Array, steps: Array, bound: Array
) -> tuple[Array, Array]:
    def orbit(start: Array, control: Array) -> tuple[Array, Array]:
        step = system.at(control)

        def one(_: Any, carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
            x, frame, growth, alive = carry
            after, push = jax.linearize(step, x)
            frame, size = _orthonormal(jax.vmap(push, in_axes=1, out_axes=1)(frame))
            alive &= jnp.all(jnp.abs(after) < bound)
            return jnp.where(alive, after, x), frame, growth + jnp.log(jnp.maximum(size, TINY)), alive

        def run(count: Array, carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
            return jax.lax.fori_loop(0, count, one, carry)

        blank = jnp.zeros(start.size)
        x, frame, _, alive = run(burn, (start, jnp.eye(start.size), blank, jnp.array(True)))
        _, _, growth, alive = run(steps, (x, frame, blank, alive))
        return growth, alive

    return jax.vmap(orbit)(starts, controls)


def _orthonormal(frame: Array) -> tuple[Array, Array]:
    """Q and the diagonal of R by modified Gram-Schmidt: a LAPACK call per orbit and step would cost more than the step itself.

    A column that a singular derivative sends to zero starts again across the others, so that one such step is not all that the
    exponent ever says.
    """
    columns: list[Array] = []
    sizes = []
    across = jnp.eye(frame.shape[0])  # projects onto what the columns so far leave out
    for index in range(frame.shape[1]):
        column = frame[:, index]
        for done in columns:
            column = column - jnp.dot(done, column) * done
        size = jnp.sqrt(jnp.sum(column**2))
        flat = size < TINY
        spare = across[:, jnp.argmax(jnp.diag(across))]
        column = jnp.where(flat, spare / jnp.sqrt(jnp.sum(spare**2)), column / jnp.where(flat, 1.0, size))
        across = across - jnp.outer(column, column)
        sizes.append(size)
        columns.append(column)
    return jnp.stack(columns, axis=1), jnp.stack(sizes)


def _aligned(system: AbstractSystem, control: np.ndarray | float, start: np.ndarray | float) -> tuple[Array, Array]:
    controls = np.atleast_1d(np.asarray(control, np.float64))
    controls = controls[:, None] if controls.ndim == 1 else controls
    starts = np.atleast_1d(np.asarray(start, np.float64))
    starts = np.broadcast_to(starts, (len(controls), starts.shape[-1])) if starts.ndim < 2 else starts
    if controls.ndim != 2 or starts.shape != (len(controls), system.dimension):
        raise UsageError(
            f"Got controls of shape {np.shape(control)} and start states of shape {np.shape(start)} for a system of dimension "
            f"{system.dimension}. Remedy: (orbit,) or (orbit, control), and (state,) or (orbit, state)."
        )
    check_controls(system, controls.shape[1])
    return jnp.asarray(controls), jnp.asarray(starts)
