r"""How a column's answers grow with the vapour that its air can hold.

Under warming at unchanged relative humidity, condensation at a level grows with the saturation humidity there, radiation hardly.
"scaled" outputs are what is left when a network's heating and moistening are divided, level by level, by

    s_k = (1 + (q0 + qs(T_k)) / (q0 + Qs_k)) / 2

with Qs_k the mean saturation humidity of level k in the training data, and precipitation by s of the lowest level. Half of the
answer so follows the vapour and half does not. Above sigma 0.18, where hardly anything condenses, s is one; q0 = 1e-4 brings it
near one just below. In the climate of the training s is one on average.

Source: the dependence is that of Clausius and Clapeyron, as in the scaled latent heat flux of Beucler et al. (2024, Science
Advances 10, eadj7250), who leave outputs as they are. That the halves are equal was chosen by trials on a world 4 K warmer.
"""

from collections.abc import Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.crm.microphysics import saturation
from parametra.climate.emulator.blocks import blocks
from parametra.climate.emulator.invariant import below_tropopause
from parametra.climate.emulator.sigma import middles
from parametra.climate.emulator.vectors import OUTPUTS, Inputs, size
from parametra.core.errors import UsageError

DRY = 1e-4  # kg/kg, q0
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "plain": "",
        "scaled": "outputs of level k times s_k = (1 + (1e-4 + qs(T_k)) / (1e-4 + moisture_k)) / 2 for heating and moistening at "
        "sigma >= 0.18, precipitation times s of the lowest level, before factors",
    }
)
"""Kinds of outputs, and the formula of each; for the header of a file."""


def require_kind(kind: str) -> None:
    """UsageError unless `kind` is known."""
    if kind not in KINDS:
        raise UsageError(f"Unknown kind of outputs {kind!r}. Known: {', '.join(KINDS)}.")


def saturation_humidity(x: Float[Array, "column inputs"], sigma_half: tuple[float, ...]) -> Float[Array, "column level"]:
    """Saturation humidity [kg/kg] of every level of input vectors (column, 3n + 4), SI."""
    inputs = Inputs.from_vector(x)
    return saturation(inputs.temperature, inputs.surface_pressure[:, None] * middles(sigma_half))[0]


def growth(
    x: Float[Array, "column inputs"], moisture: Float[Array, " level"], sigma_half: tuple[float, ...]
) -> Float[Array, "column outputs"]:
    """The factor s of every output (column, 2n + 5), one for the four radiative fluxes; `moisture` [kg/kg] is Qs."""
    return grown(jnp.ones((x.shape[0], size(OUTPUTS, moisture.size)), x.dtype), x, moisture, sigma_half)


def grown(
    y: Float[Array, "column outputs"], x: Float[Array, "column inputs"], moisture: Float[Array, " level"],
    sigma_half: tuple[float, ...],
) -> Float[Array, "column outputs"]:  # fmt: skip
    """`y` times `growth`. Part by part: from one vector of factors XLA works every saturation out three times."""
    n = moisture.size
    below = below_tropopause(sigma_half)
    s = (0.5 + 0.5 * (DRY + saturation_humidity(x, sigma_half)) / (DRY + moisture)) * below + (1.0 - below)
    return jnp.concatenate([y[:, :n] * s, y[:, n : 2 * n] * s, y[:, 2 * n : -1], y[:, -1:] * s[:, -1:]], axis=1)


_saturation = jax.jit(saturation_humidity, static_argnames="sigma_half")
_growth = jax.jit(growth, static_argnames="sigma_half")


def mean_moisture(inputs: Float[np.ndarray, "sample inputs"], sigma_half: tuple[float, ...]) -> Float[np.ndarray, " level"]:
    """Qs of the training data, float32."""
    parts = (np.asarray(_saturation(block, sigma_half))[: rows.stop - rows.start] for rows, block in blocks(inputs))
    total = sum(part.sum(0, dtype=np.float64) for part in parts)
    return np.asarray(total / len(inputs), np.float32)


def without_growth(
    inputs: Float[np.ndarray, "sample inputs"], targets: Float[np.ndarray, "sample outputs"],
    moisture: Float[np.ndarray, " level"], sigma_half: tuple[float, ...],
) -> Float[np.ndarray, "sample outputs"]:  # fmt: skip
    """Targets over their s, in blocks: what a network of scaled outputs learns."""
    scaled = np.empty_like(targets)
    for rows, block in blocks(inputs):
        s = np.asarray(_growth(block, jnp.asarray(moisture), sigma_half))[: rows.stop - rows.start]
        scaled[rows] = targets[rows] / s
    return scaled
