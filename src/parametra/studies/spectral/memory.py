"""Stages copying and addition: how soon each kind of network solves a task of memory, side by side in one process."""

from typing import Any

import jax
import numpy as np
import xarray as xr

from parametra.networks.size import count_parameters
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.spectral import networks, parts
from parametra.studies.spectral.config import TaskConfig
from parametra.studies.spectral.tasks import AdditionTask, CopyTask
from parametra.studies.spectral.training import Record, adam, train

Task = CopyTask | AdditionTask


def run_copying(run: Run) -> dict[str, Any]:
    """The copy task at every delay."""
    return compete(run, "copying", run.config.copying, CopyTask, "recall")


def run_addition(run: Run) -> dict[str, Any]:
    """The addition task at every length."""
    return compete(run, "addition", run.config.addition, AdditionTask, "R2")


def compete(run: Run, stage: str, config: TaskConfig, task_of: type[CopyTask] | type[AdditionTask], what: str) -> dict[str, Any]:
    """Trains every kind of network at every length; records, and times to the goal."""
    found, rows = {}, []
    total, done = len(config.lengths) * len(config.networks) * config.seeds, 0
    for length in config.lengths:
        limit = np.inf
        for name in config.networks:
            for seed in range(config.seeds):
                share = done / total

                def tell(record: Record, share: float = share, name: str = name, length: int = length) -> None:
                    inside = record.step[-1] / config.steps / total
                    run.progress.update(stage, share + inside, length=length, network=name, score=record.score[-1])

                found[length, name, seed] = parts.kept(
                    run.folder,
                    f"{stage}-{length}-{name}-{seed}",
                    lambda length=length, name=name, seed=seed, limit=limit, tell=tell: one(
                        config, task_of(length), name, run.config.seed + seed, limit, tell
                    ),
                )
                done += 1
            if name == "spectral":
                limit = config.patience * max(found[length, name, seed]["seconds"][-1] for seed in range(config.seeds))
        rows += metrics(stage, config, length, what, {key[1:]: row for key, row in found.items() if key[0] == length})
    write_fields(run.folder.fields(stage), table(config, found, {length: task_of(length).trivial for length in config.lengths}))
    return {"metrics": rows}


def one(config: TaskConfig, task: Task, name: str, seed: int, limit: float, tell: Any = lambda record: None) -> dict[str, Any]:
    """Trains one network until it has solved the task for good, or `limit` seconds or all steps are over."""
    keys = jax.random.split(jax.random.key(seed), 3)
    model = networks.make(name, keys[0], config.cell, task.inputs, task.outputs)
    _, record = train(
        model,
        lambda key: task.draw(key, config.batch),
        lambda model, batch: task.loss(model(batch[0]), batch[1]),
        lambda model, batch: task.score(model(batch[0]), batch[1]),
        keys[1],
        adam(config.rate, config.clip),
        config.steps,
        config.every,
        task.draw(keys[2], config.test),
        stop=lambda record: solved(record, config) or record.seconds[-1] > limit,
        on_record=lambda record, _: tell(record),
    )
    return {
        "parameters": count_parameters(model),
        "loss": parts.means(record.loss, config.every),
        "step": record.step,
        "seconds": record.seconds,
        "score": record.score,
        "reached": record.reached(config.goal) if solved(record, config) else None,
    }


def solved(record: Record, config: TaskConfig) -> bool:
    """Whether the last `hold` + 1 scores are all at the goal."""
    last = record.score[-config.hold - 1 :]
    return len(last) == config.hold + 1 and min(last) >= config.goal


def time_to_goal(row: dict[str, Any]) -> float:
    """Seconds of training up to the score from which on the goal holds; NaN where it was not reached."""
    return float("nan") if row["reached"] is None else row["seconds"][row["reached"]]


def metrics(stage: str, config: TaskConfig, length: int, what: str, found: dict[tuple[str, int], dict[str, Any]]) -> list[Metric]:
    """Time to the goal, solved seeds and last score of every network, and rivals' times over the spectral network's."""
    label = f"{stage}, T = {length}"
    rows, seeds = [], range(config.seeds)
    own = parts.median([time_to_goal(found["spectral", seed]) for seed in seeds])
    share = np.mean([found["spectral", seed]["reached"] is not None for seed in seeds])
    source = f"{what} of {config.goal:g}, {config.seeds} seed(s), batch {config.batch}, width {config.cell.width}"
    rows.append(Metric(f"{label}: spectral, share of seeds solved", share, "1", 1.0, "higher", "skill", source))
    rows.append(Metric(f"{label}: spectral, free numbers", found["spectral", 0]["parameters"], "1", kind="cost"))
    limit = {("copying", 100): 30.0, ("copying", 1000): 600.0, ("addition", 200): 300.0}.get((stage, length))
    rows.append(Metric(f"{label}: spectral, time to {what} {config.goal:g}", own, "s", limit, "lower", "cost", source))
    for name in config.networks:
        scores = [found[name, seed]["score"][-1] for seed in seeds]
        rows.append(Metric(f"{label}: {name}, last {what}", float(np.median(scores)), "1", kind="cost", source=source))
        if name == "spectral":
            continue
        spent = parts.median([found[name, seed]["seconds"][found[name, seed]["reached"] or -1] for seed in seeds])
        there = all(found[name, seed]["reached"] is not None for seed in seeds)
        least = "" if there else " at least, not there yet"
        goal = 3.0 if name == "lstm" and stage == "copying" else None
        rows.append(Metric(f"{label}: times faster than {name}{least}", spent / own, "1", goal, "higher", "cost", source))
    return rows


def table(config: TaskConfig, found: dict[tuple[int, str, int], dict[str, Any]], trivial: dict[int, float]) -> xr.Dataset:
    """Records (length, network, seed, record), NaN behind the end of each."""
    shape = (len(config.lengths), len(config.networks), config.seeds, -1)
    dims = ("length", "network", "seed", "record")
    units = {"loss": "1", "step": "1", "seconds": "s", "score": "1"}
    values = {
        name: (dims, parts.padded([row[name] for row in found.values()]).reshape(shape), {"units": unit})
        for name, unit in units.items()
    }
    one = {"units": "1"}
    values["parameters"] = (
        dims[1:2],
        np.array([found[config.lengths[0], name, 0]["parameters"] for name in config.networks]),
        one,
    )
    values["trivial"] = (dims[:1], np.array(list(trivial.values())), one)
    return xr.Dataset(values, {"length": list(config.lengths), "network": list(config.networks), "seed": np.arange(config.seeds)})
