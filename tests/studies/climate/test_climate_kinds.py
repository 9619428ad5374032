"""Kinds of networks that differ in one thing: data, host, network; the table that says so."""

import numpy as np
import pytest
import xarray as xr

from parametra.climate.diagnostics.means import zonal_climate
from parametra.climate.emulator import ColumnDataset
from parametra.core.errors import UsageError
from parametra.core.progress import Progress
from parametra.report.reader import RunReader
from parametra.report.section import Table
from parametra.report.sections import kinds as page
from parametra.store.fields import open_fields, write_fields
from parametra.store.runfolder import RunFolder
from parametra.studies.base import Run
from parametra.studies.climate import STUDY, coupled
from parametra.studies.climate.climate import _year_rows
from parametra.studies.climate.config import ClimateConfig
from parametra.studies.climate.coupled import _Stage, diffusion_factors
from parametra.studies.climate.kinds import differences, kinds_table
from parametra.studies.climate.training import last_days
from parametra.studies.climate.truth import truth_fields


def test_every_kind_of_the_preset_differs_from_the_first_in_one_thing():
    networks = STUDY.resolve("sensitivity").networks  # pyright: ignore[reportAttributeAccessIssue]
    said = {network.name: differences(network, networks[0]) for network in networks}
    assert said["base"] == ""
    assert said["shallow"] == "depth 2"
    assert said["free"] == "conservation False"
    assert said["calm"] == "diffusion 2"
    laptop = STUDY.resolve("laptop").networks  # pyright: ignore[reportAttributeAccessIssue]
    committee = next(network for network in laptop if network.committee_of)
    assert differences(committee, laptop[0]) == "committee_of 5x128-max-rs, members 4"
    # fewer days take as many passes more, so that all have seen as many columns
    assert said["half"] == "fit.epochs 40, training_days 6.5"
    assert len(set(said.values())) == len(said)


def test_the_last_days_are_the_last_steps():
    inputs = np.repeat(np.arange(8, dtype=np.float32), 6)[:, None] * np.ones((1, 10), np.float32)
    axes = xr.Dataset(coords={"time": np.arange(8) / 4, "latitude": [0, 1], "longitude": [0, 1, 2], "level": [0.2, 0.7]})
    data = ColumnDataset(inputs, inputs[:, :9], axes)
    assert last_days(data, 0.0, 4) is data
    half = last_days(data, 1.0, 4)
    assert half.shape == (4, 2, 3)
    np.testing.assert_array_equal(half.inputs[::6, 0], [4, 5, 6, 7])
    np.testing.assert_array_equal(half.coordinates.time, axes.time[4:])
    assert last_days(data, 99.0, 4).shape == data.shape


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("networks=[{name='a', diffusion=2.0}]", "diffusion = 1"),
        ("networks=[{name='a', training_days=99.0}]", "more than truth.training_days"),
        ("networks=[{name='a', diffusion=0.0}]", "diffusion"),
        ("stochastic.members=1", "members"),
        ("stochastic={on=true, head={modes=500}}", "more than the 45 outputs"),
        ("networks=[{name='a', training_days=0.5, emulator={rollout={steps=48}}}]", "fewer than a rollout"),
        ("networks=[{name='a', training_days=0.005}]", "learns from 0 steps"),
        ("networks=[{name='a', seeds=2}, {name='b', seeds=1, members=2, committee_of='a', training_days=3.0}]", "learn nothing"),
        ("worlds=[{name='a', training_days=0.02}]", "learn from nothing"),
    ],
)
def test_what_cannot_be_is_refused(override, words):
    with pytest.raises(UsageError, match=words):
        STUDY.resolve("mini", [override])


def test_networks_run_in_a_host_of_their_diffusion(road):
    networks = "networks=[{name='2x32', seeds=1}, {name='calm', seeds=1, diffusion=2.0}]"
    run = Run(RunFolder.read(road), STUDY.resolve("smoke", [networks]), Progress())
    factors = diffusion_factors(run.config)
    assert factors == {"2x32-0": 1.0, "calm-0": 2.0}
    drives = _Stage(run, list(factors), factors).drives
    hours = {factor: drive.host.config.diffusion_hours for factor, drive in drives.items()}
    assert hours[2.0] == pytest.approx(0.5 * hours[1.0])
    assert drives[1.0].simulated is drives[2.0].simulated


def test_networks_in_another_host_are_not_chosen(road, monkeypatch):
    """Each runs in the host of its diffusion; the best of those in the study's own host is chosen, whatever others do."""
    networks = "networks=[{name='2x32', seeds=2}, {name='calm', seeds=1, diffusion=2.0}]"
    run = Run(RunFolder.read(road), STUDY.resolve("smoke", [networks]), Progress())
    ran: dict[str, float] = {}

    def run_all(drive, lengths):
        ran.update(dict.fromkeys(lengths, drive.host.config.diffusion_hours))
        return dict.fromkeys(lengths)

    scores = {"2x32-0": 3.0, "2x32-1": 2.0, "calm-0": 1.0}
    monkeypatch.setattr(coupled.Drive, "run_all", run_all)
    monkeypatch.setattr(coupled, "selection_score", lambda _, name: scores[name])
    monkeypatch.setattr(run.folder, "log", lambda *_, **__: None)
    done = coupled.run_coupled(run)
    assert done["chosen"] == "2x32-1"
    assert done["ranking"] == ["2x32-1", "2x32-0", "calm-0"]
    own = run.config.host.diffusion_hours
    assert ran["calm-0"] == pytest.approx(own / 2.0)
    assert ran["2x32-0"] == ran["2x32-1"] == ran["linear"] == own


