r"""How far an input is off the training manifold, for use at every step of a model.

Inputs are whitened; then two scores. Level 1 is the Mahalanobis norm $|w|^2/d$. Level 2 adds the variance that a Gaussian process
with the network's NNGP kernel keeps after it has seen the training set, by m landmarks (Nystrom, subset of regressors with the
prior's own diagonal):

    v(x) = K(x, x) - psi^T psi + psi^T (1 + Psi Psi^T / s²)^-1 psi,    psi = L^-1 K_m(x),    L L^T = K_mm,

Psi the psi of all training inputs.

Both add |c|² / directions, c the input's way along directions that do not vary in training, in units of 1e-5 of the largest
number there: the kernel does not see them.

The variance is absolute, not relative to K(x, x): for a network without bias it then grows with the norm as well. A threshold
comes from held-out inputs by the conformal quantile (Vovk, Gammerman & Shafer 2005), so that a new input of the same law exceeds
it with probability at most `rate`.
"""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.wide.collapse import Collapsed, collapse
from parametra.wide.gram import evaluate
from parametra.wide.kernel import kernel


class OffManifoldScore(eqx.Module):
    """A score of inputs: large where the training set has nothing like them; made by `fit_score`, jit-ready.

    Attributes:
        mean, whitening: w = (x - mean) @ whitening.
        landmarks: (m, directions) whitened training inputs.
        reduction: (m, m) R with v(x) = K(x, x) - |R K_m(x)|².
        outside: (d, constant) directions that do not vary in training, divided as above.
        function: the kernel.
        threshold: of `calibrate`; infinite before.
    """

    mean: Float[Array, " d"]
    whitening: Float[Array, "d directions"]
    landmarks: Float[Array, "m directions"]
    reduction: Float[Array, "m m"]
    outside: Float[Array, "d constant"]
    function: Any
    threshold: float = math.inf

    def mahalanobis(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """Level 1: mean square of the whitened input, 1 on average over the training set."""
        shift = self._shift(x)
        return jnp.mean(jnp.square(shift @ self.whitening), -1) + self._outside(shift)

    def __call__(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """Level 2: the variance v (n,)."""
        shift = self._shift(x)
        w = shift @ self.whitening
        if isinstance(self.function, Collapsed):
            top = self.function.nngp_one * jnp.mean(jnp.square(w), -1)
        else:
            top = self.function.diagonal(w).nngp
        across = evaluate(self.function, w, self.landmarks).nngp
        return top - jnp.sum(jnp.square(across @ self.reduction), -1) + self._outside(shift)

    def _shift(self, x: Array) -> Array:
        if x.ndim != 2 or x.shape[1] != len(self.mean):
            raise UsageError(f"The score was fitted to {len(self.mean)} features, got shape {x.shape}. Remedy: inputs (n, d).")
        return x - self.mean

    def _outside(self, shift: Array) -> Array:
        return jnp.sum(jnp.square(shift @ self.outside), -1)

    def alarm(self, x: Float[Array, "n d"]) -> Array:
        """Whether v exceeds the threshold (n,), or is NaN."""
        return ~(self(x) <= self.threshold)

    def calibrate(self, x: Float[Array, "n d"], rate: float) -> "OffManifoldScore":
        """A copy whose alarm is false for a new input like `x` with probability at most `rate`.

        Raises:
            UsageError: a rate outside (0, 1), too few inputs to promise it, inputs of another shape, or NaN.
        """
        x = jnp.asarray(x)
        scores = np.asarray(self(x))
        if not np.isfinite(scores).all():
            raise UsageError("A held-out input has no finite score. Likely cause: missing values. Remedy: leave those rows out.")
        count = len(x)
        if not 0 < rate < 1:
            raise UsageError(f"The rate of false alarms must be between 0 and 1, got {rate}.")
        place = math.ceil((count + 1) * (1 - rate))
        if place > count:
            raise UsageError(
                f"{count} held-out inputs cannot promise a rate of {rate:g}. Remedy: at least {math.ceil(1 / rate) - 1}, or "
                "a larger rate."
            )
        threshold = float(np.sort(scores)[place - 1])
        return dataclasses.replace(self, threshold=threshold)


def fit_score(
    model: Any, x: Any, *, landmarks: int = 64, noise: float = 1e-2, directions: int | None = None, seed: int = 0
) -> OffManifoldScore:
    """Fit the score to training inputs.

    Args:
        model: a network of `directions` inputs whose NNGP kernel is used, e.g. `ntk.dense_network` without bias: then a score
            costs d + m multiplications per landmark.
        x: (n, d) training inputs.
        landmarks: m.
        noise: s², in units of the mean K(x, x).
        directions: principal directions kept; those whose variance is not rounding, where None. What varies along
            the others is not looked at.
        seed: chooses the landmarks.

    Raises:
        UsageError: fewer samples than landmarks, inputs that do not vary, NaN, or a layer without a rule.
    """
    if np.asarray(x).dtype.itemsize < 4:
        raise UsageError(f"The score needs float32 or float64 inputs, got {np.asarray(x).dtype}. Remedy: x.astype('float32').")
    data = np.asarray(x, np.float64)
    if data.ndim != 2 or not np.isfinite(data).all():
        raise UsageError(f"The score needs finite inputs (n, d), got shape {data.shape}. Remedy: leave out rows with NaN.")
    if not 1 <= landmarks <= len(data):
        raise UsageError(f"{landmarks} landmarks need at least as many samples, got {len(data)}.")
    mean = data.mean(0)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(data - mean, rowvar=False)))
    vary = values > max(1e-10 * values[-1], 0.0)
    kept = np.flatnonzero(vary)[::-1][:directions]
    if kept.size == 0:
        raise UsageError("The training inputs do not vary. Likely cause: one row, repeated. Remedy: a training set.")
    whitening = vectors[:, kept] / np.sqrt(values[kept])
    unit = 1e-5 * max(float(np.abs(data).max()), math.sqrt(values[-1]))  # some hundred roundings of a float32 input
    outside = vectors[:, ~vary] / (unit * math.sqrt(kept.size))
    white = ((data - mean) @ whitening).astype(np.float32)
    function = kernel(model)
    short = collapse(function.model) or function
    chosen = white[np.random.default_rng(seed).choice(len(white), landmarks, replace=False)]
    inner, across = _kernels(short, jnp.asarray(chosen), jnp.asarray(white))
    size = float(np.trace(inner)) / landmarks
    factor = scipy.linalg.cholesky(inner + 1e-6 * size * np.eye(landmarks), lower=True)  # float32 kernels: rounding
    psi = scipy.linalg.solve_triangular(factor, across.T, lower=True)
    shrink = np.eye(landmarks) - np.linalg.inv(np.eye(landmarks) + psi @ psi.T / (noise * size))
    half, lam = _root(shrink)
    reduction = scipy.linalg.solve_triangular(factor, half * lam, lower=True, trans=1)
    to = lambda array: jnp.asarray(array, jnp.float32)
    return OffManifoldScore(to(mean), to(whitening), jnp.asarray(chosen), to(reduction), to(outside), short)


def _kernels(function: Any, chosen: Array, white: Array) -> tuple[np.ndarray, np.ndarray]:
    across = eqx.filter_jit(lambda f, a, b: evaluate(f, a, b).nngp)
    inner = eqx.filter_jit(lambda f, a: evaluate(f, a, None).nngp)(function, chosen)
    parts = [across(function, block, chosen) for block in jnp.array_split(white, max(1, len(white) // 4096))]
    return np.asarray(inner, np.float64), np.concatenate([np.asarray(part, np.float64) for part in parts])


def _root(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    return vectors, np.sqrt(np.maximum(values, 0.0))
