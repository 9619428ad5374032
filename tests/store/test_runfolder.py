"""A run folder resumes what it holds, refuses what it does not, and forgets nothing over a kill."""

import errno
import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parametra.core.errors import DataError, UsageError
from parametra.store.metrics import Metric
from parametra.store.runfolder import RunFolder

CONFIG = {"seed": 1, "host": {"levels": 20, "sigma": (0.0, 0.5), "data": None}}


def fresh_folder(tmp_path):
    return RunFolder.open(tmp_path / "run", "toy", "mini", CONFIG)


def test_a_folder_is_created_resumed_and_read(tmp_path):
    folder = fresh_folder(tmp_path)
    folder.log("hello", x=np.float32(0.5), path=Path("a"), bad=math.nan, many=np.arange(2))
    again = fresh_folder(tmp_path)
    assert RunFolder.open(folder.path, "toy", "mini", {**CONFIG, "seed": 1.0}).path == folder.path  # a number is a number
    (event,) = again.events("hello")
    assert (event["x"], event["path"], event["bad"], event["many"]) == (0.5, "a", None, [0, 1])
    read = RunFolder.read(folder.path)
    assert (read.study, read.preset) == ("toy", "mini")
    assert read.config == again.config == {"seed": 1, "host": {"levels": 20, "sigma": [0.0, 0.5]}}
    assert folder.fields("truth") == folder.path / "fields" / "truth.zarr"
    assert folder.network("a") == folder.path / "networks" / "a.safetensors"
    assert folder.checkpoint("a") == folder.path / "checkpoints" / "a"


@pytest.mark.parametrize(
    ("study", "preset", "config", "words"),
    [
        ("toy", "mini", {**CONFIG, "seed": 2}, "seed is 1 there and 2 here"),
        ("toy", "mini", {**CONFIG, "seed": True}, "seed is 1 there and True here"),
        ("toy", "mini", {**CONFIG, "host": {"levels": 30, "sigma": (0.0, 0.5)}}, "host.levels is 20 there and 30 here"),
        ("toy", "mini", {"seed": 1}, "host is {.* there and absent here"),
        ("toy", "mini", {**CONFIG, "new": 1}, "new is absent there and 1 here"),
        ("toy", "smoke", CONFIG, "preset is 'mini' there and 'smoke' here"),
        ("other", "mini", CONFIG, "study is 'toy' there and 'other' here"),
    ],
)
def test_another_configuration_is_refused_naming_the_key_and_nothing_changes(tmp_path, study, preset, config, words):
    before = (fresh_folder(tmp_path).path / "config.toml").read_bytes()
    with pytest.raises(UsageError, match=f"{words}.*Remedy.*--fresh"):
        RunFolder.open(tmp_path / "run", study, preset, config)
    assert (tmp_path / "run" / "config.toml").read_bytes() == before


def test_fresh_moves_the_old_folder_aside(tmp_path):
    fresh_folder(tmp_path).log("old")
    for number in (1, 2):
        folder = RunFolder.open(tmp_path / "run", "toy", "mini", {"seed": number}, fresh=True)
        assert folder.events("old") == []
        assert (tmp_path / f"run.old-{number}").is_dir()
    assert RunFolder.read(tmp_path / "run.old-1").events("old")


def test_a_folder_or_file_that_is_no_run_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    with pytest.raises(UsageError, match="not empty and holds no run"):
        fresh_folder(tmp_path)
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["thesis.tex"]
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        RunFolder.open(tmp_path / "file", "toy", "mini", CONFIG)
    with pytest.raises(DataError, match="holds no run"):
        RunFolder.read(tmp_path / "absent")


@pytest.mark.parametrize("made", [(), ("fields",), ("fields", "networks", "checkpoints")])
def test_a_beginning_that_a_kill_cut_short_is_begun_again(tmp_path, made):
    (tmp_path / "run").mkdir()
    for name in made:
        (tmp_path / "run" / name).mkdir()
    for name in (".config.toml.12.partial", "run.lock"):
        (tmp_path / "run" / name).touch()
    fresh_folder(tmp_path).log("begun")
    assert RunFolder.read(tmp_path / "run").events("begun")


@pytest.mark.parametrize("name", ["fields/harvest.csv", "networks"])
def test_folders_of_the_same_names_with_something_in_them_are_no_beginning(tmp_path, name):
    (tmp_path / "run" / name).parent.mkdir(parents=True)
    (tmp_path / "run" / name).touch()
    with pytest.raises(UsageError, match="not empty and holds no run"):
        fresh_folder(tmp_path)
    assert [str(entry.relative_to(tmp_path / "run")) for entry in (tmp_path / "run").rglob("*") if entry.is_file()] == [name]


def refuse(code):
    def fail(path, *_):
        raise OSError(code, os.strerror(code), str(path))

    return fail


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EACCES])
def test_a_folder_that_cannot_be_moved_aside_is_a_sentence(tmp_path, monkeypatch, code):
    folder = fresh_folder(tmp_path)
    folder.log("old")
    monkeypatch.setattr(Path, "rename", refuse(code))
    with pytest.raises(DataError, match=f"cannot be moved aside: {os.strerror(code)}.*Remedy: another folder"):
        RunFolder.open(folder.path, "toy", "mini", CONFIG, fresh=True)
    assert folder.events("old")


