"""A scheme says what a free array becomes: a function from a dense matrix or kernel to a weight."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from parametra.core.errors import UsageError
from parametra.weights.checks import check_finite
from parametra.weights.plan import is_float
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
        """The weight of a dense array.

        Raises:
            UsageError: the scheme has no weight for its rank, shape or values: no floating-point numbers, none at all, or NaN.
        """
        array = jnp.asarray(array) if isinstance(array, np.ndarray) else array
        if not is_float(array) or 0 in array.shape:
            what = f"{array.dtype} of shape {tuple(array.shape)}" if hasattr(array, "dtype") else type(array).__name__
            raise UsageError(
                f"The scheme {self.name} needs an array of floating-point numbers, got {what}. Likely cause: a list, indices, or "
                "a layer of size 0. Remedy: jnp.asarray(array, float)."
            )
        maker = self.matrix if array.ndim == 2 else self.kernel
        if maker is None or array.ndim < 2:
            what = {0: "number", 1: "vector", 2: "matrix"}.get(array.ndim, "convolution kernel")
            raise UsageError(
                f"The scheme {self.name} has no weight for a {what} of shape {tuple(array.shape)}. Likely cause: `where` "
                "selects a bias or a layer of another kind. Remedy: select matrices (outputs, inputs), or kernels (outputs, "
                "inputs, *window) for schemes that know convolutions."
            )
        check_finite("numbers of this array", array)
        return maker(array)
