"""Stage margin: how far singular values stray from the centre of their interval, against how badly the network generalises.

The spectral margin of a network is the largest |sigma / sigma_* - 1| over its layers (Zhang, Lei & Dhillon 2018). Beside it
stands the margin that bounds on generalisation divide by: that of the scores over the product of the layers' norms (Bartlett,
Foster & Telgarsky 2017, arXiv 1706.08498).
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr
from jaxtyping import Array
from scipy.stats import spearmanr

from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.spectral import deep, images, parts
from parametra.studies.spectral.config import MarginConfig

QUANTITIES = ("spectral_margin", "score_margin", "gap_loss", "gap_accuracy", "training_loss", "test_accuracy")
CENTRE = deep.CRITICAL["relu"]


def run_margin(run: Run) -> dict[str, Any]:
    """Trains networks with intervals of several half-widths; rank correlations of both margins with the gap."""
    config = run.config.margin
    rows = images.load(run.config.data, run.config.seed, samples=config.samples)
    found = []
    for number, radius in enumerate(config.radii):
        run.progress.update("margin", number / len(config.radii), half_width=radius)
        key = jax.random.fold_in(jax.random.key(run.config.seed), number)  # pairs that are resampled must not share a start
        make = lambda radius=radius, key=key: members(config, rows, radius, key)
        found.append(parts.kept(run.folder, f"margin-{number}", make))
    values = {name: np.array([row[name] for row in found]) for name in QUANTITIES}
    write_fields(
        run.folder.fields("margin"),
        xr.Dataset(
            {name: (("radius", "network"), array, {"units": "1"}) for name, array in values.items()},
            {"radius": list(config.radii), "network": np.arange(config.networks)},
        ),
    )
    metrics = []
    count = f"{values['gap_loss'].size} networks of {config.depth} layers, {rows.title}"
    for name, words in (("spectral_margin", "spectral margin"), ("score_margin", "margin of the scores over norms")):
        value, low, high = rank_correlation(values[name].ravel(), values["gap_loss"].ravel(), run.config.seed)
        text = f"generalization gap against the {words}: rank correlation (95 % {low:.2f} to {high:.2f})"
        metrics.append(Metric(text, value, "1", kind="skill", source=f"Spearman, pairs resampled; gap of the loss, {count}"))
    return {"metrics": metrics}


def members(config: MarginConfig, rows: images.Rows, radius: float, key: Array) -> dict[str, Any]:
    """Networks of one interval, side by side: their margins and gaps."""
    (x, labels), (x_test, labels_test) = rows.train, rows.test
    optimiser = optax.adam(config.rate)

    @eqx.filter_jit
    def fit(key: Array) -> dict[str, Array]:
        model = deep.make("spectral", key, x.shape[1], rows.classes, config.width, config.depth, "relu", radius)
        params, static = eqx.partition(model, eqx.is_inexact_array)

        def step(carry: Any, _: None) -> tuple[Any, None]:
            params, state = carry
            gradient = jax.grad(lambda params: images.entropy(eqx.combine(params, static)(x), labels))(params)
            updates, state = optimiser.update(gradient, state)
            return (optax.apply_updates(params, updates), state), None

        (params, _), _ = jax.lax.scan(step, (params, optimiser.init(params)), None, config.steps)
        return measures(eqx.combine(params, static), x, labels, x_test, labels_test)

    keys = jax.random.split(key, config.networks)
    return {name: np.asarray(values).tolist() for name, values in jax.lax.map(fit, keys).items()}


def measures(model: deep.DeepNetwork, x: Array, labels: Array, x_test: Array, labels_test: Array) -> dict[str, Array]:
    """Margins of a trained network, its gap in loss and in accuracy."""
    sigma = model.singular_values()
    outer = [jnp.linalg.norm(layer.weight.unwrap(), 2) for layer in (model.first, model.last)]
    norm = jnp.prod(jnp.max(sigma, axis=1) / CENTRE) * outer[0] * outer[1]  # in units of the critical gain, so as not to overflow
    scores, scores_test = model(x), model(x_test)
    own = jnp.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
    best = jnp.max(jnp.where(jnp.arange(scores.shape[1]) == labels[:, None], -jnp.inf, scores), axis=1)
    training, test = images.entropy(scores, labels), images.entropy(scores_test, labels_test)
    right, right_test = images.accuracy(scores, labels), images.accuracy(scores_test, labels_test)
    return {
        "spectral_margin": jnp.max(jnp.abs(sigma / CENTRE - 1)),
        "score_margin": jnp.median(own - best) / norm,
        "gap_loss": test - training,
        "gap_accuracy": right - right_test,
        "training_loss": training,
        "test_accuracy": right_test,
    }


def rank_correlation(x: np.ndarray, y: np.ndarray, seed: int, draws: int = 1000) -> tuple[float, float, float]:
    """Spearman's correlation, and its 95 % interval from resampled pairs."""
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(x), (draws, len(x)))
    sampled = [spearmanr(x[pick], y[pick])[0] for pick in picks if np.ptp(x[pick]) > 0 and np.ptp(y[pick]) > 0]
    low, high = np.quantile(sampled, [0.025, 0.975])
    return float(np.asarray(spearmanr(x, y))[0]), float(low), float(high)
