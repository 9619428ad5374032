"""Looks at a run folder for the page: whatever is absent or damaged is a sentence, not an error."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

from parametra.core.errors import DataError
from parametra.report.figures.palette import Palette, few
from parametra.store.fields import open_fields
from parametra.store.metrics import Metric
from parametra.store.runfolder import RunFolder


@dataclass(frozen=True)
class Stop:
    """A physical stop: the sentence, the simulated day, column and level where it was seen."""

    sentence: str
    day: float | None
    column: int | None
    level: int | None


class RunReader:
    """One run folder, read once.

    Attributes:
        folder: the run.
        problems: sentences about parts that are damaged.
    """

    def __init__(self, path: Path):
        """Open the folder; DataError if it holds no run."""
        self.folder = RunFolder.read(path)
        self.problems: list[str] = []
        self._fields: dict[str, xr.Dataset | None] = {}

    @property
    def study(self) -> str:
        """Name of the study."""
        return self.folder.study

    @property
    def preset(self) -> str:
        """Name of the preset."""
        return self.folder.preset

    @cached_property
    def single_steps(self) -> str:
        """Single steps of the host as a reader knows them, "single steps of 20 min"; without a length if none is configured."""
        host = self.folder.config.get("host")
        seconds = host.get("time_step") if isinstance(host, dict) else None
        return f"single steps of {seconds / 60.0:g} min" if isinstance(seconds, int | float) else "single steps"

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """All events of run.jsonl, oldest first."""
        return self.folder.events()

    @cached_property
    def metrics(self) -> list[Metric]:
        """The figures of metrics.json; empty if there are none yet."""
        try:
            return self.folder.metrics()
        except DataError as error:
            self.problems.append(str(error))
            return []

    @cached_property
    def config_text(self) -> str:
        """config.toml as it stands."""
        return (self.folder.path / "config.toml").read_text(encoding="utf-8")

    def fields(self, name: str) -> xr.Dataset | None:
        """fields/NAME.zarr in memory, None if it is absent or damaged (then `why_missing` says which)."""
        if name not in self._fields:
            self._fields[name] = self._load(name)
        return self._fields[name]

    def drawn(self, name: str, coordinate: str) -> tuple[xr.Dataset | None, str]:
        """fields/NAME.zarr with no more networks along `coordinate` than figures hold, and a sentence if some are left out."""
        data = self.fields(name)
        if data is None:
            return None, ""
        names = [str(value) for value in data[coordinate].values]
        kept = few(names, self.selected)
        if len(kept) == len(names):
            return data, ""
        left = len(names) - len(kept)
        return data.sel({coordinate: kept}), f"{left} more networks are not drawn; they are in fields/{name}.zarr."

    def why_missing(self, name: str) -> str:
        """Why `fields(name)` is None, in a sentence."""
        if self.folder.fields(name).exists():
            return f"fields/{name}.zarr is there but cannot be read: the run was cut while writing it, or the copy broke off."
        done = [str(entry.get("stage")) for entry in self.events if entry["event"] == "stage_done"]
        so_far = f"finished so far: {', '.join(dict.fromkeys(done))}" if done else "no stage has finished so far"
        if self.stop is not None:
            return f"Not there: the run stopped before a stage wrote fields/{name}.zarr ({so_far})."
        return f"Not there yet: no stage has written fields/{name}.zarr ({so_far}). It appears here as the run goes on."

    @cached_property
    def stop(self) -> Stop | None:
        """The physical stop that the run stands at; None if it never stopped or went on after it."""
        turning = [entry for entry in self.events if entry["event"] in ("physical_stop", "start", "end")]
        if not turning or turning[-1]["event"] != "physical_stop":
            return None
        entry = turning[-1]
        return Stop(str(entry.get("message", "")), entry.get("day"), entry.get("column"), entry.get("level"))

    @cached_property
    def stops(self) -> dict[str, str]:
        """Coupled runs that stopped early, with the sentence: data of the study, not a stop of the run itself."""
        payloads = [entry["payload"] for entry in self.events if entry["event"] == "stage_done" and entry.get("payload")]
        return {str(name): str(why) for payload in payloads for name, why in (payload.get("stops") or {}).items() if why}

    @cached_property
    def finished(self) -> bool:
        """Whether the last thing that happened was a regular end."""
        turning = [entry["event"] for entry in self.events if entry["event"] in ("physical_stop", "start", "end", "interrupted")]
        return bool(turning) and turning[-1] == "end"

    @cached_property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds of each finished stage over all interruptions, in order."""
        return {
            str(entry["stage"]): float(entry["seconds"])
            for entry in self.events
            if entry["event"] == "stage_end" and isinstance(entry.get("seconds"), int | float)
        }

    @cached_property
    def running_stage(self) -> str | None:
        """The stage that has started and not ended."""
        last = [entry for entry in self.events if entry["event"] in ("stage_start", "stage_end")]
        return str(last[-1].get("stage")) if last and last[-1]["event"] == "stage_start" else None

    @cached_property
    def palette(self) -> Palette:
        """One colour for each run and model of the folder, the same in all figures."""
        names: list[str] = []
        for store, coordinate in (("zonal", "run"), ("drift", "run"), ("skill", "model"), ("maps", "run")):
            dataset = self.fields(store)
            if dataset is not None and coordinate in dataset.coords:
                names += few([str(name) for name in dataset[coordinate].values], self.selected)
        return Palette.of(names, self.selected)

    @cached_property
    def selected(self) -> str | None:
        """The network that the study chose, by its name; None before it chose."""
        chosen = [entry["network"] for entry in self.events if entry["event"] == "selected" and "network" in entry]
        return str(chosen[-1]) if chosen else None

    def _load(self, name: str) -> xr.Dataset | None:
        path = self.folder.fields(name)
        if not path.exists():
            return None
        try:
            return open_fields(path).load()
        except DataError as error:
            self.problems.append(str(error))
            return None
