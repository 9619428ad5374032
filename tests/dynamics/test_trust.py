import numpy as np
import pytest

from parametra.core.errors import DataError, UsageError
from parametra.dynamics import Design, affine_r2, discover, fit, guard
from parametra.dynamics.series import SeriesSet

R = np.linspace(3.55, 3.95, 9)


LIBRARY = Design(degree=2, coefficients="powers")


def terms(data, count):
    return fit(LIBRARY.model_copy(update={"terms": count}), data)


def test_exact_families_are_trusted_and_a_family_that_others_contradict_is_not(clean):
    right, also, wrong = (terms(clean, count) for count in (2, 3, 1))
    good = guard([right, also], clean, R, edge=np.array([[3.4], [3.5]]), draws=2)
    assert good.trusted.mean() > 0.7
    assert not good.flagged
    assert good.members == 4
    assert guard([right, wrong], clean, R, draws=0).flagged


def test_one_opinion_against_two_raises_no_alarm(clean):
    right, also, wrong = (terms(clean, count) for count in (2, 3, 1))
    verdict = guard([right, also, wrong], clean, R, draws=2)
    assert not verdict.flagged
    assert verdict.spread.max() < guard([right, wrong], clean, R, draws=0).spread.min()
    assert guard([right, wrong, wrong, also], clean, R, draws=0).flagged


def test_an_escape_and_a_far_control_are_flagged(clean):
    right = terms(clean, 2)
    controls = np.where(np.arange(len(R)) < 8, 3.45, 4.6)
    verdict = guard([right, right], clean, controls, edge=np.array([[3.4], [3.5]]), draws=0, reach=2.0)
    assert verdict.flags[:, 0].tolist() == [False] * 8 + [True]
    assert verdict.flags[:, 3].tolist() == [False] * 8 + [True]
    assert verdict.flagged


def test_one_opinion_is_not_enough(clean):
    with pytest.raises(UsageError, match="second opinion"):
        guard([terms(clean, 2)], clean, R, draws=0)


def test_a_control_that_nobody_knows_is_found_up_to_an_affine_map(clean):
    hidden = SeriesSet(clean.series, None)
    found = discover(hidden, Design(degree=2))
    assert affine_r2(found.control, clean.known[:, 0]) > 1 - 1e-9
    assert found.control.mean() == pytest.approx(0.0, abs=1e-12)
    assert found.control.std() == pytest.approx(1.0)
    assert np.corrcoef(found.control, clean.known[:, 0])[0, 1] > 0  # larger r, larger mean


def test_an_unknown_control_needs_a_law_that_is_affine_in_it(clean):
    with pytest.raises(UsageError, match="affine coefficients"):
        discover(clean, Design(degree=2, coefficients="powers"))
    with pytest.raises(DataError, match="one value of the control|nothing to learn"):
        discover(SeriesSet((np.ones(4), np.ones(4), np.ones(4)), None), Design(degree=2))


def test_a_control_below_the_data_is_far_when_the_edge_is_above_them(clean):
    right, edge = terms(clean, 2), np.array([[3.4], [3.5]])
    verdict = guard([right, right], clean, np.array([2.0, 2.79, 2.8, 3.6]), edge=edge, draws=0, steps=100)
    assert verdict.flags[:, 3].tolist() == [True, True, False, False]
    low = guard([right, right], clean, np.array([2.7, 2.8, 3.6]), edge=np.array([[2.8], [2.9]]), draws=0, steps=100)
    assert low.flags[:, 3].tolist() == [False, False, True]
    with pytest.raises(UsageError, match="edge must hold some"):
        guard([right, right], clean, R, edge=np.array([[9.0]]), draws=0, steps=10)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_no_control_is_made_up_where_one_law_explains_all(noise):
    rng = np.random.default_rng(1)
    series = []
    for _ in range(6):
        path = [rng.uniform(0.1, 0.9)]
        for _ in range(7):
            path.append(3.1 * path[-1] * (1 - path[-1]))
        series.append(np.array(path) + noise * rng.standard_normal(8))
    with pytest.raises(UsageError, match="one law explains all series.*Remedy"):
        discover(SeriesSet(tuple(series), None), Design(degree=2))


def test_a_control_is_found_in_spite_of_noise(noisy):
    found = discover(SeriesSet(noisy.series, None), Design(degree=2))
    assert affine_r2(found.control, noisy.known[:, 0]) > 0.9
