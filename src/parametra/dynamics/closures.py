"""A family as the Closure of two-scale Lorenz-96: the control is the forcing F, the state one X, the linked quantity its U."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.coupling import coupled_run, start
from parametra.dynamics.family import Family
from parametra.dynamics.lorenz96 import FastFluxes, FastScale, Lorenz96, SlowForcing, SlowState, SlowTendency

Pairs = tuple[np.ndarray, np.ndarray]


class FamilyClosure(eqx.Module):
    """U = mean of families at (X; F) in every column, without memory.

    Attributes:
        families: one or more, each of one state and one control, link "identity"; what they predict is U.
    """

    families: tuple[Family, ...]

    def predict(self, x: Float[Array, " column"], forcing: Float[Array, " column"]) -> Float[Array, " column"]:
        """U at every X."""
        each = [jax.vmap(lambda s, mu, f=f: f.predict(s[None], mu[None])[0])(x, forcing) for f in self.families]
        return sum(each[1:], each[0]) / len(each)

    def init(self, resolved: SlowState, forcing: SlowForcing, key: PRNGKeyArray) -> tuple[()]:
        """No memory."""
        return ()

    def __call__(
        self, resolved: SlowState, forcing: SlowForcing, carry: tuple[()], key: PRNGKeyArray
    ) -> tuple[SlowTendency, FastFluxes, tuple[()]]:
        """The mean at every X, with the forcing of its column as control."""
        x = resolved.x
        tendency = self.predict(x, forcing.forcing)
        return SlowTendency(tendency), FastFluxes(-x * tendency), carry


def record_pairs(
    resolved: SlowState, forcing: SlowForcing, tendency: SlowTendency, fluxes: FastFluxes, carry: Array
) -> dict[str, Array]:
    """The recorder of a truth run: X and U of every column."""
    return {"x": resolved.x, "u": tendency.x}


def truth_pairs(forcing: float, *, seed: int, spin_up: float, time: float, every: int = 20, rings: int = 12) -> Pairs:
    """(X, U) of a truth run of the two-scale system, each (moment, column), one moment in `every` steps of 0.005.

    Args:
        forcing: F.
        seed: of the start state.
        spin_up: left out [units of time].
        time: kept [units of time].
        every: steps between moments.
        rings: independent copies side by side.
    """
    host, truth = Lorenz96(forcing=forcing, rings=rings), FastScale()
    kept: list[Pairs] = []

    def keep(step: int, records: dict[str, np.ndarray], state: SlowState) -> None:
        kept.append((records["x"][::every], records["u"][::every]))

    steps, chunk = round(spin_up / host.time_step), 200
    end = coupled_run(host, truth, *start(host, truth, seed), seed, steps, chunk=steps)
    coupled_run(
        host, truth, end.state, end.carry, seed, round(time / host.time_step), chunk=chunk, record=record_pairs, reduce="none",
        on_chunk=keep, start_step=end.step,
    )  # fmt: skip
    return np.concatenate([x for x, _ in kept]), np.concatenate([u for _, u in kept])


def offline_r2(closure: FamilyClosure, x: np.ndarray, u: np.ndarray, forcing: float) -> float:
    """Share of the variance of U that the closure explains at one forcing."""
    with jax.enable_x64(True):
        states = jnp.asarray(np.ravel(x), float)
        predicted = np.asarray(eqx.filter_jit(FamilyClosure.predict)(closure, states, jnp.full_like(states, forcing)))
    truth = np.ravel(u).astype(np.float64)
    return float(1.0 - np.mean((predicted - truth) ** 2) / np.var(truth))


def single_precision(closure: FamilyClosure) -> FamilyClosure:
    """The closure in float32, as a coupled run in float32 needs it."""
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf, closure)
