"""How far can a family be trusted? What nobody saw cannot be checked, but models that agree on the data can disagree about it.

The guard runs the chosen family beside its runners-up and beside copies that the noise allows (drawn from the covariance of the
fit), and flags controls at which an orbit escapes, at which several attractors appear, at which the attractors of the members
differ by more than sampling, and those further out than edge validation speaks for. The majority decides, not the furthest: among
many copies of a good family one is always far, and so often is a runner-up with more terms. Each runner-up is one opinion, all
copies together, by their mean, are one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from parametra.core.errors import UsageError
from parametra.dynamics.attractors import wasserstein
from parametra.dynamics.family import Family
from parametra.dynamics.fitting import Fitted, covariance
from parametra.dynamics.orbits import diagram
from parametra.dynamics.precision import in_float64
from parametra.dynamics.series import SeriesSet

TIMES_FLOOR = 3.0
LATER = 4  # stretches of an orbit between the two that are compared: past a crisis, orbits escape late
REASONS = ("escape", "several attractors", "disagreement", "far")


@dataclass(frozen=True)
class Guard:
    """A verdict for each control.

    Attributes:
        control: (control, parameter).
        flags: (control, reason), in the order of `REASONS`.
        spread: (control,), median of the opinions' Wasserstein distances from the chosen family's attractor; a member whose orbit
            escapes counts as far as the states of the data spread.
        floor: (control,), the same between two stretches of the chosen family's own orbit: what sampling alone gives.
        members: how many families were asked.
    """

    control: np.ndarray
    flags: np.ndarray
    spread: np.ndarray
    floor: np.ndarray
    members: int

    @property
    def trusted(self) -> np.ndarray:
        """(control,), where nothing is flagged."""
        return np.asarray(~self.flags.any(axis=1))

    @property
    def flagged(self) -> bool:
        """Whether the run as a whole is flagged: an escape, or opinions that differ by more than sampling on average."""
        return bool(self.flags[:, 0].any() or self.spread.mean() > TIMES_FLOOR * self.floor.mean())


@in_float64
def guard(
    fitted: Sequence[Fitted], data: SeriesSet, control: np.ndarray, *, edge: np.ndarray | None = None, along: int = 0,
    draws: int = 6, burn: int = 500, steps: int = 1000, seed: int = 0, reach: float = 4.0,
) -> Guard:  # fmt: skip
    """Flag the controls at which the first of `fitted` should not be believed.

    Args:
        fitted: the chosen fit, then others that edge validation ranked high, such as `Selection.fitted`.
        data: what they were fitted to.
        control: (control,) or (control, parameter), where predictions are wanted.
        edge: controls that edge validation held out, such as `Selection.edge`; with them, what is further beyond that end of the
            data than `reach` times the width of the edge is flagged "far", and whatever lies beyond the data elsewhere.
        along: the control at whose end they lie, `Selection.along`.
        draws: copies drawn from the covariance of the chosen fit; none for a network with trained inner layers.
        burn: steps before orbits are compared.
        steps: steps that are compared.
        seed: of the draws and the start states.
        reach: see `edge`.

    Raises:
        UsageError: nothing to judge by: a single fit and no draws; controls of another number than the data's.
    """
    chosen = fitted[0]
    copies = _drawn(chosen, data, draws, seed)
    families = [chosen.family, *(other.family for other in fitted[1:]), *copies]
    if len(families) < 2:
        raise UsageError("The guard needs a second opinion. Remedy: runners-up of `select`, or draws > 0.")
    values = np.asarray(control, np.float64)
    values = values[:, None] if values.ndim == 1 else values
    states = np.concatenate(data.series)
    first, second = np.random.default_rng(seed).choice(_inner(states), (2, len(values)))
    bound = 1e3 * (np.abs(states).max() + 1.0)
    runs = [diagram(family, values, first, burn=burn, steps=steps, bound=bound) for family in families]
    other = diagram(chosen.family, values, second, burn=burn, steps=steps, bound=bound)
    longer = diagram(chosen.family, values, first, burn=burn + LATER * steps, steps=steps, bound=bound)
    mine = runs[0].states
    floor = _distances(mine, longer.states)
    typical = max(float(np.nanmedian(floor)), 1e-3 * float(np.ptp(states)))
    distances = np.nan_to_num([_distances(mine, run.states) for run in runs[1:]], nan=float(np.ptp(states)))
    alone, together = distances[: len(fitted) - 1], distances[len(fitted) - 1 :]
    spread = np.median([*alone, *([together.mean(axis=0)] if copies else [])], axis=0)
    limit = TIMES_FLOOR * np.maximum(np.nan_to_num(floor), typical)
    flags = np.stack(
        [
            runs[0].escaped | other.escaped | longer.escaped,
            _distances(mine, other.states) > limit,
            spread > limit,
            _far(values, data, edge, along, reach),
        ],
        axis=1,
    )
    return Guard(values, flags, spread, np.maximum(np.nan_to_num(floor), typical), len(families))


def _drawn(fitted: Fitted, data: SeriesSet, draws: int, seed: int) -> list[Family]:
    """Copies of a family linear in its free numbers, from the normal distribution of its fit."""
    if fitted.design.main == "network" or draws < 1:
        return []
    matrix = covariance(fitted, data)
    values, vectors = np.linalg.eigh(matrix)
    if not np.isfinite(matrix).all():
        return []
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    active = fitted.mask > 0
    readout = np.asarray(fitted.family.readout)
    families = []
    for normal in np.random.default_rng(seed).standard_normal((draws, len(matrix))):
        moved = readout.copy()
        moved[active] += root @ normal
        families.append(eqx.tree_at(lambda f: f.readout, fitted.family, jnp.asarray(moved)))
    return families


def _inner(states: np.ndarray) -> np.ndarray:
    """States without the outer tenth of each variable: noise may have moved those out of the basin, where any family escapes."""
    low, high = np.quantile(states, [0.05, 0.95], axis=0)
    kept = states[np.all((states >= low) & (states <= high), axis=1)]
    return kept if len(kept) else states


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.array([wasserstein(a, b) for a, b in zip(first, second, strict=True)])


def _far(values: np.ndarray, data: SeriesSet, edge: np.ndarray | None, along: int, reach: float) -> np.ndarray:
    """Beyond the data by more than `reach` times the stretch that edge validation predicted, on the side where it did."""
    if edge is None:
        return np.zeros(len(values), bool)
    known = data.known
    held = np.isin(known[:, along], edge[:, along])
    if held.all() or not held.any():
        raise UsageError("The edge must hold some of the data's controls and not all. Remedy: edge and along of one selection.")
    low, high = known.min(axis=0), known.max(axis=0)
    inner = known[~held, along]
    allowed_below, allowed_above = np.zeros_like(low), np.zeros_like(high)
    allowed_below[along] = reach * (inner.min() - low[along])
    allowed_above[along] = reach * (high[along] - inner.max())
    slack = 1e-9 * (high - low)  # the ends of the data themselves are not beyond them
    return np.any((values < low - allowed_below - slack) | (values > high + allowed_above + slack), axis=1)
