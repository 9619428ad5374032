"""A run folder resumes what it holds, refuses what it does not, and forgets nothing over a kill."""

import json
import math
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
        ("toy", "mini", {**CONFIG, "seed": 1.0}, "seed is 1 there and 1.0 here"),
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
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with RunFolder.open(path, "toy", "mini", {"seed": 1}).lock():
        RunFolder.open(path, "toy", "mini", {"seed": 1})
