"""A figure passes exactly when it reaches its target."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parametra.core.errors import UsageError
from parametra.store.metrics import Metric

numbers = st.floats(allow_nan=False)


@given(numbers, numbers)
def test_lower_and_higher_are_opposites_but_at_the_target(value, target):
    lower, higher = Metric("a", value, "1", target, "lower").passed, Metric("a", value, "1", target, "higher").passed
    assert (lower and higher) == (value == target)
    assert lower or higher


@given(numbers, st.tuples(numbers, numbers).map(sorted))
def test_inside_includes_its_ends(value, ends):
    assert Metric("a", value, "1", tuple(ends), "inside").passed == (ends[0] <= value <= ends[1])


def test_nan_fails_any_target_and_no_target_is_no_verdict():
    assert Metric("a", math.nan, "1", 1.0, "lower").passed is False
    assert Metric("a", math.nan, "1", 1.0, "higher").passed is False
    assert Metric("a", math.nan, "1", (0.0, 1.0), "inside").passed is False
    assert Metric("a", 3.0, "1").passed is None


def test_a_target_that_does_not_go_with_better_is_refused():
    with pytest.raises(UsageError, match="does not go with"):
        Metric("a", 1.0, "1", (0.0, 1.0), "lower")
    with pytest.raises(UsageError, match="does not go with"):
        Metric("a", 1.0, "1", 1.0, "inside")


@given(st.floats(), st.none() | numbers.filter(math.isfinite))
def test_a_round_trip_keeps_the_verdict(value, target):
    row = Metric("a", value, "K", target, "lower", "cost", "Rasp et al. (2018)")
    back = Metric.from_dict(row.to_dict())
    assert back.to_dict() == row.to_dict()
    if math.isfinite(value):
        assert back == row
