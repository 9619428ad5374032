r"""Multi-step shooting: whole series against the family's own orbits, the initial states free.

    minimise over theta, x_i   sum_i sum_t |f^t(x_i; mu_i) - y_it|^2

A one-step fit to noisy states has the bias of errors in variables; shooting has not, and below chaos it is well conditioned.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jaxtyping import Array, Float, PyTree

from parametra.dynamics.family import Family
from parametra.dynamics.series import SeriesSet
from parametra.dynamics.systems import AbstractSystem

FAR = 1e3  # residual, in units of the data's spread, of a state that escaped
FIRST_ROUNDS = 12  # Gauss-Newton steps of the initial states from the observed ones: next to 0 or 1 an orbit may need eight
ROUNDS = 3  # from where they were for a family nearby


class Observed(NamedTuple):
    """Series side by side: states, which of them exist (0 or 1), controls, spread of the states."""

    states: Float[Array, "series steps state"]
    weight: Float[Array, "series steps"]
    control: Float[Array, "series control"]
    spread: Float[Array, " state"]


def observed(data: SeriesSet, keep: np.ndarray | None = None) -> Observed:
    """The series of `data` as arrays; those where `keep` (series,) fails weigh nothing, so that shapes stay what they were."""
    values, there = data.padded()
    weight = there * (np.ones(len(values)) if keep is None else keep)[:, None]
    spread = np.concatenate(data.series).std(axis=0)
    parts = (values, weight, data.known, np.where(spread > 0, spread, 1.0))
    return Observed(*(jnp.asarray(part, jnp.result_type(float)) for part in parts))


def orbit_residuals(system: AbstractSystem, starts: Array, seen: Observed) -> Float[Array, "series steps state"]:
    """(orbit - data) / spread for every series, zero where there is no data, FAR where the orbit escaped."""
    bound = 1e3 * seen.spread + jnp.abs(seen.states).max(axis=(0, 1))

    def orbit(start: Array, control: Array) -> Array:
        step = system.at(control)

        def body(x: Array, _: None) -> tuple[Array, Array]:
            after = step(x)
            inside = jnp.all(jnp.abs(after) < bound)
            return jnp.where(inside, after, x), jnp.concatenate([x, jnp.where(inside, 0.0, 1.0)[None]])

        return jax.lax.scan(body, start, None, length=seen.states.shape[1])[1]

    path = jax.vmap(orbit)(starts, seen.control)
    escaped = jnp.cumsum(path[..., -1], axis=1) - path[..., -1] > 0
    residual = jnp.where(escaped[..., None], FAR, (path[..., :-1] - seen.states) / seen.spread)
    return residual * seen.weight[..., None]


def settle(system: AbstractSystem, starts: Array, seen: Observed, rounds: int) -> tuple[Array, Array]:
    """(initial states moved to where the orbits fit best, orthonormal directions in which they move the residuals).

    `rounds` Gauss-Newton steps of each series, halved where they do not help; directions are (series, steps * state, state).
    """

    def one(start: Array, state: Array, weight: Array, control: Array) -> tuple[Array, Array]:
        alone = Observed(state[None], weight[None], control[None], seen.spread)

        def residuals(x: Array) -> tuple[Array, Array]:
            r = orbit_residuals(system, x[None], alone).ravel()
            return r, r

        def better(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
            x, proposed, least = carry
            jacobian, r = jax.jacfwd(residuals, has_aux=True)(proposed)
            square = jnp.sum(r**2)
            helps = square < least
            normal = jacobian.T @ jacobian
            normal += (1e-12 * jnp.trace(normal) + 1e-30) * jnp.eye(x.size)
            moved = proposed - jnp.linalg.solve(normal, jacobian.T @ r)
            moved = jnp.where(helps & jnp.isfinite(moved), moved, 0.5 * (x + proposed))
            return (jnp.where(helps, proposed, x), moved, jnp.where(helps, square, least)), None

        (x, _, _), _ = jax.lax.scan(better, (start, start, jnp.asarray(jnp.inf)), None, length=rounds + 1)
        return x, jnp.linalg.qr(jax.jacfwd(residuals, has_aux=True)(x)[0])[0]

    return jax.vmap(one)(starts, seen.states, seen.weight, seen.control)


def reduced_residuals(system: AbstractSystem, starts: Array, seen: Observed, free: bool) -> Array:
    """Residuals of the orbits from their best initial states, as a function of the system alone.

    Variable projection in Kaufman's form (1975, BIT 15, 49): with the initial states settled, what they can still change is
    projected out of the residuals, so the derivative is that of the reduced problem, and none is taken through the settling.
    """
    if not free:
        return orbit_residuals(system, starts, seen).ravel()
    held = jax.tree.map(lambda leaf: jax.lax.stop_gradient(leaf) if eqx.is_array(leaf) else leaf, system)
    initial, moves = jax.tree.map(jax.lax.stop_gradient, settle(held, starts, seen, ROUNDS))
    residual = orbit_residuals(system, initial, seen).reshape(len(starts), -1)
    return (residual - jnp.einsum("srd,sd->sr", moves, jnp.einsum("srd,sr->sd", moves, residual))).ravel()


@eqx.filter_jit
def shoot(
    family: Family, spec: PyTree, mask: Array, starts: Array, seen: Observed, ridge: Array, steps: int, free: bool
) -> tuple[Family, Array, Array]:
    """The family after Levenberg-Marquardt on whole orbits, the initial states found, and the sum of squared residuals.

    Args:
        family: where to start.
        spec: booleans like `family`: which arrays are trained besides the readout.
        mask: like the readout; zeros stay zero.
        starts: (series, state), where the initial states start.
        seen: the data.
        ridge: penalty on the readout, relative to the mean square.
        steps: most steps of the solver.
        free: whether initial states are found; otherwise they stay at `starts`.
    """
    spec = eqx.tree_at(lambda f: f.readout, spec, True)
    trained, fixed = eqx.partition(family, spec)
    penalty = jnp.sqrt(ridge * seen.weight.sum())
    starts = settle(family, starts, seen, FIRST_ROUNDS)[0] if free else starts

    def unpack(part: Any) -> Family:
        whole = eqx.combine(part, fixed)
        return eqx.tree_at(lambda f: f.readout, whole, whole.readout * mask)

    def residuals(part: Any, args: Any) -> Array:
        whole = unpack(part)
        return jnp.concatenate([reduced_residuals(whole, starts, seen, free), penalty * whole.readout.ravel()])

    solver = optx.LevenbergMarquardt(rtol=1e-8, atol=1e-12)
    end = optx.least_squares(residuals, solver, trained, options={"jac": "fwd"}, max_steps=steps, throw=False).value
    whole = unpack(end)
    initial = settle(whole, starts, seen, FIRST_ROUNDS)[0] if free else starts
    return whole, initial, jnp.sum(orbit_residuals(whole, initial, seen) ** 2)


@eqx.filter_jit
def orbit_error(system: AbstractSystem, seen: Observed) -> tuple[Array, Array]:
    """(sums of squared residuals, whether the orbit escapes), each (series,), of the best orbits of a given system.

    Only the initial states are found. An escape counts where there is data to follow.
    """
    starts = settle(system, seen.states[:, 0], seen, FIRST_ROUNDS)[0]
    residuals = orbit_residuals(system, starts, seen)
    return jnp.sum(residuals**2, axis=(1, 2)), jnp.any(residuals == FAR, axis=(1, 2))


@eqx.filter_jit
def sensitivity(family: Family, spec: PyTree, starts: Array, seen: Observed, free: bool) -> tuple[Array, Array]:
    """(J'J of the trained numbers after the initial states are eliminated, residuals), in units of the data's spread.

    The inverse of the first times the variance of the noise is the covariance of the trained numbers: the Cramer-Rao bound where
    the residuals are those of the right model.
    """
    trained, fixed = eqx.partition(family, eqx.tree_at(lambda f: f.readout, spec, True))
    flat, unravel = jax.flatten_util.ravel_pytree(trained)

    def one(flat: Array, start: Array, state: Array, weight: Array, control: Array) -> Array:
        alone = Observed(state[None], weight[None], control[None], seen.spread)
        return orbit_residuals(eqx.combine(unravel(flat), fixed), start[None], alone).ravel()

    def information(start: Array, state: Array, weight: Array, control: Array) -> tuple[Array, Array]:
        by_theta, by_start = jax.jacfwd(one, argnums=(0, 1))(flat, start, state, weight, control)
        if free:
            q, _ = jnp.linalg.qr(by_start)
            by_theta = by_theta - q @ (q.T @ by_theta)
        return by_theta.T @ by_theta, one(flat, start, state, weight, control)

    parts, residuals = jax.vmap(information)(starts, seen.states, seen.weight, seen.control)
    return parts.sum(axis=0), residuals
