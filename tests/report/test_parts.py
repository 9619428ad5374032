"""Numbers, colours, verdicts: the small parts of the page."""

import math

import numpy as np
import pytest

from parametra.report.figures.lines import frame_of
from parametra.report.figures.meridional import Scale
from parametra.report.figures.palette import BLACK, Palette, is_network
from parametra.report.figures.svg import panel
from parametra.report.formatting import duration, number, target
from parametra.report.headline import find
from parametra.report.scorecard import groups
from parametra.store.metrics import Metric


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0042, "0.0042"), (0.724, "0.724"), (345.0, "345"), (1.31, "1.31"), (545.14, "545.1"), (1270.0, "1\u202f270"),
        (-1.5, "−1.5"), (4.1e-4, "4.1×10⁻⁴"), (3.0e8, "3×10⁸"), (0.0, "0"), (math.nan, "–"), (0.9996, "1"), (40.0, "40"),
    ],
)  # fmt: skip
def test_numbers_read_well(value, text):
    assert number(value) == text


def test_targets_in_words():
    assert target(Metric("a", 1.0, "K", 2.0)) == "≤ 2"
    assert target(Metric("a", 1.0, "K", 0.6, "higher")) == "≥ 0.6"
    assert target(Metric("a", 1.0, "K", (2.5, 4), "inside")) == "2.5 to 4"
    assert target(Metric("a", 1.0, "K")) == ""
    assert [duration(s) for s in (3.21, 86, 545, 9000)] == ["3.2 s", "86 s", "9.1 min", "2.5 h"]


def test_every_figure_of_metrics_is_on_the_card_with_its_state(made_up):
    metrics = made_up.figures()
    card = groups(metrics)
    rows = [row for group in card for row in (*group.rows, *group.others)]
    assert len(rows) == len(metrics)
    states = {row.name: row.state for row in rows}
    found = [states[name] for name in ("precipitation", "eddy kinetic energy", "9x256: sub-grid part, times faster than the CRM")]
    assert found == ["pass", "miss", "none"]


def test_headline_numbers_are_the_networks_own():
    words = "rms of zonal-mean temperature"
    rows = [Metric(f"linear, late: {words}", 9.0, "K"), Metric(f"network, early: {words}", 0.7, "K")]
    found = find([*rows, Metric(f"network, late, against all truth: {words}", 1.2, "K", 2.0)], "rms.*temperature")
    assert found is not None
    assert found.value == 1.2


def test_each_run_has_one_colour_whatever_else_is_drawn():
    palette = Palette.of(["truth", "network", "linear", "5x128-0", "5x128-1", "9x256-0"], selected="5x128-1")
    colours = [palette.colour(name) for name in ("network", "linear", "5x128-0", "9x256-0")]
    assert len(set(colours)) == 4
    assert palette.colour("5x128-1") == palette.colour("network")  # the one that was chosen, under its own name
    assert palette.colour("truth_first_half") == BLACK
    assert [is_network(name) for name in ("truth", "linear", "time-mean", "5x128-1")] == [False, False, False, True]


def test_scales_are_round_and_hold_the_data():
    field = np.linspace(-3.0, 7.3, 50)
    spanning, around = Scale.spanning("viridis", field), Scale.around_zero("RdBu_r", field)
    assert spanning.levels[0] <= -3.0
    assert spanning.levels[-1] >= 7.3
    np.testing.assert_allclose(around.levels, -around.levels[::-1], atol=1e-9)
    assert np.isclose(around.ticks, 0.0).any()
    assert np.isfinite(Scale.around_zero("RdBu_r", np.full(3, np.nan)).levels).all()


def test_drawings_keep_their_text_and_lose_their_size():
    with panel() as drawn:
        drawn.axes.plot([0, 1.23456], [0, 1])
        drawn.axes.set_title("0.123456 & <b>")
    assert drawn.svg.startswith("<svg")
    assert "0.123456 &amp; &lt;b&gt;" in drawn.svg
    assert " width=" not in drawn.svg.split(">")[0]


def test_a_null_closure_that_runs_away_does_not_flatten_the_others():
    lines = {"truth": np.array([0.0, 1.0]), "5x128-0": np.array([0.2, 1.4]), "linear": np.array([-50.0, 600.0])}
    frame = frame_of(lines)
    assert frame is not None
    assert -1.0 < frame[0] < 0.0
    assert 1.4 < frame[1] < 2.5
    assert frame_of({"truth": np.array([np.nan])}) is None
