"""Which terms of a library? A stepwise search: drop the term that is missed least, then swap terms while that helps.

Source: stepwise sparse regression, Boninsegna, Nueske & Clementi (2018, J. Chem. Phys. 148, 241723), with the exchanges of
floating selection, Pudil, Novovicova & Kittler (1994, Pattern Recogn. Lett. 15, 1119). A term is judged by the residual that its
absence leaves, so units and scales do not matter, and no threshold has to be chosen: edge validation chooses the number of terms.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

GAIN = 1e-3  # a swap must lower the residual sum of squares by this share


class Support(NamedTuple):
    """A set of terms.

    Attributes:
        mask: (feature, state), 1 where a term is kept.
        values: (feature, state), coefficients of least squares.
        error: rms residual in units of the targets' spread.
    """

    mask: np.ndarray
    values: np.ndarray
    error: float


def sparse_supports(features: np.ndarray, targets: np.ndarray) -> Iterator[Support]:
    """Sets of terms from all down to one for every state variable.

    Args:
        features: (sample, feature).
        targets: (sample, state).
    """
    size = np.linalg.norm(features, axis=0)
    # Everything below needs only the triangular factor of all features with the targets: some numbers instead of all samples.
    scaled = features / np.where(size > 0, size, 1.0)
    spread = np.where(targets.std(axis=0) > 0, targets.std(axis=0), 1.0)
    corner = np.asarray(np.linalg.qr(np.concatenate([scaled, targets / spread], axis=1), mode="r"))
    columns, goals = corner[:, : features.shape[1]], corner[:, features.shape[1] :]
    active = np.ones((features.shape[1], targets.shape[1]), bool)
    while True:
        values, squares = np.zeros(active.shape), np.zeros(targets.shape[1])
        for state in range(targets.shape[1]):
            values[active[:, state], state], squares[state] = _solve(columns[:, active[:, state]], goals[:, state])
        coefficients = values * spread / np.where(size > 0, size, 1.0)[:, None]
        yield Support(active.astype(np.float64), coefficients, float(np.sqrt(squares.mean() / len(features))))
        weakest = _weakest(columns, goals, active)
        if weakest is None:
            return
        active[weakest] = False
        _swap(columns, goals[:, weakest[1]], active[:, weakest[1]])


def _solve(columns: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, float]:
    """(coefficients, residual sum of squares)."""
    values = np.linalg.lstsq(columns, goal, rcond=None)[0]
    return values, float(np.sum((goal - columns @ values) ** 2))


def _weakest(columns: np.ndarray, goals: np.ndarray, active: np.ndarray) -> tuple[int, int] | None:
    """(feature, state) whose absence adds least to the residual, relative to it; None where every variable has one term left."""
    best, least = None, np.inf
    for state in np.flatnonzero(active.sum(axis=0) > 1):
        terms = np.flatnonzero(active[:, state])
        for term in terms:
            added = _solve(columns[:, terms[terms != term]], goals[:, state])[1]
            if added < least:
                best, least = (int(term), int(state)), added
    return best


def _swap(columns: np.ndarray, goal: np.ndarray, active: np.ndarray) -> None:
    """Exchange a kept term for another one, the best exchange first, while that lowers the residual; in place."""
    now = _solve(columns[:, active], goal)[1]
    for _ in range(len(active)):
        best, least = None, now * (1.0 - GAIN)
        for out in np.flatnonzero(active):
            for into in np.flatnonzero(~active):
                tried = active.copy()
                tried[out], tried[into] = False, True
                square = _solve(columns[:, tried], goal)[1]
                if square < least:
                    best, least = tried, square
        if best is None or now < 1e-24 * float(goal @ goal):  # exact already: the rest is rounding
            return
        active[:], now = best, least
