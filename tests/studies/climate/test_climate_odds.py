"""Areas under the curve, against pairs counted one by one, and regressions that must not see what they judge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.studies.climate.odds import area_under_curve, best_of, cross_validated_risk, risk_of_unseen


@given(
    st.lists(st.integers(-3, 3), min_size=3, max_size=12), st.lists(st.integers(-3, 3), min_size=3, max_size=12),
    st.booleans(),
)  # fmt: skip
def test_an_area_is_the_share_of_pairs_in_order(lost, kept, endless):
    worst = np.inf if endless else 9.0  # a run that stopped at once is as bad as can be
    risk = np.array([*map(float, lost), worst, *map(float, kept)])
    came = np.array([True] * (len(lost) + 1) + [False] * len(kept))
    pairs = [1.0 * (a > b) + 0.5 * (a == b) for a in [*lost, worst] for b in kept]
    area = area_under_curve(risk, came)
    assert_allclose(area.value, np.mean(pairs))
    assert area.low - 1e-12 <= area.value <= area.high + 1e-12


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Normal risks one standard deviation apart: the area is Phi(1 / sqrt 2) = .760."""
    random = np.random.default_rng(0)
    lost, hits = np.arange(60) < 30, []
    for _ in range(60):
        area = area_under_curve(random.normal(size=60) + lost, lost)
        hits.append(area.low <= 0.7602 <= area.high)
    assert np.mean(hits) >= 0.85


def test_too_few_of_either_say_nothing():
    assert np.isnan(area_under_curve(np.arange(5.0), np.array([True, True, False, False, False])).value)
    assert np.isnan(area_under_curve(np.array([np.nan, *range(7)]), np.arange(8) < 4).value)
    assert np.isnan(cross_validated_risk(np.zeros((6, 2)), np.arange(6) < 2)).all()
    assert np.isnan(risk_of_unseen(np.zeros((6, 2)), np.arange(6) < 2, np.zeros((3, 2)))).all()
    assert best_of([("a", np.nan)]) == ("", pytest.approx(np.nan, nan_ok=True))
    assert best_of([("a", np.nan), ("b", 0.4), ("c", 0.6)]) == ("c", 0.6)


def test_regression_finds_what_tells_and_does_not_find_what_is_not_there():
    random = np.random.default_rng(1)
    lost = random.random(80) < 0.5
    noise = random.normal(size=(80, 6))
    telling = np.concatenate([noise, (lost + 0.5 * random.normal(size=80))[:, None]], axis=1)
    telling[0, 2] = np.inf
    assert area_under_curve(cross_validated_risk(telling, lost), lost).value > 0.8
    assert abs(area_under_curve(cross_validated_risk(noise, lost), lost).value - 0.5) < 0.2  # a fit on itself would say .7
    assert area_under_curve(risk_of_unseen(telling[:50], lost[:50], telling[50:]), lost[50:]).value > 0.8
