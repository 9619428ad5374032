"""Noise around the chosen network, on a copy of a finished run of smoke; what is scored, kept and resumed."""

import shutil

import numpy as np
import pytest

from parametra.core.progress import Progress
from parametra.report.reader import RunReader
from parametra.report.sections import noise as page
from parametra.store.fields import open_fields
from parametra.store.runfolder import RunFolder
from parametra.studies.base import Run
from parametra.studies.climate import STUDY, noise

HEAD = "stochastic={on=true, members=3, head={modes=4, depth=1, width=8, fit={epochs=2}}}"


class Killed(Progress):
    """Stops the run when its second day is over, before that day is kept."""

    def update(self, stage, fraction, **values):
        if values.get("day") == 2.0:
            raise KeyboardInterrupt


def copy_of(road, path, progress):
    shutil.copytree(road, path)
    return Run(RunFolder.read(path), STUDY.resolve("smoke", [HEAD, "coupled.days=2.0"]), progress)


@pytest.fixture(scope="module")
def run(road, tmp_path_factory):
    return copy_of(road, tmp_path_factory.mktemp("noise") / "run", Progress())


def test_off_is_nothing(road):
    quiet = Run(RunFolder.read(road), STUDY.resolve("smoke"), Progress())
    assert noise.run_stochastic(quiet) == {"metrics": []}
    assert not quiet.folder.network(noise.STOCHASTIC).exists()
    assert page.section(RunReader(road)) is None


def test_a_head_is_trained_scored_run_and_kept(run):
    rows = {row.name: row.value for row in noise.run_stochastic(run)["metrics"]}
    table = open_fields(run.folder.fields(noise.STOCHASTIC)).load()
    wet = np.isfinite(table.draws_crps_heating)
    assert (table.draws_crps_heating.where(wet) >= 0.0).all()
    # of one member the score is its absolute error; noise that knows anything has a smaller one
    assert rows["stochastic: CRPS of heating over the mean's absolute error"] < 1.0
    draws, mean = table.draws_deviation_heating, table.mean_deviation_heating
    assert float(draws.mean()) > float(mean.mean())
    assert 0.0 < rows["stochastic: days run"] <= 2.0
    stored = open_fields(run.folder.fields(f"coupled-{noise.STOCHASTIC}")).load()
    network = open_fields(run.folder.fields(f"coupled-{run.result('coupled')['chosen']}")).load()
    assert set(stored.data_vars) == set(network.data_vars)
    assert not np.array_equal(stored.air_temperature[0], network.air_temperature[0])
    kept = run.folder.network(noise.STOCHASTIC).read_bytes()
    again = noise.run_stochastic(run)  # nothing is left to do, and nothing changes
    assert {row.name: row.value for row in again["metrics"]} == rows
    assert run.folder.network(noise.STOCHASTIC).read_bytes() == kept
    section = page.section(RunReader(run.folder.path))
    assert section is not None
    assert section.title == page.TITLE


def test_a_kill_in_the_middle_changes_no_number(road, run, tmp_path):
    """The memory of the noise goes on where it was, as the state does."""
    noise.run_stochastic(run)
    killed = copy_of(road, tmp_path / "killed", Killed())
    with pytest.raises(KeyboardInterrupt):
        noise.run_stochastic(killed)
    noise.run_stochastic(Run(killed.folder, killed.config, Progress()))
    whole, again = (open_fields(one.folder.fields(f"coupled-{noise.STOCHASTIC}")).load() for one in (run, killed))
    assert whole.sizes["time"] == 2
    for name in whole.data_vars:
        np.testing.assert_array_equal(again[name], whole[name])
