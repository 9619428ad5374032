"""How well a number known beforehand tells which runs will be lost: area under the curve, with intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

DRAWS = 2000
LEAST = 3  # of either outcome, below which nothing is said
FOLDS = 10


class Area(NamedTuple):
    """An area under the receiver operating characteristic.

    Attributes:
        value: probability that a lost run has the larger number of a pair; .5 is chance, NaN where too few were lost or kept.
        low, high: 95 % interval, lost and kept runs resampled apart.
    """

    value: float
    low: float
    high: float


NONE = Area(np.nan, np.nan, np.nan)


def area_under_curve(risk: Float[np.ndarray, " run"], lost: Bool[np.ndarray, " run"], seed: int = 0) -> Area:
    """Area of `risk`, large where loss is expected (infinite is allowed, NaN is not), for the outcome `lost`."""
    yes, no = risk[lost], risk[~lost]
    if min(len(yes), len(no)) < LEAST or np.isnan(risk).any():
        return NONE
    random = np.random.default_rng(seed)
    value = _areas(yes[None], no[None])[0]
    drawn = _areas(yes[random.integers(len(yes), size=(DRAWS, len(yes)))], no[random.integers(len(no), size=(DRAWS, len(no)))])
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Area(float(value), float(low), float(high))


def _areas(yes: Float[np.ndarray, "draw lost"], no: Float[np.ndarray, "draw kept"]) -> Float[np.ndarray, " draw"]:
    """Mann & Whitney's statistic over the number of pairs; ties count half."""
    m, n = yes.shape[1], no.shape[1]
    ranks = rankdata(np.concatenate([yes, no], axis=1), axis=1)[:, :m].sum(axis=1)
    return (ranks - m * (m + 1) / 2) / (m * n)


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
    """What is infinite becomes the largest finite number of its predictor among those seen; a predictor without any, zero."""
    seen = risks if seen is None else seen
    bounded = np.where(np.isfinite(seen), seen, -np.inf).max(axis=0, initial=-np.inf)
    bounded = np.where(np.isfinite(bounded), bounded, 0.0)
    return np.where(np.isfinite(risks), risks, bounded)


def best_of(areas: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """The name with the largest area; ("", NaN) where there is none."""
    finite = [pair for pair in areas if np.isfinite(pair[1])]
    return max(finite, key=lambda pair: pair[1], default=("", np.nan))
