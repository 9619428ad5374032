"""Other seas: what a world is, what a recipe learns from, and the whole road over a sea like the reference and a warmer one."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr

from parametra.climate.diagnostics.geometry import column_integral
from parametra.climate.diagnostics.means import with_derived
from parametra.climate.emulator import ColumnDataset
from parametra.climate.emulator.rollout import windows
from parametra.core.constants import HEAT_CAPACITY
from parametra.core.errors import PhysicalStopError, UsageError
from parametra.core.progress import Progress
from parametra.report.sections.recipes import home_table
from parametra.store.fields import open_fields, write_fields
from parametra.store.runfolder import RunFolder
from parametra.studies.base import Run
from parametra.studies.climate import STUDY
from parametra.studies.climate.config import WorldConfig
from parametra.studies.climate.elsewhere import Elsewhere, config_of
from parametra.studies.climate.home import AtHome
from parametra.studies.climate.recipes import joined, networks_of
from parametra.studies.climate.response import HEATING, Trial, response, response_rows
from parametra.studies.climate.truth import segment_ends, truth_fields

# "same" is the reference again, with its very stretches; plus4 is short
WORLDS = [
    "--set", 'worlds=[{name="same",spin_up_days=1.0,training_days=1.5,scoring_days=1.0,recipes=["plain","alone"]},'
    '{name="plus4",warming=4.0,spin_up_days=0.5,training_days=0.5,scoring_days=0.5}]',
    *("--set", "recipes.seeds=1", "--set", "recipes.emulator.depth=1", "--set", "recipes.emulator.width=16"),
    *("--set", "recipes.emulator.dry_levels=2", "--set", "recipes.emulator.fit.epochs=4"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ('worlds=[{name="a"},{name="a"}]', "share a name"),
        ('worlds=[{name="daily"}]', "truth-daily"),
        ('worlds=[{name="reference"}]', "cannot be named"),
        ('worlds=[{name="a",recipes=["plain"]}]', "yardstick"),
        ('worlds=[{name="a",recipes=["plain","alone","plain"]}]', "each once"),
        ('worlds=[{name="a",recipes=["plane","alone"]}]', "recipes"),
        ('worlds=[{name="a",training_days=0.0}]', "training_days"),
        ('worlds=[{name="a",training_days=0.02}]', "learn from nothing"),
        ('worlds=[{name="a",warming=40.0}]', "warming"),
        ("recipes.seeds=0", "seeds"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(override, words):
    with pytest.raises(UsageError, match=words):
        STUDY.resolve("mini", [override])


def test_a_network_cannot_take_a_recipes_name():
    with pytest.raises(UsageError, match="recipe"):
        STUDY.resolve("mini", ['worlds=[{name="a"}]', 'networks=[{name="recipe-plain"}]'])


def test_presets_without_worlds_have_none():
    assert STUDY.resolve("mini").worlds == ()  # pyright: ignore[reportAttributeAccessIssue]


def test_a_world_changes_the_sea_and_the_stretches_and_nothing_else():
    config = STUDY.resolve("warming", ["host.surface.warming=1.0"])
    world = WorldConfig(name="a", warming=3.0, wave=2.0, spin_up_days=5.0, training_days=4.0, scoring_days=3.0)
    there = config_of(config, world)  # pyright: ignore[reportArgumentType]
    assert (there.host.surface.warming, there.host.surface.wave) == (4.0, 2.0)
    assert (there.truth.spin_up_days, there.truth.scoring_start, there.truth.days) == (5.0, 9.0, 12.0)
    assert segment_ends(there) == [5 * 48, 12 * 48]
    surface = config.host.surface  # pyright: ignore[reportAttributeAccessIssue]
    back = there.host.model_copy(update={"surface": surface})
    assert back == config.host  # pyright: ignore[reportAttributeAccessIssue]
    assert there.crm == config.crm  # pyright: ignore[reportAttributeAccessIssue]


def test_networks_of_the_reference_serve_every_world_and_no_two_networks_share_a_file():
    config = STUDY.resolve("warming")
    plus4, wave = config.worlds  # pyright: ignore[reportAttributeAccessIssue]
    assert networks_of(config, plus4, "plain") == networks_of(config, wave, "plain")  # pyright: ignore
    assert set(networks_of(config, plus4, "alone")).isdisjoint(networks_of(config, wave, "alone"))  # pyright: ignore
    every = [name for recipe in plus4.recipes for name in networks_of(config, plus4, recipe)]  # pyright: ignore
    assert len(every) == len(set(every)) == len(plus4.recipes) * config.recipes.seeds  # pyright: ignore


def test_both_worlds_in_equal_parts_are_as_many_columns_as_one():
    def stretch(value: float, steps: int, first: float = 0.0) -> ColumnDataset:
        marks = np.repeat(np.arange(steps), 6)[:, None]
        inputs = np.full((steps * 6, 10), value, np.float32) + marks
        coordinates = xr.Dataset(
            coords={"time": (first + np.arange(steps)) / 48.0, "latitude": [0, 1], "longitude": [0, 1, 2], "level": [0.2, 0.7]}
        )
        return ColumnDataset(inputs.astype(np.float32), inputs[:, :9].astype(np.float32), coordinates)

    both = joined(stretch(0.0, 8), stretch(100.0, 8))
    assert both.shape == (8, 2, 3)
    assert len(both.inputs) == len(both.targets) == 8 * 6
    np.testing.assert_array_equal(both.inputs[::6, 0], [0, 2, 4, 6, 100, 102, 104, 106])
    np.testing.assert_array_equal(both.inputs[:, :9], both.targets)
    unbroken = joined(stretch(0.0, 8), stretch(100.0, 8, 3.0), 3)  # by their own times one would go on where the other ends
    np.testing.assert_array_equal(unbroken.inputs[::6, 0], [0, 1, 2, 100, 101, 102])
    seen, _ = windows(unbroken, 2)
    np.testing.assert_array_equal(seen[::6, :, 0], [[0, 1, 2], [100, 101, 102]])


@pytest.fixture(scope="session")
def abroad(smoke, tmp_path_factory):
    """(folder, copy of it as it stood after the reference's truth)."""
    base = tmp_path_factory.mktemp("abroad")
    path, early = base / "whole", base / "early"
    done = smoke.run(path, *WORLDS, "--until", "truth")
    assert done.returncode == 0, done.stderr[-2000:]
    shutil.copytree(path, early)
    done = smoke.run(path, *WORLDS)
    assert done.returncode == 0, done.stderr[-2000:]
    return path, early


@pytest.mark.long
def test_a_world_without_warming_and_wave_is_the_reference(abroad):
    truth, same = (open_fields(abroad[0] / "fields" / f"{name}.zarr").load() for name in ("truth", "truth-same"))
    assert set(truth.data_vars) == set(same.data_vars)
    for name in truth.data_vars:
        np.testing.assert_array_equal(truth[name], same[name])


@pytest.mark.long
def test_a_warmer_sea_is_warmer_by_as_much_and_its_air_starts_so(abroad):
    truth, warm = (open_fields(abroad[0] / "fields" / f"{name}.zarr").isel(time=0).load() for name in ("truth", "truth-plus4"))
    np.testing.assert_allclose(warm.surface_temperature - truth.surface_temperature, 4.0, atol=1e-3)
    np.testing.assert_allclose((warm.air_temperature - truth.air_temperature).mean(), 4.0, atol=0.1)


@pytest.mark.long
def test_the_rest_of_the_study_does_not_notice_the_worlds(smoke, abroad, road):
    alone, with_worlds = smoke.figures(road), smoke.figures(abroad[0])
    assert {name: with_worlds[name] for name in alone} == alone
    assert all(name.startswith(("over ", "at home, ")) for name in with_worlds.keys() - alone.keys())


@pytest.mark.long
def test_every_figure_of_the_worlds_is_there_with_its_target(abroad):
    rows = {row["name"]: row for row in json.loads((abroad[0] / "metrics.json").read_text())["metrics"]}
    share = rows["over plus4, invariant, offline: R2 of heating on plus4, over the yardstick's"]
    assert (share["target"], share["better"]) == (0.9, "higher")
    change = rows["over plus4, invariant, coupled: change of mean temperature over the truth's"]
    assert change["target"] == [0.8, 1.2]
    assert any(name.startswith("over plus4, both, coupled") for name in rows)
    shares = {name for name in rows if name.startswith("at home, ") and "share" in name}
    assert shares == {f"at home, {recipe}, coupled: share of seeds that keep the climate" for recipe in ("plain", "invariant")}
    assert rows["over plus4: change of mean temperature, truth"]["value"] == pytest.approx(4.0, abs=1.5)
    page = (abroad[0] / "report.html").read_text()
    assert page.count('<section id="elsewhere"') == 1


@pytest.mark.long
def test_killed_abroad_it_ends_with_the_same_numbers(smoke, abroad, tmp_path):
    whole, early = abroad
    figures = smoke.figures(whole)
    options = *WORLDS, "--until", "abroad"
    for path in smoke.kill(tmp_path / "killed", *options, times=6, seed=7, begin=early):
        assert smoke.run(path, *options).returncode == 0
        assert all(figures[name] == value for name, value in smoke.figures(path).items())
        for name in ("truth-plus4", "ledger-plus4", "response-plus4", "transfer-plus4"):
            one, other = (open_fields(folder / "fields" / f"{name}.zarr").load() for folder in (whole, path))
            for variable in one.data_vars:
                np.testing.assert_array_equal(one[variable], other[variable])


@pytest.mark.long
def test_a_run_that_is_the_truth_answers_as_the_truth_and_a_crash_is_a_day(abroad):
    config = STUDY.resolve("smoke", [*WORLDS[1::2], "coupled.keeps_from=0.0", "coupled.candidate_days=1.0"])
    world = config.worlds[1]  # pyright: ignore[reportAttributeAccessIssue]
    run = Run(RunFolder.read(abroad[0]), config, Progress())
    there = Elsewhere.of(run, world)
    record = with_derived(there.record().load())
    record = record.assign(
        {HEATING: HEAT_CAPACITY * column_integral(record.tendency_of_air_temperature, record.surface_air_pressure)}
    )
    daily = record.coarsen(time=48).mean()
    stop = PhysicalStopError("temperature", 0.4, 3, 1, 400.0, (150.0, 350.0))
    trials = [Trial("plain", 0, daily, None), Trial("invariant", 0, daily, stop), Trial("both", 0, None, stop)]
    trials.append(Trial("alone", 0, daily, None))
    found = response(run, there, trials)
    assert found.days.sel(run=["plain-0", "invariant-0", "both-0"]).values.tolist() == [1.0, 0.4, 0.4]
    assert np.isnan(found.kept.sel(run=["invariant-0", "both-0"])).all()
    rows = {row.name: row for row in response_rows(found, world, config.coupled)}  # pyright: ignore[reportAttributeAccessIssue]
    plain, invariant = "over plus4, plain, coupled: ", "over plus4, invariant, coupled: "
    for words in ("mean temperature", "mean precipitation"):
        assert rows[f"{plain}change of {words} over the truth's"].value == pytest.approx(1.0, rel=1e-3)
        assert rows[f"{invariant}change of {words} over the truth's"].passed is False
    assert rows[f"{plain}share of seeds that keep the climate"].value == 1.0
    assert rows[f"{invariant}share of seeds that keep the climate"].value == 0.0
    assert float(found["r_precipitation_flux"].sel(run="plain-0")) == pytest.approx(1.0)


def test_those_that_saw_the_reference_are_judged_at_home(road, tmp_path):
    """A run that is the truth keeps its climate, one 5 K warmer does not, one that stopped has no measures but counts as lost."""
    settings = ["recipes.seeds=2", "worlds=[{name='warm', warming=4.0}]", "coupled.keeps_from=0.0"]
    folder = RunFolder.open(tmp_path / "run", "climate", "smoke", {})
    run = Run(folder, STUDY.resolve("smoke", settings), Progress())
    shutil.copytree(road / "fields" / "truth.zarr", folder.fields("truth"))
    record = with_derived(truth_fields(run, 1.0, 3.5).load())
    daily = xr.concat([record.mean("time")] * 2, "time").assign_coords(time=[0.5, 1.5])
    home = AtHome.of(run)
    assert home.recipes == ("plain", "invariant")
    for name, warmer in (("plain-0", 0.0), ("plain-1", 5.0), ("invariant-0", 0.0)):
        write_fields(folder.fields(f"abroad-home-recipe-{name}"), daily.assign(air_temperature=daily.air_temperature + warmer))
    stop = PhysicalStopError("temperature", 0.4, 3, 1, 400.0, (150.0, 350.0))
    names = [name for names in home.names for name in names]
    rows = {row.name: row for row in home.judge(dict.fromkeys(names) | {"recipe-invariant-1": stop})}
    share = ", coupled: share of seeds that keep the climate"
    assert [rows[f"at home, {recipe}{share}"].value for recipe in home.recipes] == [0.5, 0.5]
    assert rows["at home, plain, coupled: rms of zonal-mean temperature"].value == pytest.approx(2.5, abs=0.05)
    assert rows["at home, invariant, coupled: rms of zonal-mean temperature"].value == pytest.approx(0.0, abs=0.05)
    table = home_table(open_fields(folder.fields("response-home")))
    assert [row[1] for row in table.rows] == ["1 of 2", "1 of 2"]
    labels = ["truth", "plain-0", "plain-1", "invariant-0", "invariant-1"]
    changes = {"change_mean_temperature": ("run", [4.0, 6.0, 9.0, 3.0, 5.0]), "change_precipitation": ("run", [0.4, *[0.1] * 4])}
    rows = home.own_changes(xr.Dataset(changes, {"run": labels}), run.config.worlds[0])
    own = {row.name: row.value for row in rows}
    of_temperature = ", coupled: change of mean temperature from its own climate at home, over the truth's"
    assert own[f"over warm, plain{of_temperature}"] == pytest.approx(0.5 * (6.0 + 9.0 - 5.0) / 4.0, rel=1e-2)
    assert own[f"over warm, invariant{of_temperature}"] == pytest.approx(3.0 / 4.0, rel=1e-2)
    assert AtHome.of(Run(folder, STUDY.resolve("smoke"), Progress())).count == 0
