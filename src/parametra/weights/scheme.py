"""A scheme says what a free array becomes: a function from a dense matrix or kernel to a weight."""

import dataclasses
from collections.abc import Callable
from typing import Any

from jaxtyping import Array

from parametra.core.errors import UsageError
from parametra.weights.weight import AbstractWeight


@dataclasses.dataclass(frozen=True)
class Scheme:
    """What `parametrize` does to the arrays it is pointed at.

    Attributes:
        name: as the field calls it.
        matrix: makes a weight of a matrix (outputs, inputs), the nearest one that the scheme allows.
        kernel: the same for a convolution kernel (outputs, inputs, *window), or None if the scheme knows no convolution.
    """

    name: str
    matrix: Callable[[Array], AbstractWeight] | None
    kernel: Callable[[Array], Any] | None = None

    def __call__(self, array: Array) -> Any:
        """The weight of a dense array; UsageError if the scheme has none for its rank or shape."""
        maker = self.matrix if array.ndim == 2 else self.kernel
        if maker is None or array.ndim < 2:
            what = {0: "number", 1: "vector", 2: "matrix"}.get(array.ndim, "convolution kernel")
            raise UsageError(
                f"The scheme {self.name} has no weight for a {what} of shape {tuple(array.shape)}. Likely cause: `where` "
                "selects a bias or a layer of another kind. Remedy: select matrices (outputs, inputs), or kernels (outputs, "
                "inputs, *window) for schemes that know convolutions."
            )
        return maker(array)
