"""The Bayesian posterior of the NNGP: what a wide network believes if its last layer alone is trained, or it is averaged over."""

from typing import Any

import numpy as np

from parametra.core.errors import UsageError
from parametra.wide.predict.checks import divisor, labels, matrix, ridge_of, times
from parametra.wide.predict.optimisers import AbstractOptimiser, GradientFlow
from parametra.wide.predict.squared import SquaredLoss, root


def posterior(
    nngp: Any, y: Any, nngp_across: Any, nngp_test: Any, t: Any = np.inf, optimiser: AbstractOptimiser | None = None, *,
    normalise: str = "entries", noise: float = 0.0, relative: bool = False,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Mean (m, k) and covariance (m, m) of the NNGP given (X, y), at infinity the exact posterior with observation noise.

    At a finite time it is the ensemble of networks whose last layer alone is trained: Theta = K.

    Args:
        nngp: (n, n) NNGP kernel of the training inputs.
        y: (n, k) targets.
        nngp_across: (m, n) NNGP kernel of the other inputs with them.
        nngp_test: (m, m) NNGP kernel of the other inputs.
        t: a time or an ascending list (then the results have a leading axis).
        optimiser: for finite times; gradient flow at rate 1 where None.
        normalise: of the loss, for finite times, as in `squared_loss`.
        noise: variance of the observation noise.
        relative: noise in units of the kernel's mean diagonal.

    Raises:
        UsageError: shapes that do not fit, NaN, a negative noise.

    Source: Lee et al. (2018, arXiv 1711.00165, eq. 8-9); finite times Lee et al. (2019, arXiv 1902.06720).
    """
    inner, outer = matrix(nngp, "nngp", True), matrix(nngp_test, "nngp_test", True)
    across = matrix(nngp_across, "nngp_across")
    targets = labels(y, len(inner), "y")
    if across.shape != (len(outer), len(inner)):
        raise UsageError(f"nngp_across has shape {across.shape}. Remedy: ({len(outer)}, {len(inner)}).")
    noisy = inner + ridge_of(inner, noise, relative) * np.eye(len(inner))
    run = SquaredLoss(noisy, targets, optimiser or GradientFlow(1.0), divisor(normalise, *targets.shape), 0.0)
    factor = root(np.block([[noisy, across.T], [across, outer]]))
    vector, single = times(t)
    _, vectors = run.spectrum
    means, covariances = [], []
    for time in vector:
        A = (across @ vectors) * run.coefficients(time) @ vectors.T
        half = factor[len(inner) :] - A @ factor[: len(inner)]
        means.append(A @ targets)
        covariances.append(half @ half.T)
    return (means[0], covariances[0]) if single else (np.stack(means), np.stack(covariances))
