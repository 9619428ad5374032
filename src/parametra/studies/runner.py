"""Runs the stages of a study in its folder, each once, and leaves a page behind, also when the physics stopped."""

import importlib
import logging
import platform
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from parametra.core import machine
from parametra.core.config import to_plain
from parametra.core.errors import ParametraError, PhysicalStopError, UsageError
from parametra.core.files import COMPILED, explain_disk
from parametra.core.progress import Progress
from parametra.store.metrics import Metric
from parametra.store.runfolder import RunFolder, explain_look
from parametra.studies import requirements
from parametra.studies.base import Run, Stage, Study

PACKAGES = ("parametra", "jax", "jaxlib", "equinox", "dinosaur", "numpy", "zarr", "orbax-checkpoint")
COST_SECONDS = 5.0  # a kill loses at most this much of a stage's recorded time

logger = logging.getLogger(__name__)


def default_folder(study: Study, preset: str) -> Path:
    """Where a run goes when nothing is said: runs/STUDY-PRESET."""
    return Path("runs") / f"{study.name}-{preset}"


def run_study(
    study: Study,
    preset: str,
    out: Path | None = None,
    overrides: Sequence[str] = (),
    until: str | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> RunFolder:
    """Run the stages that are not finished yet, up to and including `until`; write metrics.json and the page.

    Raises:
        UsageError, DataError: a configuration, stage, folder, machine or data set that cannot be used; nothing in the folder has
            changed then.
        PhysicalStopError: the truth or the selected network left what is physical; metrics.json and the page are written.
        DataError: data that were damaged since, or no space on the disk.
        KeyboardInterrupt: Ctrl-C; the folder can be resumed.
    """
    config = study.resolve(preset, overrides)
    stages = _stages(study, until)
    path = out or default_folder(study, preset)
    _reach(path)
    requirements.check(study.about(preset), path)
    if fresh or not (path / "config.toml").exists():
        _check(stages, config, path)
    folder = RunFolder.open(path, study.name, preset, to_plain(config), fresh)
    with folder.lock(), progress or Progress() as shown:
        run = Run(folder, config, shown)
        try:
            _run_stages(run, study, stages)
        except PhysicalStopError as stop:
            folder.log("physical_stop", message=str(stop), name=stop.name, day=stop.day, column=stop.column, level=stop.level)
            folder.write_metrics(_metrics(run, study))
            _page_despite(folder, shown)
            raise
        except KeyboardInterrupt:
            with suppress(ParametraError):
                folder.log("interrupted")
            shown.say(f"Interrupted. {folder.path} is whole: give the same command again and it goes on where it was.")
            raise
        folder.write_metrics(_metrics(run, study))
        folder.log(
            "end" if len(stages) == len(study.stages) else "until", stage=stages[-1].name
        )  # before the page, which says so
        _page(folder)
    return folder


def _reach(path: Path) -> None:
    with explain_look(path, "--out with a folder of yours"):
        (path / "config.toml").exists()


def _check(stages: Sequence[Stage], config: Any, path: Path) -> None:
    """Every stage's own check, before there is a folder; programs that jax kept there meanwhile go where a check fails."""
    made = [folder for folder in (path / COMPILED, path, *path.parents) if not folder.exists()]
    try:
        for stage in stages:
            if stage.check is not None:
                stage.check(config)
    except BaseException:
        for folder in made:
            if folder.name == COMPILED:
                shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                folder.rmdir()
        raise


def _run_stages(run: Run, study: Study, stages: Sequence[Stage]) -> None:
    waiting = [stage for stage in stages if run.folder.stage_done(stage.name) is None]
    for stage in stages:
        if stage not in waiting:
            run.progress.say(f"{stage.name:<10} done before")
    if waiting:
        run.folder.log("start", versions=_versions(), machine=_machine())
    for stage in waiting:
        _run_stage(run, stage, f"{study.stages.index(stage) + 1}/{len(study.stages)}")


def _run_stage(run: Run, stage: Stage, count: str) -> None:
    run.progress.say(f"{stage.name:<10} {count}  {stage.summary}")
    run.folder.log("stage_start", stage=stage.name)
    book = _book(run, stage)
    run.progress.on_update = lambda: book(COST_SECONDS)
    try:
        with explain_disk(run.folder.path):
            payload = stage.run(run) or {}
    finally:
        run.progress.on_update = None
        with suppress(ParametraError):  # a full disk has its own sentence already
            book(0.0)
    seconds = run.folder.cost(f"stage {stage.name}")
    run.folder.log("stage_end", stage=stage.name, seconds=seconds, peak_memory_gb=machine.peak_memory(), device=_device())
    run.folder.finish_stage(stage.name, **payload)
    run.progress.say(f"{stage.name:<10} done in {seconds:.0f} s")


def _book(run: Run, stage: Stage) -> Callable[[float], None]:
    """A function that books the time since its last booking under "stage NAME", if that is at least so many seconds."""
    last = time.monotonic()

    def book(least: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= least:
            run.folder.add_cost(f"stage {stage.name}", now - last)
            last = now

    return book


def _metrics(run: Run, study: Study) -> list[Metric]:
    payloads = [run.folder.stage_done(stage.name) or {} for stage in study.stages]
    return [Metric.from_dict(row) for payload in payloads for row in payload.get("metrics", [])]


def _page(folder: RunFolder) -> None:
    importlib.import_module("parametra.report").build(folder.path)  # matplotlib, xarray: only now


def _page_despite(folder: RunFolder, shown: Progress) -> None:
    """The page after a physical stop: its failure must not hide why the run stopped."""
    try:
        _page(folder)
    except Exception as error:
        logger.exception("The page could not be written.")
        shown.say(f"The page could not be written: {error}")


def _stages(study: Study, until: str | None) -> Sequence[Stage]:
    names = [stage.name for stage in study.stages]
    if until is None:
        return study.stages
    if until not in names:
        raise UsageError(f'Study {study.name} has no stage "{until}". Known stages: {", ".join(names)}.')
    return study.stages[: names.index(until) + 1]


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def _machine() -> dict[str, Any]:
    return {"platform": platform.platform(), "cores": machine.cores(), "memory_gb": machine.total_memory(), "argv": sys.argv[1:]}


def _device() -> str | None:
    """What jax ran on; None while no stage has used jax."""
    jax = sys.modules.get("jax")
    if jax is None:
        return None
    device = jax.devices()[0]
    return f"{len(jax.devices())} x {device.platform} {device.device_kind}"
