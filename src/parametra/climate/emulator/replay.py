r"""Single columns under recorded dynamics: an emulator's own states without a host, in seconds.

Of recorded steps n of a run whose scheme gave $Q_n$, what everything else did to a column is
$D_n = x_{n+1} - x_n - \Delta t\,Q_n$ for x = (T, q). A replay steps $x_{n+1} = x_n + \Delta t\,Q(x_n) + D_n$ with the
emulator's Q. The recorded scheme in its place gives the record back. Winds, pressure, sun and surface fluxes stay as recorded.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, PyTree

from parametra.climate.columns import ColumnForcing, ColumnState
from parametra.climate.emulator.emulator import Emulator
from parametra.climate.emulator.invariant import view
from parametra.climate.emulator.vectors import Inputs
from parametra.core.errors import DataError

RUNAWAY = 100.0  # K, more than which no column departs: one that is gone stays there


class Replay(eqx.Module):
    """How columns departed from their record.

    Attributes:
        departure: rms over columns of the mass-weighted temperature difference at the end of each step [K], (step,).
        outside: share of the columns' T and q inputs outside the range of training, (step,).
        temperature: of the columns [K], (step, column, level).
        humidity: of the columns [kg/kg], (step, column, level).
    """

    departure: Float[Array, " step"]
    outside: Float[Array, " step"]
    temperature: Float[Array, "step column level"]
    humidity: Float[Array, "step column level"]


class Recorded(eqx.Module):
    """A record of columns, every step of it.

    Attributes:
        state: resolved states before physics, all columns of the first step, then all of the second, and so on.
        forcing: what was done to them, in the same order.
        heating, moistening: dynamics and all else that is not the scheme's, over a step [K, kg/kg], (step - 1, column, level).
    """

    state: ColumnState
    forcing: ColumnForcing
    heating: Float[Array, "step column level"]
    moistening: Float[Array, "step column level"]


def recorded_columns(fields: xr.Dataset, time_step: float) -> Recorded:
    """The record that `replay` needs, of fields with dims (time, column[, level]) and CF names.

    Args:
        fields: consecutive steps of columns of a run, its scheme's tendencies among them.
        time_step: between them [s].

    Raises:
        DataError: less than two steps.
    """
    if fields.sizes["time"] < 2:
        raise DataError("A replay needs at least two recorded steps. Remedy: a longer stretch.")

    def array(name: str) -> Array:
        values = fields[name].transpose("time", "column", ...).values
        return jnp.asarray(values.reshape(-1, *values.shape[2:]), jnp.float32)

    state = ColumnState(
        array("air_temperature"), array("specific_humidity"), array("eastward_wind"), array("northward_wind"),
        array("surface_air_pressure"),
    )  # fmt: skip
    sun = array("toa_incoming_shortwave_flux")
    forcing = ColumnForcing(
        array("surface_temperature"), sun, jnp.zeros_like(sun), array("surface_upward_sensible_heat_flux"),
        array("surface_upward_latent_heat_flux"), time_step,
    )  # fmt: skip

    def rest(values: Array, tendency: Array) -> Array:
        values, tendency = (by_step(array, fields.sizes["time"]) for array in (values, tendency))
        return values[1:] - values[:-1] - time_step * tendency[:-1]

    return Recorded(
        state, forcing, rest(state.temperature, array("tendency_of_air_temperature")),
        rest(state.specific_humidity, array("tendency_of_specific_humidity")),
    )  # fmt: skip


def by_step(tree: PyTree[Array], steps: int) -> PyTree[Array]:
    """Arrays (step * column, ...) of a record as (step, column, ...)."""
    return jax.tree.map(lambda array: array.reshape(steps, -1, *array.shape[1:]), tree)


@eqx.filter_jit
def replay(emulator: Emulator, record: Recorded) -> Replay:
    """The columns of `record` with the emulator in the place of what was recorded.

    Raises:
        UsageError: columns with another number of levels than the network's.
    """
    levels = emulator.levels
    mass = jnp.asarray(np.diff(np.asarray(emulator.sigma_half)), jnp.float32)
    step = record.forcing.time_step
    low, high = emulator.scaling.low[: 2 * levels], emulator.scaling.high[: 2 * levels]

    def one(carry: tuple[Array, Array], at: tuple[ColumnState, ColumnForcing, Array, Array, Array]):
        temperature, humidity = carry
        state, forcing, heating, moistening, truth = at
        state = eqx.tree_at(lambda s: (s.temperature, s.specific_humidity), state, (temperature, humidity))
        tendency, _ = emulator(state, forcing)
        seen = view(emulator.inputs, Inputs.from_columns(state, forcing).vector(), emulator.sigma_half)[:, : 2 * levels]
        beyond = (seen < low) | (seen > high)
        temperature = temperature + step * tendency.temperature + heating
        departed = jnp.clip(jnp.nan_to_num(temperature - truth, nan=RUNAWAY), -RUNAWAY, RUNAWAY)
        temperature = truth + departed
        humidity = jnp.clip(jnp.nan_to_num(humidity + step * tendency.specific_humidity + moistening), 0.0, 0.1)
        rms = jnp.sqrt(jnp.mean(jnp.square(departed) @ mass))
        return (temperature, humidity), (rms, jnp.mean(beyond), temperature, humidity)

    steps = len(record.heating) + 1
    state, forcing = by_step(record.state, steps), by_step(record.forcing, steps)

    def without_last(tree):
        return jax.tree.map(lambda array: array[:-1], tree)

    along = (
        without_last(state), without_last(forcing), record.heating, record.moistening, state.temperature[1:],
    )  # fmt: skip
    start = state.temperature[0], state.specific_humidity[0]
    return Replay(*jax.lax.scan(one, start, along)[1])
