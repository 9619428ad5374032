"""Areas under the curve, against pairs counted one by one, and regressions that must not see what they judge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import binom, norm

from parametra.studies.climate.odds import (
    area_under_curve,
    best_by_chance,
    best_of,
    cross_validated_risk,
    least_share,
    risk_of_unseen,
)


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


@pytest.mark.parametrize("true", [0.76, 0.9, 0.95])
@pytest.mark.parametrize(("lost", "kept"), [(3, 5), (3, 17), (5, 55), (20, 20)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(true, lost, kept):
    """Normal risks d apart have the area Phi(d / sqrt 2)."""
    random, apart = np.random.default_rng(0), np.sqrt(2.0) * norm.ppf(true)
    came, hits = np.arange(lost + kept) < lost, []
    for _ in range(200):
        area = area_under_curve(random.normal(size=lost + kept) + apart * came, came)
        hits.append(area.low <= true <= area.high)
    assert np.mean(hits) >= 0.9  # 200 draws of .95 stay above .92; resampling had .4 to .8 here


def test_an_area_of_one_is_not_certain():
    area = area_under_curve(np.arange(20.0), np.arange(20) >= 17)
    assert area.value == area.high == 1.0
    assert 0.5 < area.low < 0.95
    assert area_under_curve(-np.arange(20.0), np.arange(20) >= 17).low == 0.0


def test_the_best_of_many_looks_good_by_chance():
    """Against as many draws of outcomes and areas one by one."""
    random = np.random.default_rng(2)
    kinds = np.repeat(["a", "b", "few"], [20, 20, 4])
    lost = np.concatenate([np.arange(20) < 5, np.arange(20) < 9, [True, False, False, False]])
    risks = random.normal(size=(5, 44))
    best = []
    for _ in range(200):
        dealt = lost.copy()
        for kind in ("a", "b"):
            dealt[kinds == kind] = random.permutation(lost[kinds == kind])
        each = [[area_under_curve(risk[kinds == k], dealt[kinds == k]).value for k in ("a", "b")] for risk in risks]
        best.append(np.mean(each, axis=1).max())
    assert best_by_chance(risks, lost, kinds.tolist()) == pytest.approx(np.quantile(best, 0.95), abs=0.03)
    assert best_by_chance(risks[:1], lost, kinds.tolist()) < best_by_chance(risks, lost, kinds.tolist())
    assert np.isnan(best_by_chance(risks, np.arange(44) < 1, kinds.tolist()))


def test_the_least_share_of_59_of_59():
    assert least_share(59, 59) >= 0.95 > least_share(58, 58)
    assert least_share(0, 20) == 0.0
    assert binom.sf(16, 20, least_share(17, 20)) == pytest.approx(0.05)  # at that share 17 or more of 20 are as rare as that


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
