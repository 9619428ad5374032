"""What a study is: a configuration, presets, and stages that run in order in one folder. No jax here."""

import importlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from parametra.core.config import Config, resolve
from parametra.core.errors import DataError, UsageError
from parametra.core.progress import Progress
from parametra.store.runfolder import RunFolder


class About(Config):
    """What a preset asks of the machine: the table [about] of its file. The other tables are the configuration."""

    summary: str = Field(description="what it is for, in a few words")
    minutes: float = Field(gt=0, description="expected wall time on 2 idle cores, or on the GPU where one is asked for [min]")
    memory_gb: float = Field(gt=0, description="memory needed [GB]")
    disk_gb: float = Field(default=0.0, ge=0, description="disk space needed [GB]")
    gpu_memory_gb: float = Field(default=0.0, ge=0, description="GPU memory needed [GB]; 0 where no GPU is needed")


@dataclass(frozen=True)
class Run:
    """What a stage gets: the folder, the configuration, where to report progress."""

    folder: RunFolder
    config: Any
    progress: Progress

    def result(self, stage: str) -> dict[str, Any]:
        """What an earlier stage returned (as JSON gives it back); UsageError if it is not finished."""
        payload = self.folder.stage_done(stage)
        if payload is None:
            raise UsageError(f"Stage {stage} is not finished in {self.folder.path}. Remedy: run it first.")
        return payload


@dataclass(frozen=True)
class Stage:
    """One step of a study.

    Attributes:
        name: one word.
        run: does the work, resumes its own work if it finds some, and returns what later stages need: numbers, text, lists,
            dicts, and under "metrics" a list of `Metric` for metrics.json. See `lazy` for work that needs heavy imports.
        summary: what it makes.
        check: asked with the configuration before a folder is made: raises where the stage could not run.
    """

    name: str
    run: Callable[[Run], Mapping[str, Any] | None]
    summary: str = ""
    check: Callable[[Any], None] | None = None


@dataclass(frozen=True)
class Study:
    """A paper's recipe.

    Attributes:
        name: one word, as in `parametra run NAME/PRESET`.
        summary: one line.
        config: the model of its configuration.
        stages: in the order in which they run.
        network_function: path of one of its network files -> (function (batch, inputs) -> (batch, outputs), number of inputs,
            number of outputs), normalisation inside.
        folder: where its preset files NAME-PRESET.toml are; those of the package by default.
    """

    name: str
    summary: str
    config: type[Config]
    stages: tuple[Stage, ...]
    network_function: Callable[[Path], tuple[Callable[[Any], Any], int, int]] | None = None
    folder: Path | None = None

    def presets(self) -> list[str]:
        """The names of its presets, the quickest first."""
        prefix = f"{self.name}-"
        files = [
            entry.name for entry in self._folder().iterdir() if entry.name.startswith(prefix) and entry.name.endswith(".toml")
        ]
        names = [file.removeprefix(prefix).removesuffix(".toml") for file in files]
        return sorted(names, key=lambda name: self.about(name).minutes)

    def about(self, preset: str) -> About:
        """What the preset asks of the machine; UsageError for an unknown one."""
        return _about(self._file(preset))

    def resolve(self, preset: str, overrides: Sequence[str] = ()) -> Config:
        """The configuration of the preset with `--set` overrides; UsageError as in `core.config.resolve`."""
        table = {key: value for key, value in _load(self._file(preset)).items() if key != "about"}
        return resolve(self.config, table, overrides)

    def _file(self, preset: str) -> Traversable:
        file = self._folder() / f"{self.name}-{preset}.toml"
        if "/" in preset or not file.is_file():
            raise UsageError(f'Study {self.name} has no preset "{preset}". Known presets: {", ".join(self.presets())}.')
        return file

    def _folder(self) -> Traversable:
        return self.folder or resources.files("parametra.studies") / "presets"


def lazy(target: str) -> Callable[..., Any]:
    """A function that imports "package.module:function" only when it is called: stages need jax, listing them does not."""

    def call(*arguments: Any) -> Any:
        module, _, name = target.partition(":")
        return getattr(importlib.import_module(module), name)(*arguments)

    return call


def _load(file: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"Preset {file.name} is not TOML: {error}. Remedy: mend the file or install parametra again.") from None


def _about(file: Traversable) -> About:
    try:
        return About(**_load(file).get("about", {}))
    except ValidationError as error:
        raise DataError(
            f"The table [about] of preset {file.name} is wrong: {error.errors()[0]['msg']}. Remedy: mend it."
        ) from None
