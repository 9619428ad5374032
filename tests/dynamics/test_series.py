import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parametra.core.errors import DataError, UsageError
from parametra.dynamics import SeriesSet, read_csv

R = np.array([2.8, 3.1, 3.3, 3.5])


def series(lengths=(5, 7, 4, 6)):
    rng = np.random.default_rng(0)
    return tuple(rng.uniform(size=n) for n in lengths)


def test_lengths_may_differ_controls_may_repeat_and_order_does_not_matter():
    data = SeriesSet(series(), np.array([3.5, 2.8, 2.8, 3.1]))
    before, after, numbers = data.pairs()
    assert before.shape == after.shape == (18, 1)
    assert np.bincount(numbers).tolist() == [4, 6, 3, 5]
    values, there = data.padded()
    assert values.shape == (4, 7, 1)
    assert there.sum(axis=1).tolist() == [5, 7, 4, 6]
    assert data.edge(0.25).tolist() == [True, False, False, False]
    assert data.where(~data.edge(0.25)).known.max() == 3.1


def test_a_control_of_several_numbers_is_kept_whole():
    data = SeriesSet(series(), np.stack([R, R[::-1]], axis=1))
    assert data.known[data.edge(0.3, along=1)].tolist() == [[2.8, 3.5]]


@pytest.mark.parametrize(
    ("values", "control", "match"),
    [
        ((), None, "no series"),
        (series((5, 1, 4, 6)), R, r"Series 1 has 1 state: one step needs two"),
        ((np.ones(5), np.ones(4)), R[:2], "one and the same constant"),
        ((np.array([0.1, np.nan]), np.ones(4)), R[:2], r"Series 0 holds nan at step 1.*Remedy"),
        ((np.array([0.1, np.inf]), np.ones(4)), R[:2], "holds inf at step 1.*escaped to infinity"),
        ((np.ones((4, 2)), np.ones((4, 3))), R[:2], r"states of \[2, 3\] numbers"),
        ((np.array(["a", "b"]), np.ones(4)), R[:2], "not real numbers"),
        (series(), R[:3], "for 4 series"),
        (series(), np.full(4, 3.0), "at one value of the control.*Remedy"),
        (series(), np.array([1.0, 2.0, np.nan, 3.0]), "not finite"),
        (series(), np.ones((4, 1, 1)), "shape"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_with_cause_and_remedy(values, control, match):
    with pytest.raises(DataError, match=match):
        SeriesSet(values, control)


@given(st.lists(st.lists(st.floats(width=32), min_size=0, max_size=4), min_size=0, max_size=4))
def test_any_lists_are_series_or_refused(values):
    try:
        data = SeriesSet(tuple(np.array(one) for one in values), np.arange(len(values), dtype=float))
    except DataError:
        return
    assert all(np.isfinite(one).all() and len(one) > 1 for one in data.series)


def test_an_edge_needs_three_controls_and_a_share():
    with pytest.raises(UsageError, match="at least three values"):
        SeriesSet(series()[:2], R[:2]).edge(0.5)
    with pytest.raises(UsageError, match="between 0 and 1"):
        SeriesSet(series(), R).edge(1.5)
    with pytest.raises(UsageError, match="control of every series"):
        SeriesSet(series(), None).edge(0.5)


def test_a_file_gives_the_series_that_were_written(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("r,x\n2.8,0.1\n2.8,0.2\n3.1,0.3\n3.1,0.4\n3.1,0.5\n2.8,0.6\n2.8,0.7\n")
    data = read_csv(path, control="r")
    assert [one.ravel().tolist() for one in data.series] == [[0.1, 0.2], [0.3, 0.4, 0.5], [0.6, 0.7]]
    assert data.known.ravel().tolist() == [2.8, 3.1, 2.8]
    assert data.name == "r"


def test_a_column_can_tell_series_of_one_control_apart(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("run,r,x,y\na,1,0.1,1\na,1,0.2,2\nb,1,0.3,3\nb,1,0.4,4\nc,2,0.5,5\nc,2,0.7,6\n")
    data = read_csv(path, control="r", series="run", states=["y", "x"])
    assert len(data.series) == 3
    assert data.series[0].tolist() == [[1.0, 0.1], [2.0, 0.2]]


@pytest.mark.parametrize(
    ("text", "match"),
    [("r,x\n1,a\n1,2\n", "not a number"), ("x\n1\n", 'no column "r"'), ("", 'no column "r"'), ("r,x\n1\n2\n", "row 1: 1 cells")],
)
def test_a_file_that_is_something_else_is_refused(tmp_path, text, match):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=match):
        read_csv(tmp_path / "bad.csv", control="r")
    with pytest.raises(DataError, match="does not exist"):
        read_csv(tmp_path / "absent.csv", control="r")


def test_states_that_differ_in_one_number_are_not_the_same_constant():
    data = SeriesSet((np.tile([0.0, 1.0], (4, 1)), np.tile([0.0, 2.0], (4, 1))), R[:2])
    assert data.dimension == 2


def test_an_edge_can_lie_at_the_lower_end_and_along_a_control_that_there_is():
    data = SeriesSet(series(), R)
    assert data.edge(0.25, side="low").tolist() == [True, False, False, False]
    with pytest.raises(UsageError, match="no control 5: the series have 1"):
        data.edge(0.25, along=5)


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "runs.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_rows_of_several_series_may_alternate_where_a_column_tells_them_apart(tmp_path):
    path = written(tmp_path, "run,r,x\na,1,0.1\nb,2,0.3\na,1,0.2\nb,2,0.5\n")
    data = read_csv(path, control="r", series="run")
    assert [one.ravel().tolist() for one in data.series] == [[0.1, 0.2], [0.3, 0.5]]
    with pytest.raises(DataError, match='row at "r" 1 stands alone.*alternate.*series=NAME'):
        read_csv(path, control="r", states=["x"])


def test_the_time_step_comes_from_the_file_or_from_the_caller(tmp_path):
    path = written(tmp_path, "t,r,x\n0,1,0.1\n0.5,1,0.2\n0,2,0.3\n0.5,2,0.5\n1.0,2,0.6\n")
    data = read_csv(path, control="r", time="t")
    assert data.time_step == 0.5
    assert data.dimension == 1
    assert read_csv(path, control="r", states=["x"], time_step=0.1).time_step == 0.1


@pytest.mark.parametrize(
    ("text", "keywords", "match"),
    [
        ("run,r,x\na,1,0.1\na,2,0.2\n", {"series": "run"}, '"r" moves from 1 to 2 within a series.*Remedy'),
        ("r,x,x\n1,0.1,0.2\n1,0.3,0.4\n", {}, "several columns of one name: x"),
        ("r,x\n1,0.1,7\n1,0.3\n", {}, "row 1: 3 cells below 2 names"),
        ("t,r,x\n0,1,0.1\n1,1,0.2\n", {}, '"t" looks like time.*time="t"'),
        ("t,r,x\n0,1,0.1\n1,1,0.2\n3,1,0.3\n", {"time": "t"}, "not in equal steps forward: 1 to 2"),
        ("t,r,x\n0,1,0.1\n1,1,0.2\n0,1,0.3\n1,1,0.4\n", {"time": "t"}, "not in equal steps.*tells series apart"),
        ("r,x\n1,0.1 \u00e9\n", {}, "no CSV file in UTF-8"),
    ],
)
def test_a_file_that_would_be_misread_is_refused(tmp_path, text, keywords, match):
    path = written(tmp_path, text, "latin-1")
    with pytest.raises(DataError, match=match):
        read_csv(path, control="r", **keywords)
