"""Drift: how far a run's climate is from the reference's, beside how far the reference's two halves are from each other."""

from typing import Any, NamedTuple

import numpy as np

from parametra.core.errors import UsageError


class Distance(NamedTuple):
    """Distance of two fields, weighted over all their points: numbers, or arrays `(day,)`.

    Attributes:
        bias: mean difference, in the field's unit.
        rms: root mean square difference, likewise.
        correlation: of the two patterns, 1; NaN if one of them is uniform.
    """

    bias: Any
    rms: Any
    correlation: Any


class DriftScore(NamedTuple):
    """A run against its reference, and what the reference's own variability makes of the same measure.

    Attributes:
        run: distance of the run's time mean from the reference's.
        split_half: distance of the reference's second half from its first: nothing smaller than this is drift.
    """

    run: Distance
    split_half: Distance


def drift_score(run: Any, reference: Any, weights: Any = None) -> DriftScore:
    """Distance of time means.

    Args:
        run: `(day, ...)`, the days to be judged.
        reference: `(day, ...)` of the same points, at least two days, any number of them.
        weights: of the points, of any shape that broadcasts to theirs (areas, masses); equal if None.
    """
    run, reference = _same_points(run, reference)
    half = len(reference) // 2
    if half < 1:
        raise UsageError(f"A reference needs two days at least to be split in halves, got {len(reference)}.")
    halves = distance(reference[half:].mean(axis=0), reference[:half].mean(axis=0), weights)
    return DriftScore(distance(run.mean(axis=0), reference.mean(axis=0), weights), halves)


def drift_curve(run: Any, reference: Any, weights: Any = None) -> Distance:
    """Distance of every day of `run` `(day, ...)` from the time mean of `reference`, `(day,)` each."""
    run, reference = _same_points(run, reference)
    mean = reference.mean(axis=0)
    days = [distance(day, mean, weights) for day in run]
    return Distance(*(np.array([getattr(day, name) for day in days]) for name in Distance._fields))


def distance(field: Any, reference: Any, weights: Any = None) -> Distance:
    """Distance of two fields of equal shape."""
    field, reference = np.asarray(field, np.float64), np.asarray(reference, np.float64)
    weights = np.broadcast_to(np.ones(()) if weights is None else np.asarray(weights, np.float64), field.shape)
    weights = weights / weights.sum()
    difference = field - reference
    a, b = field - (weights * field).sum(), reference - (weights * reference).sum()
    spread = np.sqrt((weights * a**2).sum() * (weights * b**2).sum())
    correlation = (weights * a * b).sum() / spread if spread > 0 else np.float64(np.nan)
    return Distance((weights * difference).sum(), np.sqrt((weights * difference**2).sum()), correlation)


def _same_points(run: Any, reference: Any) -> tuple[np.ndarray, np.ndarray]:
    run, reference = np.asarray(run, np.float64), np.asarray(reference, np.float64)
    if run.shape[1:] != reference.shape[1:] or run.ndim < 1 or len(run) < 1:
        raise UsageError(f"Run and reference must be (day, ...) on the same points, got {run.shape} and {reference.shape}.")
    return run, reference
