r"""Columns under recorded dynamics: an emulator's own states without a host, and training on them.

Of recorded steps n of a run whose scheme gave $Q_n$, what everything else did to a column is
$D_n = x_{n+1} - x_n - \Delta t\,Q_n$ for x = (T, q). A rollout steps $x_{n+1} = x_n + \Delta t\,Q(x_n) + D_n$ with the
emulator's Q; wind, pressure, sun and surface fluxes stay as recorded. The recorded scheme in its place gives the record back.

A network that is right for one step at a time may still answer its own small errors wrongly; here they come back to it, as they
do in a host. Humidity may fall below zero, which the emulator sees as zero: a floor would make water, as no host does, and teach
the network to dry layers that hold hardly any.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.climate.diagnostics.geometry import time_in_days
from parametra.climate.emulator.dataset import ColumnDataset
from parametra.climate.emulator.emulator import Emulator
from parametra.climate.emulator.growth import growth
from parametra.climate.emulator.vectors import Inputs, mirror_signs, output_factors
from parametra.core.errors import DataError
from parametra.learn.arrays import aligned

FLOOR, TINY = 0.01, 1e-12  # of the mean variance; and where nothing varies at all
COLUMNS = 8192  # that a network sees at once in the loss, for their memory
RUNAWAY, MOIST = 100.0, 0.1  # K and kg/kg, beyond which no column departs: one that is gone stays there


def rollout(
    emulator: Emulator, inputs: Float[Array, "moment column inputs"], targets: Float[Array, "step column outputs"]
) -> tuple[Float[Array, "step column level"], Float[Array, "step column level"]]:
    """Temperature [K] and humidity [kg/kg] less the recorded ones at the end of each step.

    Args:
        emulator: all of it works, limits and conservation included.
        inputs: recorded columns at the start of each step and at the end of the last, SI.
        targets: what the recorded scheme gave over each step, in the network's units.
    """
    n, step = emulator.levels, emulator.time_step
    gave = targets[..., : 2 * n] / jnp.asarray(output_factors(n)[: 2 * n], jnp.float32)
    rest = inputs[1:, :, : 2 * n] - inputs[:-1, :, : 2 * n] - step * gave

    def one(here: Array, at: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        recorded, others, end = at
        humid = jnp.maximum(here[:, n:], 0.0)
        seen = Inputs.from_vector(jnp.concatenate([here[:, :n], humid, recorded[:, 2 * n :]], axis=1))
        said = emulator.outputs(seen)
        moved = here + step * jnp.concatenate([said.heating, said.moistening], axis=1) + others
        temperature = jnp.clip(moved[:, :n] - end[:, :n], -RUNAWAY, RUNAWAY)
        humidity = jnp.clip(moved[:, n:] - end[:, n:], -MOIST, MOIST)
        departed = jnp.concatenate([temperature, humidity], axis=1)
        return end + departed, departed

    moments = (inputs[:-1], rest, inputs[1:, :, : 2 * n])
    departed = jax.lax.scan(one, inputs[0, :, : 2 * n], moments)[1]
    return departed[..., :n], departed[..., n:]


@dataclasses.dataclass(frozen=True)
class RolloutLoss:
    """Error of one step plus that of what columns have gathered after k steps, over k; both mean squares.

    A departure is counted in the network's units of a tendency over one step, so that independent errors of single steps would
    make both terms alike. Half of the error of one step is counted as it is, half over the variance of each output in the batch
    (times their mean), so that levels of little vapour, which weigh nothing in the first half, are not given up for the others.
    Two equal losses share one compilation.

    Attributes:
        weight: of the second term.
    """

    weight: float

    def __call__(
        self, emulator: Emulator, batch: tuple[Float[Array, "window moment inputs"], Float[Array, "window step outputs"]]
    ) -> Float[Array, ""]:
        """The loss of a batch of `windows`."""
        # only the network learns
        scaling, moisture = jax.lax.stop_gradient((emulator.scaling, emulator.moisture))
        emulator = dataclasses.replace(emulator, scaling=scaling, moisture=moisture)
        inputs, targets = (jnp.swapaxes(array, 0, 1) for array in batch)
        wanted = _wanted(emulator, inputs, targets)
        weights = 0.5 + 0.5 * _over_variance(wanted)
        steps, columns, _ = targets.shape
        if steps * columns <= COLUMNS:
            return self._mean(emulator, inputs, targets, wanted, weights)

        def one(window: tuple[Array, Array]) -> Float[Array, ""]:
            inputs, targets = (array[:, None] for array in window)
            return self._mean(emulator, inputs, targets, _wanted(emulator, inputs, targets), weights)

        # the weights are those of the whole batch, so that its loss does not depend on how it is divided
        return jnp.mean(jax.lax.map(one, batch, batch_size=max(COLUMNS // steps, 1)))

    def _mean(
        self, emulator: Emulator, inputs: Float[Array, "moment column inputs"], targets: Float[Array, "step column outputs"],
        wanted: Float[Array, "sample outputs"], weights: Float[Array, " outputs"],
    ) -> Float[Array, ""]:  # fmt: skip
        n, steps = emulator.levels, len(targets)
        seen = inputs[:-1].reshape(len(wanted), -1)
        error = jnp.square(emulator.network(emulator.features(Inputs.from_vector(seen))) - wanted)
        single = jnp.mean(error * weights)
        warm, moist = rollout(emulator, inputs, targets)
        factors = jnp.asarray(output_factors(n) / emulator.time_step, jnp.float32)
        gathered = jnp.concatenate([warm * factors[:n], moist * factors[n : 2 * n]], axis=2)
        age = jnp.arange(1, steps + 1, dtype=gathered.dtype)[:, None, None]
        return single + self.weight * jnp.mean(jnp.square(gathered) / age)


def _wanted(
    emulator: Emulator, inputs: Float[Array, "moment column inputs"], targets: Float[Array, "step column outputs"]
) -> Float[Array, "sample outputs"]:
    """What the network is to say, so that an error counts as in the training on single steps."""
    wanted = targets.reshape(-1, targets.shape[-1])
    if emulator.moisture is None:
        return wanted
    return wanted / growth(inputs[:-1].reshape(len(wanted), -1), emulator.moisture, emulator.sigma_half)


def _over_variance(wanted: Float[Array, "sample outputs"]) -> Float[Array, " outputs"]:
    """Mean variance of the outputs over the variance of each, at most 1 / `FLOOR`."""
    variance = jnp.var(wanted, axis=0)
    mean = jnp.mean(variance)
    return (mean + TINY) / (variance + FLOOR * mean + TINY)


def windows(
    data: ColumnDataset, steps: int
) -> tuple[Float[np.ndarray, "window moment inputs"], Float[np.ndarray, "window step outputs"]]:
    """Every column of `data` cut into stretches of `steps` steps, one after the other: what a batch is made of.

    No stretch crosses a gap in the times of `data`, or a place where they start again.

    Raises:
        DataError: no stretch of that length.
    """
    times, rows, columns = data.shape
    first = _first_moments(time_in_days(data.coordinates.time), steps)
    if not first.size:
        raise DataError(
            f"A stretch of {times} steps holds no rollout of {steps}. Remedy: smaller `rollout.steps`, or more days of truth "
            "without gaps."
        )
    inputs = data.inputs.reshape(times, rows * columns, -1)
    targets = data.targets.reshape(times, rows * columns, -1)
    return _cut(inputs, first, steps + 1), _cut(targets, first, steps)


def _cut(
    array: Float[np.ndarray, "time column values"], first: np.ndarray, moments: int
) -> Float[np.ndarray, "window moment values"]:
    _, columns, values = array.shape
    cut = aligned((first.size, columns, moments, values))
    for window, start in zip(cut, first, strict=True):  # one at a time: a copy of them all would not fit beside the windows
        window[...] = array[start : start + moments].swapaxes(0, 1)
    return cut.reshape(-1, moments, values)


def _first_moments(days: np.ndarray, steps: int) -> np.ndarray:
    """Where stretches of `steps` steps begin, each within one unbroken part of the record."""
    apart = np.diff(days)
    breaks = np.flatnonzero(np.abs(apart - np.median(apart)) > 1e-3 * np.abs(np.median(apart))) + 1 if apart.size else apart
    parts = np.split(np.arange(days.size), breaks.astype(int))
    return np.concatenate([part[0] + steps * np.arange((part.size - 1) // steps) for part in parts]).astype(int)


@dataclasses.dataclass(frozen=True)
class Mirror:
    """Shows half of the windows of a batch in a mirror, wind reversed.

    Attributes:
        levels: n.
    """

    levels: int

    def __call__(self, batch: tuple[Array, Array], key: Array) -> tuple[Array, Array]:
        """The batch, some of it mirrored."""
        inputs, targets = batch
        flip = jax.random.bernoulli(key, shape=(len(inputs), 1, 1))
        return jnp.where(flip, inputs * jnp.asarray(mirror_signs(self.levels)), inputs), targets
