"""Output of a chunk of steps: each variable averaged over the chunk, or kept step by step."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from parametra.coupling.protocols import Carry, Fluxes, Forcing, Resolved, Tendency

Reduce = Literal["mean", "none"]
Recorder = Callable[[Resolved, Forcing, Tendency, Fluxes, Carry], Mapping[str, Any]]


def record_nothing(resolved: Resolved, forcing: Forcing, tendency: Tendency, fluxes: Fluxes, carry: Carry) -> dict[str, Array]:
    """The recorder of a run without output."""
    return {}


def empty_record(values: Mapping[str, Any], rows: int | None) -> dict[str, Array]:
    """Zeros to collect `values` in: sums if `rows` is None, otherwise that many rows. Only shapes and types of `values` count."""
    if rows is None:
        return {name: jnp.zeros(value.shape, jnp.result_type(value.dtype, jnp.float32)) for name, value in values.items()}
    return {name: jnp.zeros((rows, *value.shape), value.dtype) for name, value in values.items()}


def add_record(record: dict[str, Array], values: Mapping[str, Any], row: Int[Array, ""], rows: int | None) -> dict[str, Array]:
    """`record` with the `values` of one step, which is number `row` of its chunk."""
    if rows is None:
        return {name: total + values[name] for name, total in record.items()}
    return {name: kept.at[row].set(values[name]) for name, kept in record.items()}


def finish_record(record: Mapping[str, Array], steps: int, rows: int | None) -> dict[str, np.ndarray]:
    """The record as NumPy arrays: means over `steps`, or its first `steps` rows."""
    fetched = {name: np.asarray(value) for name, value in jax.device_get(dict(record)).items()}
    if rows is None:
        return {name: np.asarray(total / total.dtype.type(steps)) for name, total in fetched.items()}
    return {name: kept[:steps] for name, kept in fetched.items()}
