"""Which closure? The one that carries over: from weak forcing to stronger, and from the middle of the states to their tails.

Under stronger forcing a closure meets states that nobody saw, several times further out; what matters is how it goes on there.
So the growth of range that will be asked for is rehearsed within the data: every candidate is fitted to the weakest forcings and
judged on the stronger ones, for every such cut, and fitted to the middle of the states and judged outside it, for boxes smaller
than all states by the factors `SHRINK`. The mean over all cuts ranks them, and the mean of the best few, fitted to
everything, is the closure: where their tails differ nothing in the data decides between them, and the squared error of a mean is
at most the mean of the squared errors.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from parametra.core.errors import UsageError
from parametra.dynamics.closures import FamilyClosure, Pairs
from parametra.dynamics.design import Design
from parametra.dynamics.family import Family
from parametra.dynamics.fitting import fit_samples
from parametra.dynamics.one_step import Samples
from parametra.dynamics.precision import in_float64

SHRINK = (1.5, 2.0, 3.0)


class Candidate(NamedTuple):
    """A design and how it carries over: shares of the variance of U explained where it was not fitted.

    Attributes:
        design: the design.
        forcing: mean over the cuts by forcing.
        state: mean over the cuts by state.
        score: mean over all cuts; minus infinity where a fit failed.
    """

    design: Design
    forcing: float
    state: float
    score: float


class ClosureChoice(NamedTuple):
    """What edge validation said of closures.

    Attributes:
        ranking: best first.
        closure: the mean of the first of the ranking, fitted to all pairs.
    """

    ranking: tuple[Candidate, ...]
    closure: FamilyClosure


@in_float64
def choose_closure(
    pairs: Mapping[float, Pairs], designs: Sequence[Design], *, most: int = 3000, members: int = 3, seed: int = 0,
    on_design: Callable[[int, Design], None] | None = None,
) -> ClosureChoice:  # fmt: skip
    """The mean of the closures that carry over best, fitted to all pairs.

    Args:
        pairs: (X, U) by forcing, of three forcings at least.
        designs: candidates with link "identity".
        most: pairs of each forcing that are used, drawn at random.
        members: how many of the best are averaged.
        seed: of the draw and of the networks.
        on_design: told the number and the design before its fits.

    Raises:
        UsageError: too few forcings, or no candidate that could be fitted.
    """
    if len(pairs) < 3:
        raise UsageError(f"Closures need pairs at three forcings at least, found {len(pairs)}. Remedy: more truth runs.")
    samples = _drawn(pairs, most, seed)
    x, u, control = samples
    ranking = []
    for number, design in enumerate(designs):
        if on_design is not None:
            on_design(number, design)
        skill: dict[str, list[float]] = {"forcing": [], "state": []}
        for kind, inside in cuts(x[:, 0], control[:, 0]):
            family = _fit(design, samples, inside, seed)
            skill[kind].append(-np.inf if family is None else _skill(family, x[~inside], u[~inside], control[~inside], u))
        means = (float(np.mean(skill["forcing"])), float(np.mean(skill["state"])))
        ranking.append(Candidate(design, *means, float(np.mean(skill["forcing"] + skill["state"]))))
    ranking.sort(key=lambda candidate: -candidate.score)
    best = [candidate.design for candidate in ranking[:members] if np.isfinite(candidate.score)]
    families = [_fit(design, samples, np.ones(len(x), bool), seed) for design in best]
    found = tuple(family for family in families if family is not None)
    if not found:
        raise UsageError("No closure could be fitted. Remedy: a larger ridge, or other designs.")
    return ClosureChoice(tuple(ranking), FamilyClosure(found))


def cuts(x: np.ndarray, control: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """("forcing" or "state", (pair,) which pairs are fitted); the others are predicted. Two forcings are kept at least."""
    for first_held in np.unique(control)[2:]:
        yield "forcing", control < first_held
    low, middle, high = x.min(), np.median(x), x.max()
    for factor in SHRINK:
        yield "state", (x >= middle - (middle - low) / factor) & (x <= middle + (high - middle) / factor)


def _drawn(pairs: Mapping[float, Pairs], most: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, u, control, each (pair, 1), with up to `most` pairs of each forcing."""
    rng = np.random.default_rng(seed)
    parts = []
    for forcing, (x, u) in sorted(pairs.items()):
        chosen = rng.choice(x.size, min(most, x.size), replace=False)
        parts.append(np.stack([np.ravel(x)[chosen], np.ravel(u)[chosen], np.full(len(chosen), forcing)]).astype(np.float64))
    x, u, control = np.concatenate(parts, axis=1)[..., None]
    return x, u, control


def _fit(design: Design, samples: tuple[np.ndarray, ...], inside: np.ndarray, seed: int) -> Family | None:
    """None where no start gave finite numbers. Pairs left out weigh nothing, so shapes stay and nothing is compiled twice."""
    x, u, control = (jnp.asarray(part) for part in samples)
    weighted: Samples = (x, u, control, jnp.asarray(inside.astype(np.float64)))
    try:
        return fit_samples(design, weighted, seed=seed)[0]
    except UsageError:
        return None


def _skill(family: Family, x: np.ndarray, u: np.ndarray, control: np.ndarray, scale: np.ndarray) -> float:
    """1 - mean squared error / variance of all U: the held-out pairs alone, far in a tail, may hardly vary."""
    error = float(np.mean((np.asarray(_predict(family, jnp.asarray(x), jnp.asarray(control))) - u) ** 2) / np.var(scale))
    return 1.0 - error if np.isfinite(error) else -np.inf


@eqx.filter_jit
def _predict(family: Family, x: jax.Array, control: jax.Array) -> jax.Array:
    return jax.vmap(family.predict)(x, control)
