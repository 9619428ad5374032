"""Stage parameterization (W9): the same network with its factors in the weights ("standard") instead of before them ("ntk").

Gradient descent at one rate eta in the NTK parameterization is gradient descent in the standard one with the rates
eta sigma_w²/fan_in for weights and eta sigma_b² for biases (Lee et al. 2019, supplement): at any width, to rounding. With one
rate for all layers the standard parameterization has another kernel, in which the wide layers outweigh the first one.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from parametra.networks import ntk
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import parts
from parametra.wide import kernel, predict

CURVES = ("ntk", "standard, rates by layer", "standard, one rate", "its kernel")


def run_parameterization(run: Run) -> dict[str, Any]:
    """Dense networks of the law of the first architecture: both parameterizations trained, and the kernel of the standard one."""
    config, network = run.config.training, run.config.networks[0]
    widths, stride = run.config.change.twins, max(1, config.steps // config.records)
    curves = np.zeros((len(widths), len(CURVES), config.records + 1))
    apart = np.zeros((len(widths), config.seeds))
    gaps, kernels = np.zeros_like(apart), np.zeros(len(widths))
    with jax.enable_x64(True):  # the rates by layer are exact: what differs must be rounding
        x, y, x_test = (jnp.asarray(np.asarray(values), jnp.float64) for values in parts.subset(run.config, "dense"))
        targets, outputs = np.asarray(y - y.mean()), y.shape[1]
        phi = parts.ACTIVATIONS[network.activation]
        for i, width in enumerate(widths):
            run.progress.update("parameterization", i / len(widths), width=width)

            def make(key: Any, width: int = width) -> Any:
                hidden = (width,) * network.depth
                return ntk.dense_network(key, x.shape[1], outputs, hidden, phi, w_std=network.w_std, b_std=network.b_std)

            models = parts.draw(make, jax.random.fold_in(jax.random.key(run.config.seed), width), config.seeds)
            twins = to_standard(models)
            thetas = [np.asarray(kernel(parts.member(some, 0))(x).ntk) for some in (models, twins)]
            rates = [config.rate * predict.critical_learning_rates(theta, outputs).divergence for theta in thetas]
            runs = [
                parts.train(some, x, targets, x_test, "squared", rate, 0.0, stride, config.records)[1]
                for some, rate in ((models, rates[0]), (twins, rates_by_layer(twins, rates[0])), (twins, rates[1]))
            ]
            steps = stride * np.arange(config.records + 1)
            line = predict.squared_loss(thetas[1], targets, predict.GradientDescent(rates[1]))
            said = np.stack([line.train(steps, start) for start in runs[2][:, 0]])
            losses = [np.asarray(parts.squared(on, targets)) for on in (*runs, said)]  # each (seed, record)
            curves[i] = [loss[0] for loss in losses]
            apart[i] = [parts.rms(two - one) / parts.rms(one[-1] - one[0]) for one, two in zip(runs[0], runs[1], strict=True)]
            gaps[i] = np.abs(losses[3] - losses[2]).max(1) / losses[2][:, 0]
            kernels[i] = shape_distance(*thetas)
    table = xr.Dataset(
        {
            "curve": (("width", "curve_of", "record"), curves, {"units": "1"}),
            "apart": (("width", "seed"), apart, {"units": "1"}),
            "gap": (("width", "seed"), gaps, {"units": "1"}),
            "kernel_distance": (("width",), kernels, {"units": "1"}),
        },
        {
            "width": list(widths), "curve_of": list(CURVES), "seed": np.arange(config.seeds),
            "record": stride * np.arange(config.records + 1.0),
        },
    )  # fmt: skip
    write_fields(run.folder.fields("parameterization"), table)
    exponent, low, high = parts.slope(widths, gaps)
    label, source = "standard parameterization", f"{config.seeds} networks of each width, float64"
    return {
        "metrics": [
            Metric(
                f"{label}, rates by layer: outputs away from the NTK parameterization's, over their change", float(apart.max()),
                "1", 1e-9, "lower", source=f"{source}; largest of all widths",
            ),
            Metric(
                f"{label}, one rate: gap of the loss to its kernel at width {widths[-1]}", float(gaps[-1].mean()), "1",
                kind="skill", source=source,
            ),
            Metric(f"{label}, one rate: its exponent with width (95 % {low:.2f} to {high:.2f})", exponent, "1", kind="skill"),
            Metric(
                f"{label}: distance of its kernel from the NTK parameterization's, best multiple, width {widths[-1]}",
                float(kernels[-1]), "1", kind="skill", source="relative, Frobenius",
            ),
        ]
    }  # fmt: skip


def to_standard(models: Any) -> Any:
    """The same functions, networks of `parts.draw`, with the factors of all dense layers in their arrays."""

    def one(layer: Any) -> Any:
        if not isinstance(layer, ntk.Dense):
            return layer
        w, b = layer.scales
        bias = None if layer.bias is None else b * layer.bias
        return ntk.Dense(w * layer.weight, bias, layer.w_std, layer.b_std, "standard")

    return eqx.filter_vmap(lambda model: jax.tree.map(one, model, is_leaf=_is_dense))(models)


def rates_by_layer(models: Any, rate: float) -> Any:
    """`models` with a number in each array's place: `rate` times sigma_w²/fan_in for weights, sigma_b² for biases."""

    def one(layer: Any) -> Any:
        if not isinstance(layer, ntk.Dense):
            return layer
        weight = jnp.asarray(rate * layer.w_std**2 / layer.weight.shape[-1])
        bias = None if layer.bias is None else jnp.asarray(rate * (layer.b_std or 0.0) ** 2)
        return eqx.tree_at(lambda layer: (layer.weight, layer.bias), layer, (weight, bias), is_leaf=lambda leaf: leaf is None)

    return jax.tree.map(one, models, is_leaf=_is_dense)


def _is_dense(leaf: Any) -> bool:
    return isinstance(leaf, ntk.Dense)


def shape_distance(one: np.ndarray, two: np.ndarray) -> float:
    """Relative Frobenius distance of `two` from `one` after the best multiple."""
    return float(np.linalg.norm(two * (one * two).sum() / (two * two).sum() - one) / np.linalg.norm(one))
