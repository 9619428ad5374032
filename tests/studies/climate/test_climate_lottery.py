"""The lottery on a finished run of smoke: every number of every network, what became of a run, and the table that is kept."""

import csv
import shutil
from typing import Any

import numpy as np
import pytest
import xarray as xr

from parametra.climate.diagnostics.means import zonal_climate
from parametra.climate.emulator import load_emulator
from parametra.core.errors import PhysicalStopError, UsageError
from parametra.core.progress import Progress
from parametra.report.reader import RunReader
from parametra.report.sections.lottery import section
from parametra.store.fields import open_fields, write_fields
from parametra.store.runfolder import RunFolder
from parametra.studies.base import Run
from parametra.studies.climate import STUDY, coupled, lottery, predictors
from parametra.studies.climate.truth import truth_fields

SET = [
    "networks=[{name='2x32', seeds=2, long=1, emulator={depth=2, width=32}}, {name='never', seeds=1}]",
    "lottery={unseen='never', columns=4, replay_days=0.25, early_days=1}",
]
NAMES = ["2x32-0", "2x32-1"]


@pytest.fixture(scope="module")
def run(road):
    return Run(RunFolder.read(road), STUDY.resolve("smoke", SET), Progress())


@pytest.fixture(scope="module")
def known(run):
    asked = predictors.asked_columns(run)
    before = {name: predictors.known_before(load_emulator(run.folder.network(name))[0], asked) for name in NAMES}
    offline = predictors.known_offline(run, NAMES)
    return {name: before[name] | offline[name] for name in NAMES}


@pytest.fixture(scope="module")
def record(run):
    return zonal_climate(truth_fields(run, run.config.truth.spin_up_days, run.config.truth.days))


def test_every_network_has_every_number(known, run, record):
    for name in NAMES:
        assert set(known[name]) == set(predictors.BEFORE)
        assert np.isfinite([*known[name].values()]).all()
    early = predictors.known_early(open_fields(run.folder.fields("coupled-2x32-0")), record, 1)
    assert set(early) == set(predictors.EARLY)
    assert np.isfinite([*early.values()]).all()
    assert known[NAMES[0]] != known[NAMES[1]]


def test_a_run_without_a_whole_day_is_as_bad_as_can_be(run, record):
    fields = open_fields(run.folder.fields("coupled-2x32-0"))
    for stopped in (None, fields.isel(time=slice(0, 1))):
        early = predictors.known_early(stopped, record, 2)
        assert all(value * predictors.EARLY[name].sign == np.inf for name, value in early.items())
        became = lottery.outcome(stopped, record, run.config)
        assert became["crashed"]
        assert became["lost"]
        assert became["days"] == became["lost_day"] == (0.0 if stopped is None else 1.0)
    assert not lottery.outcome(fields, record, run.config)["crashed"]


def test_the_whole_stage_and_its_page(run, tmp_path):
    """Two kinds, the second of the same networks: the stage runs, and the page shows what it kept."""
    shutil.copytree(run.folder.path, tmp_path / "run")
    folder = RunFolder.read(tmp_path / "run")
    others = [name.replace("2x32", "other") for name in NAMES]
    for name, other in zip(NAMES, others, strict=True):
        shutil.copy(folder.network(name), folder.network(other))
        shutil.copytree(folder.fields(f"coupled-{name}"), folder.fields(f"coupled-{other}"))
    board = open_fields(folder.fields("skill")).load()
    more = board.sel(model=NAMES).assign_coords(model=others)
    write_fields(folder.fields("skill"), xr.concat([board, more], "model", data_vars="minimal"))
    config = STUDY.resolve(
        "smoke", [change.replace("'never', seeds=1", "'other', seeds=2").replace("never", "other") for change in SET]
    )
    metrics = lottery.run_lottery(Run(folder, config, Progress()))["metrics"]
    assert sum("share that keeps the climate (" in row.name for row in metrics) == 2
    table = open_fields(folder.fields("lottery")).load()
    assert list(table.network.values) == [*NAMES, *others]
    for key in predictors.BEFORE:  # the same networks, told twice
        np.testing.assert_array_equal(table[key].values[:2], table[key].values[2:])
    made: Any = section(RunReader(folder.path))
    assert made.parts[1].rows[1][0] == "other (unseen)"


def test_the_study_goes_on_with_the_next_network_that_lasts(run, monkeypatch, tmp_path):
    """The best network stops after its trial: the second best takes its place, and where none lasts the study ends."""
    stop = PhysicalStopError("air_temperature", 200.0, 0, 0, 400.0, (100.0, 350.0))

    lasting: list[str] = []

    class Runs:
        def __init__(self, *_):
            pass

        def run_all(self, lengths):
            return {name: None if days <= 2.0 or name in lasting else stop for name, days in lengths.items()}

    monkeypatch.setattr(coupled, "_Stage", Runs)
    monkeypatch.setattr(coupled, "selection_score", lambda run, name: float([*NAMES, "never-0"].index(name)))
    settings = ["networks=[{name='2x32', seeds=2}, {name='never', seeds=1}]", "coupled.days=360.0"]
    config = STUDY.resolve("smoke", settings)
    here = Run(RunFolder.open(tmp_path / "run", "climate", "smoke", {}), config, Progress())
    with pytest.raises(PhysicalStopError, match="air_temperature|400"):
        coupled.run_coupled(here)
    lasting = ["never-0"]
    found = coupled.run_coupled(here)
    assert found["chosen"] == "never-0"
    assert found["selected"] == [NAMES[0]]
    assert None not in (found["stops"][NAMES[0]], found["stops"][NAMES[1]])
    assert next(row.value for row in found["metrics"] if "stopped after" in row.name) == 2.0
    assert RunReader(here.folder.path).selected == "never-0"


