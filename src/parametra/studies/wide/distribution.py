"""Stage distribution (W3): trained outputs of ensembles beside the Gaussian processes that predict them, over training.

Outputs at several inputs are correlated, so they are judged after a whitening by the predicted covariance: under the right law
all their components are independent with variance one. The NNGP posterior is close to that law, closer than what an eye sees in a
figure. What tells them apart is the means of the networks' outputs, and how likely each law makes them; their variances less so.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
import xarray as xr

from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import parts
from parametra.studies.wide.config import Activation, NetworkConfig, WideConfig
from parametra.wide import Kernel, predict

Numbers = np.ndarray
Law = tuple[Numbers, Numbers]  # mean (points, outputs), covariance (points, points) of each output
KEPT = 1e-9  # directions of a covariance below this share of the largest are left out: the kernels do not resolve them
LAWS = ("ensemble", "posterior")


def run_distribution(run: Run) -> dict[str, Any]:
    """For each activation means, variances, calibration and likelihoods at the test inputs of every record, under both laws."""
    names = run.config.ensemble.activations
    tables, rows = [], []
    for number, activation in enumerate(names):
        run.progress.update("distribution", number / len(names), networks=run.config.ensemble.networks, activation=activation)
        table, metrics = _ensemble(run.config, activation)
        tables.append(table)
        rows += metrics
    write_fields(run.folder.fields("distribution"), xr.concat(tables, "activation").assign_coords(activation=list(names)))
    return {"metrics": rows}


def _ensemble(study: WideConfig, activation: Activation) -> tuple[xr.Dataset, list[Metric]]:
    config = study.ensemble
    x, y, x_test = parts.subset(study, "dense", config.samples)
    targets, outputs = y - y.mean(), y.shape[1]
    network = NetworkConfig(
        kind="dense", widths=(config.width, config.width), activation=activation, depth=config.depth,
        w_std=config.w_std, b_std=0.0,
    )  # fmt: skip
    inner, across, outer = _kernels(network, x, x_test, outputs)
    rate = study.training.rate * predict.critical_learning_rates(inner.ntk, outputs).divergence
    stride = max(1, config.steps // config.records)
    times = stride * np.arange(config.records + 1)
    make = parts.maker(network, config.width, x.shape, outputs)
    models = parts.draw(make, jax.random.fold_in(jax.random.key(study.seed), 7), config.networks)
    _, _, off = parts.train(models, x, targets, x_test, "squared", rate, 0.0, stride, config.records)

    way, moments = predict.GradientDescent(rate), [*times, np.inf]
    line = predict.squared_loss(inner.ntk, targets, way)
    ensemble = line.ensemble(inner.nngp, across.ntk, across.nngp, outer.nngp, moments)
    exact = predict.posterior(inner.nngp, targets, across.nngp, outer.nngp)  # Bayes knows no time
    posterior = tuple(np.broadcast_to(values, (len(moments), *values.shape)) for values in exact)
    laws: list[list[Law]] = [list(zip(*law, strict=True)) for law in (ensemble, posterior)]
    found = [[compare(off[:, i], *law[i]) for i in range(len(times))] for law in laws]
    final = [compare(off[:, -1], *law[-1]) for law in laws]
    dims, band = ("record", "point"), scipy.stats.norm.ppf(0.975)
    mean, variance = ensemble[0][:-1], np.diagonal(ensemble[1][:-1], axis1=1, axis2=2)
    inside = float((np.abs(off[:, -1] - mean[-1]) < band * np.sqrt(variance[-1])[:, None]).mean())
    ratio = np.stack([[interval(one["variance"]) for one in law] for law in found])
    likelihood = np.stack([interval(a["likelihood"] - b["likelihood"]) for a, b in zip(*found, strict=True)])
    table = xr.Dataset(
        {
            "networks_mean": (dims, off.mean(0)[..., 0], {"units": "1"}),
            "networks_deviation": (dims, off.std(0, ddof=1)[..., 0], {"units": "1"}),
            **{
                f"{name}_{what}": (dims, values, {"units": "1"})
                for name, law in zip(LAWS, (ensemble, posterior), strict=True)
                for what, values in (
                    ("mean", law[0][:-1, :, 0]), ("deviation", np.sqrt(np.diagonal(law[1][:-1], axis1=1, axis2=2))),
                )
            },
            "variance_ratio": (("law", "record", "end"), ratio, {"units": "1"}),
            "likelihood_ratio": (("record", "end"), likelihood, {"units": "1"}),
        },
        {"record": times.astype(np.float64), "point": np.arange(len(x_test)), "law": list(LAWS), "end": ["mean", "low", "high"]},
    )  # fmt: skip
    return table, _rows(config, activation, outputs, found[0][-1], final, inside, (laws[0][-1], laws[1][-1]))


def _kernels(network: NetworkConfig, x: Any, x_test: Any, outputs: int) -> tuple[Kernel, Kernel, Kernel]:
    """Of the training inputs, of test with training inputs, of the test inputs; in float64, since covariances are inverted."""
    with jax.enable_x64(True):
        one, two = (jnp.asarray(np.asarray(values), jnp.float64) for values in (x, x_test))
        function = parts.limit(network, one.shape, outputs)
        return function(one), function(two, one), function(two)


def compare(values: Numbers, mean: Numbers, covariance: Numbers) -> dict[str, Numbers]:
    """How outputs (network, point, output) fit a Gaussian law, per network where there is an axis (network,).

    Returns:
        "z", (directions, outputs): means of the whitened outputs in units of their standard error; "variance", (network,): mean
        square of the whitened outputs about their own mean, 1 on average under the law; "likelihood", (network,): logarithm of
        the density, without the constant that all laws share [nats].
    """
    matrix, volume = whitening(covariance)
    white = np.einsum("pd,npk->ndk", matrix, values - mean)
    count, _, outputs = white.shape
    own = (white - white.mean(0)) ** 2 * count / (count - 1)
    return {
        "z": white.mean(0) * np.sqrt(count),
        "variance": own.mean((1, 2)),
        "likelihood": -0.5 * (white**2).sum((1, 2)) - 0.5 * outputs * volume,
    }


def expected_likelihood(true: Law, law: Law) -> float:
    """The average of the likelihood of `compare` under `law`, over outputs whose law is `true` [nats per network]."""
    matrix, volume = whitening(law[1])
    shift, outputs = matrix.T @ (true[0] - law[0]), law[0].shape[1]
    return float(-0.5 * (outputs * (np.trace(matrix.T @ true[1] @ matrix) + volume) + (shift**2).sum()))


def expected_variance(true: Law, law: Law) -> float:
    """The average of the variance of `compare` under `law`, over outputs whose law is `true`."""
    matrix, _ = whitening(law[1])
    return float(np.mean(np.sum(matrix * (true[1] @ matrix), 0)))


def whitening(covariance: Numbers) -> tuple[Numbers, float]:
    """W (points, directions) with W^T C W = 1, and the logarithm of the determinant of C over those directions."""
    scales, vectors = np.linalg.eigh(covariance)
    kept = scales > KEPT * scales[-1]
    return vectors[:, kept] / np.sqrt(scales[kept]), float(np.log(scales[kept]).sum())


def interval(values: Numbers) -> tuple[float, float, float]:
    """Mean over networks with the ends of its 95 % interval: networks are independent, outputs of one need not be."""
    error = scipy.stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - error), float(values.mean() + error)


def _rows(
    config: Any,
    activation: str,
    outputs: int,
    at_end: dict[str, Numbers],
    final: list[dict[str, Numbers]],
    inside: float,
    laws: tuple[Law, Law],
) -> list[Metric]:
    """Judged at the end of training: against the law of that step, and against both `laws` of infinite time.

    One measure serves both laws: the networks' own must keep the whitened means within three standard errors of sampling, the
    NNGP posterior must not.
    """
    count, components = config.networks, at_end["z"].size
    source = f"{count} networks of width {config.width} and depth {config.depth}, {config.samples} images, {config.steps} steps"
    most, width = np.sqrt(1.0 + 3.0 * np.sqrt(2.0 / components)), 3.0 * np.sqrt(2.0 / (count * components))
    label, three = f"ensemble, {activation}", "three standard errors of sampling"
    ratio, low, high = interval(at_end["variance"])
    other, other_low, other_high = interval(final[1]["variance"])
    nats, nats_low, nats_high = interval(final[0]["likelihood"] - final[1]["likelihood"])
    true, posterior = laws
    theory = expected_likelihood(true, true) - expected_likelihood(true, posterior)
    far = expected_variance(true, posterior)
    z = [float(np.sqrt(np.mean(one["z"] ** 2))) for one in (at_end, final[1])]
    slack = 3.0 * np.sqrt(0.95 * 0.05 / (count * outputs))
    return [
        Metric(f"{label}: rms z-score of the mean", z[0], "1", float(most), "lower", "skill", f"{source}; whitened; {three}"),
        Metric(
            f"{label}: variance over predicted (95 % {low:.3f} to {high:.3f})", ratio, "1",
            (float(1 - width), float(1 + width)), "inside", "skill", f"{source}; whitened; {three}",
        ),
        Metric(
            f"{label}: share inside the 95 % band", inside, "1", (float(0.95 - slack), float(min(1.0, 0.95 + slack))), "inside",
            "skill", f"{source}; {three}, points of one output counted once",
        ),
        Metric(
            f"{label}, NNGP posterior instead: rms z-score of the mean", z[1], "1", float(most), "higher", "skill",
            f"{source}; whitened; above the three standard errors that the networks' own law keeps to: excluded",
        ),
        Metric(
            f"{label}, NNGP posterior instead: variance over predicted (95 % {other_low:.3f} to {other_high:.3f})", other, "1",
            kind="skill", source=f"{source}; {far:.3f} expected of networks that are infinitely wide",
        ),
        Metric(
            f"{label}: log-likelihood over that of the NNGP posterior, per network (95 % {nats_low:.2f} to {nats_high:.2f})",
            nats, "nats", kind="skill",
            source=f"{source}; both laws at infinite time; {theory:.2f} expected of networks that are infinitely wide",
        ),
    ]  # fmt: skip
