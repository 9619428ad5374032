"""Stage curves (W4 to W7): the loss of trained networks beside its prediction, for every architecture, optimiser and loss."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
import xarray as xr

from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import parts
from parametra.studies.wide.config import NetworkConfig, WideConfig
from parametra.wide import empirical_ntk, kernel, predict

OPTIMISERS, LOSSES, KERNELS = ("flow", "steps", "momentum"), ("squared", "entropy"), ("empirical", "infinite")
SOURCE = "largest difference of loss over training, over the initial loss; mean over seeds"


def run_curves(run: Run) -> dict[str, Any]:
    """One table: gap of the loss for every cell at the largest width, and its exponent with width."""
    networks, config = run.config.networks, run.config.training
    cells = [(network, optimiser, loss) for network in networks for optimiser in OPTIMISERS for loss in LOSSES]
    shape = (len(networks), len(OPTIMISERS), len(LOSSES))
    curves = np.full((*shape, 3, config.records + 1), np.nan)
    gaps = np.full((*shape, 2, max(len(network.widths) for network in networks), config.seeds), np.nan)
    rows = []
    for number, (network, optimiser, loss) in enumerate(cells):
        place = (networks.index(network), OPTIMISERS.index(optimiser), LOSSES.index(loss))
        for w, width in enumerate(network.widths):
            run.progress.update("curves", (number + w / len(network.widths)) / len(cells), network=network.kind, width=width)
            curves[place], gaps[(*place, slice(None), w)] = compare(run.config, network, width, optimiser, loss)
        rows += _rows(network, optimiser, loss, gaps[place][:, : len(network.widths)])
    kinds = [network.kind for network in networks]
    coordinates = {"architecture": kinds, "optimiser": list(OPTIMISERS), "loss": list(LOSSES)}
    dims = tuple(coordinates)
    table = xr.Dataset(
        {
            "curve": ((*dims, "curve_of", "record"), curves, {"units": "1"}),
            "gap": ((*dims, "kernel", "width_number", "seed"), gaps, {"units": "1"}),
            "width": (("architecture", "width_number"), _padded([network.widths for network in networks]), {"units": "1"}),
        },
        coordinates | {"curve_of": ["network", *KERNELS], "kernel": list(KERNELS), "record": np.arange(config.records + 1.0)},
    )
    write_fields(run.folder.fields("curves"), table)
    return {"metrics": rows}


def compare(study: WideConfig, network: NetworkConfig, width: int, optimiser: str, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """(loss of network, empirical and infinite-width prediction (3, records + 1) of the first seed, gaps (2, seed))."""
    config = study.training
    x, y, x_test = parts.subset(study, network.kind)
    targets = y - y.mean() if loss == "squared" else y
    make = parts.maker(network, width, x.shape, y.shape[1])
    limit = np.asarray(kernel(eqx.filter_eval_shape(make, jax.random.key(0)))(x).ntk, np.float64)
    critical = predict.critical_learning_rates(limit, y.shape[1]).divergence
    momentum = config.momentum if optimiser == "momentum" else 0.0
    rate = critical * {"flow": config.flow_rate, "steps": config.rate, "momentum": config.rate * (1 - config.momentum)}[optimiser]
    stride = max(1, config.steps // config.records)
    models = parts.draw(make, jax.random.fold_in(jax.random.key(study.seed), width), config.seeds)
    _, on, _ = parts.train(models, x, targets, x_test, loss, rate, momentum, stride, config.records)
    times = stride * np.arange(config.records + 1)
    way = {
        "flow": predict.GradientFlow(rate), "steps": predict.GradientDescent(rate), "momentum": predict.HeavyBall(rate,
        config.momentum),
    }[optimiser]  # fmt: skip
    measure, gaps, first = parts.LOSSES[loss], np.zeros((2, config.seeds)), []
    for seed in range(config.seeds):
        own = np.asarray(empirical_ntk(parts.member(models, seed), x, kind="full"), np.float64)
        curves = [np.asarray(measure(on[seed], targets))]
        for theta in (own, limit):
            if loss == "squared":
                outputs = predict.squared_loss(theta, targets, way).train(times, on[seed, 0])
            else:
                outputs = predict.cross_entropy(theta, targets, on[seed, 0], way).train(times)
            curves.append(np.asarray(measure(outputs, targets)))
        gaps[:, seed] = [np.abs(curve - curves[0]).max() / curves[0][0] for curve in curves[1:]]
        first = first or curves
    return np.stack(first), gaps


def _rows(network: NetworkConfig, optimiser: str, loss: str, gaps: np.ndarray) -> list[Metric]:
    rows, label = [], f"{network.kind}, {optimiser}, {loss}"
    for name, values, target in zip(KERNELS, gaps, (0.01, 0.03), strict=True):
        exponent, low, high = parts.slope(network.widths, values)
        judged = (network.kind, optimiser, loss) == ("dense", "steps", "squared") and network.widths[-1] >= 2048
        rows += [
            Metric(
                f"{label}: gap of the loss to the {name} kernel at width {network.widths[-1]}", float(values[-1].mean()), "1",
                target if judged else None, "lower", "skill", SOURCE,
            ),
            Metric(f"{label}: its exponent with width, {name} (95 % {low:.2f} to {high:.2f})", exponent, "1", kind="skill"),
        ]  # fmt: skip
    return rows


def _padded(rows: list[tuple[int, ...]]) -> np.ndarray:
    length = max(map(len, rows))
    return np.array([[*row, *[np.nan] * (length - len(row))] for row in rows], np.float64)
