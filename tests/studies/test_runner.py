"""A run goes on where it was, ends with the same numbers, and says in one sentence why it cannot."""

import errno
import importlib.util
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from parametra.core import machine
from parametra.core.errors import DataError, PhysicalStopError, UsageError
from parametra.core.progress import Progress
from parametra.report.reader import RunReader
from parametra.store.runfolder import RunFolder
from parametra.studies import requirements, runner

PROGRAM = Path(__file__).with_name("toy.py")
spec = importlib.util.spec_from_file_location("toy", PROGRAM)
assert spec is not None
assert spec.loader is not None
toy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(toy)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Run the toy study in tmp_path/run."""
    monkeypatch.setitem(sys.modules, "parametra.report", types.SimpleNamespace(build=toy.stub_page))

    def call(*overrides, extra="", **options):
        stream = io.StringIO()
        study = toy.study(tmp_path / "presets", extra)
        folder = runner.run_study(study, "mini", tmp_path / "run", overrides, progress=Progress(stream), **options)
        return folder, stream.getvalue()

    return call


def figures(folder):
    return [row.to_dict() for row in folder.metrics() if row.kind != "cost"]


def test_a_run_leaves_configuration_events_metrics_and_page(start):
    folder, text = start("seed=3")
    assert folder.config == {"steps": 60, "seed": 3, "pause": 0.0, "trouble": "", "file": "", "keeps": ""}
    assert [row.name for row in folder.metrics()] == ["end", "fit", "time"]
    assert (folder.path / "report.html").exists()
    assert "walk       1/2  a random walk" in text
    (event,) = folder.events("start")
    assert set(event["versions"]) >= {"parametra", "jax", "python"}
    assert event["machine"]["cores"] >= 1
    assert all(entry["peak_memory_gb"] > 0 for entry in folder.events("stage_end"))


def test_finished_stages_are_not_run_again(start):
    folder, _ = start()
    before = figures(folder)
    folder, text = start()
    assert text.count("done before") == 2
    assert figures(folder) == before
    assert len(folder.events("start")) == 1


def test_the_page_is_made_of_a_run_that_has_ended(start, monkeypatch):
    seen = []

    def page(path):
        seen.append(RunReader(path).finished)
        toy.stub_page(path)

    monkeypatch.setitem(sys.modules, "parametra.report", types.SimpleNamespace(build=page))
    start(until="walk")
    start()
    start()
    assert seen == [False, True, True]


def test_until_stops_early_and_the_rest_follows_later(start):
    folder, _ = start(until="walk")
    assert [row.name for row in folder.metrics()] == ["end"]
    with pytest.raises(UsageError, match='no stage "wlk". Known stages: walk, fit'):
        start(until="wlk")
    folder, text = start()
    assert text.count("done before") == 1
    assert len(folder.metrics()) == 3


def test_the_same_seed_gives_the_same_numbers_and_fresh_starts_anew(start):
    first = figures(start()[0])
    folder, text = start(fresh=True)
    assert "done before" not in text
    assert figures(folder) == first
    assert figures(start("seed=2", fresh=True)[0]) != first


def test_another_configuration_in_the_folder_is_refused(start):
    start()
    with pytest.raises(UsageError, match="seed is 1 there and 2 here"):
        start("seed=2")


def test_a_physical_stop_still_leaves_metrics_and_page(start):
    with pytest.raises(PhysicalStopError, match="column 17, level 3 at day 14") as caught:
        start("trouble='physics'")
    assert caught.value.exit_code == 3


def test_a_physical_stop_is_recorded_and_the_page_made(start, tmp_path):
    with pytest.raises(PhysicalStopError):
        start("trouble='physics'")
    folder = RunFolder.read(tmp_path / "run")
    (event,) = folder.events("physical_stop")
    assert (event["column"], event["day"]) == (17, 14.0)
    assert json.loads((folder.path / "metrics.json").read_text())["metrics"] == []
    assert (folder.path / "report.html").exists()


def test_a_page_that_fails_does_not_hide_the_physical_stop(start, monkeypatch):
    def fail(path):
        raise ValueError("no figures")

    monkeypatch.setitem(sys.modules, "parametra.report", types.SimpleNamespace(build=fail))
    with pytest.raises(PhysicalStopError):
        start("trouble='physics'")


def test_an_interruption_keeps_the_folder_and_says_so(start, tmp_path, capsys):
    stream = io.StringIO()
    study = toy.study(tmp_path / "presets")
    with pytest.raises(KeyboardInterrupt):
        runner.run_study(study, "mini", tmp_path / "run", ["trouble='interrupt'"], progress=Progress(stream))
    assert "give the same command again" in stream.getvalue()
    folder = RunFolder.read(tmp_path / "run")
    assert folder.events("interrupted")
    assert folder.cost("stage walk") > 0


def test_a_full_disk_is_a_sentence_and_a_bug_is_not_hidden(start):
    with pytest.raises(DataError, match="no space left on the disk.*Remedy"):
        start("trouble='disk'")
    with pytest.raises(ZeroDivisionError):
        start("trouble='bug'", fresh=True)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("disk_gb = 1e9", "needs 1e\\+09 GB of disk.*Remedy"),
        ("gpu_memory_gb = 1e6", "needs a GPU with 1e\\+06 GB.*Remedy"),
    ],
)
def test_a_machine_that_is_too_small_is_refused_before_anything_is_written(start, tmp_path, extra, words):
    with pytest.raises(UsageError, match=words):
        start(extra=extra)
    assert not (tmp_path / "run").exists()


def test_a_file_that_a_later_stage_lacks_is_missed_before_anything_is_written_and_not_once_that_stage_is_done(start, tmp_path):
    file = tmp_path / "file"
    with pytest.raises(DataError, match="file is absent"):
        start(f"file='{file}'")
    assert not (tmp_path / "run").exists()
    start(f"file='{file}'", until="walk")
    file.touch()
    start(f"file='{file}'")
    file.unlink()
    assert start(f"file='{file}'")[1].count("done before") == 2


def test_programs_that_jax_keeps_during_a_check_are_no_hindrance_and_go_where_it_fails(start, tmp_path):
    keeps, file = f"keeps='{tmp_path / 'run' / 'compiled'}'", tmp_path / "file"
    with pytest.raises(DataError, match="file is absent"):
        start(keeps, f"file='{file}'")
    assert not (tmp_path / "run").exists()
    assert start(keeps)[0].metrics()
    assert (tmp_path / "run" / "compiled").is_dir()


def test_a_failed_check_takes_away_what_it_made_and_no_more(start, tmp_path):
    study, out = toy.study(tmp_path / "presets"), tmp_path / "runs" / "mine"
    overrides = [f"keeps='{out / 'compiled'}'", f"file='{tmp_path / 'file'}'"]
    for before in (False, True):
        if before:
            out.mkdir(parents=True)
        with pytest.raises(DataError, match="file is absent"):
            runner.run_study(study, "mini", out, overrides)
        assert (tmp_path / "runs").exists() == out.exists() == before
        assert not (out / "compiled").exists()


def test_a_folder_that_one_may_not_look_into_is_a_sentence(start, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(UsageError, match="cannot be looked into: Permission denied. Remedy: --out"):
        start()


def test_too_little_memory_is_refused(start, monkeypatch):
    monkeypatch.setattr(machine, "total_memory", lambda: 0.05)
    with pytest.raises(UsageError, match="needs 0.1 GB of memory, the machine has 0\\.[01]\\. Remedy: a smaller preset"):
        start()


def test_a_preset_with_a_wrong_about_table_is_named(start):
    with pytest.raises(DataError, match="toy-mini.toml is wrong"):
        start(extra="memory = 3")


def test_requirements_pass_on_this_machine(tmp_path):
    requirements.check(toy.study(tmp_path / "presets").about("nano"), tmp_path / "run")


def test_what_vanishes_while_a_folder_is_measured_counts_nothing(tmp_path, monkeypatch):
    """Another process writes in the folder: its temporaries come and go, files and folders."""
    for name in ("fields/a", "fields/.b.1.partial", "c", ".d.1.partial/e"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 1000)
    assert requirements._size(tmp_path) == 4e-6

    def vanishing(call):
        def look(path, **options):
            if str(path).endswith(".partial"):
                raise FileNotFoundError(errno.ENOENT, "gone", str(path))
            return call(path, **options)

        return look

    monkeypatch.setattr(Path, "stat", vanishing(Path.stat))
    monkeypatch.setattr(os, "scandir", vanishing(os.scandir))
    assert requirements._size(tmp_path) == 2e-6
    assert requirements._size(tmp_path / "absent") == 0.0


def test_a_stage_that_may_not_read_a_file_elsewhere_is_not_blamed_on_the_folder(start, tmp_path):
    with pytest.raises(PermissionError):
        start("trouble='data'")
    with pytest.raises(DataError, match=f"Could not write {tmp_path / 'run'}: Permission denied"):
        start("trouble='folder'", fresh=True)


def run_program(out, pause):
    return subprocess.Popen([sys.executable, str(PROGRAM), str(out), str(pause)], stderr=subprocess.PIPE, text=True)


def test_killed_at_random_moments_it_ends_with_the_same_numbers_and_keeps_its_costs(tmp_path):
    program = run_program(tmp_path / "whole", 0)
    assert program.communicate()[1]
    assert program.returncode == 0
    moments, kills = random.Random(5), 0
    while True:
        program = run_program(tmp_path / "killed", 0.02)
        assert program.stderr is not None
        program.stderr.readline()  # it has begun
        time.sleep(moments.uniform(0.0, 0.6))
        if kills == 4 or program.poll() is not None:
            program.stderr.read()
            program.stderr.close()
            assert program.wait(120) == 0
            break
        program.send_signal(signal.SIGKILL)
        program.wait()
        program.stderr.close()
        kills += 1
    assert kills > 0
    whole, killed = RunFolder.read(tmp_path / "whole"), RunFolder.read(tmp_path / "killed")
    assert figures(killed) == figures(whole)
    assert killed.cost("stage walk") >= 60 * 0.02


def test_ctrl_c_of_a_real_process_says_that_the_folder_is_whole(tmp_path):
    program = run_program(tmp_path / "run", 0.05)
    assert program.stderr is not None
    program.stderr.readline()
    time.sleep(0.3)
    program.send_signal(signal.SIGINT)
    assert "give the same command again" in program.stderr.read()
    program.wait()
    program.stderr.close()
    with RunFolder.read(tmp_path / "run").lock():
        pass
