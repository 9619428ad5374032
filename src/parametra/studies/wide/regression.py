"""Stage regression: both kernels fitted to all training images, their errors on the test images."""

import functools
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from parametra.core import machine
from parametra.networks import ntk
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import data
from parametra.studies.wide.config import WideConfig
from parametra.wide import Gram, cholesky, conjugate_gradients, gram
from parametra.wide.gram import evaluate, tile_function
from parametra.wide.solve import Solution

BLOCK = 2000
KERNELS = ("nngp", "ntk")
SHARES = {"nngp": 0.3, "ntk": 0.6, "test": 0.85}  # of the stage's time, where each part begins
TEST_ERROR = {"digits": 0.03, "mnist": 0.015}  # asked for


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
    run.progress.update("regression", 0.0, samples=len(flat), what="kernels of all pairs")
    matrices = dict(vars(jax.block_until_ready(gram(model, flat))))
    fits = {}
    for which in KERNELS:
        show = functools.partial(_show, run, which, len(flat))
        fits[which] = _fit(matrices.pop(which), y, config, show)  # and its matrix is let go
    run.progress.update("regression", SHARES["test"], samples=len(flat_test), what="test images")
    errors = _test_errors(tile_function(model, flat, True), flat, fits, flat_test, labels_test)
    source = f"{len(flat)} training, {len(flat_test)} test images of {config.data.name}, ridge {config.ridge:g} of the diagonal"
    asked, rows = TEST_ERROR.get(config.data.name), []
    for which in KERNELS:
        name, residual = f"regression with the {which}", fits[which].relative_residual
        rows += [
            Metric(f"{name}: test error", errors[which], "1", asked, "lower", "skill", source),
            Metric(f"{name}: relative residual", residual, "1", 1e-4, "lower", source=source),
        ]
    rows.append(Metric("regression: both kernels, wall time", time.monotonic() - started, "s", kind="cost"))
    rows.append(Metric("regression: peak memory of the run", machine.peak_memory(), "GB", kind="cost"))
    return {"metrics": rows}


def _show(run: Run, which: str, samples: int, step: int) -> None:
    fraction = SHARES[which] + 0.25 * (1.0 - 0.97**step)  # nobody knows how many there will be
    run.progress.update("regression", fraction, samples=samples, what=f"coefficients of the {which}", products=step)


def _fit(matrix: Gram, y: np.ndarray, config: WideConfig, show: Callable[[int], None]) -> Solution:
    ridge = config.ridge * float(jnp.mean(matrix.diagonal()))
    if len(y) <= config.cholesky_limit:
        return cholesky(matrix, y, ridge, tolerance=1e-4)
    return conjugate_gradients(matrix, y, ridge, rank=config.landmarks, tolerance=1e-4, on_step=show)


def _test_errors(
    function: Any, x: Array, fits: dict[str, Solution], x_test: Array, labels: np.ndarray
) -> dict[str, float]:  # fmt: skip
    """Share of the test images that each fit takes for another class; both kernels of a block come from one call."""
    coefficients = [jnp.asarray(fits[which].coefficients, x.dtype) for which in KERNELS]

    @jax.jit
    def scores(block: Array, part: Array, parts: list[Array]) -> list[Array]:
        both = evaluate(function, block, part)
        return [getattr(both, which) @ a for which, a in zip(KERNELS, parts, strict=True)]

    wrong = np.zeros(len(KERNELS))
    for start in range(0, len(x_test), BLOCK):
        outputs = 0.0
        for first in range(0, len(x), BLOCK):
            part = slice(first, first + BLOCK)
            outputs = outputs + np.array(scores(x_test[start : start + BLOCK], x[part], [a[part] for a in coefficients]))
        wrong += (np.argmax(outputs, -1) != labels[start : start + BLOCK]).sum(1)
    return {which: float(share) for which, share in zip(KERNELS, wrong / len(x_test), strict=True)}
