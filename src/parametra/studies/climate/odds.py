"""How well a number known beforehand tells which runs will be lost: area under the curve, intervals, what chance does."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import root_scalar
from scipy.stats import beta, rankdata

DRAWS = 2000
LEAST = 3  # of either outcome, below which nothing is said
FOLDS = 10
Z = 1.96


class Area(NamedTuple):
    """An area under the receiver operating characteristic.

    Attributes:
        value: probability that a lost run has the larger number of a pair; .5 is chance, NaN where too few were lost or kept.
        low, high: 95 % interval of Newcombe (2006, Statistics in Medicine 25, 559), method 5: the areas whose standard error
            (Hanley and McNeil 1982) allows the value found. Resampling would give an area of 1 no width, however few its runs.
    """

    value: float
    low: float
    high: float


NONE = Area(np.nan, np.nan, np.nan)


def area_under_curve(risk: Float[np.ndarray, " run"], lost: Bool[np.ndarray, " run"]) -> Area:
    """Area of `risk`, large where loss is expected (infinite is allowed, NaN is not), for the outcome `lost`."""
    yes, no = risk[lost], risk[~lost]
    if min(len(yes), len(no)) < LEAST or np.isnan(risk).any():
        return NONE
    value = float(_areas(rankdata(risk)[None], lost[None])[0, 0])
    return Area(value, *_interval(value, len(yes), len(no)))


def _areas(ranks: Float[np.ndarray, "predictor run"], lost: Bool[np.ndarray, "draw run"]) -> Float[np.ndarray, "draw predictor"]:
    """Mann & Whitney's statistic over the number of pairs, ties counting half; as many are lost in every draw."""
    m = int(lost[0].sum())
    return (lost @ ranks.T - m * (m + 1) / 2) / (m * (lost.shape[1] - m))


def _interval(value: float, m: int, n: int) -> tuple[float, float]:
    """Newcombe's method 5."""
    size = (m + n) / 2 - 1

    def excess(area: float) -> float:
        spread = area * (1 - area) * (1 + size * ((1 - area) / (2 - area) + area / (1 + area))) / (m * n)
        return abs(value - area) - Z * float(np.sqrt(spread))

    edge = 1e-9
    below, above = value - edge, value + edge  # at 0 and 1 the value itself is a root too
    low = root_scalar(excess, bracket=(edge, below)).root if below > edge and excess(edge) > 0 else 0.0
    high = root_scalar(excess, bracket=(above, 1 - edge)).root if above < 1 - edge and excess(1 - edge) > 0 else 1.0
    return low, high


def best_by_chance(
    risks: Float[np.ndarray, "predictor run"], lost: Bool[np.ndarray, " run"], kinds: Sequence[object], seed: int = 0
) -> float:
    """What 95 % of the best of so many meaningless predictors stay below: outcomes dealt anew within each kind.

    The best is that of the largest mean area over the kinds that have enough lost and kept; NaN where none has.
    """
    random, labels, total = np.random.default_rng(seed), np.asarray(kinds), []
    for kind in dict.fromkeys(labels.tolist()):
        here = labels == kind
        came = lost[here]
        if min(int(came.sum()), int((~came).sum())) >= LEAST:
            dealt = random.permuted(np.tile(came, (DRAWS, 1)), axis=1)
            areas = _areas(rankdata(risks[:, here], axis=1), dealt)
            total.append(np.where(np.isnan(risks[:, here]).any(axis=1), np.nan, areas))
    if not total:
        return float("nan")
    known = np.isfinite(total).sum(axis=0)  # of a number that is NaN the kind has no area, as in the table
    means = np.nansum(total, axis=0) / np.maximum(known, 1)
    return float(np.quantile(means.max(axis=1), 0.95))


def least_share(successes: int, trials: int) -> float:
    """What a share is at least, at 95 % (Clopper and Pearson 1934, one-sided): .95 of 59 of 59."""
    return float(beta.ppf(0.05, successes, trials - successes + 1)) if successes else 0.0


def cross_validated_risk(
    risks: Float[np.ndarray, "run predictor"], lost: Bool[np.ndarray, " run"], seed: int = 0
) -> Float[np.ndarray, " run"]:
    """The risk of each run by logistic regression on all predictors, fitted to the other folds only; NaN with too few lost."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = min(FOLDS, int(lost.sum()), int((~lost).sum()))
    if folds < LEAST:
        return np.full(len(lost), np.nan)
    plan = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return np.asarray(cross_val_predict(_model(), _finite(risks), lost, cv=plan, method="decision_function"))


def risk_of_unseen(
    risks: Float[np.ndarray, "run predictor"], lost: Bool[np.ndarray, " run"], unseen: Float[np.ndarray, "other predictor"]
) -> Float[np.ndarray, " other"]:
    """The risk of runs that the regression has not seen; NaN where too few of those it has are lost."""
    if min(int(lost.sum()), int((~lost).sum())) < LEAST:
        return np.full(len(unseen), np.nan)
    model = _model().fit(_finite(risks), lost)
    return model.decision_function(_finite(unseen, risks))


def _model():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.3))  # few runs: shrink


def _finite(risks: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """What is infinite becomes the largest finite number of its predictor among all; a predictor without any, zero."""
    every = risks if seen is None else np.concatenate([risks, seen])
    bounded = np.where(np.isfinite(every), every, -np.inf).max(axis=0, initial=-np.inf)
    bounded = np.where(np.isfinite(bounded), bounded, 0.0)
    return np.where(np.isfinite(risks), risks, bounded)


def best_of(areas: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """The name with the largest area; ("", NaN) where there is none."""
    finite = [pair for pair in areas if np.isfinite(pair[1])]
    return max(finite, key=lambda pair: pair[1], default=("", np.nan))
