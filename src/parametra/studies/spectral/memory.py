"""Stages copying and addition: how soon each kind of network solves a task of memory, side by side in one process."""

import functools
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
    return compete(run, "copying", run.config.copying, {delay: CopyTask(delay) for delay in run.config.copying.lengths})


def run_addition(run: Run) -> dict[str, Any]:
    """The addition task at every length."""
    return compete(run, "addition", run.config.addition, {length: AdditionTask(length) for length in run.config.addition.lengths})


def compete(run: Run, stage: str, config: TaskConfig, tasks: dict[int, Any]) -> dict[str, Any]:
    """Trains every kind of network on every task, the spectral one first: its time bounds that of the others."""
    found: Found = {}
    total = len(tasks) * len(config.networks) * config.seeds
    for length, task in tasks.items():
        limit = np.inf
        for name in config.networks:
            contest = Contest(config, task, name, length)
            for seed in range(config.seeds):
                told = functools.partial(_tell, run, stage, len(found) / total, 1 / (total * config.steps), name, length)
                make = functools.partial(contest.run, run.config.seed + seed, limit, told)
                found[length, name, seed] = parts.kept(run.folder, f"{stage}-{length}-{name}-{seed}", make)
            if name == "spectral":
                limit = config.patience * max(found[length, name, seed]["seconds"][-1] for seed in range(config.seeds))
    write_fields(run.folder.fields(stage), table(config, found, [task.trivial for task in tasks.values()]))
    return {"metrics": [row for length in tasks for row in metrics(stage, config, length, found)]}


def _tell(run: Run, stage: str, share: float, of_step: float, name: str, length: int, record: Record) -> None:
    run.progress.update(stage, share + of_step * record.step[-1], length=length, network=name, score=record.score[-1])


class Contest:
    """One kind of network on one task; compiled when it is first run."""

    def __init__(self, config: TaskConfig, task: Task, name: str, length: int):
        self.config, self.task, self.length = config, task, length
        self.make = eqx.filter_jit(lambda key: networks.make(name, key, config.cell, task.inputs, task.outputs))

    @functools.cached_property
    def trainer(self) -> Trainer:
        """The compiled training, with test sequences that no training draws."""
        config, task = self.config, self.task
        return Trainer(
            self.make(jax.random.key(0)),
            lambda data, key: task.draw(key, config.batch),
            lambda model, batch: task.loss(model(batch[0]), batch[1]),
            lambda model, batch: task.score(model(batch[0]), batch[1]),
            self.optimiser(),
            config.every,
            None,
            task.draw(jax.random.fold_in(jax.random.key(0), 1), config.test),
        )

    def optimiser(self) -> optax.GradientTransformation:
        """Adam; over T steps a change of W or b acts T times, so where nothing forgets, theirs is the smaller the longer T."""
        config, slower = self.config, min(1.0, self.config.reach / self.length)
        rates = [
            rate if config.halving == 0 else optax.exponential_decay(rate, config.halving, 0.5)
            for rate in (config.rate, config.rate * slower)
        ]
        return optax.chain(
            optax.clip_by_global_norm(config.clip),
            optax.multi_transform({"once": optax.adam(rates[0]), "every step": optax.adam(rates[1])}, applied),
        )

    def run(self, seed: int, limit: float, tell: Any) -> dict[str, Any]:
        """Trains until the task is solved for good, or `limit` seconds or all steps are over."""
        keys, trainer = jax.random.split(jax.random.key(seed), 2), self.trainer
        model = self.make(keys[0])
        stop = lambda record: self.solved(record) or record.seconds[-1] > limit
        _, record = trainer.run(model, keys[1], self.config.steps, stop, lambda record, model: tell(record))
        solved = record.reached(self.config.goal) if self.solved(record) else None
        return parts.summary(record, self.config.every, model) | {"solved": solved}

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
