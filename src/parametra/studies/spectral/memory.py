"""Stages copying and addition: how soon each kind of network solves a task of memory, side by side in one process."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
import optax
import xarray as xr

from parametra.networks.recurrent import RNNCell
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.spectral import networks, parts
from parametra.studies.spectral.config import TaskConfig
from parametra.studies.spectral.tasks import AdditionTask, CopyTask
from parametra.studies.spectral.training import Record, Trainer

Task = CopyTask | AdditionTask
Found = dict[tuple[int, str, int], dict[str, Any]]
LIMITS = {("copying", 100): 30.0, ("copying", 1000): 600.0, ("addition", 200): 300.0}  # seconds to the goal on 2 cores
TIMES_FASTER = 3.0  # than LSTM, copy task


def run_copying(run: Run) -> dict[str, Any]:
    """The copy task at every delay."""
    return compete(run, "copying", run.config.copying, CopyTask)


def run_addition(run: Run) -> dict[str, Any]:
    """The addition task at every length."""
    return compete(run, "addition", run.config.addition, AdditionTask)


def compete(run: Run, stage: str, config: TaskConfig, task: Callable[[int], Task]) -> dict[str, Any]:
    """Trains every kind of network on every task, the spectral one first: its time bounds that of the others."""
    found: Found = {}
    total = len(config.lengths) * len(config.networks) * config.seeds
    for length in config.lengths:
        limit = np.inf
        lessons = {length >> halvings: task(length >> halvings) for halvings in range(config.lessons, -1, -1)}
        for name in config.networks:
            contest = Contest(config, name, lessons)
            for seed in range(config.seeds):
                told = functools.partial(_tell, run, stage, len(found) / total, 1 / total, name)
                make = functools.partial(contest.run, run.config.seed + seed, limit, told)
                found[length, name, seed] = parts.kept(run.folder, f"{stage}-{length}-{name}-{seed}", make)
            if name == "spectral":
                limit = config.patience * max(found[length, name, seed]["seconds"][-1] for seed in range(config.seeds))
    write_fields(run.folder.fields(stage), table(config, found, [task(length).trivial for length in config.lengths]))
    return {"metrics": [row for length in config.lengths for row in metrics(stage, config, length, found)]}


def _tell(run: Run, stage: str, share: float, part: float, name: str, done: float, length: int, record: Record) -> None:
    run.progress.update(stage, share + part * done, length=length, network=name, score=record.score[-1])


class Contest:
    """One kind of network on one task, and on the shorter ones that lead to it; compiled when it is first run.

    Args:
        config: how to train.
        name: the kind of network.
        lessons: tasks by their lengths; the last one is what is asked.
    """

    def __init__(self, config: TaskConfig, name: str, lessons: Mapping[int, Task]):
        self.config, self.lessons = config, lessons
        task = next(iter(lessons.values()))
        self.make = eqx.filter_jit(lambda key: networks.make(name, key, config.cell, task.inputs, task.outputs))

    @functools.cached_property
    def trainers(self) -> dict[int, Trainer]:
        """The compiled training at every length, with test sequences that no training draws."""
        config, model = self.config, self.make(jax.random.key(0))
        return {
            length: Trainer(
                model,
                lambda data, key, task=task: task.draw(key, config.batch),
                lambda model, batch, task=task: task.loss(model(batch[0]), batch[1]),
                lambda model, batch, task=task: task.score(model(batch[0]), batch[1]),
                self.optimiser(length, number),
                config.every,
                None,
                task.draw(jax.random.fold_in(jax.random.key(0), 1), config.test),
            )
            for number, (length, task) in enumerate(self.lessons.items())
        }

    def optimiser(self, length: int, number: int = 0) -> optax.GradientTransformation:
        """Adam, at half the rate in each lesson after the first: what is known need only be refined.

        Over T steps a change of W or b acts T times, so where nothing forgets, their rate is the smaller the longer T.
        """
        config, slower = self.config, min(1.0, self.config.reach / length)
        start = config.rate / 2**number
        rates = [
            rate if config.halving == 0 else optax.exponential_decay(rate, config.halving, 0.5)
            for rate in (start, start * slower)
        ]
        return optax.chain(
            optax.clip_by_global_norm(config.clip),
            optax.multi_transform({"once": optax.adam(rates[0]), "every step": optax.adam(rates[1])}, applied),
        )

    def run(self, seed: int, limit: float, tell: Callable[[float, int, Record], None]) -> dict[str, Any]:
        """Trains until the last task is solved for good, or `limit` seconds or all steps are over; a record of the last one.

        What the shorter tasks took is in its steps and times from the start.
        """
        keys, trainers = jax.random.split(jax.random.key(seed), 2), self.trainers
        model, record, spent = self.make(keys[0]), Record(), {"step": 0, "seconds": 0.0, "cpu": 0.0}
        for number, (length, trainer) in enumerate(trainers.items()):

            def on_record(record: Record, model: Any, number: int = number, length: int = length) -> None:
                tell((number + record.step[-1] / self.config.steps) / len(trainers), length, record)

            spent = {name: before + (getattr(record, name) or [0])[-1] for name, before in spent.items()}
            left = limit - spent["seconds"]
            stop = lambda record, left=left: self.solved(record) or record.seconds[-1] > left
            model, record = trainer.run(model, jax.random.fold_in(keys[1], number), self.config.steps, stop, on_record)
        row = parts.summary(record, self.config.every, model)
        row |= {name: [before + value for value in row[name]] for name, before in spent.items()}
        return row | {"solved": record.reached(self.config.goal) if self.solved(record) else None}

    def solved(self, record: Record) -> bool:
        """Whether the last `hold` + 1 scores are all at the goal."""
        last = record.score[-self.config.hold - 1 :]
        return len(last) == self.config.hold + 1 and min(last) >= self.config.goal


def applied(model: networks.RecurrentNetwork) -> networks.RecurrentNetwork:
    """How often each parameter acts on what is remembered: W and b of a cell without gates at every step."""
    labels, cell = jax.tree.map(lambda _: "once", model), model.cell
    if not isinstance(cell, RNNCell):
        return labels
    return eqx.tree_at(
        lambda m: (m.cell.hidden, m.cell.bias), labels, jax.tree.map(lambda _: "every step", (cell.hidden, cell.bias))
    )


def seconds(row: dict[str, Any], of: str = "seconds") -> float:
    """Time of training up to the score from which on the goal holds; all of it where the task was not solved."""
    return row[of][-1 if row["solved"] is None else row["solved"]]


def metrics(stage: str, config: TaskConfig, length: int, found: Found) -> list[Metric]:
    """Whether and when the spectral network solved the task, and what the others did with a multiple of its time."""
    label, what = f"{stage}, T = {length}", "recall" if stage == "copying" else "R2"
    source = f"{what} of {config.goal:g}, {config.seeds} seed(s), batch {config.batch}, width {config.cell.width}"
    mine = {name: [found[length, name, seed] for seed in range(config.seeds)] for name in config.networks}
    solved = {name: float(np.mean([row["solved"] is not None for row in rows])) for name, rows in mine.items()}
    time = {name: float(np.median([seconds(row) for row in rows])) for name, rows in mine.items()}
    own = time["spectral"] if solved["spectral"] == 1 else float("nan")
    cost = f"{source}; {np.median([seconds(row, 'cpu') for row in mine['spectral']]):.1f} s of processor time"
    rows = [
        Metric(f"{label}: spectral, share of seeds solved", solved["spectral"], "1", 1.0, "higher", "skill", source),
        Metric(f"{label}: spectral, time to the goal", own, "s", LIMITS.get((stage, length)), "lower", "cost", cost),
    ]
    for name, found_here in mine.items():
        last = float(np.median([row["score"][-1] for row in found_here]))
        size = f"{found_here[0]['parameters']} free numbers, {source}"
        rows.append(Metric(f"{label}: {name}, {what} at the end", last, "1", kind="cost", source=size))
        if name != "spectral":
            least = "" if solved[name] == 1 else ", which is not there yet"
            goal = TIMES_FASTER if name == "lstm" and stage == "copying" else None
            text = f"{label}: times faster than {name}{least}"
            rows.append(Metric(text, time[name] / own, "1", goal, "higher", "cost", source))
    return rows


def table(config: TaskConfig, found: Found, trivial: list[float]) -> xr.Dataset:
    """Records (length, network, seed, record), NaN behind the end of each."""
    shape = (len(trivial), len(config.networks), config.seeds)
    dims = ("length", "network", "seed")
    units = {"loss": "1", "step": "1", "seconds": "s", "score": "1"}
    values: dict[str, Any] = {
        name: ((*dims, "record"), parts.padded([row[name] for row in found.values()]).reshape(*shape, -1), {"units": unit})
        for name, unit in units.items()
    }
    parameters = np.array([row["parameters"] for row in found.values()], np.float64).reshape(shape)
    values["parameters"] = (dims, parameters, {"units": "1"})
    values["trivial"] = (dims[:1], np.array(trivial), {"units": "1"})
    return xr.Dataset(values, {"length": list(config.lengths), "network": list(config.networks), "seed": np.arange(config.seeds)})
