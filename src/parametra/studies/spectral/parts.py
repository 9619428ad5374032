"""What the stages share: records kept on disk network by network, and tables of records of unequal length."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from parametra.core.files import write_text
from parametra.networks.size import count_parameters
from parametra.store.runfolder import RunFolder
from parametra.studies.spectral.training import Record


def kept(folder: RunFolder, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` returns, from the file that it was written to when it was made before: a killed run loses one network."""
    path = Path(folder.path) / "records" / f"{name}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not made yet, or cut while it was written by another program
        made = make()
        path.parent.mkdir(exist_ok=True)
        write_text(path, json.dumps(made))
        return made


def summary(record: Record, every: int, model: Any) -> dict[str, Any]:
    """A training as JSON can hold it: one mean loss for each score, the first one before any step, and the network's size."""
    loss = means(record.loss, every)[: len(record.step)]  # a network that blew up has no score after its last steps
    return asdict(record) | {"loss": loss, "parameters": count_parameters(model)}


def padded(rows: Sequence[Sequence[float | int]]) -> np.ndarray:
    """(row, longest) with NaN behind the end of shorter rows."""
    table = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table


def means(values: Sequence[float | int], every: int) -> list[float]:
    """Means of every so many values, preceded by the first value: one for each record of a training."""
    groups = [values[first : first + every] for first in range(0, len(values), every)]
    return [float(values[0]), *(float(np.mean(group)) for group in groups)] if values else []
