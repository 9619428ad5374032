"""Stage pixels: images read one pixel at a time, in their order and in a fixed random one (Le, Jaitly & Hinton 2015)."""

import functools
from typing import Any

import equinox as eqx
import jax
import numpy as np
import optax
import xarray as xr
from jaxtyping import Array

from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.spectral import images, networks, parts
from parametra.studies.spectral.config import PixelConfig
from parametra.studies.spectral.training import Record, Trainer, adam

Found = dict[tuple[bool, str, int], dict[str, Any]]
ORDERS = {False: "in order", True: "permuted"}
BEHIND_LSTM = -0.005  # half a point


def run_pixels(run: Run) -> dict[str, Any]:
    """Trains every kind of network on both orders of the pixels."""
    config, found = run.config.pixels, {}
    rows = images.load(run.config.data, run.config.seed, config.pool, config.samples)
    total = len(config.permuted) * len(config.networks) * config.seeds
    for permuted in config.permuted:
        for name in config.networks:
            reading = Reading(config, rows, permuted, name)
            for seed in range(config.seeds):
                told = functools.partial(_tell, run, len(found) / total, 1 / (total * reading.steps), name, ORDERS[permuted])
                file = f"pixels-{ORDERS[permuted].replace(' ', '_')}-{name}-{seed}"
                row = parts.kept(run.folder, file, functools.partial(reading.run, run.config.seed + seed, told))
                found[permuted, name, seed] = row
    write_fields(run.folder.fields("pixels"), table(config, found))
    title = f"{rows.title}, {rows.train[0].shape[1]} steps"
    return {"metrics": [row for permuted in config.permuted for row in metrics(config, title, permuted, found)]}


def _tell(run: Run, share: float, of_step: float, name: str, order: str, record: Record) -> None:
    values = {"network": name, "pixels": order, "accuracy": record.score[-1]}
    run.progress.update("pixels", share + of_step * record.step[-1], **values)


class Reading:
    """One kind of network that reads images in one order; compiled when it is first run."""

    def __init__(self, config: PixelConfig, rows: images.Rows, permuted: bool, name: str):
        self.config, self.rows = config, rows
        pixels = rows.train[0].shape[1]
        self.order = np.random.default_rng(0).permutation(pixels) if permuted else np.arange(pixels)
        self.every = max(1, config.epochs * len(rows.train[0]) // (config.batch * config.records))
        self.steps = self.every * config.records
        width = config.cell.width
        if config.equal_size and name != "spectral":
            size = networks.size_of("spectral", config.cell, 1, rows.classes)
            width = networks.width_of_size(name, size, config.cell, 1, rows.classes)
        self.make = eqx.filter_jit(lambda key: networks.make(name, key, config.cell, 1, rows.classes, width))

    @functools.cached_property
    def trainer(self) -> Trainer:
        """The compiled training."""
        read = lambda model, x: model.last(x[:, self.order].T[..., None])
        schedule = optax.cosine_decay_schedule(self.config.rate, self.steps)

        def score(model: Any, batch: images.Batch) -> Array:  # in parts: a state for every test image would be large
            cut = len(batch[0]) // 1000 * 1000 or len(batch[0])
            groups = jax.tree.map(lambda part: part[:cut].reshape(-1, min(1000, cut), *part.shape[1:]), batch)
            return jax.lax.map(lambda group: images.accuracy(read(model, group[0]), group[1]), groups).mean()

        return Trainer(
            self.make(jax.random.key(0)),
            lambda data, key: images.draw(data, key, self.config.batch),
            lambda model, batch: images.entropy(read(model, batch[0]), batch[1]),
            score,
            adam(schedule, self.config.clip),
            self.every,
            self.rows.train,
            self.rows.test,
        )

    def run(self, seed: int, tell: Any) -> dict[str, Any]:
        """Trains one network."""
        keys = jax.random.split(jax.random.key(seed), 2)
        model = self.make(keys[0])
        _, record = self.trainer.run(model, keys[1], self.steps, on_record=lambda record, model: tell(record))
        return parts.summary(record, self.every, model) | {"width": model.cell.width}


def at_time(row: dict[str, Any], seconds: float) -> float:
    """The last score that a network had after so many seconds of training."""
    return row["score"][int(np.searchsorted(row["seconds"], seconds, side="right")) - 1]


def metrics(config: PixelConfig, title: str, permuted: bool, found: Found) -> list[Metric]:
    """Accuracy of every network, and how far the spectral one is ahead at equal epochs and at equal time."""
    label, seeds = f"pixels {ORDERS[permuted]}", range(config.seeds)
    own = [found[permuted, "spectral", seed] for seed in seeds]
    time, accuracy = float(np.median([row["seconds"][-1] for row in own])), np.mean([row["score"][-1] for row in own])
    rows = []
    for name in config.networks:
        mine = [found[permuted, name, seed] for seed in seeds]
        size = f"{title}, width {mine[0]['width']}, {mine[0]['parameters']} free numbers, {config.seeds} seed(s)"
        last, then = (float(np.mean(values)) for values in ([r["score"][-1] for r in mine], [at_time(r, time) for r in mine]))
        rows.append(Metric(f"{label}: {name}, test accuracy", last, "1", kind="skill", source=size))
        if name != "spectral":
            goal = {"rnn": 0.0, "lstm": BEHIND_LSTM}.get(name)
            text = f"{label}: spectral ahead of {name}"
            rows.append(Metric(f"{text}, equal passes", float(accuracy - last), "1", goal, "higher", "skill", size))
            source = f"{size}; at the spectral network's {time:.0f} s, the other's learning rate still high"
            rows.append(Metric(f"{text}, equal time", float(accuracy - then), "1", goal, "higher", "cost", source))
    return rows


def table(config: PixelConfig, found: Found) -> xr.Dataset:
    """Records (order, network, seed, record)."""
    shape = (len(config.permuted), len(config.networks), config.seeds)
    dims = ("order", "network", "seed", "record")
    values: dict[str, Any] = {
        name: (dims, parts.padded([row[name] for row in found.values()]).reshape(*shape, -1), {"units": unit})
        for name, unit in (("loss", "1"), ("score", "1"), ("step", "1"), ("seconds", "s"))
    }
    for name in ("parameters", "width"):
        array = np.array([row[name] for row in found.values()], np.float64).reshape(shape)
        values[name] = (dims[:-1], array, {"units": "1"})
    order = [ORDERS[permuted] for permuted in config.permuted]
    return xr.Dataset(values, {"order": order, "network": list(config.networks), "seed": np.arange(config.seeds)})
