"""A study in milliseconds, without jax: a random walk that checkpoints itself, and a fit that reads it. Also a program."""

import json
import os
import signal
import sys
import time
import types
from pathlib import Path

from parametra.core.config import Config
from parametra.core.errors import DataError, PhysicalStopError
from parametra.core.files import write_text
from parametra.store.metrics import Metric
from parametra.studies.base import Stage, Study

PRESET = """
steps = 60
[about]
summary = "for tests"
minutes = 0.1
memory_gb = 0.1
{extra}
"""


class ToyConfig(Config):
    steps: int
    seed: int = 1
    pause: float = 0.0
    trouble: str = ""
    file: str = ""
    keeps: str = ""


def walk(run):
    checkpoint = run.folder.checkpoint("walk.json")
    step, x = json.loads(checkpoint.read_text()) if checkpoint.exists() else (0, run.config.seed)
    while step < run.config.steps:
        if step == run.config.steps // 2:
            cause_trouble(run.config.trouble, run.folder.path)
        step, x = step + 1, (1103515245 * x + 12345) % 2**31
        time.sleep(run.config.pause)
        if step % 5 == 0:
            write_text(checkpoint, json.dumps([step, x]))
        run.progress.update("walk", step / run.config.steps, x=x)
    return {"end": x, "metrics": [Metric("end", float(x), "1", 0.0, "higher")]}


def cause_trouble(trouble, path):
    if trouble == "physics":
        raise PhysicalStopError("temperature", 14.0, 17, 3, 400.0, (150.0, 350.0))
    if trouble == "interrupt":
        raise KeyboardInterrupt
    if trouble == "disk":
        raise OSError(28, "No space left on device")
    if trouble in ("data", "folder"):
        raise PermissionError(13, "Permission denied", str(path / "fields" if trouble == "folder" else path.parent / "data"))
    if trouble == "bug":
        raise ZeroDivisionError


def need_file(config):
    if config.keeps:  # as jax does with a program that a check compiles
        Path(config.keeps).mkdir(parents=True, exist_ok=True)
    if config.file and not Path(config.file).exists():
        raise DataError(f"{config.file} is absent.")


def fit(run):
    end = run.result("walk")["end"]
    return {
        "metrics": [
            Metric("fit", end / 7, "1", (0.0, 1e9), "inside"),
            Metric("time", run.folder.cost("stage walk"), "s", kind="cost"),
        ]
    }


def study(folder: Path, extra: str = "") -> Study:
    folder.mkdir(exist_ok=True)
    (folder / "toy-mini.toml").write_text(PRESET.format(extra=extra))
    (folder / "toy-nano.toml").write_text(PRESET.format(extra="").replace("0.1", "0.05", 1))
    stages = (Stage("walk", walk, "a random walk"), Stage("fit", fit, "a fit to it", need_file))
    return Study("toy", "a study for tests", ToyConfig, stages, folder=folder)


def stub_page(path: Path) -> Path:
    write_text(path / "report.html", "a page")
    return path / "report.html"


if __name__ == "__main__":
    from parametra.studies import runner

    sys.modules["parametra.report"] = types.SimpleNamespace(build=stub_page)  # pyright: ignore[reportArgumentType]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background hands down that it is ignored
    runner.COST_SECONDS = 0.01
    out, pause = Path(sys.argv[1]), sys.argv[2]
    runner.run_study(study(out.parent / f"presets-{os.getpid()}"), "mini", out, [f"pause={pause}"])
