"""Stage depth: gradients and singular values of very deep networks, before and during training."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from parametra.networks.size import count_parameters
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.spectral import deep, images, parts
from parametra.studies.spectral.config import DepthConfig
from parametra.studies.spectral.training import Record, adam, train

PROBE = 256  # training images of which gradients are recorded
GRADIENT_RANGE = 10.0
DIMS = ("activation", "depth", "network", "seed")


def run_depth(run: Run) -> dict[str, Any]:
    """Trains every kind of network at every depth; gradients and singular values by layer at every record."""
    config = run.config.depth
    split = images.standardised(images.load(config.data, config.folder, run.config.seed))
    cases = [
        (a, d, n, s) for a in config.activations for d in config.depths for n in config.networks for s in range(config.seeds)
    ]
    found = {}
    for number, case in enumerate(cases):

        def tell(record: Record, case: Any = case, share: float = number / len(cases)) -> None:
            inside = record.step[-1] / config.steps / len(cases)
            run.progress.update("depth", share + inside, network=case[2], layers=case[1], accuracy=record.score[-1])

        name = "depth-" + "-".join(str(part).replace(" ", "_") for part in case)
        found[case] = parts.kept(run.folder, name, lambda case=case, tell=tell: one(config, split, case, run.config.seed, tell))
    write_fields(run.folder.fields("depth"), table(config, found))
    return {"metrics": metrics(config, found)}


def one(config: DepthConfig, split: images.Split, case: tuple[str, int, str, int], seed: int, tell: Any) -> dict[str, Any]:
    """Trains one network of (activation, depth, kind, seed)."""
    activation, depth, kind, member = case
    x, labels, x_test, labels_test = (jnp.asarray(part) for part in split)
    keys = jax.random.split(jax.random.key(seed + member), 2)
    model = deep.make(kind, keys[0], x.shape[1], 10, config.width, depth, activation, config.radius)
    gradients, spectra = [], []
    look = eqx.filter_jit(lambda model: (deep.layer_gradients(model, x[:PROBE], labels[:PROBE]), model.singular_values()))

    def note(record: Record, model: deep.DeepNetwork) -> None:
        gradient, sigma = (np.asarray(part, np.float64) for part in look(model))
        gradients.append(gradient.tolist())
        spectra.append(np.quantile(sigma, [0.0, 0.1, 0.5, 0.9, 1.0], axis=1).tolist())
        tell(record)

    def draw(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        chosen = jax.random.randint(key, (config.batch,), 0, len(x))
        return x[chosen], labels[chosen]

    _, record = train(
        model,
        draw,
        lambda model, batch: deep.entropy(model(batch[0]), batch[1]),
        lambda model, batch: jnp.mean(jnp.argmax(model(batch[0]), axis=-1) == batch[1]),
        keys[1],
        adam(config.rate, config.clip),
        config.steps,
        config.every,
        (x_test, labels_test),
        on_record=note,
    )
    return {
        "parameters": count_parameters(model),
        "loss": parts.means(record.loss, config.every),
        "step": record.step,
        "seconds": record.seconds,
        "score": record.score,
        "gradient": gradients,
        "spectrum": spectra,
    }


def spread(row: dict[str, Any]) -> float:
    """Largest over smallest gradient norm of the layers, at the record where that is largest; infinite where one is zero."""
    gradient = np.asarray(row["gradient"])
    least = gradient.min(1)
    return float(np.max(np.where(least > 0, gradient.max(1) / np.where(least > 0, least, 1), np.inf)))


def metrics(config: DepthConfig, found: dict[tuple[str, int, str, int], dict[str, Any]]) -> list[Metric]:
    """Accuracy and spread of the gradients of every kind; targets for the spectral network."""
    rows = []
    source = f"{config.data}, width {config.width}, {config.seeds} seed(s); norm of the gradient by each layer's dense matrix"
    for activation in config.activations:
        for depth in config.depths:
            for name in config.networks:
                mine = [found[activation, depth, name, seed] for seed in range(config.seeds)]
                label = f"{depth} layers of {activation}, {name}"
                accuracy, ratio = float(np.median([row["score"][-1] for row in mine])), max(map(spread, mine))
                goals = (0.9, GRADIENT_RANGE) if name == "spectral" else (None, None)
                rows.append(Metric(f"{label}: test accuracy", accuracy, "1", goals[0], "higher", "skill", source))
                text = f"{label}: largest over smallest gradient of the layers, all of training"
                rows.append(Metric(text, ratio, "1", goals[1], "lower", "skill", source))
                rows.append(Metric(f"{label}: time of a step", step_time(mine), "ms", kind="cost"))
    return rows


def step_time(rows: list[dict[str, Any]]) -> float:
    """Milliseconds of one step of training, median over networks."""
    return parts.median([1e3 * row["seconds"][-1] / max(1, row["step"][-1]) for row in rows])


def table(config: DepthConfig, found: dict[tuple[str, int, str, int], dict[str, Any]]) -> xr.Dataset:
    """Records of all networks, NaN behind the end of one that blew up, and in layers that a shallower network has not."""
    shape = tuple(len(values) for values in (config.activations, config.depths, config.networks)) + (config.seeds,)
    records, layers = max(len(row["step"]) for row in found.values()), max(config.depths)
    blank = {
        "loss": ((), "1"), "score": ((), "1"), "seconds": ((), "s"), "step": ((), "1"),
        "gradient": ((layers,), "1"), "spectrum": ((5, layers), "1"),
    }  # fmt: skip
    arrays = {name: np.full((*shape, records, *inner), np.nan) for name, (inner, _) in blank.items()}
    for place, row in zip(np.ndindex(*shape), found.values(), strict=True):
        for name, array in arrays.items():
            values = np.asarray(row[name])
            array[place][tuple(slice(0, size) for size in values.shape)] = values
    inner = {"gradient": ("layer",), "spectrum": ("quantile", "layer")}
    return xr.Dataset(
        {
            name: ((*DIMS, "record", *inner.get(name, ())), array, {"units": blank[name][1]})
            for name, array in arrays.items()
        },
        {
            "activation": list(config.activations), "depth": list(config.depths), "network": list(config.networks),
            "seed": np.arange(config.seeds), "quantile": [0.0, 0.1, 0.5, 0.9, 1.0], "layer": np.arange(1, layers + 1),
        },
    )  # fmt: skip
