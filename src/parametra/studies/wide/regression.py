"""Stage regression: both kernels fitted to all training images, their errors on the test images."""

import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from parametra.core import machine
from parametra.networks import ntk
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import data
from parametra.wide import cholesky, conjugate_gradients, gram, kernel

BLOCK = 500


def run_regression(run: Run) -> dict[str, Any]:
    """Ridge regression with the NNGP and the tangent kernel of a ReLU network of depth 3 on one-hot labels."""
    config = run.config
    x, labels, x_test, labels_test = data.load(config.data, config.seed)
    flat, flat_test = (jnp.asarray(values.reshape(len(values), -1)) for values in (x, x_test))
    y = data.one_hot(labels, config.data.classes) - 1.0 / config.data.classes
    model = eqx.filter_eval_shape(
        lambda key: ntk.dense_network(key, flat.shape[1], 1, (64, 64, 64)), jax.random.key(0)
    )  # fmt: skip
    started = time.monotonic()
    pair, function = gram(model, flat), kernel(model)
    rows = []
    for which in ("nngp", "ntk"):
        matrix = getattr(pair, which)
        run.progress.update("regression", 0.3 if which == "nngp" else 0.7, samples=len(flat), kernel=which)
        ridge = config.ridge * float(jnp.mean(matrix.diagonal()))
        if len(flat) <= config.cholesky_limit:
            found = cholesky(matrix, y, ridge, tolerance=1e-4)
        else:
            found = conjugate_gradients(matrix, y, ridge, rank=config.landmarks, tolerance=1e-4)
        alpha = jnp.asarray(found.coefficients, flat.dtype)
        blocks = jnp.array_split(flat_test, max(1, len(flat_test) // BLOCK))
        outputs = np.concatenate([np.asarray(getattr(function(block, flat), which) @ alpha) for block in blocks])
        error = float(np.mean(outputs.argmax(1) != labels_test))
        source = (
            f"{len(flat)} training, {len(flat_test)} test images of {config.data.name}, ridge {config.ridge:g} of the diagonal"
        )
        rows += [
            Metric(f"regression with the {which}: test error", error, "1", 0.03, "lower", "skill", source),
            Metric(f"regression with the {which}: relative residual", found.relative_residual, "1", 1e-4, "lower", source=source),
        ]
    rows.append(Metric("regression: both kernels, wall time", time.monotonic() - started, "s", kind="cost"))
    rows.append(Metric("regression: peak memory of the run", machine.peak_memory(), "GB", kind="cost"))
    return {"metrics": rows}
