"""Losses: functions of a model and a batch, a pytree of arrays whose axis 0 is the sample."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def mean_squared_error(
    model: Callable[[Float[Array, "sample inputs"]], Float[Array, "sample outputs"]],
    batch: tuple[Float[Array, "sample inputs"], Float[Array, "sample outputs"]],
) -> Float[Array, ""]:
    """Mean over samples and outputs of (model(x) - y)²."""
    inputs, targets = batch
    return jnp.mean(jnp.square(model(inputs) - targets))


def cross_entropy(scores: Float[Array, "*batch classes"], labels: Int[Array, "*batch"]) -> Float[Array, ""]:
    """Mean of -log softmax(scores)[label], in nats."""
    chosen = jnp.take_along_axis(scores, labels[..., None], axis=-1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(scores, axis=-1) - chosen)
