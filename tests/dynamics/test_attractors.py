import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.dynamics import hellinger, spectrum_hellinger, state_space_divergence, wasserstein

DISTANCES = [wasserstein, hellinger, state_space_divergence, spectrum_hellinger]


def orbit(seed, steps=400, state=2):
    return np.random.default_rng(seed).normal(size=(steps, state)).cumsum(axis=0) * 0.1


@pytest.mark.parametrize("distance", DISTANCES)
@given(seed=st.integers(0, 1000))
def test_an_attractor_is_at_distance_zero_from_itself_and_apart_from_others(distance, seed):
    assert distance(orbit(seed), orbit(seed)) == pytest.approx(0.0, abs=1e-7)
    assert distance(orbit(seed), np.random.default_rng(seed).normal(size=(400, 2))) > 1e-3


@given(st.floats(-3, 3), st.integers(0, 100))
def test_wasserstein_of_a_shift_is_the_shift_whatever_the_order(shift, seed):
    one = orbit(seed, state=1)
    assert_allclose(wasserstein(one, np.random.default_rng(1).permutation(one) + shift), abs(shift), atol=1e-9)


def test_hellinger_of_disjoint_values_is_one_and_excursions_count():
    assert hellinger(np.zeros(10), np.ones(10), 10, (0.0, 1.0)) == pytest.approx(1.0)
    inside = np.linspace(0, 1, 1000)
    assert hellinger(inside, np.where(inside > 0.5, 99.0, inside), 10) > 0.3


def test_the_spectrum_tells_periods_apart_but_not_phases():
    time = np.arange(2048)
    wave = np.sin(2 * np.pi * time / 16)
    assert spectrum_hellinger(wave, np.cos(2 * np.pi * time / 16)) < 0.05
    assert spectrum_hellinger(wave, np.sin(2 * np.pi * time / 40)) > 0.9


def test_an_escaped_orbit_has_no_distance_and_shapes_must_agree():
    assert np.isnan(wasserstein(np.array([0.0, np.nan]), np.array([0.0, 1.0])))
    with pytest.raises(UsageError, match="cannot be compared"):
        wasserstein(np.zeros((3, 1)), np.zeros((3, 2)))
    for distance in DISTANCES:
        broken = np.where(np.arange(400)[:, None] == 3, np.nan, orbit(0))
        assert np.isnan(distance(broken, orbit(0)))
        assert np.isnan(distance(orbit(0), broken))
