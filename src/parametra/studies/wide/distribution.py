"""Stage distribution (W3): trained outputs of an ensemble beside the Gaussian process that predicts them, over training."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
import scipy.stats
import xarray as xr

from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import parts
from parametra.wide import kernel, predict


def run_distribution(run: Run) -> dict[str, Any]:
    """Means and variances at the test inputs of every record, z-scores, variance ratios, calibration; the NNGP beside them."""
    ensemble, config, network = run.config.ensemble, run.config.training, run.config.networks[0]
    x, y, x_test = parts.subset(run.config, network.kind)
    targets = y - y.mean()
    make = parts.maker(network, ensemble.width, x.shape, y.shape[1])
    function = kernel(eqx.filter_eval_shape(make, jax.random.key(0)))
    inner, across, outer = function(x), function(x_test, x), function(x_test)
    rate = config.rate * predict.critical_learning_rates(inner.ntk, y.shape[1]).divergence
    stride = max(1, config.steps // ensemble.records)
    models = parts.draw(make, jax.random.fold_in(jax.random.key(run.config.seed), 7), ensemble.networks)
    run.progress.update("distribution", 0.1, networks=ensemble.networks, width=ensemble.width)
    _, _, off = parts.train(models, x, targets, x_test, "squared", rate, 0.0, stride, ensemble.records)
    times = stride * np.arange(ensemble.records + 1)
    way = predict.GradientDescent(rate)
    line = predict.squared_loss(inner.ntk, targets, way)
    mean, covariance = line.ensemble(inner.nngp, across.ntk, across.nngp, outer.nngp, times)
    bayes, bayes_covariance = predict.posterior(inner.nngp, targets, across.nngp, outer.nngp, times, way)
    variance, bayes_variance = (np.diagonal(values, axis1=1, axis2=2) for values in (covariance, bayes_covariance))
    count = ensemble.networks
    z = (off.mean(0) - mean) / np.sqrt(variance[..., None] / count)
    ratio = off.var(0, ddof=1).mean(-1) / variance
    z_bayes = (off.mean(0) - bayes) / np.sqrt(bayes_variance[..., None] / count)
    inside = np.abs(off - mean) < scipy.stats.norm.ppf(0.975) * np.sqrt(variance[..., None])
    dims = ("record", "point")
    table = xr.Dataset(
        {
            "ensemble_mean": (dims, off.mean(0)[..., 0], {"units": "1"}),
            "ensemble_deviation": (dims, off.std(0, ddof=1)[..., 0], {"units": "1"}),
            "predicted_mean": (dims, mean[..., 0], {"units": "1"}),
            "predicted_deviation": (dims, np.sqrt(variance), {"units": "1"}),
            "posterior_mean": (dims, bayes[..., 0], {"units": "1"}),
            "posterior_deviation": (dims, np.sqrt(bayes_variance), {"units": "1"}),
        },
        {"record": times.astype(np.float64), "point": np.arange(len(x_test))},
    )
    write_fields(run.folder.fields("distribution"), table)
    # Errors of neighbouring points are correlated, so the intervals count only the outputs as independent draws.
    spread = 1.0 + 4.0 * np.sqrt(1.0 / (2.0 * y.shape[1] * (ensemble.records + 1)))
    width = 4.0 * np.sqrt(2.0 / (count * y.shape[1]))
    source = f"{count} networks of width {ensemble.width}, all records and test points; four standard errors of sampling"
    return {
        "metrics": [
            Metric("ensemble: rms z-score of the mean", float(np.sqrt(np.mean(z**2))), "1", spread, "lower", "skill", source),
            Metric(
                "ensemble: variance over predicted", float(ratio.mean()), "1", (1 - width, 1 + width), "inside", "skill", source
            ),
            Metric("ensemble: share inside the 95 % band", float(inside.mean()), "1", (0.9, 0.99), "inside", "skill", source),
            Metric("NNGP posterior instead: rms z-score of the mean", float(np.sqrt(np.mean(z_bayes**2))), "1", kind="skill"),
            Metric(
                "NNGP posterior instead: variance over predicted at the end",
                float((off.var(0, ddof=1).mean(-1)[-1] / bayes_variance[-1]).mean()), "1", kind="skill",
            ),
        ]
    }  # fmt: skip
