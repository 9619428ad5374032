"""A run is a folder: its configuration, its events, its fields, networks, checkpoints, figures.

run.jsonl is the one record of progress: what a stage gave, and what each part cost, is read back from its lines. A line is
either whole or absent, so a kill at any moment leaves a folder that the same command carries on with.
"""

import fcntl
import json
import math
import os
import socket
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w

from parametra.core.config import without_none
from parametra.core.errors import DataError, UsageError
from parametra.core.files import COMPILED, TEMPORARY, clean_temporaries, explain_disk, make_folder, write_text
from parametra.store.metrics import Metric

PARTS = "fields", "networks", "checkpoints"
_HELD: set[tuple[int, int]] = set()  # run.lock of what this process holds; containers may share pids and host names


class RunFolder:
    """One run on disk. `open` creates or resumes it; `read` looks at it without changing anything.

    Attributes:
        path: the folder.
        study, preset: what runs in it.
        config: the resolved configuration as config.toml holds it.
    """

    def __init__(self, path: Path, study: str, preset: str, config: Mapping[str, Any]):
        self.path, self.study, self.preset, self.config = path, study, preset, dict(config)

    @classmethod
    def open(cls, path: str | Path, study: str, preset: str, config: Mapping[str, Any], fresh: bool = False) -> "RunFolder":
        """Create the folder, or resume the run in it; `fresh` moves an old folder aside to PATH.old-N first.

        Raises:
            UsageError: the folder holds another study, preset or configuration, or no run at all, or may not be looked into, or
                another process runs in it.
            DataError: the folder cannot be written or moved, or its config.toml is damaged.
        """
        path = Path(path)
        wanted = _as_toml({"study": study, "preset": preset, **config})
        with explain_look(path, "--out with a folder of yours"):
            if fresh and path.is_dir():
                _move_aside(path)
            _refuse_foreign(path, wanted)
        make_folder(path)
        with _held(path, again=True), explain_disk(path):
            _refuse_foreign(path, wanted)  # another process may have come first
            for part in PARTS:
                make_folder(path / part)
            clean_temporaries(path)
            if not (path / "config.toml").exists():
                write_text(path / "config.toml", tomli_w.dumps(wanted))
            _drop_half_line(path / "run.jsonl")
        return cls(path, study, preset, _strip(wanted))

    @classmethod
    def read(cls, path: str | Path) -> "RunFolder":
        """The run in `path`, unchanged.

        Raises:
            UsageError: the folder may not be looked into.
            DataError: there is no run, or its config.toml is damaged.
        """
        path = Path(path)
        with explain_look(path, "the right to read it, or a copy of yours"):
            if not (path / "config.toml").is_file():
                raise DataError(
                    f"{path} holds no run: no config.toml. Remedy: the folder that `parametra run` wrote, or run it first."
                )
            config = _read_config(path)
        return cls(path, str(config.get("study", "")), str(config.get("preset", "")), _strip(config))

    def fields(self, name: str) -> Path:
        """Where the fields `name` are: fields/NAME.zarr."""
        return self.path / "fields" / f"{name}.zarr"

    def network(self, name: str) -> Path:
        """Where the network `name` is: networks/NAME.safetensors."""
        return self.path / "networks" / f"{name}.safetensors"

    def checkpoint(self, name: str) -> Path:
        """The folder of the checkpoints of `name`: checkpoints/NAME."""
        return self.path / "checkpoints" / name

    def log(self, event: str, **values: Any) -> None:
        """Add one line to run.jsonl and make sure it is on disk; numbers that are not finite become null."""
        line = json.dumps(_plain({"time": datetime.now(UTC).isoformat(), "event": event, **values}), allow_nan=False) + "\n"
        with explain_disk(self.path), (self.path / "run.jsonl").open("ab") as stream:
            stream.write(line.encode())
            stream.flush()
            os.fsync(stream.fileno())

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        """All events, or those named `event`, oldest first; a half line from a kill is left out."""
        record = self.path / "run.jsonl"
        found = (_parse(line) for line in record.read_bytes().split(b"\n")) if record.exists() else ()
        return [entry for entry in found if entry is not None and event in (None, entry["event"])]

    def stage_done(self, name: str) -> dict[str, Any] | None:
        """What `finish_stage` saved for the stage, None if it is not finished."""
        done = [entry["payload"] for entry in self.events("stage_done") if entry.get("stage") == name]
        return done[-1] if done else None

    def finish_stage(self, name: str, **payload: Any) -> None:
        """Record that the stage is finished, with what later stages need of it (numbers, text, lists, dicts)."""
        self.log("stage_done", stage=name, payload=payload)

    def add_cost(self, name: str, seconds: float | int) -> None:
        """Add wall time to the cost `name` [s]; interruptions do not lose what was recorded."""
        self.log("cost", name=name, seconds=float(seconds))

    def cost(self, name: str) -> float:
        """Wall time recorded under `name` over all interruptions [s]."""
        return math.fsum(entry["seconds"] for entry in self.events("cost") if entry.get("name") == name)

    def write_metrics(self, rows: Sequence[Metric]) -> None:
        """Write metrics.json, whole."""
        table = {"study": self.study, "preset": self.preset, "metrics": [row.to_dict() for row in rows]}
        write_text(self.path / "metrics.json", json.dumps(table, indent=1, allow_nan=False) + "\n")

    def metrics(self) -> list[Metric]:
        """The figures of metrics.json, empty before it is written; DataError if it is damaged."""
        path = self.path / "metrics.json"
        if not path.exists():
            return []
        try:
            return [Metric.from_dict(row) for row in json.loads(path.read_text(encoding="utf-8"))["metrics"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is damaged ({error}). Remedy: `parametra run` on this folder again writes it anew."
            ) from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process; UsageError if it is held already. A dead process holds nothing."""
        with _held(self.path):
            yield


@contextmanager
def explain_look(path: Path, remedy: str) -> Iterator[None]:
    """Turn an error of the system about looking into `path` into a UsageError with this remedy."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be looked into: {error.strerror}. Remedy: {remedy}.") from None


