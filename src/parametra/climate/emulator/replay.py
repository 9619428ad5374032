"""Single columns replayed for days: how far an emulator's own states go from the record, and whether it had seen their like."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.emulator.dataset import ColumnDataset
from parametra.climate.emulator.emulator import Emulator
from parametra.climate.emulator.invariant import view
from parametra.climate.emulator.rollout import rollout
from parametra.core.errors import DataError, UsageError


class Replay(eqx.Module):
    """How columns departed from their record.

    Attributes:
        departure: rms over columns of the mass-weighted temperature difference at the end of each step [K].
        outside: share of the columns' T and q, as the network sees them, outside the range of training, at the end of each step.
        temperature: of the columns [K].
        humidity: of the columns [kg/kg].
    """

    departure: Float[Array, " step"]
    outside: Float[Array, " step"]
    temperature: Float[Array, "step column level"]
    humidity: Float[Array, "step column level"]


def replay(emulator: Emulator, data: ColumnDataset) -> Replay:
    """The columns of `data` under their recorded dynamics with the emulator in the place of the recorded scheme (`rollout`).

    Raises:
        DataError: less than two steps.
        UsageError: columns with another number of levels than the network's.
    """
    times = data.shape[0]
    if times < 2:
        raise DataError("A replay needs at least two recorded steps. Remedy: a longer stretch.")
    if data.levels != emulator.levels:
        raise UsageError(f"The data have {data.levels} levels, the network {emulator.levels}. Remedy: the network's own truth.")
    by_step = (jnp.asarray(array.reshape(times, -1, array.shape[-1])) for array in (data.inputs, data.targets))
    return _replay(emulator, *by_step)


@eqx.filter_jit
def _replay(emulator: Emulator, inputs: Array, targets: Array) -> Replay:
    n = emulator.levels
    warm, moist = rollout(emulator, inputs, targets[:-1])
    mass = jnp.asarray(np.diff(np.asarray(emulator.sigma_half)), jnp.float32)
    temperature, humidity = inputs[1:, :, :n] + warm, inputs[1:, :, n : 2 * n] + moist
    visited = jnp.concatenate([temperature, humidity, inputs[1:, :, 2 * n :]], axis=2)
    seen = view(emulator.inputs, visited.reshape(-1, visited.shape[-1]), emulator.sigma_half)[:, : 2 * n]
    beyond = (seen < emulator.scaling.low[: 2 * n]) | (seen > emulator.scaling.high[: 2 * n])
    outside = beyond.reshape(len(visited), -1).mean(axis=1)
    return Replay(jnp.sqrt(jnp.mean(jnp.square(warm) @ mass, axis=1)), outside, temperature, humidity)
