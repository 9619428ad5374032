"""What runs without a closed form share: outputs from the dual state a, f = f_0 + Theta a."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from parametra.core.errors import UsageError
from parametra.wide.predict.checks import labels, matrix

Array = np.ndarray


@dataclass(frozen=True)
class DualRun(ABC):
    """A training run of the linear model.

    Attributes:
        kernel: (n, n) tangent kernel of the training inputs, or (n k, n k) where it couples the outputs.
        y: (n, k) targets.
        f0: (n, k) outputs at the start.
    """

    kernel: Array
    y: Array
    f0: Array

    @abstractmethod
    def dual(self, t: Any) -> Array:
        """a, (n, k), with a leading axis where `t` is a list."""

    def train(self, t: Any) -> Array:
        """Outputs at the training inputs: (n, k), with a leading axis where `t` is a list."""
        return self.f0 + self._times(self.kernel, self.dual(t))

    def test(self, kernel: Any, t: Any, f0: Any = None) -> Array:
        """Outputs at other inputs, from `kernel` (m, n) or (m, n, k, k) and `f0` (m, k), zero where None."""
        across = matrix(kernel, "kernel")
        if across.shape[1] != len(self.kernel):
            raise UsageError(f"kernel has shape {np.shape(kernel)}; its second axis must be the {len(self.y)} training inputs.")
        start = 0.0 if f0 is None else labels(f0, len(across) * len(self.y) // len(self.kernel), "f0", self.y.shape[1])
        return start + self._times(across, self.dual(t))

    def _times(self, kernel: Array, a: Any) -> Any:
        """The kernel times (..., n, k), where it couples the outputs too."""
        if len(self.kernel) == len(self.y):
            return kernel @ a
        return (kernel @ a.reshape(*a.shape[:-2], -1, 1)).reshape(*a.shape[:-2], -1, a.shape[-1])
