"""Losses: functions of a model and a batch, a pytree of arrays whose axis 0 is the sample."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float


def mean_squared_error(
    model: Callable[[Float[Array, "sample inputs"]], Float[Array, "sample outputs"]],
    batch: tuple[Float[Array, "sample inputs"], Float[Array, "sample outputs"]],
) -> Float[Array, ""]:
    """Mean over samples and outputs of (model(x) - y)²."""
    inputs, targets = batch
    return jnp.mean(jnp.square(model(inputs) - targets))
