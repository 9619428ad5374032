"""Refusals that several weights share: what is no matrix, no whole number, not finite."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from parametra.core.errors import UsageError


def check_whole(what: str, value: Any, least: int) -> int:
    """The number as an int; UsageError unless it is a whole one of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise UsageError(f"{what} must be a whole number of at least {least}, got {value!r}. Remedy: {max(least, 2)}, say.")
    return int(value)


def check_axes(array: Array, axes: int, kind: str) -> None:
    """UsageError unless an array has that many axes."""
    if array.ndim != axes:
        raise UsageError(
            f"{kind} needs an array of {axes} axes, got shape {tuple(array.shape)}. Likely cause: a bias, or a kernel. Remedy: a "
            "matrix (outputs, inputs)."
        )


def check_finite(what: str, array: Array) -> None:
    """UsageError if an array whose values are known holds NaN or infinity."""
    values = known(array)
    if values is not None and not np.isfinite(values).all():
        raise UsageError(
            f"The {what} hold NaN or infinity. Likely cause: a training that blew up, or a damaged file. Remedy: an earlier "
            "checkpoint, or a smaller learning rate."
        )


def check_factorable(matrix: Array) -> None:
    """UsageError unless a matrix has two axes and a precision in which singular values and eigenvalues are computed."""
    if matrix.ndim != 2 or matrix.dtype not in (jnp.float32, jnp.float64):
        raise UsageError(
            f"A factorisation needs a matrix of float32 or float64, got {matrix.dtype} of shape {matrix.shape}. "
            "Remedy: parametrize in float32, and cast the model that multiplies."
        )


def known(array: Array) -> np.ndarray | None:
    """The values of an array, or None where it is only being traced (inside jit, grad or vmap)."""
    try:
        return np.asarray(array)
    except (jax.errors.TracerArrayConversionError, TypeError):
        return None
