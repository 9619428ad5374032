"""Stage width (W1, W2, W8): what training changes in a network, and how that falls with width."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from parametra.networks import ntk
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import parts
from parametra.studies.wide.config import NetworkConfig
from parametra.wide import empirical_ntk, predict

QUANTITIES = (
    "first weight",
    "inner weights",
    "last weight",
    "empirical kernel",
    "kernel at start from the limit",
    "outputs from linear model",
)
EXPECTED = {
    "first weight": ((-0.7, -0.3), "inside"), "inner weights": ((-1.3, -0.7), "inside"), "last weight": ((-0.7, -0.3), "inside"),
    "empirical kernel": (-0.4, "lower"), "kernel at start from the limit": (-0.3, "lower"),
    "outputs from linear model": (-0.4, "lower"),
}  # fmt: skip
SOURCE = (
    "relative change |after - before| / |before|, outputs over their change in training; Lee et al. (2019, figure 2 and theorem "
    "2.1): n^-1/2 outside, 1/n inside"
)


def run_width(run: Run) -> dict[str, Any]:
    """Trains every network at every width; relative changes and their exponents with bootstrap intervals."""
    config = run.config.change
    names = [f"{shape.activation}, {shape.depth} hidden" for shape in config.networks]
    found = np.full((len(names), len(QUANTITIES), len(config.widths), run.config.training.seeds), np.nan)
    for n, shape in enumerate(config.networks):
        network = NetworkConfig(
            kind="dense", widths=config.widths, activation=shape.activation, depth=shape.depth,
            w_std=config.w_std, b_std=config.b_std,
        )  # fmt: skip
        found[n] = _changes(run, network, names[n], n)
    table = xr.Dataset(
        {"change": (("network", "quantity", "width", "seed"), found, {"units": "1"})},
        {
            "network": names, "quantity": list(QUANTITIES), "width": list(config.widths),
            "seed": np.arange(run.config.training.seeds),
        },
    )  # fmt: skip
    write_fields(run.folder.fields("width"), table)
    return {
        "metrics": [
            _row(f"{name}: {quantity}", quantity, config.widths, found[n, q])
            for n, name in enumerate(names)
            for q, quantity in enumerate(QUANTITIES)
            if np.isfinite(found[n, q]).all()
        ]
    }


def _changes(run: Run, network: NetworkConfig, name: str, number: int) -> np.ndarray:
    """(quantity, width, seed) of one network."""
    config, total = run.config.training, len(run.config.change.networks)
    x, y, x_test = parts.subset(run.config, network.kind)
    targets = y - y.mean()
    limit = np.asarray(parts.limit(network, x.shape, y.shape[1])(x).ntk, np.float64)
    rate = config.rate * predict.critical_learning_rates(limit, y.shape[1]).divergence
    found = np.zeros((len(QUANTITIES), len(network.widths), config.seeds))
    for i, width in enumerate(network.widths):
        done = (number + i / len(network.widths)) / total
        run.progress.update("width", done, network=name, width=width)
        make = parts.maker(network, width, x.shape, y.shape[1])
        models = parts.draw(make, jax.random.fold_in(jax.random.key(run.config.seed), width), config.seeds)
        stride = max(1, config.steps // config.records)
        trained, on, _ = parts.train(models, x, targets, x_test, "squared", rate, 0.0, stride, config.records)
        for seed in range(config.seeds):
            before, after = parts.member(models, seed), parts.member(trained, seed)
            start, end = (np.asarray(empirical_ntk(model, x, kind="full"), np.float64) for model in (before, after))
            line = predict.squared_loss(start, targets, predict.GradientDescent(rate)).train(stride * config.records, on[seed, 0])
            found[:3, i, seed] = weight_changes(before, after)
            found[3, i, seed] = distance(end, start)
            found[4, i, seed] = distance(np.einsum("abii->ab", start) / y.shape[1], limit)
            found[5, i, seed] = np.linalg.norm(on[seed, -1] - line) / np.linalg.norm(on[seed, -1] - on[seed, 0])
    return found


def _row(label: str, quantity: str, widths: tuple[int, ...], values: np.ndarray) -> Metric:
    exponent, low, high = parts.slope(widths, values)
    target, better = EXPECTED[quantity]
    return Metric(
        f"change with width, {label}: exponent (95 % {low:.2f} to {high:.2f})", exponent, "1", target, better, source=SOURCE
    )


def weight_changes(before: Any, after: Any) -> tuple[float, float, float]:
    """Relative change of the first, of all inner (NaN where there is none) and of the last weight matrix."""
    layer = lambda leaf: isinstance(leaf, ntk.Dense | ntk.Conv)
    pairs = [
        (np.asarray(one.weight), np.asarray(two.weight))
        for one, two in zip(*(jax.tree.leaves(model, is_leaf=layer) for model in (before, after)), strict=True)
        if layer(one)
    ]
    changes = [distance(two, one) for one, two in pairs]
    return changes[0], float(np.mean(changes[1:-1])) if len(changes) > 2 else float("nan"), changes[-1]


def distance(value: Any, reference: Any) -> float:
    """Relative Frobenius distance."""
    return float(np.linalg.norm(np.ravel(value) - np.ravel(reference)) / jnp.linalg.norm(jnp.ravel(reference)))
