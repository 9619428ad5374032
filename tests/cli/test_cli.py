"""The command line: exit codes, one sentence without a traceback, nothing heavy before it is needed."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parametra.cli import app
from parametra.cli.run import keep_programs
from parametra.core.config import Config
from parametra.core.errors import PhysicalStopError
from parametra.store.metrics import Metric
from parametra.store.networks import save_network
from parametra.store.runfolder import RunFolder
from parametra.studies import registry
from parametra.studies.base import Stage, Study


class Settings(Config):
    steps: int = 3


def count(run):
    return {"metrics": [Metric("steps [all]", float(run.config.steps), "1", 2.0), Metric("other", 1.0, "1")]}


def stop(run):
    if run.config.steps == 99:
        raise PhysicalStopError("temperature", 1.0, 2, 3, 400.0, (150.0, 350.0))
    if run.config.steps == 98:
        raise KeyboardInterrupt


def double(path):
    return (lambda x: 2 * x), 3, 3


@pytest.fixture
def parametra(tmp_path, monkeypatch):
    """The command line, with a study of its own, in an empty working folder."""
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "count-mini.toml").write_text('[about]\nsummary = "counts"\nminutes = 1\nmemory_gb = 0.1\n')
    study = Study("count", "counting", Settings, (Stage("count", count), Stage("stop", stop)), double, tmp_path / "presets")
    monkeypatch.setitem(sys.modules, "counting_study", types.SimpleNamespace(STUDY=study))
    monkeypatch.setattr(registry, "STUDIES", {"count": "counting_study"})
    page = types.SimpleNamespace(build=lambda path, refresh_seconds=None: path / "report.html")
    monkeypatch.setitem(sys.modules, "parametra.report", page)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_run_shows_figures_and_page_and_a_missed_target_is_no_error(parametra, tmp_path):
    result = parametra("run", "count/mini")
    assert result.exit_code == 0
    assert "steps [all]      3  1     <= 2    missed" in result.stdout
    assert "page: runs/count-mini/report.html" in result.stdout
    assert parametra("run", "count/mini", "--out", "elsewhere", "--set", "steps=5", "--until", "count", "--fresh").exit_code == 0
    assert RunFolder.read(tmp_path / "elsewhere").config == {"steps": 5}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "cuont/mini"), 'Did you mean "count"?'),
        (("run", "count"), "Remedy: one of count/mini"),
        (("run", "count/maxi"), "Known presets: mini"),
        (("run", "count/../secret"), "Known presets: mini"),
        (("run", "count/mini", "--set", "stpes=3"), 'Did you mean "steps"?'),
        (("run", "count/mini", "--set", "steps=three"), "valid integer, got 'three'"),
        (("run", "count/mini", "--until", "cuont"), "Known stages: count, stop"),
        (("report", "nowhere"), "holds no run"),
        (("export", "nowhere", "--to", "onnx"), "holds no run"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(parametra, tmp_path, arguments, words):
    result = parametra(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["presets"]


def test_unknown_options_and_forms_are_exit_code_2_too(parametra):
    for arguments in (("run",), ("rnu",), ("run", "count/mini", "--frsh"), ("export", "x", "--to", "pdf")):
        assert parametra(*arguments).exit_code == 2


def test_a_physical_stop_is_exit_code_3_and_ctrl_c_130(parametra):
    result = parametra("run", "count/mini", "--set", "steps=99")
    assert result.exit_code == 3
    assert "Traceback" not in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("parametra:")]) == 1
    assert "temperature left [150, 350]" in result.stderr
    assert parametra("run", "count/mini", "--set", "steps=98", "--fresh").exit_code == 130


def test_a_folder_that_may_not_be_written_is_exit_code_2(parametra, tmp_path):
    (tmp_path / "file").touch()
    assert parametra("run", "count/mini", "--out", "file").exit_code == 2
    for out in ("/proc/run", "file/run"):
        result = parametra("run", "count/mini", "--out", out)
        assert result.exit_code == 2
        assert "cannot be made" in result.stderr


@pytest.mark.parametrize("to", ["fortran", "stablehlo"])
def test_a_network_is_not_written_over_a_folder_nor_below_a_file(parametra, tmp_path, to):
    parametra("run", "count/mini")
    folder = RunFolder.read(tmp_path / "runs" / "count-mini")
    save_network(folder.network("a"), {}, {})
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "precious").write_text("years of work")
    (tmp_path / "file").touch()
    for out, words in (("models", "is a folder"), (".", "is a folder"), ("file/net", "cannot be made")):
        result = parametra("export", str(folder.path), "--to", to, "--out", out)
        assert result.exit_code == 2
        assert words in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert (tmp_path / "models" / "precious").read_text() == "years of work"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "models", "presets", "runs"]


def test_fresh_on_the_working_folder_is_exit_code_2(parametra, tmp_path):
    result = parametra("run", "count/mini", "--out", ".", "--fresh")
    assert (result.exit_code, len(result.stderr.strip().splitlines())) == (2, 1)
    assert "--fresh could move aside" in result.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["presets"]


def test_a_folder_that_one_may_not_enter_is_exit_code_2(parametra, monkeypatch):
    parametra("run", "count/mini")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    for arguments in (("report", "runs/count-mini"), ("export", "runs/count-mini", "--to", "onnx")):
        result = parametra(*arguments)
        assert result.exit_code == 2
        assert "cannot be looked into: Permission denied" in result.stderr


def test_list_shows_presets_stages_minutes_and_memory(parametra):
    result = parametra("list")
    assert result.exit_code == 0
    for words in ("count", "stages: count, stop", "count/mini", "0.1 GB", "counts"):
        assert words in result.stdout


def test_report_makes_the_page_again(parametra):
    parametra("run", "count/mini")
    assert parametra("report", "runs/count-mini").stdout == "page: runs/count-mini/report.html\n"


def test_export_chooses_a_network_and_names_the_choices(parametra, tmp_path):
    parametra("run", "count/mini")
    folder = RunFolder.read(tmp_path / "runs" / "count-mini")
    export = ("export", str(folder.path), "--to", "fortran")
    assert "holds no network yet" in parametra(*export).stderr
    save_network(folder.network("a"), {}, {})
    assert parametra(*export).exit_code == 0
    assert "module a" in (folder.path / "exports" / "a.f90").read_text()
    save_network(folder.network("b"), {}, {})
    assert "--network with one of a, b" in parametra(*export).stderr
    assert "Known networks: a, b" in parametra(*export, "--network", "c").stderr
    assert parametra(*export, "--network", "b", "--out", str(tmp_path / "net.f90")).exit_code == 0
    assert "module net" in (tmp_path / "net.f90").read_text()
    folder.log("selected", network="b")
    assert parametra(*export).exit_code == 0
    assert (folder.path / "exports" / "b.f90").exists()


def test_doctor_names_versions_and_device_and_checks_itself(parametra):
    result = parametra("doctor")
    assert result.exit_code == 0
    for words in ("python", "jax 0.", "cores", "disk", "device       cpu", "self-check   passed"):
        assert words in result.stdout


HEAVY = "jax", "xarray", "zarr", "matplotlib", "equinox", "dinosaur", "orbax"
CODE = """
import sys
from parametra.cli import app
from parametra.cli.run import keep_programs
try:
    app(sys.argv[1:])
except SystemExit as end:
    heavy = [name for name in {heavy} if name in sys.modules]
    print("code", end.code, "heavy", heavy)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["run", "--help"], 0),
        (["list"], 0),
        (["run", "climate/smoke", "--set", "no.such=1"], 2),
        (["run", "climate/nothing"], 2),
    ],
)
def test_help_list_and_refusals_import_nothing_heavy(tmp_path, arguments, code):
    program = CODE.format(heavy=HEAVY)
    result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert result.stdout.splitlines()[-1] == f"code {code} heavy []", result.stderr
    assert list(tmp_path.iterdir()) == []


def test_programs_are_kept_beside_the_run_unless_the_user_keeps_them_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    keep_programs(tmp_path / "run")
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "elsewhere"
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    keep_programs(tmp_path / "run")
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "run" / "compiled")
