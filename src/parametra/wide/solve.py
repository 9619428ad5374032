"""Linear systems (K + s) a = y with a kernel matrix: by factors where they fit, else by preconditioned conjugate gradients.

Every solution comes with a certificate: the relative residual, computed anew from the solution, and whether it is what was asked
for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from parametra.core.errors import UsageError
from parametra.wide.predict.checks import labels, refuse_asymmetric, refuse_not_finite

BLOCK = 1024  # rows of an array that are taken to float64 together


class Matrix(Protocol):
    """A symmetric matrix: `Gram`, `StoredGram`, or an array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, n)."""
        ...

    def __matmul__(self, v: Any, /) -> Any:
        """The product with (n, k)."""
        ...


@dataclass(frozen=True)
class Solution:
    """What a solver found.

    Attributes:
        coefficients: a, (n, k).
        relative_residual: |y - (K + s) a| / |y|, from a product with the matrix itself.
        iterations: of conjugate gradients; 0 for a factorization.
        converged: the residual is at most the tolerance asked for.
    """

    coefficients: np.ndarray
    relative_residual: float
    iterations: int
    converged: bool


def cholesky(matrix: Any, y: Any, ridge: float, *, tolerance: float = 1e-6) -> Solution:
    """Solve by a Cholesky factor of the dense matrix, n²/2 numbers more, in the precision of the matrix.

    Raises:
        UsageError: shapes that do not fit, a negative ridge, or a matrix in half precision, with NaN, not symmetric, or singular
            to rounding.
    """
    matrix, targets = _check(matrix, y, ridge)
    n, dense = len(targets), np.array(matrix.dense() if hasattr(matrix, "dense") else matrix)
    refuse_not_finite(dense, "The matrix")
    dense[np.diag_indices(n)] += dense.dtype.type(ridge)
    try:
        factor = scipy.linalg.cho_factor(dense, lower=True)
    except np.linalg.LinAlgError:
        raise UsageError(
            f"The kernel matrix is singular to rounding with ridge {ridge:g}. Likely cause: duplicate rows, or a ridge too "
            f"small for {dense.dtype}. Remedy: a larger ridge, or float64."
        ) from None
    a = scipy.linalg.cho_solve(factor, targets.astype(dense.dtype))
    return _certified(matrix, targets, ridge, a, 0, tolerance)


def conjugate_gradients(
    matrix: Any, y: Any, ridge: float, *, rank: int = 500, tolerance: float = 1e-4, steps: int = 500, seed: int = 0,
    throw: bool = True, on_step: Callable[[int], None] | None = None,
) -> Solution:  # fmt: skip
    """Solve by conjugate gradients, preconditioned by a Nystrom approximation from `rank` columns of the matrix.

    The k right sides are one system, so that they share every product with the matrix. Vectors and products are float64 whatever
    the matrix is: beside its largest eigenvalue, some n times its mean diagonal, the ridge of a wide network's kernel is lost in
    float32. The loop is SciPy's: a compiled one would copy the matrix. The preconditioner's inverse is
    (l_m + s) U (L + s)^-1 U^T + 1 - U U^T for an approximation U L U^T of K (Frangella, Tropp & Udell 2021, arXiv 2110.02820).

    Args:
        matrix: a `Gram`, a `StoredGram` or an array.
        y: (n, k).
        ridge: s > 0.
        rank: columns of the preconditioner; 0 for none.
        tolerance: relative residual.
        steps: at most so many products.
        seed: chooses the columns.
        throw: raise where the tolerance is not reached; False returns the solution so far.
        on_step: told the number of products after each.

    Raises:
        UsageError: shapes that do not fit, a ridge that is not positive, a matrix as refused by `cholesky` or indefinite, or no
            convergence.
    """
    matrix, targets = _check(matrix, y, ridge)
    if ridge == 0:
        raise UsageError("Conjugate gradients need a ridge above zero. Likely cause: an interpolating fit. Remedy: cholesky.")
    inverse = _preconditioner(matrix, min(rank, len(targets)), ridge, seed) if rank > 0 else None
    iterations = 0

    def count(_: np.ndarray) -> None:
        nonlocal iterations
        iterations += 1
        if on_step is not None:
            on_step(iterations)

    def operator(function: Callable[[np.ndarray], np.ndarray]) -> scipy.sparse.linalg.LinearOperator:
        one = (targets.size, targets.size)
        return scipy.sparse.linalg.LinearOperator(
            one,
            lambda a: function(a.reshape(targets.shape)).ravel(),
            dtype=np.float64,  # pyright: ignore[reportCallIssue]
        )

    # (K/s + 1) (s a) = y: unknowns of the size of y. The residual of the recurrence drifts from the true one: ask for half.
    found, _ = scipy.sparse.linalg.cg(
        operator(lambda a: _product(matrix, a) / ridge + a), targets.ravel(), rtol=0.5 * tolerance, maxiter=steps,
        M=None if inverse is None else operator(inverse), callback=count,
    )  # fmt: skip
    solution = _certified(matrix, targets, ridge, found.reshape(targets.shape) / ridge, iterations, tolerance)
    if throw and not solution.converged:
        raise UsageError(
            f"No convergence: relative residual {solution.relative_residual:.1e} after {solution.iterations} products, asked for "
            f"{tolerance:g}. Likely cause: a ridge small beside the kernel's rounding, a rank below its spectrum's bulk, or an "
            "indefinite matrix. Remedy: a larger ridge or rank, more steps, or float64."
        )
    return solution


def nystrom(columns: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(U (n, m) orthonormal, L (m,) descending) with U L U^T = C W^-1 C^T, C the columns and W their rows `indices`; float64.

    UsageError where W has a negative eigenvalue beyond rounding.
    """
    eps = np.finfo(columns.dtype).eps
    C = np.array(columns, np.float64)
    W = C[indices]
    W = 0.5 * (W + W.T)
    shift = eps * np.trace(W)  # below the rounding of the entries
    try:
        factor = scipy.linalg.cholesky(W + shift * np.eye(len(W)), lower=True)
    except np.linalg.LinAlgError:
        raise UsageError(
            "The matrix is not positive semi-definite. Likely cause: no kernel of inputs with themselves, or one whose rounding "
            "exceeds its smallest eigenvalues. Remedy: wide.gram, or float64."
        ) from None
    F = scipy.linalg.solve_triangular(factor, C.T, lower=True, overwrite_b=True, check_finite=False).T  # takes the place of C
    values, vectors = np.linalg.eigh(F.T @ F)
    kept = values > len(C) * np.finfo(np.float64).eps * values[-1]
    values, vectors = values[kept][::-1], vectors[:, kept][:, ::-1]
    return F @ (vectors / np.sqrt(values)), values