@contextmanager
def _held(path: Path, again: bool = False) -> Iterator[None]:
    """Hold the folder for this process; with `again` also where it does so already: it is the same run then."""
    with explain_disk(path):
        stream = (path / "run.lock").open("a+")
    with stream:
        status = os.fstat(stream.fileno())
        key = status.st_dev, status.st_ino
        if again and key in _HELD:
            yield
            return
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(_held_sentence(path)) from None
        with explain_disk(path):
            stream.truncate(0)
            stream.write(f"{os.getpid()} {socket.gethostname()}\n")
            stream.flush()
        _HELD.add(key)
        try:
            yield
        finally:
            _HELD.remove(key)


def _held_sentence(path: Path) -> str:
    owner = " on ".join((path / "run.lock").read_text().split()) or "unknown"
    return f"{path} is in use by another process (pid {owner}). Remedy: wait for it, stop it, or take another folder with --out."


def _move_aside(path: Path) -> None:
    """Rename the folder to PATH.old-N, while nobody else runs in it."""
    if path.name in ("", ".."):
        raise UsageError(f"{path} is no name that --fresh could move aside. Remedy: --out with the name of the folder.")
    with _held(path, again=True) if (path / "run.lock").exists() else nullcontext():
        try:
            path.rename(_free_name(path))
        except OSError as error:
            raise DataError(
                f"{path} cannot be moved aside: {error.strerror}. Likely cause: a mounted folder, or one in a folder of another "
                "user. Remedy: another folder with --out."
            ) from None


def _refuse_foreign(path: Path, wanted: dict[str, Any]) -> None:
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file, not a folder. Remedy: --out with another name.")
    if (path / "config.toml").exists():
        _refuse_other(path, _read_config(path), wanted)
    elif path.exists() and not all(map(_is_of_a_beginning, path.iterdir())):
        raise UsageError(f"{path} is not empty and holds no run. Likely cause: a mistyped --out. Remedy: another folder.")


def _is_of_a_beginning(entry: Path) -> bool:
    """Whether the entry may be there before config.toml is: a kill or a full disk can come first."""
    if entry.name in PARTS:
        return entry.is_dir() and not any(entry.iterdir())
    return entry.name == COMPILED or entry.name.endswith((TEMPORARY, "run.lock"))


def _refuse_other(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    difference = _first_difference(found, wanted)
    if difference is not None:
        key, old, new = difference
        raise UsageError(
            f"{path} holds another configuration: {key} is {old} there and {new} here. Remedy: another folder with --out, "
            "the same settings as before, or --fresh to move the old folder aside."
        )


def _first_difference(found: Any, wanted: Any, key: str = "") -> tuple[str, str, str] | None:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in [*wanted, *(name for name in found if name not in wanted)]:
            inner = _first_difference(found.get(name), wanted.get(name), f"{key}.{name}" if key else name)
            if inner is not None:
                return inner
        return None
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        places = (_first_difference(one, other, f"{key}[{place}]") for place, (one, other) in pairs)
        return next((inner for inner in places if inner is not None), None)
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (found, wanted))
    same = found == wanted and (numbers or type(found) is type(wanted))
    return None if same else (key, _shown(found), _shown(wanted))


def _shown(value: Any) -> str:
    return "absent" if value is None else repr(value)[:60]


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = tomllib.loads((path / "config.toml").read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path / 'config.toml'} is damaged ({error}). Remedy: restore it, or --fresh to start anew.") from None
    if "study" not in config or "preset" not in config:
        raise DataError(f"{path / 'config.toml'} names no study and preset: it is not a run's. Remedy: another folder.")
    return config


def _strip(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in ("study", "preset")}


def _as_toml(config: dict[str, Any]) -> dict[str, Any]:
    return tomllib.loads(tomli_w.dumps(without_none(_plain(config))))


def _free_name(path: Path) -> Path:
    number = 1
    while (candidate := path.with_name(f"{path.name}.old-{number}")).exists():
        number += 1
    return candidate


def _drop_half_line(record: Path) -> None:
    """Cut run.jsonl back to its last whole line, so that the next line starts on its own."""
    if not record.exists():
        return
    whole = record.read_bytes().rfind(b"\n") + 1
    os.truncate(record, whole)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "event" in entry else None


def _plain(value: Any) -> Any:
    """As JSON takes it: tuples and arrays become lists, numpy scalars numbers, paths and the rest text, NaN null."""
    if isinstance(value, Metric):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
