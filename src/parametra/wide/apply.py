"""Networks of any convention: those that take a batch, as ours do, and those that take one sample, as Equinox's own."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float

from parametra.core.errors import UsageError


def apply(model: Callable[..., Any], x: Float[Array, "..."]) -> Array:
    """The outputs of a batch (n, features) or (n, height, width, channels), sample by sample where the network takes one.

    Inputs with another number of axes go to the network as they are. UsageError where neither convention fits.
    """
    if x.ndim not in (2, 4) or _takes_batches(model, x.shape[1:], x.dtype):
        return model(x)
    if _shape(jax.vmap(model), x.shape, x.dtype) is None:
        raise UsageError(
            f"The network takes neither a batch of shape {x.shape} nor one sample {x.shape[1:]}. Likely cause: another number of "
            "features, or a layer that needs a key. Remedy: inputs as the first layer expects them, eqx.nn.inference_mode(model)."
        )
    return jax.vmap(model)(x)


def apply_one(model: Callable[..., Any], x: Float[Array, "..."]) -> Array:
    """The outputs of one sample, where the network takes batches alone, too."""
    if _shape(model, x.shape, x.dtype) is not None:
        return model(x)
    return apply(model, x[None])[0]


def refuse_no_parameters(model: Any) -> None:
    """UsageError for a network without floating-point arrays."""
    if not any(map(eqx.is_inexact_array, jax.tree.leaves(model))):
        raise UsageError(
            f"{getattr(model, '__name__', type(model).__name__)} holds no floating-point arrays, so it has no tangent kernel. "
            "Likely cause: a function, as jax.vmap(model) is one, hides them. Remedy: the Equinox network itself."
        )


def _takes_batches(model: Callable[..., Any], sample: tuple[int, ...], dtype: Any) -> bool:
    """Looked at with more samples than the sample has numbers along an axis: one that takes samples cannot mistake them."""
    count = max(sample) + 1
    shape = _shape(model, (count, *sample), dtype)
    return shape is not None and shape[:1] == (count,)


def _shape(model: Callable[..., Any], shape: tuple[int, ...], dtype: Any) -> tuple[int, ...] | None:
    try:
        return eqx.filter_eval_shape(model, jax.ShapeDtypeStruct(shape, dtype)).shape
    except (TypeError, ValueError, IndexError):
        return None
