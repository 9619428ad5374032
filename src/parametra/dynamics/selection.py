"""Which design? Edge validation: the last values of the control are held out, as those of interest will be, and predicted.

Nothing beyond the training data is looked at. Designs whose error on the edge does not differ from the least by more than its
standard error are equals; among equals the one with the fewest free numbers is taken, and among those the one whose orbits follow
the inner series best.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from parametra.core.errors import UsageError
from parametra.dynamics.design import Design
from parametra.dynamics.fitting import Fitted, fit
from parametra.dynamics.precision import in_float64
from parametra.dynamics.series import SeriesSet, Side
from parametra.dynamics.shooting import observed, orbit_error

FLOOR = 1e-12  # relative error below which two designs are both exact


@dataclass(frozen=True)
class Ranked:
    """A design with its error on the edge.

    Attributes:
        design: the design.
        error: root mean square, over the held-out series, of their distance from the model's own orbits, in units of the
            states' spread; infinite where the fit failed or a held-out orbit escapes.
        deviation: standard error of the mean square, relative to it.
        parameters: free numbers.
        inside: the same distance on the series that were kept, for designs that the edge cannot tell apart.
        why: the reason of an infinite error.
    """

    design: Design
    error: float
    deviation: float
    parameters: int
    inside: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class Selection:
    """The ranking, best first, and the chosen designs fitted to all the data.

    Attributes:
        ranking: all designs, by error on the edge.
        fitted: the chosen one first, then the runners-up of other kinds.
        edge: controls that were held out.
        along: the control at whose end they lie.
    """

    ranking: tuple[Ranked, ...]
    fitted: tuple[Fitted, ...]
    edge: np.ndarray
    along: int = 0

    @property
    def chosen(self) -> Fitted:
        """The design that edge validation chose."""
        return self.fitted[0]


@in_float64
def select(
    designs: Sequence[Design], data: SeriesSet, *, fraction: float = 0.25, along: int = 0, side: Side = "high", seed: int = 0,
    runners_up: int = 2, on_design: Callable[[int, Design], None] | None = None,
) -> Selection:  # fmt: skip
    """Rank designs by edge validation, then fit the best to all series.

    Args:
        designs: candidates; sparse libraries that differ in their number of terms share one elimination.
        data: series at three values of the control at least.
        fraction: share of the distinct values of the control, counted from one end, that is held out.
        along: which control, where there are several.
        side: the end, that on which predictions are wanted.
        seed: of the networks.
        runners_up: how many further designs are fitted, for their disagreement (see `guard`).
        on_design: told the number and the design before each fit.

    Raises:
        UsageError: no design, no such control, too few values of it, or none that could be fitted.
    """
    if not designs:
        raise UsageError("There is no design to choose from. Remedy: one at least.")
    keep = ~data.edge(fraction, along, side)
    ranked, paths = [], {}
    for number, design in enumerate(designs):
        if on_design is not None:
            on_design(number, design)
        ranked.append(_rank(design, data, keep, seed, paths))
    ranked.sort(key=lambda one: one.error)
    if not np.isfinite(ranked[0].error):
        raise UsageError(f"No design could be fitted; {ranked[0].design.label}: {ranked[0].why}")
    order = _opinions([one for one in prefer_simple(ranked) if np.isfinite(one.error)])
    final: dict[Design, dict[int, Fitted]] = {}
    fitted = [fit(one.design, data, seed=seed, paths=final) for one in order[: 1 + runners_up]]
    return Selection(tuple(ranked), tuple(fitted), np.unique(data.known[~keep], axis=0), along)


def prefer_simple(ranked: Sequence[Ranked]) -> list[Ranked]:
    """The ranking with the simplest of those that equal the best moved to its front."""
    best = ranked[0]
    limit = best.error**2 * (1.0 + best.deviation) + FLOOR**2
    equals = [one for one in ranked if one.error**2 <= limit]
    first = min(equals, key=lambda one: (one.parameters, one.inside))
    return [first, *(one for one in ranked if one is not first)]


def _opinions(order: Sequence[Ranked]) -> list[Ranked]:
    """The first, then those that differ from it in their law; another loss on the same law is no second opinion on the law."""
    first = order[0].design
    others = [one for one in order[1:] if one.design.loss == first.loss]
    return [order[0], *(others or order[1:])]


def _rank(design: Design, data: SeriesSet, keep: np.ndarray, seed: int, paths: dict[Design, dict[int, Fitted]]) -> Ranked:
    try:
        fitted = fit(design, data, seed=seed, keep=keep, paths=paths)
    except UsageError as error:
        return Ranked(design, np.inf, np.inf, 0, why=str(error))
    each = {}
    for name, kept in (("edge", ~keep), ("inside", keep)):
        squares, escaped = (np.asarray(part)[kept] for part in orbit_error(fitted.family, observed(data, kept)))
        each[name] = squares / (np.array([len(one) for one in data.series])[kept].mean() * data.dimension)
        if name == "edge" and (escaped.any() or not np.isfinite(squares.sum())):
            why = f"{escaped.sum()} of {len(escaped)} orbits escape from the held-out series. Remedy: other designs."
            return Ranked(design, np.inf, np.inf, fitted.parameters, why=why)
    mean = each["edge"].mean()
    deviation = each["edge"].std() / np.sqrt(len(each["edge"])) / max(mean, 1e-300)
    inside = float(np.sqrt(np.mean(each["inside"])))
    return Ranked(design, float(np.sqrt(mean)), float(deviation), fitted.parameters, inside)
