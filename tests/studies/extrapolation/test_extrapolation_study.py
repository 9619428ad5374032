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


@pytest.mark.long
def test_the_whole_road(tmp_path):
    folder = run_study(STUDY, "smoke", tmp_path / "run")
    rows = {row.name: row for row in folder.metrics()}
    assert rows["logistic, cov, noise 0: error of accumulation"].value < 1e-8
    assert rows["logistic, networks alone: error of accumulation"].value < 1e-4
    assert open_fields(folder.fields("diagram")).sizes["r"] == 200
    assert "learned over exact" in (folder.path / "report.html").read_text(encoding="utf-8")
