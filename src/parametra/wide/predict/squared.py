r"""Squared loss: one eigendecomposition of the training kernel serves every time, optimiser and point.

For the linear model with tangent kernel Theta, trained from $f_0$ on $L = \frac{1}{2 c} \sum (f - y)^2$ plus, where a
regulariser s is given, $\frac{s}{2 c} |\theta - \theta_0|^2$:

    f_t(x) = f_0(x) + Theta(x, X) a_t,    a_t = U q_t(lambda + s) U^T (y - f_0(X)),    theta_t = theta_0 + J(X)^T a_t.

Source: Lee et al. (2019, arXiv 1902.06720, sections 2.2 and 2.3). With a regulariser the train values of neural-tangents are
f_0 + (1 - r)(y - f_0), which no parameters attain; ours are f_t at the training inputs.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from parametra.core.errors import UsageError
from parametra.wide.predict.checks import divisor, labels, matrix, ridge_of, times
from parametra.wide.predict.optimisers import AbstractOptimiser, GradientFlow

Array = np.ndarray


@dataclass(frozen=True)
class SquaredLoss:
    """A training run in closed form; made by `squared_loss`.

    Attributes:
        kernel: (n, n) tangent kernel of the training inputs, or (n k, n k).
        y: (n, k) targets.
        optimiser: how the network is trained.
        divisor: c above.
        ridge: s above.
        blocks: the kernel couples the outputs.
    """

    kernel: Array
    y: Array
    optimiser: AbstractOptimiser
    divisor: float
    ridge: float
    blocks: bool = False

    @cached_property
    def spectrum(self) -> tuple[Array, Array]:
        """Eigenvalues, ascending, negative rounding set to zero; eigenvectors."""
        values, vectors = np.linalg.eigh(self.kernel)
        return np.maximum(values, 0.0), vectors

    @property
    def dropped(self) -> int:
        """Modes below the rounding of the largest: at infinite time without a regulariser they stay untrained, not inverted."""
        return int(np.sum(self.spectrum[0] + self.ridge <= self._rounding))

    @property
    def _rounding(self) -> float:
        return len(self.kernel) * np.finfo(np.float64).eps * (self.spectrum[0][-1] + self.ridge)

    def critical_learning_rates(self) -> "CriticalRates":
        """See `critical_learning_rates`."""
        return CriticalRates(self.spectrum[0] / self.divisor)

    def train(self, t: Any = np.inf, f0: Any = None) -> Array:
        """Outputs at the training inputs: (n, k), with a leading axis where `t` is a list; `f0` (n, k) is zero where None."""
        return self.test(None, t, f0, f0)

    def test(self, kernel: Any, t: Any = np.inf, f0: Any = None, f0_train: Any = None) -> Array:
        """Outputs at other inputs.

        Args:
            kernel: (m, n) tangent kernel of the other inputs with the training inputs, or (m, n, k, k).
            t: a time or an ascending list; infinity is allowed.
            f0: (m, k) outputs at the start there.
            f0_train: (n, k) outputs at the start at the training inputs.

        Returns:
            (m, k), with a leading axis where `t` is a list.
        """
        across = self.kernel if kernel is None else self._across(kernel)
        start = np.zeros((len(across) // self._blocks, self.y.shape[1])) if f0 is None else labels(
            f0, len(across) // self._blocks, "f0", self.y.shape[1]
        )  # fmt: skip
        vector, single = times(t)
        alpha = self.dual(vector, f0_train)
        rows = np.stack([start + (across @ self._flat(a)).reshape(start.shape) for a in alpha])
        return rows[0] if single else rows

    def dual(self, t: Any = np.inf, f0: Any = None) -> Array:
        """a_t, (n, k) with a leading axis where `t` is a list: theta_t = theta_0 + J(X)^T a_t, see `wide.transpose_product`."""
        vector, single = times(t)
        residual = self.y - (0.0 if f0 is None else labels(f0, len(self.y), "f0_train", self.y.shape[1]))
        _, vectors = self.spectrum
        flat = vectors.T @ self._flat(residual)
        rows = np.stack([(vectors @ (self.coefficients(time)[:, None] * flat)).reshape(residual.shape) for time in vector])
        return rows[0] if single else rows

    def coefficients(self, time: float) -> Array:
        """Q (n,): one number per eigenvalue; UsageError where training diverges and infinity was asked for."""
        values = self.spectrum[0] + self.ridge
        if np.isfinite(time):
            return self.optimiser.dual(values / self.divisor, time) / self.divisor
        if values[-1] / self.divisor >= self.optimiser.largest_stable():
            limit = self.optimiser.rate * self.optimiser.largest_stable() * self.divisor / values[-1]
            raise UsageError(
                f"Training at rate {self.optimiser.rate:g} diverges. Likely cause: a rate above {limit:.4g}. Remedy: a "
                "smaller one, "
                "or finite times."
            )
        kept = values > self._rounding
        return np.where(kept, 1.0 / np.where(kept, values, 1.0), 0.0)

    def ensemble(self, nngp: Any, kernel: Any, nngp_across: Any, nngp_test: Any, t: Any = np.inf) -> tuple[Array, Array]:
        """Mean and covariance, over random initialisations, of trained outputs at other inputs (initial functions of mean zero).

        S = M K M^T with M = [-A, 1] on the joint NNGP kernel, A = Theta(x, X) U q U^T: positive semi-definite by construction,
        from a factor of K, never by subtraction. This is the law of trained networks; Theta - Theta Theta^-1 Theta is not.

        Args:
            nngp: (n, n) NNGP kernel of the training inputs.
            kernel: (m, n) tangent kernel of the other inputs with them.
            nngp_across: (m, n) NNGP kernel likewise.
            nngp_test: (m, m) NNGP kernel of the other inputs.
            t: a time or an ascending list.

        Returns:
            (m, k) and (m, m), the covariance of each output; with a leading axis where `t` is a list.
        """
        if self.blocks:
            raise UsageError(
                "The ensemble needs the infinite-width kernel (n, n). Remedy: wide.kernel instead of the empirical one."
            )
        across, joint = matrix(kernel, "kernel"), matrix(nngp_across, "nngp_across")
        inner, outer = matrix(nngp, "nngp", True), matrix(nngp_test, "nngp_test", True)
        self._refuse_shapes(across, joint, inner, outer)
        factor = root(np.block([[inner, joint.T], [joint, outer]]))
        vector, single = times(t)
        _, vectors = self.spectrum
        means, covariances = [], []
        for time in vector:
            A = (across @ vectors) * self.coefficients(time) @ vectors.T
            half = factor[len(inner) :] - A @ factor[: len(inner)]
            means.append(A @ self.y)
            covariances.append(half @ half.T)
        return (means[0], covariances[0]) if single else (np.stack(means), np.stack(covariances))

    @property
    def _blocks(self) -> int:
        return self.y.shape[1] if self.blocks else 1

    def _flat(self, values: Array) -> Array:
        return values.reshape(-1, 1) if self.blocks else values

    def _across(self, kernel: Any) -> Array:
        across = matrix(kernel, "kernel")
        if across.shape[1] != len(self.kernel):
            raise UsageError(f"kernel has shape {np.shape(kernel)}; its second axis must be the {len(self.y)} training inputs.")
        return across

    def _refuse_shapes(self, across: Array, joint: Array, inner: Array, outer: Array) -> None:
        n, m = len(self.y), len(outer)
        if (across.shape, joint.shape, len(inner)) != ((m, n), (m, n), n):
            raise UsageError(
                f"Kernels of shapes {inner.shape}, {across.shape}, {joint.shape}, {outer.shape} do not belong together. "
                "Remedy: (n, n), "
                f"(m, n), (m, n), (m, m) with n = {n}."
            )


@dataclass(frozen=True)
class CriticalRates:
    """Learning rates of gradient descent, for eigenvalues (already divided as the loss is) of the tangent kernel.

    Attributes:
        eigenvalues: ascending.
    """

    eigenvalues: Array

    @property
    def divergence(self) -> float:
        """2 / lambda_max: the linear model diverges above."""
        return float(2.0 / self.eigenvalues[-1])

    @property
    def lee(self) -> float:
        """2 / (lambda_min + lambda_max), below which Lee et al. (2019, theorem 2.1) prove that a wide network stays linear."""
        return float(2.0 / (self.eigenvalues[0] + self.eigenvalues[-1]))


def squared_loss(
    kernel: Any, y: Any, optimiser: AbstractOptimiser | None = None, *, normalise: str = "entries", ridge: float = 0.0,
    relative: bool = False,
) -> SquaredLoss:  # fmt: skip
    """Training under squared loss in closed form.

    Args:
        kernel: tangent kernel of the training inputs: (n, n), the same for each output, or empirical (n, n, k, k).
        y: (n, k) targets.
        optimiser: gradient flow at rate 1 where None.
        normalise: the loss is half the sum of squares divided by n k ("entries"), by n ("samples"), or not at all ("sum").
        ridge: regulariser s.
        relative: s counts in units of the kernel's mean diagonal.

    Raises:
        UsageError: shapes that do not fit, NaN, a kernel that is not symmetric, a negative regulariser.
    """
    square = matrix(kernel, "kernel", True)
    blocks = np.ndim(kernel) == 4
    targets = labels(y, np.shape(kernel)[0], "y")
    if blocks and np.shape(kernel)[2] != targets.shape[1]:
        raise UsageError(f"A kernel of shape {np.shape(kernel)} does not fit y of shape {targets.shape}.")
    scale = divisor(normalise, *targets.shape)
    return SquaredLoss(square, targets, optimiser or GradientFlow(1.0), scale, ridge_of(square, ridge, relative), blocks)


def critical_learning_rates(kernel: Any, outputs: int | None = None, normalise: str = "entries") -> CriticalRates:
    """Where gradient descent ceases to converge.

    Args:
        kernel: tangent kernel of the training inputs, (n, n) or (n, n, k, k).
        outputs: k of a kernel (n, n), one where None.
        normalise: as in `squared_loss`.

    Raises:
        UsageError: as in `squared_loss`, or `outputs` other than the kernel's k.
    """
    square = matrix(kernel, "kernel", True)
    samples = np.shape(kernel)[0]
    coupled = len(square) // samples
    if outputs is not None and np.ndim(kernel) == 4 and outputs != coupled:
        raise UsageError(f"A kernel of shape {np.shape(kernel)} has {coupled} outputs, not {outputs}. Remedy: leave outputs out.")
    return CriticalRates(np.maximum(np.linalg.eigvalsh(square), 0.0) / divisor(normalise, samples, outputs or coupled))


def root(covariance: Array) -> Array:
    """F with F F^T = covariance, negative eigenvalues from rounding set to zero: needs no jitter, also for duplicate rows."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    return vectors * np.sqrt(np.maximum(values, 0.0))
