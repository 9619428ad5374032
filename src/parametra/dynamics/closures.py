"""A family as the Closure of two-scale Lorenz-96: the control is the forcing F, the state one X, the linked quantity its U.

What fails under stronger forcing is the range of X, not the dependence on F: the cure is a scaling X / F^p, U F^-q, whose powers
edge validation chooses among a few, each judged by how well the weaker half of the forcings seen predicts the stronger half,
not just the last: powers differ by how they carry over a ratio of forcings, and the ratio that is asked for is large.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.coupling import coupled_run, start
from parametra.dynamics.design import Design
from parametra.dynamics.family import Family
from parametra.dynamics.fitting import fit_samples
from parametra.dynamics.lorenz96 import FastFluxes, FastScale, Lorenz96, SlowForcing, SlowState, SlowTendency
from parametra.dynamics.one_step import Samples

Pairs = tuple[np.ndarray, np.ndarray]


class FamilyClosure(eqx.Module):
    """U = family(X; F) in every column, without memory.

    Attributes:
        family: of one state and one control, link "identity"; what it predicts is U.
    """

    family: Family

    def init(self, resolved: SlowState, forcing: SlowForcing, key: PRNGKeyArray) -> tuple[()]:
        """No memory."""
        return ()

    def __call__(
        self, resolved: SlowState, forcing: SlowForcing, carry: tuple[()], key: PRNGKeyArray
    ) -> tuple[SlowTendency, FastFluxes, tuple[()]]:
        """The family at every X, with the forcing of its column as control."""
        x = resolved.x
        tendency = jax.vmap(lambda state, mu: self.family.predict(state[None], mu[None])[0])(x, forcing.forcing)
        return SlowTendency(tendency), FastFluxes(-x * tendency), carry


class ClosureChoice(NamedTuple):
    """What edge validation said of closures.

    Attributes:
        ranking: (design, mean R2 on the stronger half of the forcings, fitted without them), best first.
        family: the best design, fitted to all pairs.
    """

    ranking: tuple[tuple[Design, float], ...]
    family: Family


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


def choose_closure(pairs: Mapping[float, Pairs], designs: Sequence[Design], *, most: int = 3000, seed: int = 0) -> ClosureChoice:
    """The closure whose fit to the weaker half of the forcings predicts the stronger half best, then fitted to all.

    Args:
        pairs: (X, U) by forcing, of three forcings at least.
        designs: candidates with link "identity".
        most: pairs of each forcing that are used, drawn at random.
        seed: of the draw and of the networks.

    Raises:
        UsageError: too few forcings.
    """
    if len(pairs) < 3:
        raise UsageError(f"Closures need pairs at three forcings at least, found {len(pairs)}. Remedy: more truth runs.")
    rng = np.random.default_rng(seed)
    drawn = {}
    for forcing, (x, u) in pairs.items():
        chosen = rng.choice(x.size, min(most, x.size), replace=False)
        drawn[forcing] = np.ravel(x)[chosen].astype(np.float64), np.ravel(u)[chosen].astype(np.float64)
    x, u = (np.concatenate([pair[i] for pair in drawn.values()]) for i in (0, 1))
    control = np.concatenate([np.full(len(pair[0]), forcing) for forcing, pair in drawn.items()])
    forcings = sorted(pairs)
    inner = max(2, len(forcings) // 2)
    edge = forcings[inner:]
    ranking = []
    with jax.enable_x64(True):
        for design in designs:
            family, _ = fit_samples(design, _samples(x, u, control, control < edge[0]), seed=seed)
            scores = [offline_r2(family, drawn[forcing][0], drawn[forcing][1], forcing) for forcing in edge]
            ranking.append((design, float(np.mean(scores))))
        ranking.sort(key=lambda entry: -entry[1])
        family, _ = fit_samples(ranking[0][0], _samples(x, u, control, np.ones(len(x), bool)), seed=seed)
    return ClosureChoice(tuple(ranking), family)


def offline_r2(family: Family, x: np.ndarray, u: np.ndarray, forcing: float) -> float:
    """Share of the variance of U that the family explains at one forcing."""
    with jax.enable_x64(True):
        predict = eqx.filter_jit(jax.vmap(lambda state: family.predict(state[None], jnp.full((1,), forcing))[0]))
        predicted = np.asarray(predict(jnp.asarray(np.ravel(x), float)))
    truth = np.ravel(u).astype(np.float64)
    return float(1.0 - np.mean((predicted - truth) ** 2) / np.var(truth))


def single_precision(family: Family) -> Family:
    """The family in float32, as a coupled run in float32 needs it."""
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf, family)


def _samples(x: np.ndarray, u: np.ndarray, control: np.ndarray, keep: np.ndarray) -> Samples:
    parts = (x[:, None], u[:, None], control[:, None], keep.astype(np.float64))
    states, targets, controls, weight = (jnp.asarray(part, float) for part in parts)
    return states, targets, controls, weight
