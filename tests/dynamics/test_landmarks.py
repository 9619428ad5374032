import numpy as np
import pytest

from parametra.core.errors import UsageError
from parametra.dynamics import LOGISTIC, QUARTIC, SINE_LAW, find_landmarks

UNIT = (0.0, 1.0)


@pytest.mark.parametrize("control", [(2.8, 4.1), (2.0, 4.5), (3.0, 4.2), (3.0, 4.5), (3.0, 4.6), (2.8, 4.0)])
def test_the_landmarks_of_the_logistic_map_are_found_wherever_the_grid_lies(control):
    found = find_landmarks(LOGISTIC, control, UNIT)
    assert found.accumulation == pytest.approx(3.5699456718709449, abs=1e-10)
    assert found.band_merging == pytest.approx(3.678573510428322, abs=1e-10)
    assert found.period3 == pytest.approx(1 + 8**0.5, abs=1e-10)
    assert found.crisis == pytest.approx(4.0, abs=1e-10)  # a point of some of these grids


@pytest.mark.parametrize("control", [(2.2, 4.2), (2.2, 4.001)])
def test_a_flat_maximum_has_the_same_landmarks(control):
    found = find_landmarks(QUARTIC, control, UNIT)
    assert found.crisis == pytest.approx(4.0, abs=1e-10)
    assert found.period3 == pytest.approx(3.95032731, abs=1e-8)
    assert np.isfinite([found.accumulation, found.band_merging]).all()


def test_a_period_of_three_opens_by_a_tangent_bifurcation():
    def step(x, r):
        return r * (1 - (2 * x - 1) ** 4) / 4

    r = find_landmarks(QUARTIC, (2.2, 4.2), UNIT).period3
    states = np.linspace(0.3, 0.7, 100_001)

    def crossings(r):
        gap = step(step(step(states, r), r), r) - states
        return np.count_nonzero(gap[:-1] * gap[1:] < 0)

    assert crossings(r + 1e-5) == crossings(r - 1e-5) + 2


def test_a_control_that_enters_by_a_sine_moves_the_landmarks_by_its_inverse():
    logistic, found = find_landmarks(LOGISTIC, (2.8, 4.1), UNIT), find_landmarks(SINE_LAW, (0.75, 1.75), UNIT)
    for name in ("accumulation", "period3", "band_merging"):
        assert getattr(found, name) == pytest.approx(np.arcsin(getattr(logistic, name) / 4.0), abs=1e-9)


def test_landmarks_need_one_variable_and_ranges():
    with pytest.raises(UsageError, match="one variable"):
        find_landmarks(LOGISTIC, (4.0, 3.0), UNIT)
