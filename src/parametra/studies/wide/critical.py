"""Stage critical (W11): the learning rate above which a wide network ceases to converge, predicted and observed."""

from typing import Any

import jax
import numpy as np
import xarray as xr

from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import parts
from parametra.wide import predict

FACTORS = (0.5, 0.7, 0.85, 0.95, 1.05, 1.15, 1.3, 1.5)


def run_critical(run: Run) -> dict[str, Any]:
    """Sweeps the learning rate; a run has diverged when its largest loss after the start exceeds the initial one."""
    config, network = run.config.training, run.config.networks[0]
    x, y, x_test = parts.subset(run.config, network.kind)
    targets, width = y - y.mean(), network.widths[-1]
    make = parts.maker(network, width, x.shape, y.shape[1])
    rates = predict.critical_learning_rates(parts.limit(network, x.shape, y.shape[1])(x).ntk, y.shape[1])
    models = parts.draw(make, jax.random.fold_in(jax.random.key(run.config.seed), width), 2)
    worst = []
    for number, factor in enumerate(FACTORS):
        run.progress.update("critical", number / len(FACTORS), factor=factor)
        rate = factor * rates.divergence
        _, on, _ = parts.train(models, x, targets, x_test, "squared", rate, 0.0, 1, config.records)
        losses = np.nan_to_num(parts.squared(on, targets), nan=np.inf)
        worst.append(float(min(losses[:, 1:].max(1).max() / losses[:, 0].mean(), 1e6)))
    table = xr.Dataset({"growth": (("factor",), worst, {"units": "1"})}, {"factor": list(FACTORS)})
    write_fields(run.folder.fields("critical"), table)
    bad = [factor for factor, growth in zip(FACTORS, worst, strict=True) if growth > 1.0]
    good = [factor for factor, growth in zip(FACTORS, worst, strict=True) if growth <= 1.0]
    observed = float(np.sqrt(min(bad) * max(good))) if bad and good else float("nan")
    source = f"width {width}; 2/lambda_max of the infinite-width kernel, where its linear model diverges"
    return {
        "metrics": [
            Metric("critical learning rate: observed over predicted", observed, "1", (0.85, 1.2), "inside", source=source),
            Metric("critical learning rate: 2/(lambda_min + lambda_max) over 2/lambda_max", rates.lee / rates.divergence, "1"),
        ]
    }
