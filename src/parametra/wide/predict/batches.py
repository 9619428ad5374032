r"""Mini-batches: no closed form, but the linear model sees the batches that the network sees, and its dual state is n k numbers.

With batch B of step t, residual force $-\partial L_B/\partial f$ and heavy ball of momentum beta,

    v <- beta v,  v_B <- v_B + rate * force_B(f_0(B) + Theta(B, X) a),  a <- a + v,    f(x) = f_0(x) + Theta(x, X) a.

Each step costs |B| n k products and is exact for the linear model. Setting: Lee et al. (2019, arXiv 1902.06720, section 3), who
train with batches of 8 and 64.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

from parametra.core.errors import UsageError
from parametra.wide.predict.checks import divisor, labels, matrix, times
from parametra.wide.predict.dual import DualRun
from parametra.wide.predict.optimisers import AbstractOptimiser, GradientDescent, HeavyBall

Array = np.ndarray
LOSSES = ("squared", "entropy")


@dataclass(frozen=True)
class MiniBatches(DualRun):
    """A training run of the linear model; made by `mini_batches`.

    Attributes:
        optimiser: `GradientDescent` or `HeavyBall`.
        batches: (steps, size) numbers of the samples of each step.
        loss: "squared" or "entropy".
        divisor: what the sum over a batch and its outputs is divided by.
    """

    optimiser: AbstractOptimiser
    batches: Array
    loss: str
    divisor: float

    def dual(self, t: Any) -> Array:
        """a, (n, k), after `t` steps, with a leading axis where `t` is a list; UsageError for more steps than batches."""
        vector, single = times(t)
        if (vector != np.round(vector)).any() or vector[-1] > len(self.batches):
            raise UsageError(f"Steps must be whole numbers up to {len(self.batches)}, the batches given, got {t}.")
        momentum = getattr(self.optimiser, "momentum", 0.0)
        a, v, found, done = np.zeros_like(self.y), np.zeros_like(self.y), [], 0
        for stop in vector.astype(int):
            for batch in self.batches[done:stop]:
                v *= momentum
                np.add.at(v, batch, self.optimiser.rate * self._force(batch, a))  # a sample may be there twice
                a = a + v
            done = stop
            found.append(a)
        return found[0] if single else np.stack(found)

    def _force(self, batch: Array, a: Array) -> Array:
        outputs = self.y.shape[1]
        rows = batch if len(self.kernel) == len(self.y) else (batch[:, None] * outputs + np.arange(outputs)).ravel()
        f, y = self.f0[batch] + self._times(self.kernel[rows], a), self.y[batch]
        said = f if self.loss == "squared" else scipy.special.softmax(f, -1) * y.sum(-1, keepdims=True)
        return (y - said) / self.divisor


def mini_batches(
    kernel: Any,
    y: Any,
    f0: Any,
    optimiser: AbstractOptimiser,
    batches: Any,
    *,
    loss: str = "squared",
    normalise: str = "entries",
) -> MiniBatches:
    """Training with given mini-batches.

    Args:
        kernel: (n, n) tangent kernel of the training inputs, or empirical (n, n, k, k).
        y: (n, k) targets; one-hot rows, or any weights >= 0, under cross-entropy.
        f0: (n, k) outputs at the start; None for zero.
        optimiser: `GradientDescent` or `HeavyBall`.
        batches: (steps, size) integers, the samples that each step sees.
        loss: "squared", (f - y)²/2, or "entropy", cross-entropy with softmax.
        normalise: as in `squared_loss`, of one batch.

    Raises:
        UsageError: shapes that do not fit, sample numbers that do not exist, negative labels, another optimiser or loss.
    """
    square = matrix(kernel, "kernel", True)
    targets = labels(y, np.shape(kernel)[0], "y")
    if len(square) != len(targets) * (1 if np.ndim(kernel) == 2 else targets.shape[1]):
        raise UsageError(f"A kernel of shape {np.shape(kernel)} does not fit y of shape {targets.shape}. Remedy: (n, n, k, k).")
    if loss not in LOSSES:
        raise UsageError(f'loss="{loss}" is unknown. Known: {", ".join(LOSSES)}.')
    if loss == "entropy" and (targets < 0).any():
        raise UsageError("Labels of cross-entropy must be >= 0. Likely cause: centred one-hot rows. Remedy: one-hot rows.")
    if not isinstance(optimiser, GradientDescent | HeavyBall):
        raise UsageError(f"{type(optimiser).__name__} takes no mini-batches. Remedy: HeavyBall or GradientDescent.")
    rows = np.asarray(batches)
    if rows.ndim != 2 or rows.dtype.kind not in "iu" or rows.size == 0:
        raise UsageError(f"batches has shape {rows.shape} of {rows.dtype}. Remedy: integers (steps, size), one row per step.")
    if rows.min() < 0 or rows.max() >= len(targets):
        raise UsageError(f"batches names samples {rows.min()} to {rows.max()}; there are {len(targets)}, counted from 0.")
    start = np.zeros_like(targets) if f0 is None else labels(f0, len(targets), "f0", targets.shape[1])
    return MiniBatches(square, targets, start, optimiser, rows, loss, divisor(normalise, rows.shape[1], targets.shape[1]))
