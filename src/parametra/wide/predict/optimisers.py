r"""How a linear model is trained under squared loss, one number per eigenvalue of its kernel.

With residual r and eigenvalue $\lambda$ each optimiser is a linear recurrence or equation in time, and the dual coefficient
$q = (1 - r)/\lambda$ obeys the same one with a constant source. q is what predictions need, and unlike (1 - r)/lambda it loses no
digits as lambda goes to zero.

Sources: gradient flow and momentum flow Lee et al. (2019, arXiv 1902.06720, section 2 and, as a damped oscillator, supplement);
heavy ball Polyak (1964), as optax.sgd(momentum=beta); Nesterov (1983), as optax.sgd(momentum=beta, nesterov=True).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy.linalg

from parametra.core.errors import UsageError

Vector: TypeAlias = np.ndarray


@dataclass(frozen=True)
class AbstractOptimiser(ABC):
    """One way of training.

    Attributes:
        rate: learning rate.
    """

    rate: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise UsageError(f"The learning rate must be a positive number, got {self.rate}.")
        momentum = getattr(self, "momentum", 0.0)
        if not 0 <= momentum < 1:
            raise UsageError(f"The momentum must be in [0, 1), got {momentum}.")

    @abstractmethod
    def dual(self, eigenvalues: Vector, time: float) -> Vector:
        """Q = (1 - r) / eigenvalue at a finite time, for eigenvalues >= 0."""

    @abstractmethod
    def largest_stable(self) -> float:
        """The eigenvalue above which training diverges."""


@dataclass(frozen=True)
class GradientFlow(AbstractOptimiser):
    """dtheta/dt = -rate grad: the limit of small steps; time = steps."""

    def dual(self, eigenvalues: Vector, time: float) -> Vector:
        """(1 - exp(-rate lambda t)) / lambda."""
        small = np.where(eigenvalues > 0, eigenvalues, 1.0)
        return np.where(eigenvalues > 0, -np.expm1(-self.rate * small * time) / small, self.rate * time)

    def largest_stable(self) -> float:
        """A flow never diverges."""
        return math.inf


class Recurrence(AbstractOptimiser):
    """q_{k+1} = p q_k + s q_{k-1} + rate, from q_0 = 0, q_1 = rate: k steps by powers of a 3 x 3 matrix per eigenvalue."""

    @abstractmethod
    def coefficients(self, eigenvalues: Vector) -> tuple[Vector, Vector]:
        """(p, s)."""

    def dual(self, eigenvalues: Vector, time: float) -> Vector:
        """After `time` steps, a whole number."""
        if time != int(time):
            raise UsageError(f"{type(self).__name__} takes whole steps, got {time}. Remedy: GradientFlow for times in between.")
        p, s = self.coefficients(eigenvalues)
        step = np.zeros((len(eigenvalues), 3, 3))
        step[:, 0, 0], step[:, 0, 1], step[:, 0, 2], step[:, 1, 0], step[:, 2, 2] = p, s, self.rate, 1.0, 1.0
        last = np.linalg.matrix_power(step, int(time))[:, :, 2]  # from (q_0, q_-1, 1) = (0, 0, 1)
        return (1.0 + self.ahead) * last[:, 0] - self.ahead * last[:, 1]

    @property
    def ahead(self) -> float:
        """How far the parameters run ahead of the recurrence's point, in steps."""
        return 0.0


@dataclass(frozen=True)
class GradientDescent(Recurrence):
    """theta <- theta - rate grad; time counts steps."""

    def coefficients(self, eigenvalues: Vector) -> tuple[Vector, Vector]:
        """r_{k+1} = (1 - rate lambda) r_k."""
        return 1.0 - self.rate * eigenvalues, np.zeros_like(eigenvalues)

    def largest_stable(self) -> float:
        """2 / rate."""
        return 2.0 / self.rate


@dataclass(frozen=True)
class HeavyBall(Recurrence):
    """v <- momentum v - rate grad; theta <- theta + v; time counts steps."""

    momentum: float = 0.9

    def coefficients(self, eigenvalues: Vector) -> tuple[Vector, Vector]:
        """r_{k+1} = (1 + beta - rate lambda) r_k - beta r_{k-1}."""
        return 1.0 + self.momentum - self.rate * eigenvalues, np.full_like(eigenvalues, -self.momentum)

    def largest_stable(self) -> float:
        """2 (1 + beta) / rate."""
        return 2.0 * (1.0 + self.momentum) / self.rate


@dataclass(frozen=True)
class Nesterov(Recurrence):
    """Momentum with the gradient taken at the point ahead; time counts steps."""

    momentum: float = 0.9

    def coefficients(self, eigenvalues: Vector) -> tuple[Vector, Vector]:
        """r_{k+1} = (1 - rate lambda) ((1 + beta) r_k - beta r_{k-1})."""
        shrink = 1.0 - self.rate * eigenvalues
        return shrink * (1.0 + self.momentum), -shrink * self.momentum

    @property
    def ahead(self) -> float:
        """The parameters are the points at which gradients are taken."""
        return self.momentum

    def largest_stable(self) -> float:
        """2 (1 + beta) / ((1 + 2 beta) rate)."""
        return 2.0 * (1.0 + self.momentum) / ((1.0 + 2.0 * self.momentum) * self.rate)


@dataclass(frozen=True)
class MomentumFlow(AbstractOptimiser):
    """f'' = -(1 - momentum)/sqrt(rate) f' - Theta dL/df in the time sqrt(rate) t: the limit that Lee et al. take of momentum."""

    momentum: float = 0.9

    @property
    def friction(self) -> float:
        """(1 - momentum) / sqrt(rate)."""
        return (1.0 - self.momentum) / math.sqrt(self.rate)

    def dual(self, eigenvalues: Vector, time: float) -> Vector:
        """Q'' = 1 - friction q' - lambda q from rest, by the exponential of a 3 x 3 matrix per eigenvalue."""
        generator = np.zeros((len(eigenvalues), 3, 3))
        generator[:, 0, 1], generator[:, 1, 1], generator[:, 1, 0] = 1.0, -self.friction, -eigenvalues
        generator[:, 1, 2] = 1.0
        return scipy.linalg.expm(math.sqrt(self.rate) * time * generator)[:, 0, 2]

    def largest_stable(self) -> float:
        """A damped oscillator never diverges."""
        return math.inf
