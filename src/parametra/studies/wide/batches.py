"""Stage batches (W5, W7): mini-batches with momentum, networks and linear models shown the same ones.

W5 is a wide residual network of convolutions under squared loss, W7 a dense one of two hidden layers under cross-entropy, both
with ReLU, on more images than the other stages.
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from parametra.networks import ntk
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import data, parts
from parametra.studies.wide.config import WideConfig
from parametra.wide import empirical_ntk, kernel, predict

KERNELS = ("empirical", "infinite")
LOSS = {"wide residual": "squared", "dense": "entropy"}
SCORES = ("loss_gap", "rms", "accuracy", "accuracy_gap")
SOURCE = "mini-batches with momentum; mean over seeds"


def run_batches(run: Run) -> dict[str, Any]:
    """Loss and test outputs of every width beside both linear models; exponents with width."""
    config = run.config.batches
    widths = {"wide residual": config.channels, "dense": config.widths}
    longest, seeds = max(map(len, widths.values())), config.seeds
    curves = np.full((len(LOSS), 3, config.records + 1), np.nan)
    found = {name: np.full((len(LOSS), len(KERNELS), longest, seeds), np.nan) for name in SCORES}
    width_of = np.full((len(LOSS), longest), np.nan)
    for number, item in enumerate(LOSS):
        run.progress.update("batches", number / len(LOSS), network=item, what="infinite-width kernel")
        setting = _prepare(run.config, item)
        for w, width in enumerate(widths[item]):
            run.progress.update("batches", (number + w / len(widths[item])) / len(LOSS), network=item, width=width)
            curves[number], scores = _compare(run.config, item, width, setting)
            width_of[number, w] = width
            for name, values in scores.items():
                found[name][number, :, w] = values
    table = xr.Dataset(
        {
            "curve": (("network", "curve_of", "record"), curves, {"units": "1"}),
            "width": (("network", "width_number"), width_of, {"units": "1"}),
            **{name: (("network", "kernel", "width_number", "seed"), values, {"units": "1"}) for name, values in found.items()},
        },
        {"network": list(LOSS), "curve_of": ["network", *KERNELS], "kernel": list(KERNELS), "record": range(config.records + 1)},
    )
    write_fields(run.folder.fields("batches"), table)
    return {"metrics": [row for number, item in enumerate(LOSS) for row in _rows(item, widths[item], found, number)]}


@dataclass(frozen=True)
class Setting:
    """What all widths of one network share: images, targets, test labels, infinite-width kernels in float64."""

    x: Array
    y: np.ndarray
    x_test: Array
    classes: np.ndarray
    theta: np.ndarray
    across: np.ndarray


def _prepare(study: WideConfig, item: str) -> Setting:
    config, loss = study.batches, LOSS[item]
    x, labels, x_test, labels_test = data.load(study.data, study.seed)
    shape = (lambda x: x) if item == "wide residual" else (lambda x: x.reshape(len(x), -1))
    x, x_test = jnp.asarray(shape(x[: config.samples])), jnp.asarray(shape(x_test[: config.points]))
    hot = data.one_hot(labels[: config.samples], study.data.classes)
    make = _maker(item, 8, x.shape[-1], study.data.classes, config.blocks)  # of any width
    limit = kernel(eqx.filter_eval_shape(make, jax.random.key(0)))
    theta, across = np.asarray(limit(x).ntk, np.float64), np.asarray(limit(x_test, x).ntk, np.float64)
    y = hot - 1.0 / study.data.classes if loss == "squared" else hot
    return Setting(x, y, x_test, labels_test[: config.points], theta, across)


def _compare(study: WideConfig, item: str, width: int, setting: Setting) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(loss of the first seed's network and both linear models (3, records + 1), scores (kernel, seed) by name)."""
    config, loss = study.batches, LOSS[item]
    x, y, x_test, classes = setting.x, setting.y, setting.x_test, setting.classes
    theta, across = setting.theta, setting.across
    make = _maker(item, width, x.shape[-1], study.data.classes, config.blocks)
    rate = config.rate * (1.0 - config.momentum) * predict.critical_learning_rates(theta, y.shape[1]).divergence
    stride = max(1, config.steps // config.records)
    generator = np.random.default_rng(study.seed)
    batches = generator.integers(0, len(x), (config.records, stride, min(config.size, len(x))))
    models = parts.draw(make, jax.random.fold_in(jax.random.key(study.seed), width), config.seeds)
    _, on, off = parts.train(models, x, y, x_test, loss, rate, config.momentum, stride, config.records, batches)
    steps, way = stride * np.arange(config.records + 1), predict.HeavyBall(rate, config.momentum)
    measure, first = parts.LOSSES[loss], []
    scores = {name: np.zeros((2, config.seeds)) for name in SCORES}
    for seed in range(config.seeds):
        own = parts.member(models, seed)
        pairs = (np.asarray(empirical_ntk(own, x, kind="full")), np.asarray(empirical_ntk(own, x_test, x, kind="full")))
        curves = [np.asarray(measure(on[seed], y))]
        for which, (square, wide) in enumerate((pairs, (theta, across))):
            linear = predict.mini_batches(square, y, on[seed, 0], way, batches.reshape(-1, batches.shape[-1]), loss=loss)
            curves.append(np.asarray(measure(linear.train(steps), y)))
            said = linear.test(wide, int(steps[-1]), off[seed, 0])
            scores["loss_gap"][which, seed] = np.abs(curves[-1] - curves[0]).max() / curves[0][0]
            scores["rms"][which, seed] = parts.rms(said - off[seed, -1]) / parts.rms(off[seed, -1] - off[seed, 0])
            right = [float(np.mean(outputs.argmax(-1) == classes)) for outputs in (off[seed, -1], said)]
            scores["accuracy"][which, seed] = right[0]
            scores["accuracy_gap"][which, seed] = right[1] - right[0]
        first = first or curves
    return np.stack(first), scores


def _maker(item: str, width: int, inputs: int, outputs: int, blocks: int) -> Any:
    if item == "dense":
        return lambda key: ntk.dense_network(key, inputs, outputs, (width, width))
    return lambda key: ntk.wide_residual_network(key, inputs, outputs, width, blocks)


def _rows(item: str, widths: tuple[int, ...], found: dict[str, np.ndarray], number: int) -> list[Metric]:
    label, source = f"mini-batches, {item}, {LOSS[item]}", f"{SOURCE}; width {widths[-1]}"
    accuracy = float(found["accuracy"][number, 0, len(widths) - 1].mean())
    rows = [Metric(f"{label}: test accuracy of the network", accuracy, "1", kind="skill", source=source)]
    for which, name in enumerate(KERNELS):
        scores = {key: values[number, which, : len(widths)] for key, values in found.items()}
        exponent, low, high = parts.slope(widths, scores["rms"])
        rms = f"{label}: rms difference of test outputs to the {name} kernel over their change in training"
        right = f"{label}: test accuracy of the {name} kernel minus the network's"
        gap = f"{label}: gap of the loss to the {name} kernel"
        for text, key in ((gap, "loss_gap"), (rms, "rms"), (right, "accuracy_gap")):
            rows.append(Metric(text, float(scores[key][-1].mean()), "1", kind="skill", source=source))
        rows.append(Metric(f"{rms}, exponent with width (95 % {low:.2f} to {high:.2f})", exponent, "1", kind="skill"))
    return rows
