"""A weight in the place of an array, inside a module that knows nothing of weights."""

from typing import Any

import jax.numpy as jnp
import paramax
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.weights.weight import AbstractWeight


class StandIn(paramax.AbstractUnwrappable[Array]):
    """Behaves like the array it replaces where that is only multiplied from the left, W @ x, and does so by `weight.apply`.

    That is all that `eqx.nn.Linear`, `LSTMCell` and `GRUCell` do, so these run at the speed of the weight with nothing to be
    called first. Whatever else a module does with an array needs `resolve(model)` or `paramax.unwrap(model)` before.

    Attributes:
        weight: the weight.
    """

    weight: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return tuple(self.weight.shape)

    @property
    def ndim(self) -> int:
        """Of the array."""
        return len(self.shape)

    def unwrap(self) -> Array:
        """The dense array."""
        # paramax unwraps from the inside out: the weight is an array by the time it comes here.
        return self.weight.unwrap() if isinstance(self.weight, paramax.AbstractUnwrappable) else self.weight

    def __jax_array__(self) -> Array:
        return self.unwrap()

    def __matmul__(self, x: Float[Array, "inputs *columns"]) -> Float[Array, "outputs *columns"]:
        if not isinstance(self.weight, AbstractWeight):
            raise UsageError(
                f"A convolution kernel of shape {self.shape} cannot be multiplied as a matrix. Likely cause: a module that "
                "reshapes its kernel. Remedy: resolve(model) first."
            )
        x = jnp.asarray(x)
        return self.weight.apply(x) if x.ndim == 1 else jnp.moveaxis(self.weight.apply(jnp.moveaxis(x, 0, -1)), -1, 0)