def made_up(seeds=12) -> tuple[xr.Dataset, Any]:
    """A table of three kinds in which one number tells who is lost."""
    random = np.random.default_rng(3)
    kinds = ("a", "b", "c")
    lost = np.tile(np.arange(seeds) % 2 == 0, 3)
    columns = {key: random.normal(size=3 * seeds) for key in predictors.PREDICTORS}
    columns["replay_departure"] = np.where(lost, 3.0, 1.0) + 0.1 * random.normal(size=3 * seeds)
    became = {"days": np.where(lost, 9.0, 720.0), "crashed": lost, "lost": lost, "lost_day": np.where(lost, 9.0, np.nan)}
    became["kept_long"] = np.where(lost, np.nan, np.arange(3 * seeds) % 4 == 1)
    names = [f"{kind}-{seed}" for kind in kinds for seed in range(seeds)]
    networks = ", ".join(f"{{name='{kind}', seeds={seeds}, long=4}}" for kind in kinds)
    config = STUDY.resolve(
        "smoke", [f"networks=[{networks}]", "lottery={unseen='c', early_days=1, replay_days=0.5}", "coupled.days=360"]
    )
    table = xr.Dataset(
        {key: ("network", values) for key, values in (became | columns).items()},
        {"network": names, "kind": ("network", np.repeat(kinds, seeds))},
    )
    return table, config


def test_what_tells_is_found_on_the_seen_kinds_and_judged_on_the_unseen(tmp_path):
    table, config = made_up()
    table = lottery._with_areas(table, config)
    area = table.area_lost.sel(bound="value")
    assert (area.sel(predictor="replay_departure") == 1.0).all()
    assert float(area.sel(predictor="r2_heating", of="a")) < 0.95
    assert float(area.sel(predictor=lottery.ALL_BEFORE, of="c")) > 0.9
    rows = {row.name: row for row in [*lottery._share_rows(table, config), *lottery._area_rows(table, config)]}
    best = next(row for name, row in rows.items() if "before the run (replay_departure)" in name)
    assert best.value == 1.0
    assert best.passed
    kept = next(row for name, row in rows.items() if "lottery, c: share that keeps the climate (6 of 12" in name)
    assert kept.value == 0.5
    assert rows["lottery, a: of its first 4, share that lasts 360 days"].value == 0.5
    assert rows["lottery, a: of its first 4, share that keeps the climate for 360 days"].value == 0.25
    assert rows["lottery, a: what that share is at least"].target == 0.95
    assert rows["lottery, c: what that share is at least"].target is None
    assert "the best stays below 0." in best.source
    folder = RunFolder.open(tmp_path / "run", "climate", "smoke", {})
    lottery._write_csv(Run(folder, config, Progress()), table)
    with (folder.path / lottery.FILE).open() as stream:
        lines = list(csv.DictReader(stream))
    assert [line["network"] for line in lines] == list(table.network.values)
    np.testing.assert_allclose([float(line["replay_departure"]) for line in lines], table.replay_departure.values)


@pytest.mark.parametrize("what", ["warmer", "wetter", "moved", "steady"])
def test_each_measure_tells_the_day_and_the_year(run, what):
    """A day over and over which from day 100 on is warmer, wetter or rains elsewhere leaves its limits soon, steady never."""
    base = truth_fields(run, 1.0, 3.5).load().mean("time")
    days = xr.concat([base] * 200, "time").assign_coords(time=np.arange(200.0) + 0.5)
    later = xr.where(days.time > 100.0, 1.0, 0.0)
    if what == "warmer":
        days = days.assign(air_temperature=days.air_temperature + 1.9 * later)
    if what == "wetter":
        days = days.assign(specific_humidity=days.specific_humidity * (1.0 + 0.2 * later))
    if what == "moved":
        days = xr.concat(
            [days.isel(time=slice(0, 100)), days.isel(time=slice(100, 200)).roll(latitude=3, roll_coords=False)], "time"
        )
    record = zonal_climate(days.isel(time=slice(0, 100)))
    lengths = {"candidate_days": 180.0, "keeps_from": 120.0, "days": 200.0}
    config = run.config.model_copy(update={"coupled": run.config.coupled.model_copy(update=lengths)})
    became = lottery.outcome(days, record, config)
    assert became["lost"] == (what != "steady")
    assert became["kept_long"] == (what == "steady")
    assert np.isnan(became["lost_day"]) if what == "steady" else 100.0 < became["lost_day"] < 131.0
    assert np.isnan(lottery.outcome(days.isel(time=slice(0, 190)), record, config)["kept_long"])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("lottery.unseen=none", "must name one of"),
        ("lottery.replay_days=9.0", "longer than the selection stretch"),
        ("lottery.columns=99", "more than the columns of a latitude"),
        ("lottery.early_days=2", "must end by coupled.keeps_from"),
        ("lottery.early_days=1.5", "early_days"),
        ("lottery.replay_days=0.021", "less than two steps"),
    ],
)
def test_a_lottery_that_cannot_be_is_refused(change, match):
    with pytest.raises(UsageError, match=match):
        STUDY.resolve("smoke", [*SET, change])
