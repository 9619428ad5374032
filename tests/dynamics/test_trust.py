import numpy as np
import pytest

from parametra.core.errors import DataError, UsageError
from parametra.dynamics import Design, affine_r2, discover, fit, guard
from parametra.dynamics.series import SeriesSet

R = np.linspace(3.55, 3.95, 9)


def test_exact_families_are_trusted_and_a_family_that_others_contradict_is_not(clean):
    right = fit(Design(degree=2), clean)
    also = fit(Design(degree=4, coefficients="powers", terms=2), clean)
    wrong = fit(Design(degree=3, coefficients="powers", order=2, terms=1), clean)
    good = guard([right, also], clean, R, edge=np.array([[3.4], [3.5]]), draws=2)
    assert good.trusted.mean() > 0.7
    assert not good.flagged
    assert good.members == 4
    assert guard([right, wrong], clean, R, draws=0).flagged


def test_an_escape_and_a_far_control_are_flagged(clean):
    right = fit(Design(degree=2), clean)
    verdict = guard([right, right], clean, np.array([3.45, 4.6]), edge=np.array([[3.4], [3.5]]), draws=0, reach=2.0)
    assert verdict.flags[:, 0].tolist() == [False, True]
    assert verdict.flags[:, 3].tolist() == [False, True]
    assert verdict.flagged


def test_one_opinion_is_not_enough(clean):
    with pytest.raises(UsageError, match="second opinion"):
        guard([fit(Design(degree=2), clean)], clean, R, draws=0)


def test_a_control_that_nobody_knows_is_found_up_to_an_affine_map(clean):
    hidden = SeriesSet(clean.series, None)
    found = discover(hidden, Design(degree=2))
    assert affine_r2(found.control, clean.known[:, 0]) > 1 - 1e-9
    assert found.control.mean() == pytest.approx(0.0, abs=1e-12)
    assert found.control.std() == pytest.approx(1.0)
    assert np.corrcoef(found.control, clean.known[:, 0])[0, 1] > 0  # larger r, larger mean


def test_an_unknown_control_needs_a_law_that_is_affine_in_it(clean):
    with pytest.raises(UsageError, match='coefficients = "affine"'):
        discover(clean, Design(degree=2, coefficients="powers"))
    with pytest.raises(DataError, match="one value of the control|nothing to learn"):
        discover(SeriesSet((np.ones(4), np.ones(4), np.ones(4)), None), Design(degree=2))
