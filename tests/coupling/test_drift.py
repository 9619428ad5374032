import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.coupling import distance, drift_curve, drift_score


def climate(seed, days=40, points=30, weather=1.0):
    pattern = 10.0 * np.sin(np.linspace(0, np.pi, points))
    return pattern + weather * np.random.default_rng(seed).normal(size=(days, points))


@given(st.floats(-5, 5), st.integers(0, 1000))
def test_a_constant_shift_is_all_bias(shift, seed):
    reference = climate(seed)
    score = drift_score(reference + shift, reference).run
    assert_allclose([score.bias, score.rms, score.correlation], [shift, abs(shift), 1.0], atol=1e-9)


def test_a_run_of_the_same_climate_scores_about_as_the_two_halves_do():
    scores = [drift_score(climate(seed), climate(1000 + seed)) for seed in range(50)]
    run = np.mean([score.run.rms**2 for score in scores])
    halves = np.mean([score.split_half.rms**2 for score in scores])
    assert run == pytest.approx(2 / 40, rel=0.1)  # two means of 40 independent days
    assert halves == pytest.approx(2 / 20, rel=0.1)  # two means of 20


def test_another_climate_stands_out():
    score = drift_score(0.5 * climate(0), climate(1))
    assert score.run.rms > 5 * score.split_half.rms
    assert score.run.bias < 0


def test_correlation_sees_the_pattern_only():
    pattern = climate(0, days=1)[0]
    assert distance(3 * pattern + 7, pattern).correlation == pytest.approx(1.0)
    assert distance(-pattern, pattern).correlation == pytest.approx(-1.0)
    assert np.isnan(distance(np.ones(4), np.arange(4.0)).correlation)


def test_weights_broadcast_and_pick_points():
    field, reference = climate(0, days=6, points=4), climate(1, days=6, points=4)
    picked = distance(field[:, :2], reference[:, :2])
    assert_allclose(distance(field, reference, np.array([1.0, 1.0, 0.0, 0.0])), picked, rtol=1e-12)


def test_curve_has_one_distance_per_day():
    reference = climate(1)
    slide = reference.mean(axis=0) - 0.1 * np.arange(20)[:, None]
    curve = drift_curve(slide, reference)
    assert_allclose(curve.bias, -0.1 * np.arange(20), atol=1e-9)
    assert_allclose(curve.rms, 0.1 * np.arange(20), atol=1e-9)


def test_a_run_that_is_not_finite_never_looks_good():
    run = climate(0)
    run[3, 3] = np.nan
    assert not drift_score(run, climate(1)).run.rms < 1e9


@pytest.mark.parametrize(("run", "reference"), [((3, 4), (3, 5)), ((0, 4), (3, 4)), ((3, 4), (1, 4))])
def test_what_cannot_be_compared_is_refused(run, reference):
    with pytest.raises(UsageError):
        drift_score(np.zeros(run), np.zeros(reference))
