"""Normalisation of the inputs: the choice that decides whether a network keeps the climate.

| norm | scale |
| --- | --- |
| `max_rs` | per feature max(max - min, standard deviation averaged over the levels of its variable): Rasp et al. (2018) |
| `variable` | one number per variable: root of the variance averaged over its levels |
| `feature` | standard deviation per feature and level; in the stratosphere it turns the host's noise into large inputs |

All three subtract the mean of each feature. Statistics are taken over the training stretch, in float64.
"""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.emulator.vectors import INPUTS, feature_names, mirror_signs, size, slices
from parametra.core.errors import DataError, UsageError

Norm = Literal["max_rs", "variable", "feature"]
BLOCK = 65536


class InputScaling(eqx.Module):
    """x -> (clip(x, low, high) - mean) / scale, feature by feature.

    Attributes:
        mean, scale: (3n + 4,) in the feature's own unit.
        low, high: (3n + 4,) range of the training data.
        norm: how `scale` was made.
    """

    mean: Float[Array, " inputs"]
    scale: Float[Array, " inputs"]
    low: Float[Array, " inputs"]
    high: Float[Array, " inputs"]
    norm: str = eqx.field(static=True)

    def __call__(self, x: Float[Array, "*batch inputs"], clip: bool = False) -> Float[Array, "*batch inputs"]:
        """Dimensionless features; with `clip` those outside the training range are first held at its edge."""
        x = jnp.clip(x, self.low, self.high) if clip else x
        return (x - self.mean) / self.scale

    def invert(self, features: Float[Array, "*batch inputs"]) -> Float[Array, "*batch inputs"]:
        """The x whose features these are."""
        return features * self.scale + self.mean


def input_scaling(inputs: Float[np.ndarray, "sample inputs"], levels: int, norm: str, mirror: bool = False) -> InputScaling:
    """The scaling that training data ask for.

    Args:
        inputs: training inputs, SI.
        levels: n, with 3n + 4 inputs.
        norm: "max_rs", "variable" or "feature".
        mirror: take the statistics over the data and their mirror images (`mirror_signs`): the wind's mean is then zero.

    Raises:
        UsageError: an unknown norm, or a width that does not fit the levels.
        DataError: no samples, or a feature that never changes, so that its scale would be zero.
    """
    if norm not in ("max_rs", "variable", "feature"):
        raise UsageError(f"Unknown input norm {norm!r}. Known: max_rs, variable, feature.")
    if inputs.shape[1] != size(INPUTS, levels):
        raise UsageError(f"Inputs of {inputs.shape[1]} features do not fit {levels} levels, which need {size(INPUTS, levels)}.")
    if not len(inputs):
        raise DataError("The training data are empty. Likely cause: a stretch outside the truth. Remedy: check its days.")
    mean, variance, low, high = _moments(inputs)
    if mirror:
        wind = mirror_signs(levels) < 0
        variance[wind] += mean[wind] ** 2
        mean[wind] = 0.0
        high[wind] = np.maximum(high[wind], -low[wind])
        low[wind] = -high[wind]
    scale = np.sqrt(variance)
    for part in slices(INPUTS, levels).values():
        if norm == "max_rs":
            scale[part] = np.maximum(high[part] - low[part], scale[part].mean())
        elif norm == "variable":
            scale[part] = np.sqrt(variance[part].mean())
    _refuse_constants(scale, mean, levels, norm)
    mean, scale, low, high = (jnp.asarray(a, jnp.float32) for a in (mean, scale, low, high))
    return InputScaling(mean, scale, low, high, norm)


def _moments(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance, minimum and maximum of each feature, in blocks so that no float64 copy of the data is made."""
    shift = inputs[0].astype(np.float64)
    total, square = np.zeros_like(shift), np.zeros_like(shift)
    for start in range(0, len(inputs), BLOCK):
        block = inputs[start : start + BLOCK] - shift
        total += block.sum(axis=0)
        square += np.einsum("ij,ij->j", block, block)
    mean = total / len(inputs)
    return shift + mean, np.maximum(square / len(inputs) - mean**2, 0.0), inputs.min(axis=0), inputs.max(axis=0)


def _refuse_constants(scale: np.ndarray, mean: np.ndarray, levels: int, norm: str) -> None:
    constant = np.flatnonzero(~(scale > 1e-7 * np.abs(mean)))  # the resolution of float32
    if constant.size:
        name = feature_names(INPUTS, levels)[constant[0]]
        raise DataError(
            f"{name} is {mean[constant[0]]:g} in every sample of the training data ({constant.size} such features), so that "
            f"norm {norm!r} has no scale for it. Likely cause: a stretch of a single step, or a field that was never filled. "
            "Remedy: a longer stretch, or check the truth."
        )
