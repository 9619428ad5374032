r"""The noise ceiling: the largest R2 that any closure without memory can reach, from twins.

What the expensive closure does is y = f(x) + e, where x is all that the host shows it and e depends on what the host does not
show. No function of x explains e, so no R2 = 1 - E (y - g(x))^2 / var y exceeds 1 - var e / var y. Two twins a, b under the same
x differ by two independent e: E (a - b)^2 = 2 var e, hence

    ceiling = 1 - var(a - b) / (2 var a)

Twins share the host's whole past and so may have in common what x alone does not tell: the ceiling of a network that sees only x
lies at or below this one. Scored before their differences have levelled off they are too alike, and the ceiling is too high.
"""

from typing import Any, NamedTuple

import numpy as np

from parametra.core.errors import UsageError


class Ceiling(NamedTuple):
    """A noise ceiling, per level (or whatever follows the column axis); NaN where nothing varies.

    Attributes:
        value: the ceiling R2, 1.
        low, high: interval by bootstrap over start states.
        noise: var e, in the target's unit squared.
        total: var y, likewise.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    noise: np.ndarray
    total: np.ndarray


def ceiling(
    targets: Any, weights: Any = None, *, variance: Any = None, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Ceiling:
    """The ceiling of `targets`, `(start, twin, step, column, ...)`, pooled over starts, steps and columns.

    Args:
        targets: one array, or one `(twin, step, column, ...)` per start state.
        weights: of the columns, e.g. their areas; equal if None.
        variance: var y where it is known better than from the twins, e.g. from the data that a network is scored on.
        resamples: bootstrap samples of the start states.
        confidence: probability of the interval.
        seed: of the bootstrap.
    """
    moments = [_moments(start, weights) for start in _starts(targets)]
    noise, mean, square = (np.stack([moment[i].mean(axis=0) for moment in moments]) for i in range(3))
    known = None if variance is None else np.asarray(variance, np.float64)

    def ratio(chosen: np.ndarray) -> tuple[Any, Any]:
        total = _variance(mean[chosen], square[chosen]) if known is None else known
        return noise[chosen].mean(axis=0), total

    var_noise, total = ratio(np.arange(len(moments)))
    draws = np.random.default_rng(seed).integers(len(moments), size=(resamples, len(moments)))
    samples = np.stack([_one_minus_ratio(*ratio(draw)) for draw in draws])
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    found = (_one_minus_ratio(var_noise, total), low, high, var_noise, total)
    return Ceiling(*(np.asarray(part) for part in found))


def growth_curve(targets: Any, weights: Any = None) -> np.ndarray:
    """How far apart the twins are by lead step: var(a - b) / (2 var a), `(start, step, ...)`, var a pooled over starts and steps.

    It rises from the size of the perturbation to 1 - ceiling.
    """
    moments = [_moments(start, weights) for start in _starts(targets)]
    noise = np.stack([moment[0] for moment in moments])
    mean, square = (np.stack([moment[i].mean(axis=0) for moment in moments]) for i in (1, 2))
    return 1 - _one_minus_ratio(noise, _variance(mean, square))


def levelled_off(growth: Any, tolerance: float = 0.05) -> int | None:
    """The lead from which a growth curve `(start, step, ...)` is flat within its noise; None if it still rises at its end.

    The plateau is the mean over the last third. The curve still rises if the second half of that third lies above its first half
    by more than `tolerance` of the plateau and by more than two standard errors over start states. It is flat from the first lead
    after which its running mean over a tenth of all leads never again lies below the plateau by more than `tolerance` and two
    standard errors.
    """
    curves = np.asarray(growth, np.float64)
    starts, leads = curves.shape[:2]
    curves = np.nanmean(curves.reshape(starts, leads, -1), axis=-1)
    tail = max(2, leads // 3)
    plateau = curves[:, -tail:].mean(axis=1)
    allowed = tolerance * plateau.mean()
    rise = curves[:, -(tail // 2) :].mean(axis=1) - curves[:, -tail : -(tail // 2)].mean(axis=1)
    if rise.mean() > allowed and rise.mean() > 2 * _standard_error(rise):
        return None
    half = leads // 20
    smooth = [curves[:, max(0, lead - half) : lead + half + 1].mean(axis=1) for lead in range(leads)]
    gap = plateau[:, None] - np.stack(smooth, axis=1)
    low = np.flatnonzero(gap.mean(axis=0) > allowed + 2 * _standard_error(gap))
    return int(low[-1]) + 1 if low.size else 0


def _starts(targets: Any) -> list[np.ndarray]:
    starts = [np.asarray(start) for start in targets]
    if not starts or any(start.ndim < 3 or start.shape[0] < 2 for start in starts):
        raise UsageError(
            "Twin targets must be (start, twin, step, column, ...) with two twins or more, got "
            f"{[start.shape for start in starts]} by start. Remedy: stack what twin_run returns for one name."
        )
    return starts


def _moments(targets: np.ndarray, weights: Any) -> tuple[np.ndarray, ...]:
    """Per step: variance between twins (the mean of (a - b)^2 / 2 over all pairs), mean, and mean square; columns weighted."""
    targets = targets.astype(np.float64)
    weights = np.ones(targets.shape[2]) if weights is None else np.asarray(weights, np.float64)
    weights = weights / weights.sum()
    noise, mean, square = targets.var(axis=0, ddof=1), targets.mean(axis=0), (targets**2).mean(axis=0)
    return tuple(np.tensordot(weights, moment, axes=(0, 1)) for moment in (noise, mean, square))


def _variance(mean: np.ndarray, square: np.ndarray) -> Any:
    """Variance pooled over axis 0, zero where it is mere round-off of float32 data."""
    pooled = square.mean(axis=0)
    variance = pooled - mean.mean(axis=0) ** 2
    return np.where(variance > 1e-12 * pooled, variance, 0.0)


def _one_minus_ratio(noise: Any, total: Any) -> Any:
    where = np.broadcast_to(total > 0, np.shape(noise))
    return np.asarray(1 - np.divide(noise, total, out=np.full(np.shape(noise), np.nan), where=where))


def _standard_error(samples: np.ndarray) -> Any:
    """Of the mean over axis 0; zero for a single sample, which tells nothing about its own error."""
    count = samples.shape[0]
    return samples.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(samples.shape[1:])
