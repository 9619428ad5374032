"""Stage depth: gradients and singular values of very deep networks, before and during training."""

import functools
from typing import Any

import equinox as eqx
import jax
import numpy as np
import xarray as xr

from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.spectral import deep, images, parts
from parametra.studies.spectral.config import DepthConfig
from parametra.studies.spectral.training import Record, Trainer, adam

Found = dict[tuple[str, int, str, int], dict[str, Any]]
PROBE = 256  # training images of which gradients are recorded
QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)  # of the singular values of each layer
GRADIENT_RANGE, ACCURACY = 10.0, 0.9


def run_depth(run: Run) -> dict[str, Any]:
    """Trains every kind of network at every depth; gradients and singular values by layer at every record."""
    config, found = run.config.depth, {}
    rows = images.load(run.config.data, run.config.seed)
    total = len(config.activations) * len(config.depths) * len(config.networks) * config.seeds
    for activation in config.activations:
        for depth in config.depths:
            for name in config.networks:
                case = Case(config, rows, activation, depth, name)
                for seed in range(config.seeds):
                    told = functools.partial(_tell, run, len(found) / total, 1 / (total * config.steps), name, depth)
                    file = f"depth-{activation}-{depth}-{name.replace(' ', '_')}-{seed}"
                    row = parts.kept(run.folder, file, functools.partial(case.run, run.config.seed + seed, told))
                    found[activation, depth, name, seed] = row
    write_fields(run.folder.fields("depth"), table(config, found))
    return {"metrics": metrics(config, rows.title, found)}


def _tell(run: Run, share: float, of_step: float, name: str, depth: int, record: Record) -> None:
    values = {"network": name, "layers": depth, "accuracy": record.score[-1]}
    run.progress.update("depth", share + of_step * record.step[-1], **values)


class Case:
    """One kind of network of one depth; compiled when it is first run."""

    def __init__(self, config: DepthConfig, rows: images.Rows, activation: str, depth: int, kind: str):
        self.config, self.rows = config, rows
        self.rate = config.mirrored_rate if activation == deep.MIRRORED else config.rate
        inputs = rows.train[0].shape[1]
        self.make = eqx.filter_jit(
            lambda key: deep.make(kind, key, inputs, rows.classes, config.width, depth, activation, config.radius)
        )

    @functools.cached_property
    def trainer(self) -> Trainer:
        """The compiled training."""
        return Trainer(
            self.make(jax.random.key(0)),
            lambda data, key: images.draw(data, key, self.config.batch),
            lambda model, batch: images.entropy(model(batch[0]), batch[1]),
            lambda model, batch: images.accuracy(model(batch[0]), batch[1]),
            adam(self.rate, self.config.clip),
            self.config.every,
            self.rows.train,
            self.rows.test,
        )

    @functools.cached_property
    def look(self) -> Any:
        """(gradient of every layer, quantiles of its singular values) of a network."""
        x, labels = (part[:PROBE] for part in self.rows.train)
        return eqx.filter_jit(lambda model: (deep.layer_gradients(model, x, labels), model.singular_values()))

    def run(self, seed: int, tell: Any) -> dict[str, Any]:
        """Trains one network."""
        keys, gradients, spectra = jax.random.split(jax.random.key(seed), 2), [], []
        model = self.make(keys[0])

        def note(record: Record, model: deep.DeepNetwork) -> None:
            gradient, sigma = (np.asarray(part, np.float64) for part in self.look(model))
            gradients.append(gradient.tolist())
            spectra.append(np.quantile(sigma, QUANTILES, axis=1).tolist())
            tell(record)

        _, record = self.trainer.run(model, keys[1], self.config.steps, on_record=note)
        return parts.summary(record, self.config.every, model) | {"gradient": gradients, "spectrum": spectra}


def spread(row: dict[str, Any]) -> float:
    """Largest over smallest gradient norm of the layers, at the record where that is largest; infinite where one is zero."""
    gradient = np.asarray(row["gradient"])
    least = gradient.min(1)
    return float(np.max(np.where(least > 0, gradient.max(1) / np.where(least > 0, least, 1), np.inf)))


def metrics(config: DepthConfig, title: str, found: Found) -> list[Metric]:
    """Accuracy and spread of the gradients of every kind; targets for those with held singular values."""
    rows = []
    source = f"{title}, width {config.width}, {config.seeds} seed(s); norm of the gradient by each layer's dense matrix"
    for activation, depth, name in dict.fromkeys(key[:3] for key in found):
        mine = [found[activation, depth, name, seed] for seed in range(config.seeds)]
        label = f"{depth} layers of {activation}, {name}"
        accuracy, ratio = float(np.median([row["score"][-1] for row in mine])), max(map(spread, mine))
        goals = (ACCURACY, GRADIENT_RANGE) if name.startswith("spectral") else (None, None)
        text = f"{label}: largest over smallest gradient of the layers, all of training"
        step = float(np.median([1e3 * row["seconds"][-1] / max(1, row["step"][-1]) for row in mine]))
        rows += [
            Metric(f"{label}: test accuracy", accuracy, "1", goals[0], "higher", "skill", source),
            Metric(text, ratio, "1", goals[1], "lower", "skill", source),
            Metric(f"{label}: a step", step, "ms", kind="cost"),
        ]
    return rows


def table(config: DepthConfig, found: Found) -> xr.Dataset:
    """Records of all networks, NaN behind the end of one that blew up, and in layers that a shallower network has not."""
    shape = (len(config.activations), len(config.depths), len(config.networks), config.seeds)
    records, layers = max(len(row["step"]) for row in found.values()), max(config.depths)
    inner = {"gradient": {"layer": layers}, "spectrum": {"quantile": len(QUANTILES), "layer": layers}}
    values = {}
    for name in ("loss", "score", "seconds", "step", "gradient", "spectrum"):
        more = inner.get(name, {})
        array = np.full((*shape, records, *more.values()), np.nan)
        for place, row in zip(np.ndindex(*shape), found.values(), strict=True):
            mine = np.asarray(row[name])
            array[place][tuple(slice(0, size) for size in mine.shape)] = mine
        dims = ("activation", "depth", "network", "seed", "record", *more)
        values[name] = (dims, array, {"units": "s" if name == "seconds" else "1"})
    return xr.Dataset(
        values,
        {
            "activation": list(config.activations), "depth": list(config.depths), "network": list(config.networks),
            "seed": np.arange(config.seeds), "quantile": list(QUANTILES), "layer": np.arange(1, layers + 1),
        },
    )  # fmt: skip
