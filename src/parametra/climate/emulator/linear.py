"""Linear regression: the baseline that a network has to beat, as an emulator like any other."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from parametra.core.errors import DataError
from parametra.networks import Linear
from parametra.weights import Dense

BLOCK = 65536


def linear_regression(
    features: Float[np.ndarray, "sample inputs"],
    targets: Float[np.ndarray, "sample outputs"],
    ridge: float = 1e-8,
    prepare: Callable[[np.ndarray], np.ndarray] = lambda block: block,
) -> Linear:
    """The W, b that minimise sum |W x + b - y|² + ridge tr(cov) / inputs · samples |W|², by the normal equations in float64.

    Args:
        features: dimensionless inputs, of order one.
        targets: what to predict.
        ridge: relative to the mean variance of the features; it keeps nearly parallel features apart.
        prepare: makes features of a block of what is given for them, so that those of all samples need no memory.

    Raises:
        DataError: fewer samples than inputs.
    """
    samples, inputs = features.shape
    if samples <= inputs:
        raise DataError(f"A regression on {inputs} inputs needs more than {samples} samples. Remedy: a longer stretch of truth.")
    blocks = [slice(start, start + BLOCK) for start in range(0, samples, BLOCK)]
    shift_x = np.sum([prepare(features[block]).sum(axis=0, dtype=np.float64) for block in blocks], axis=0) / samples
    shift_y = targets.mean(axis=0, dtype=np.float64)
    square, cross = np.zeros((inputs, inputs)), np.zeros((inputs, targets.shape[1]))
    for block in blocks:
        x = prepare(features[block]) - shift_x
        square += x.T @ x
        cross += x.T @ (targets[block] - shift_y)
    square += ridge * np.trace(square) / inputs * np.eye(inputs)
    matrix = np.linalg.solve(square, cross).T
    return Linear(Dense(jnp.asarray(matrix, jnp.float32)), jnp.asarray(shift_y - matrix @ shift_x, jnp.float32))
