"""Stage curves (W4 to W7): the loss of trained networks beside its prediction, for every architecture, optimiser and loss."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array

from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import parts
from parametra.studies.wide.config import NetworkConfig, WideConfig
from parametra.wide import empirical_ntk, predict

OPTIMISERS, LOSSES, KERNELS = ("flow", "steps", "momentum"), ("squared", "entropy"), ("empirical", "infinite")
SOURCE = "largest difference of loss over training, over the initial loss; mean over seeds"


@dataclass(frozen=True)
class Setting:
    """What all cells of one architecture share.

    Attributes:
        network: the architecture.
        x, y, x_test: (n, ...) training images, (n, k) one-hot labels, (m, ...) test images.
        limit: (n, n) infinite-width tangent kernel.
        study: the configuration.
    """

    network: NetworkConfig
    x: Array
    y: np.ndarray
    x_test: Array
    limit: np.ndarray
    study: WideConfig


@dataclass(frozen=True)
class Start:
    """Networks of one width before training, side by side, and the tangent kernel (n, n, k, k) of each."""

    models: Any
    kernels: list[np.ndarray]


def run_curves(run: Run) -> dict[str, Any]:
    """One table: gap of the loss for every cell at the largest width, and its exponent with width."""
    networks, config = run.config.networks, run.config.training
    shape, most = (len(networks), len(OPTIMISERS), len(LOSSES)), max(len(network.widths) for network in networks)
    curves = np.full((*shape, 3, config.records + 1), np.nan)
    gaps = np.full((*shape, 2, most, config.seeds), np.nan)
    for n, network in enumerate(networks):
        setting = prepare(run.config, network)
        for w, width in enumerate(network.widths):
            start = begin(setting, width)
            for o, optimiser in enumerate(OPTIMISERS):
                done = (n + (w + o / len(OPTIMISERS)) / len(network.widths)) / len(networks)
                run.progress.update("curves", done, network=network.kind, width=width, optimiser=optimiser)
                for s, loss in enumerate(LOSSES):
                    curves[n, o, s], gaps[n, o, s, :, w] = compare(setting, start, optimiser, loss)
    exponents = np.full((*shape, 2, 3), np.nan)
    for place in np.ndindex(*shape, 2):
        widths = networks[place[0]].widths
        exponents[place] = parts.slope(widths, gaps[place][: len(widths)])
    coordinates = {"architecture": [network.kind for network in networks], "optimiser": list(OPTIMISERS), "loss": list(LOSSES)}
    dims = tuple(coordinates)
    table = xr.Dataset(
        {
            "curve": ((*dims, "curve_of", "record"), curves, {"units": "1"}),
            "gap": ((*dims, "kernel", "width_number", "seed"), gaps, {"units": "1"}),
            "exponent": ((*dims, "kernel", "end"), exponents, {"units": "1"}),
            "width": (("architecture", "width_number"), _padded([network.widths for network in networks]), {"units": "1"}),
        },
        coordinates
        | {
            "curve_of": ["network", *KERNELS], "kernel": list(KERNELS), "record": np.arange(config.records + 1.0),
            "end": ["fit", "low", "high"],
        },
    )  # fmt: skip
    write_fields(run.folder.fields("curves"), table)
    rows = []
    for n, o, s in np.ndindex(*shape):
        last = gaps[n, o, s, :, len(networks[n].widths) - 1].mean(-1)
        rows += _rows(networks[n], OPTIMISERS[o], LOSSES[s], last, exponents[n, o, s])
    return {"metrics": rows}


def prepare(study: WideConfig, network: NetworkConfig) -> Setting:
    """Images and the kernel of infinite width, which no width, optimiser or loss changes."""
    x, y, x_test = parts.subset(study, network.kind)
    return Setting(network, x, y, x_test, np.asarray(parts.limit(network, x.shape, y.shape[1])(x).ntk, np.float64), study)


def begin(setting: Setting, width: int) -> Start:
    """Networks of this width, the same for every optimiser and loss."""
    make = parts.maker(setting.network, width, setting.x.shape, setting.y.shape[1])
    seed, seeds = setting.study.seed, setting.study.training.seeds
    models = parts.draw(make, jax.random.fold_in(jax.random.key(seed), width), seeds)
    kernels = [np.asarray(empirical_ntk(parts.member(models, i), setting.x, kind="full"), np.float64) for i in range(seeds)]
    return Start(models, kernels)


def compare(setting: Setting, start: Start, optimiser: str, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """(loss of network, empirical and infinite-width prediction (3, records + 1) of the first seed, gaps (2, seed))."""
    config, y = setting.study.training, setting.y
    targets = y - y.mean() if loss == "squared" else y
    critical = predict.critical_learning_rates(setting.limit, y.shape[1]).divergence
    momentum = config.momentum if optimiser == "momentum" else 0.0
    rate = critical * {"flow": config.flow_rate, "steps": config.rate, "momentum": config.rate * (1 - config.momentum)}[optimiser]
    stride = max(1, config.steps // config.records)
    _, on, _ = parts.train(start.models, setting.x, targets, setting.x_test, loss, rate, momentum, stride, config.records)
    times = stride * np.arange(config.records + 1)
    way = {
        "flow": predict.GradientFlow(rate), "steps": predict.GradientDescent(rate), "momentum": predict.HeavyBall(rate,
        config.momentum),
    }[optimiser]  # fmt: skip
    measure, gaps, first = parts.LOSSES[loss], np.zeros((2, config.seeds)), []
    for seed, own in enumerate(start.kernels):
        curves = [np.asarray(measure(on[seed], targets))]
        for theta in (own, setting.limit):
            if loss == "squared":
                outputs = predict.squared_loss(theta, targets, way).train(times, on[seed, 0])
            else:
                outputs = predict.cross_entropy(theta, targets, on[seed, 0], way).train(times)
            curves.append(np.asarray(measure(outputs, targets)))
        gaps[:, seed] = [np.abs(curve - curves[0]).max() / curves[0][0] for curve in curves[1:]]
        first = first or curves
    return np.stack(first), gaps


def _rows(network: NetworkConfig, optimiser: str, loss: str, last: np.ndarray, exponents: np.ndarray) -> list[Metric]:
    """Gaps at the largest width and their exponents; one cell is judged, whose exponents must be below zero with certainty."""
    rows, label = [], f"{network.kind}, {optimiser}, {loss}"
    judged = (network.kind, optimiser, loss) == ("dense", "steps", "squared") and network.widths[-1] >= 2048
    for name, gap, (exponent, low, high), target in zip(KERNELS, last, exponents, (0.01, 0.03), strict=True):
        rows += [
            Metric(
                f"{label}: gap of the loss to the {name} kernel at width {network.widths[-1]}", float(gap), "1",
                target if judged else None, "lower", "skill", SOURCE,
            ),
            Metric(f"{label}: its exponent with width, {name} (95 % {low:.2f} to {high:.2f})", exponent, "1", kind="skill"),
        ]  # fmt: skip
        if judged:
            name = f"{label}: upper end of the 95 % of its exponent, {name}"
            rows.append(Metric(name, high, "1", 0.0, "lower", "skill", "resampled seeds; below zero: it shrinks with width"))
    return rows


def _padded(rows: list[tuple[int, ...]]) -> np.ndarray:
    length = max(map(len, rows))
    return np.array([[*row, *[np.nan] * (length - len(row))] for row in rows], np.float64)