def _preconditioner(matrix: Any, rank: int, ridge: float, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    indices = np.sort(np.random.default_rng(seed).choice(matrix.shape[0], rank, replace=False))
    columns = matrix.columns(indices) if hasattr(matrix, "columns") else np.asarray(matrix)[:, indices]
    refuse_not_finite(columns, "The matrix")
    U, L = nystrom(columns, indices)
    weights = ((L[-1] + ridge) / (L + ridge) - 1.0)[:, None]
    return lambda r: r + U @ (weights * (U.T @ r))


def _product(matrix: Any, v: np.ndarray) -> np.ndarray:
    """In float64; UsageError where it is not finite."""
    if isinstance(matrix, np.ndarray):
        blocks = range(0, len(matrix), BLOCK)
        found = np.concatenate([np.asarray(matrix[start : start + BLOCK], np.float64) @ v for start in blocks])
    else:
        found = np.asarray(matrix.times(v) if hasattr(matrix, "times") else matrix @ v, np.float64)
    refuse_not_finite(found, "The product of the matrix")
    return found


def _check(matrix: Any, y: Any, ridge: float) -> tuple[Any, np.ndarray]:
    """(the matrix, an array as float32 or float64 in NumPy; targets)."""
    if isinstance(matrix, jax.Array) or not hasattr(matrix, "shape"):
        matrix = np.asarray(matrix)
    n = matrix.shape[0] if matrix.shape else 0
    if len(matrix.shape) != 2 or matrix.shape[1] != n or n == 0:
        raise UsageError(f"The matrix has shape {matrix.shape}. Remedy: a square one with at least one row.")
    if isinstance(matrix, np.ndarray):
        if matrix.dtype == np.float16 or matrix.dtype.kind not in "fiu":
            raise UsageError(f"The matrix is {matrix.dtype}. Remedy: float32 or float64.")
        matrix = matrix if matrix.dtype.kind == "f" else matrix.astype(np.float64)
        refuse_not_finite(matrix, "The matrix")
        refuse_asymmetric(matrix, "The matrix")
    if not (np.isfinite(ridge) and ridge >= 0):
        raise UsageError(f"The ridge must be a number >= 0, got {ridge}.")
    return matrix, labels(y, n, "y")


def _certified(matrix: Any, y: np.ndarray, ridge: float, a: np.ndarray, iterations: int, tolerance: float) -> Solution:
    residual = np.linalg.norm(y - _product(matrix, a) - ridge * a) / max(np.linalg.norm(y), np.finfo(np.float64).tiny)
    return Solution(a, float(residual), iterations, bool(residual <= tolerance))
