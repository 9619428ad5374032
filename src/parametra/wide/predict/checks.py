"""What predictions ask of their input, said before any work is done."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from parametra.core.errors import UsageError


def matrix(values: Any, name: str, square: bool = False) -> np.ndarray:
    """`values` as a float64 matrix; a kernel (n, m, k, k) of k outputs becomes (n k, m k). UsageError for anything else."""
    array = np.asarray(values)
    if array.dtype == np.float16 or array.dtype.kind not in "fiu":
        raise UsageError(f"{name} is {array.dtype}. Remedy: float32 or float64.")
    array = array.astype(np.float64)
    if array.ndim == 4 and array.shape[2] == array.shape[3]:
        n, m, k, _ = array.shape
        array = array.transpose(0, 2, 1, 3).reshape(n * k, m * k)
    if array.ndim != 2 or (square and array.shape[0] != array.shape[1]):
        raise UsageError(f"{name} has shape {np.shape(values)}. Remedy: {'(n, n)' if square else '(n, m)'}, or (n, m, k, k).")
    if square and array.shape[0] == 0:
        raise UsageError(f"{name} is empty. Remedy: at least one sample.")
    refuse_not_finite(array, name)
    if square:
        refuse_asymmetric(array, name)
    return array


def refuse_not_finite(array: np.ndarray, name: str) -> None:
    """UsageError for NaN or infinity."""
    if not all(np.isfinite(block).all() for block in _blocks(array)):
        raise UsageError(f"{name} holds NaN or infinity. Likely cause: inputs with missing values. Remedy: leave those rows out.")


def refuse_asymmetric(array: np.ndarray, name: str) -> None:
    """UsageError for a square matrix that is not symmetric to rounding."""
    largest = max(float(np.abs(block).max()) for block in _blocks(array))
    columns = _blocks(array.T)
    if not all(np.allclose(row, one, rtol=1e-4, atol=1e-6 * largest) for row, one in zip(_blocks(array), columns, strict=True)):
        raise UsageError(f"{name} is not symmetric. Likely cause: x2 was given. Remedy: the kernel of the training inputs alone.")


def _blocks(array: np.ndarray, rows: int = 1024) -> Iterator[np.ndarray]:
    """Some rows at a time: a matrix may fill most of the memory."""
    return (array[start : start + rows] for start in range(0, len(array), rows))


def labels(values: Any, count: int, name: str = "labels", outputs: int | None = None) -> np.ndarray:
    """`values` as float64 (count, k), k = `outputs` where given; UsageError for another shape, or values not real and finite."""
    given = np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise UsageError(f"{name} is {given.dtype}. Remedy: real numbers; classes need one-hot rows.")
    array = given.astype(np.float64)
    if array.ndim != 2 or array.shape[0] != count:
        raise UsageError(
            f"{name} has shape {array.shape} for {count} samples. Remedy: ({count}, outputs); a single output needs [:, "
            "None], classes need one-hot rows."
        )
    if outputs is not None and array.shape[1] != outputs:
        raise UsageError(f"{name} has shape {array.shape} for {outputs} outputs. Remedy: ({count}, {outputs}).")
    if not np.isfinite(array).all():
        raise UsageError(f"{name} holds NaN or infinity. Remedy: leave those rows out of data and kernel.")
    return array


def times(values: Any) -> tuple[np.ndarray, bool]:
    """(times as a vector, whether a single one was given); UsageError where they are negative, NaN or not ascending."""
    array = np.asarray(values, np.float64)
    vector = np.atleast_1d(array)
    if vector.ndim != 1 or vector.size == 0 or np.isnan(vector).any() or (vector < 0).any():
        raise UsageError(f"Times must be numbers >= 0 in one list with at least one, got {values}.")
    if (np.diff(vector) < 0).any():
        raise UsageError(f"Times must ascend, got {values}. Remedy: sorted(times).")
    return vector, array.ndim == 0


def divisor(normalise: str, samples: int, outputs: int) -> float:
    """What the sum over samples and outputs is divided by in the loss."""
    known = {"entries": samples * outputs, "samples": samples, "sum": 1}
    if normalise not in known:
        raise UsageError(f'normalise="{normalise}" is unknown. Known: {", ".join(known)}.')
    return float(known[normalise])


def ridge_of(kernel: np.ndarray, ridge: float, relative: bool) -> float:
    """The regulariser as a number to add to the diagonal; UsageError if it is negative."""
    if not (np.isfinite(ridge) and ridge >= 0):
        raise UsageError(f"The regulariser must be a number >= 0, got {ridge}.")
    return float(ridge * np.trace(kernel) / len(kernel) if relative else ridge)