@pytest.mark.parametrize("name", [".", ".."])
def test_a_folder_without_a_name_of_its_own_is_not_moved_aside(tmp_path, monkeypatch, name):
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    with pytest.raises(UsageError, match="--fresh could move aside. Remedy"):
        RunFolder.open(name, "toy", "mini", CONFIG, fresh=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["deep"]


def test_a_folder_that_may_not_be_listed_or_entered_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuse(errno.EACCES))
        with pytest.raises(UsageError, match="run cannot be looked into: Permission denied. Remedy: --out"):
            fresh_folder(tmp_path)
    monkeypatch.setattr(Path, "is_file", refuse(errno.EACCES))
    with pytest.raises(UsageError, match="run cannot be looked into: Permission denied. Remedy"):
        RunFolder.read(tmp_path / "run")


@pytest.mark.parametrize("text", ["study = ", "seed = 1\n", "\xff\xfe"])
def test_a_damaged_config_is_a_sentence(tmp_path, text):
    folder = fresh_folder(tmp_path)
    (folder.path / "config.toml").write_bytes(text.encode("latin-1"))
    for look in (lambda: fresh_folder(tmp_path), lambda: RunFolder.read(folder.path)):
        with pytest.raises(DataError, match="Remedy"):
            look()


@pytest.mark.parametrize("half", [b'{"time": "2026", "event": "cost", "na', b'{"event"', b"\xff\x00", b"null"])
def test_a_half_line_is_no_event_and_does_not_spoil_the_next(tmp_path, half):
    folder = fresh_folder(tmp_path)
    folder.add_cost("truth", 1.5)
    with (folder.path / "run.jsonl").open("ab") as stream:
        stream.write(half)
    assert folder.cost("truth") == 1.5
    again = fresh_folder(tmp_path)
    again.add_cost("truth", 2.0)
    assert again.cost("truth") == 3.5
    assert all(json.loads(line) for line in (folder.path / "run.jsonl").read_text().splitlines())


def test_stages_and_their_payload_survive(tmp_path):
    folder = fresh_folder(tmp_path)
    assert folder.stage_done("truth") is None
    folder.finish_stage("truth", days=(1, 2), value=np.float64(1 / 3), nothing=None, row=Metric("a", 1.0, "K"))
    payload = fresh_folder(tmp_path).stage_done("truth")
    assert payload is not None
    assert (payload["days"], payload["value"], payload["nothing"]) == ([1, 2], 1 / 3, None)
    assert Metric.from_dict(payload["row"]) == Metric("a", 1.0, "K")


def test_metrics_are_written_as_the_page_reads_them(tmp_path):
    folder = fresh_folder(tmp_path)
    assert folder.metrics() == []
    rows = [Metric("drift", 1.0, "K", 1.5), Metric("jet", 45.0, "m s-1", (30, 60), "inside"), Metric("time", math.nan, "s", 1.0)]
    folder.write_metrics(rows)
    table = json.loads((folder.path / "metrics.json").read_text())
    assert (table["study"], table["preset"]) == ("toy", "mini")
    assert [row["passed"] for row in table["metrics"]] == [True, True, False]
    assert table["metrics"][1]["target"] == [30.0, 60.0]
    assert table["metrics"][2]["value"] is None
    assert folder.metrics()[0] == rows[0]
    (folder.path / "metrics.json").write_text('{"metrics": [{"na')
    with pytest.raises(DataError, match="is damaged"):
        folder.metrics()


HOLDER = """
import sys, time
from parametra.store.runfolder import RunFolder
folder = RunFolder.open(sys.argv[1], "toy", "mini", {"seed": 1})
with folder.lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_and_a_dead_one_holds_nothing(tmp_path):
    path = tmp_path / "run"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    for fresh in (False, True):
        with pytest.raises(UsageError, match=f"in use by another process .pid {holder.pid} on .*Remedy"):
            RunFolder.open(path, "toy", "mini", {"seed": 1}, fresh=fresh)
    reading = RunFolder.read(path)
    with pytest.raises(UsageError, match="in use"), reading.lock():
        pass
    # a holder in another container, where processes are numbered as here, is in the middle of writing
    (path / "run.lock").write_text(f"{os.getpid()} {socket.gethostname()}\n")
    (path / ".a.1.partial").touch()
    (path / "run.jsonl").write_text('{"half')
    with pytest.raises(UsageError, match="in use"):
        RunFolder.open(path, "toy", "mini", {"seed": 1})
    assert (path / ".a.1.partial").exists()
    assert (path / "run.jsonl").read_text() == '{"half'
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with RunFolder.open(path, "toy", "mini", {"seed": 1}).lock():
        RunFolder.open(path, "toy", "mini", {"seed": 1})
        with pytest.raises(UsageError, match="in use"), reading.lock():
            pass


def test_the_folder_is_held_while_it_is_put_in_order(tmp_path, monkeypatch):
    folder = fresh_folder(tmp_path)
    code = f"from parametra.store.runfolder import RunFolder; RunFolder.open({str(folder.path)!r}, 'toy', 'mini', {CONFIG!r})"
    answers = []

    def meanwhile(path):
        answers.append(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr)

    monkeypatch.setattr("parametra.store.runfolder.clean_temporaries", meanwhile)
    fresh_folder(tmp_path)
    assert "in use by another process" in answers[0]


def test_a_forbidden_file_elsewhere_is_not_blamed_on_the_folder_that_is_held(tmp_path):
    folder = fresh_folder(tmp_path)
    with pytest.raises(PermissionError), folder.lock():
        raise PermissionError(errno.EACCES, "denied", str(tmp_path / "data"))
    with folder.lock():  # it is free again
        pass
