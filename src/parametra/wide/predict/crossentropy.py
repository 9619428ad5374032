r"""Cross-entropy: no closed form, but only n k numbers move, the dual state a with f = f_0 + Theta a.

    da/dt = -rate (softmax(f_0(X) + Theta a) sum_c y - y) / c,    f(x) = f_0(x) + Theta(x, X) a.

Logits grow like log t, so there is no value at infinity. Source: Lee et al. (2019, arXiv 1902.06720, supplement on other losses).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from parametra.core.errors import UsageError
from parametra.wide.predict.checks import divisor, labels, matrix, times
from parametra.wide.predict.dual import DualRun
from parametra.wide.predict.optimisers import AbstractOptimiser, GradientDescent, GradientFlow, HeavyBall, MomentumFlow

Array = np.ndarray
STIFF = 50.0  # rate times largest eigenvalue times time, above which the implicit solver needs fewer steps


@dataclass(frozen=True)
class CrossEntropy(DualRun):
    """A training run; made by `cross_entropy`.

    Attributes:
        kernel: (n, n) tangent kernel of the training inputs, or (n k, n k).
        y: (n, k) one-hot rows or probabilities.
        f0: (n, k) outputs at the start.
        optimiser: a flow (solved to a relative tolerance of 1e-9) or steps (exact for the linear model).
        divisor: c above.
    """

    optimiser: AbstractOptimiser
    divisor: float

    def dual(self, t: Any) -> Array:
        """a, (n, k), with a leading axis where `t` is a list; UsageError for an infinite time."""
        vector, single = times(t)
        if not np.isfinite(vector).all():
            raise UsageError("Cross-entropy has no value at infinite time: logits grow without bound. Remedy: finite times.")
        stepped = isinstance(self.optimiser, GradientDescent | HeavyBall)
        rows = self._steps(vector) if stepped else self._flow(vector)
        return rows[0] if single else rows

    def loss(self, outputs: Array) -> Array:
        """The loss at outputs (..., n, k), divided as in training."""
        return -np.sum(self.y * (outputs - scipy.special.logsumexp(outputs, -1, keepdims=True)), (-2, -1)) / self.divisor

    def _force(self, a: Array) -> Array:
        said = scipy.special.softmax(self.f0 + self._times(self.kernel, a), axis=-1)
        return (self.y - said * self.y.sum(-1, keepdims=True)) / self.divisor

    def _steps(self, steps: Array) -> Array:
        if (steps != np.round(steps)).any():
            raise UsageError(f"Gradient descent takes whole steps, got {steps.tolist()}. Remedy: GradientFlow.")
        momentum = getattr(self.optimiser, "momentum", 0.0)
        a, v, found, done = np.zeros_like(self.y), np.zeros_like(self.y), [], 0
        for stop in steps.astype(int):
            for _ in range(done, stop):
                v = momentum * v + self.optimiser.rate * self._force(a)
                a = a + v
            done = stop
            found.append(a)
        return np.stack(found)

    def _flow(self, moments: Array) -> Array:
        second = isinstance(self.optimiser, MomentumFlow)
        scale = np.sqrt(self.optimiser.rate) if second else self.optimiser.rate
        friction = self.optimiser.friction if isinstance(self.optimiser, MomentumFlow) else 0.0
        span = float(scale * moments[-1])
        if span == 0.0:
            return np.zeros((len(moments), *self.y.shape))
        largest = float(np.linalg.eigvalsh(self.kernel)[-1]) / self.divisor
        stiff = largest * span > STIFF and self.y.size <= 400
        with jax.enable_x64(True):
            return np.asarray(_solve(self.kernel, self.y, self.f0, scale * moments, self.divisor, friction, second, stiff))


@partial(jax.jit, static_argnames=("second", "stiff"))
def _solve(kernel: Any, y: Any, f0: Any, moments: Any, divisor: Any, friction: Any, second: bool, stiff: bool) -> Any:
    """(moment, n, k): the dual state of a flow; a function of arrays alone, so that runs of one shape share their compilation."""

    def field(t: Any, state: Any, args: Any) -> Any:
        a = (kernel @ state[0].reshape(len(kernel), -1)).reshape(y.shape)
        force = (y - jax.nn.softmax(f0 + a, axis=-1) * y.sum(-1, keepdims=True)) / divisor
        return jnp.stack([state[1], force - friction * state[1]]) if second else force[None]

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field), diffrax.Kvaerno5() if stiff else diffrax.Tsit5(), 0.0, moments[-1], None,
        jnp.zeros((2 if second else 1, *y.shape)), saveat=diffrax.SaveAt(ts=moments),
        stepsize_controller=diffrax.PIDController(rtol=1e-9, atol=1e-11), max_steps=200_000,
    )  # fmt: skip
    assert solution.ys is not None
    return solution.ys[:, 0]


def cross_entropy(
    kernel: Any, y: Any, f0: Any, optimiser: AbstractOptimiser | None = None, *, normalise: str = "entries"
) -> CrossEntropy:
    """Training under cross-entropy with softmax.

    Args:
        kernel: (n, n) tangent kernel of the training inputs, or empirical (n, n, k, k).
        y: (n, k) one-hot rows, or any weights >= 0.
        f0: (n, k) outputs at the start; None for zero.
        optimiser: `GradientFlow` (at rate 1 where None), `MomentumFlow`, `GradientDescent` or `HeavyBall`.
        normalise: as in `squared_loss`.

    Raises:
        UsageError: shapes that do not fit, negative labels, an optimiser without a rule.
    """
    square = matrix(kernel, "kernel", True)
    targets = labels(y, np.shape(kernel)[0], "y")
    if len(square) != len(targets) * (1 if np.ndim(kernel) == 2 else targets.shape[1]):
        raise UsageError(f"A kernel of shape {np.shape(kernel)} does not fit y of shape {targets.shape}. Remedy: (n, n, k, k).")
    if (targets < 0).any():
        raise UsageError("Labels of cross-entropy must be >= 0. Likely cause: centred one-hot rows. Remedy: one-hot rows.")
    start = np.zeros_like(targets) if f0 is None else labels(f0, len(targets), "f0", targets.shape[1])
    chosen = optimiser or GradientFlow(1.0)
    if not isinstance(chosen, GradientFlow | MomentumFlow | GradientDescent | HeavyBall):
        raise UsageError(f"{type(chosen).__name__} has no rule under cross-entropy. Remedy: HeavyBall or GradientDescent.")
    return CrossEntropy(square, targets, start, chosen, divisor(normalise, *targets.shape))