def test_the_table_and_its_section(road, tmp_path):
    networks = "networks=[{name='2x32', seeds=2, emulator={depth=2,width=32,dry_levels=2,fit={epochs=20,batch_size=256}}}]"
    run = Run(RunFolder.read(road), STUDY.resolve("smoke", [networks]), Progress())
    truth = run.config.truth
    table = kinds_table(run, zonal_climate(truth_fields(run, truth.spin_up_days, truth.days)))
    assert list(table.network.values) == ["2x32-0", "2x32-1"]
    assert np.isfinite(table.r2_heating).all()
    assert page.section(RunReader(road)) is None  # one kind only
    folder = RunFolder.open(tmp_path / "run", "climate", "smoke", {})
    other = table.assign(kind=("network", ["other"] * 2), differs=("network", ["depth 9"] * 2), network=["other-0", "other-1"])
    write_fields(folder.fields("kinds"), xr.concat([table, other], "network"))
    section = page.section(RunReader(folder.path))
    assert section is not None
    table_of_kinds = section.parts[0]
    assert isinstance(table_of_kinds, Table)
    rows = table_of_kinds.rows
    assert [row[0] for row in rows] == ["2x32", "other"]
    assert rows[1][1] == "depth 9"


def test_every_year_of_every_selection_is_judged_alone(road):
    """The same day over and over is a kept year against itself, a lost one when it is 5 K warmer or never came."""
    day = open_fields(road / "fields" / "coupled-2x32-0.zarr").load().isel(time=[0])
    years = xr.concat([day] * 730, "time").assign_coords(time=np.arange(730.0) + 0.5)
    warmer = years.assign(air_temperature=years.air_temperature + xr.where(years.time > 360.0, 5.0, 0.0))
    record = zonal_climate(day)
    selected = {"warmer": warmer, "steady": years, "short": years.isel(time=slice(0, 400))}
    rows = {row.name: row.value for row in _year_rows(selected, record, 730.0)}
    share = ", the best of its selection: share of 2 years that keep the climate"
    assert [rows[name + share] for name in selected] == [0.5, 1.0, 0.5]
    assert rows["selected networks (3): share that keep the climate in each of 2 years"] == pytest.approx(1.0 / 3.0)
    assert rows["warmer, year 1: rms of zonal-mean temperature"] == pytest.approx(0.0, abs=1e-4)
    assert rows["warmer, year 2: rms of zonal-mean temperature"] == pytest.approx(5.0, abs=1e-3)
    assert "short, year 2: rms of zonal-mean temperature" not in rows
    assert _year_rows({"steady": years}, record, 719.0) == []


def test_every_selection_has_its_best_and_no_network_is_in_two():
    candidates = [f"n-{i}" for i in range(7)]
    eligible = candidates[1:]
    ranking = ["n-3", "n-5", "n-1", "n-2", "n-6", "n-4", "n-0"]
    assert coupled.best_of_groups(ranking, eligible, 1) == ["n-3"]
    assert coupled.best_of_groups(ranking, eligible, 2) == ["n-3", "n-2"]  # of 1, 3, 5 and 2, 4, 6
    assert coupled.best_of_groups(ranking, eligible, 6) == ranking[:-1]


def test_a_committee_is_dealt_into_no_selection_beside_its_members():
    settings = [f"coupled.selections={count}" for count in (1, 3)]
    one, several = (ClimateConfig.model_validate(STUDY.resolve("mini", [setting]).model_dump()) for setting in settings)
    assert [kind.name for kind in one.dealt] == ["5x64", "committee", "9x256"]
    assert [name for kind in several.dealt for name in kind.names] == ["5x64-0", "5x64-1", "5x64-2", "5x64-3", "9x256-0"]


def test_the_best_of_every_selection_goes_on_but_once(road, monkeypatch):
    networks = "networks=[{name='2x32', seeds=4, long=2}]"
    settings = [networks, "coupled.selections=2", "coupled.days=4"]
    run = Run(RunFolder.read(road), STUDY.resolve("smoke", settings), Progress())
    rounds: list[dict[str, float]] = []
    scores = {f"2x32-{seed}": score for seed, score in enumerate((3.0, 2.0, 4.0, 1.0))}

    def run_all(drive, lengths):
        rounds.append(lengths)
        return dict.fromkeys(lengths)

    monkeypatch.setattr(coupled.Drive, "run_all", run_all)
    monkeypatch.setattr(coupled, "selection_score", lambda _, name: scores[name])
    monkeypatch.setattr(run.folder, "log", lambda *_, **__: None)
    done = coupled.run_coupled(run)
    assert done["selected"] == ["2x32-3", "2x32-0"]  # of 1 and 3, of 0 and 2
    assert list(rounds[1])[:3] == ["2x32-3", "2x32-0", "2x32-1"]
    assert set(rounds[1].values()) == {4.0}


def test_more_selections_than_networks_are_refused():
    with pytest.raises(UsageError, match="selections"):
        STUDY.resolve("smoke", ["coupled.selections=3"])
