import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.dynamics import LOGISTIC, Map, follow


def test_the_fixed_point_of_the_logistic_map_is_followed_through_its_flip():
    branch = follow(LOGISTIC, np.array([0.6]), 2.6, (2.5, 3.4), step=0.02)
    assert_allclose(branch.states[:, 0], 1 - 1 / branch.control, atol=1e-10)
    assert_allclose(np.real(branch.multipliers[:, 0]), 2 - branch.control, atol=1e-9)
    assert [kind for kind, _ in branch.events] == ["flip"]
    assert branch.events[0][1] == pytest.approx(3.0, abs=1e-3)  # linear between points
    assert np.array_equal(branch.stable, branch.control < 3.0)


def test_the_cycle_of_period_two_flips_at_one_plus_root_six():
    branch = follow(LOGISTIC, np.array([0.8]), 3.2, (3.1, 3.5), period=2, step=0.01)
    assert branch.events[0][0] == "flip"
    assert branch.events[0][1] == pytest.approx(1 + 6**0.5, abs=1e-3)


def test_a_fold_is_rounded_and_stability_changes_there():
    system = Map(lambda x, mu: x + mu - x**2)  # fixed points x = +-sqrt(mu), multiplier 1 - 2 x
    branch = follow(system, np.array([0.5]), 0.25, (-0.5, 0.3), step=0.03)
    down = follow(system, np.array([-0.5]), 0.25, (-0.5, 0.3), step=0.03)
    assert branch.control[-1] > 0.25
    assert not down.stable.any()
    turning = follow(Map(lambda x, mu: x - mu - x**2), np.array([0.5]), -0.25, (-0.3, 0.5), step=0.03)  # x^2 = -mu
    assert [kind for kind, _ in turning.events] == ["fold"]
    assert turning.events[0][1] == pytest.approx(0.0, abs=1e-3)
    assert turning.states[0, 0] > 0 > turning.states[-1, 0]
    assert turning.stable[0]
    assert not turning.stable[-1]


def test_no_cycle_nearby_is_said():
    with pytest.raises(UsageError, match="No cycle of period 1"):
        follow(Map(lambda x, mu: x + 1.0 + x**2 + 0 * mu), np.array([0.0]), 0.0, (-1.0, 1.0))
    with pytest.raises(UsageError, match="Need"):
        follow(LOGISTIC, np.array([0.5]), 5.0, (2.0, 3.0))
