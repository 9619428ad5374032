"""The study: its presets resolve, its wrong values are refused, its whole road runs."""

import numpy as np
import pytest

from parametra.core.errors import UsageError
from parametra.store.fields import open_fields
from parametra.studies.extrapolation import STUDY
from parametra.studies.extrapolation.config import ExtrapolationConfig
from parametra.studies.runner import run_study


@pytest.mark.parametrize("preset", ["smoke", "mini", "full"])
def test_presets_resolve(preset):
    config = STUDY.resolve(preset)
    assert isinstance(config, ExtrapolationConfig)
    assert config.logistic.high < 3.57  # below chaos
    for system in config.systems:
        assert max(system.targets) > system.high


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("logistic.low=3.5", "logistic.low must be below"),
        ("logistic.high=3.7", "less than 3.57"),
        ("logistic.noise=[]", "at least 1 item"),
        ("diagram.stepps=1", "Did you mean"),
    ],
)
def test_wrong_values_are_refused_before_anything_runs(override, match):
    with pytest.raises(UsageError, match=match):
        STUDY.resolve("smoke", [override])


def test_the_three_ways_of_sampling_have_600_pairs_and_no_chaos():
    from parametra.studies.extrapolation.parts import logistic_series

    whole = STUDY.resolve("mini")
    assert isinstance(whole, ExtrapolationConfig)
    config = whole.logistic
    for regime in config.regimes:
        data = logistic_series(config, regime, 0.0, 0)
        assert len(data.pairs()[0]) == 600
        assert data.known.max() == 3.5
    # cycles of period 1, 2 or 4; at r = 3 itself, where the flip is, the approach takes for ever
    assert max(len(np.unique(one.round(2))) for one in logistic_series(config, "attr", 0.0, 0).series) <= 4


@pytest.mark.parametrize("preset", ["mini", "full"])
def test_medians_rest_on_five_seeds_at_least(preset):
    config = STUDY.resolve(preset)
    assert isinstance(config, ExtrapolationConfig)
    assert config.closure is not None
    counts = [
        config.logistic.seeds,
        config.logistic.network_seeds,
        config.unknown_seeds,
        config.guard_seeds,
        config.closure.seeds,
    ]
    assert min(counts + [system.seeds for system in config.systems]) >= 5
    assert config.logistic.bound_seeds >= 20


def test_the_stride_of_a_long_run_keeps_no_phase_of_a_short_cycle():
    from parametra.studies.extrapolation.diagrams import _prime

    assert [_prime(most) for most in (1, 6, 7, 500, 1000)] == [1, 1, 7, 499, 997]


def test_a_known_landmark_that_is_not_found_counts():
    from parametra.studies.extrapolation.parts import KNOWN
    from parametra.studies.extrapolation.systems import _rows

    config = STUDY.resolve("mini")
    assert isinstance(config, ExtrapolationConfig)
    system = next(one for one in config.systems if one.name == "quartic")
    good = dict.fromkeys(KNOWN["quartic"], 1e-9)
    rows = _rows(True, system, [good, good, good | {"period3": np.nan}])
    lost = next(row for row in rows if "not found" in row.name)
    assert (lost.value, lost.passed) == (1, False)
    assert lost.source.startswith("of 12: 4 that the exact map has")


def test_failures_and_flags_of_the_guard_are_counted_by_system():
    from parametra.studies.extrapolation.guarding import _by_system

    systems = np.array(["logistic", "logistic", "quartic"])
    table = _by_system(systems, np.array([True, False, True]), np.array([True, True, False]))
    assert table == [
        {"system": "logistic", "runs": 2, "failed": 1, "caught": 1, "false_alarms": 1},
        {"system": "quartic", "runs": 1, "failed": 1, "caught": 0, "false_alarms": 0},
    ]


@pytest.mark.long
def test_the_whole_road(tmp_path):
    folder = run_study(STUDY, "smoke", tmp_path / "run")
    rows = {row.name: row for row in folder.metrics()}
    assert rows["logistic, cov, noise 0: error of accumulation"].value < 1e-8
    assert rows["logistic, networks alone: error of accumulation"].value < 1e-4
    assert open_fields(folder.fields("diagram")).sizes["r"] == 200
    assert "learned over exact" in (folder.path / "report.html").read_text(encoding="utf-8")
