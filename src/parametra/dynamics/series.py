"""Series of states at known or unknown values of a control parameter: the only thing a family is learned from."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from parametra.core.errors import DataError, UsageError
from parametra.dynamics.precision import in_float64
from parametra.dynamics.systems import AbstractSystem, Flow

REMEDY = "Remedy: leave that series out, or mend it."
TIMES = ("t", "time", "step", "date")  # names of columns that are no state, whatever is not said about them
UNEVEN = 1e-3  # relative: times are written with few digits
Side = Literal["low", "high"]


@dataclass(frozen=True)
class SeriesSet:
    """Series of one system, each at a constant control; lengths may differ, order does not matter, controls may repeat.

    Attributes:
        series: arrays (steps, state), two steps or more each, finite, not all constant.
        control: (series, control), or None where it is unknown: one value of it is then learned for every series.
        time_step: time between states.
        name: of the control, for figures.
    """

    series: tuple[np.ndarray, ...]
    control: np.ndarray | None
    time_step: float = 1.0
    name: str = "control"

    def __post_init__(self) -> None:
        series = tuple(_as_states(one, number) for number, one in enumerate(self.series))
        object.__setattr__(self, "series", series)
        if not series:
            raise DataError("There are no series. Likely cause: an empty file. Remedy: at least two, at different controls.")
        if len({one.shape[1] for one in series}) > 1:
            raise DataError(f"The series have states of {sorted({one.shape[1] for one in series})} numbers. {REMEDY}")
        if all(np.ptp(one, axis=0).max() == 0 for one in series) and len({tuple(one[0]) for one in series}) == 1:
            raise DataError("Every series is one and the same constant: there is nothing to learn. Remedy: series that move.")
        if self.control is not None:
            object.__setattr__(self, "control", _as_control(self.control, len(series)))
        if not self.time_step > 0:
            raise DataError(f"The time step is {self.time_step}. Remedy: a positive one.")

    @property
    def dimension(self) -> int:
        """Numbers in a state."""
        return self.series[0].shape[1]

    @property
    def known(self) -> np.ndarray:
        """The control; UsageError where it is unknown."""
        if self.control is None:
            raise UsageError("This needs the control of every series. Remedy: control=..., or learn it first (`discover`).")
        return self.control

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(x, x', series): every state with the next one, and the number of its series."""
        before = np.concatenate([one[:-1] for one in self.series])
        after = np.concatenate([one[1:] for one in self.series])
        return before, after, np.repeat(np.arange(len(self.series)), [len(one) - 1 for one in self.series])

    def padded(self) -> tuple[np.ndarray, np.ndarray]:
        """(values (series, steps, state), there (series, steps)): all series in one array, padded with their last state."""
        longest = max(len(one) for one in self.series)
        values = np.stack([np.concatenate([one, np.repeat(one[-1:], longest - len(one), axis=0)]) for one in self.series])
        there = np.arange(longest)[None, :] < np.array([len(one) for one in self.series])[:, None]
        return values, there

    def where(self, keep: np.ndarray) -> "SeriesSet":
        """The series at which `keep` (series,) holds."""
        chosen = np.flatnonzero(keep)
        control = None if self.control is None else self.control[chosen]
        return SeriesSet(tuple(self.series[number] for number in chosen), control, self.time_step, self.name)

    def with_control(self, control: np.ndarray) -> "SeriesSet":
        """The same series at these controls."""
        return SeriesSet(self.series, control, self.time_step, self.name)

    def edge(self, fraction: float, along: int = 0, side: Side = "high") -> np.ndarray:
        """(series,), those at `fraction` of the distinct values of a control, at least one, at that end: to be held out.

        Raises:
            UsageError: no such control, fewer than three values of it, or a fraction outside (0, 1).
        """
        count = self.known.shape[1]
        if not 0 <= along < count:
            raise UsageError(f"There is no control {along}: the series have {count}. Remedy: along from 0 to {count - 1}.")
        if side not in ("low", "high"):
            raise UsageError(f'The side is "{side}". Remedy: "low" or "high".')
        column = self.known[:, along]
        values = np.unique(column)
        if not 0.0 < fraction < 1.0:
            raise UsageError(f"The share of controls to hold out is {fraction}. Remedy: a number between 0 and 1.")
        if len(values) < 3:
            raise UsageError(
                f"Edge validation needs at least three values of {self.name}, found {len(values)}. Likely cause: too few "
                "experiments. Remedy: add series at other values, or fit one design without selection."
            )
        count = min(max(1, round(fraction * len(values))), len(values) - 2)
        return column >= values[-count] if side == "high" else column <= values[count - 1]


def read_csv(
    path: str | Path, control: str, series: str | None = None, states: Sequence[str] | None = None, *,
    time: str | None = None, time_step: float = 1.0,
) -> SeriesSet:  # fmt: skip
    """Series from a CSV file in UTF-8 with a head line, the rows of a series in order of time.

    Args:
        path: the file.
        control: the column of the control parameter, which stays what it is throughout a series.
        series: the column that tells series apart, whose rows may alternate; by default, rows of one control that follow one
            another are one series.
        states: the columns of the state; all others by default.
        time: the column of the time, in equal steps; the time step is theirs.
        time_step: time between rows, where there is no such column; 1 for a map.

    Raises:
        DataError: an absent file, an absent or a repeated column, text where a number should be, a control that moves within a
            series, uneven times, a column that looks like time and is not called so.
    """
    path = Path(path)
    head, rows = _table(path)
    known = {name: column for column, name in enumerate(head)}
    wanted = [name for name in (control, series, time) if name is not None]
    for name in (*wanted, *(states or [])):
        if name not in known:
            raise DataError(f'{path} has no column "{name}". Its columns: {", ".join(head)}.')
    named = list(states or [name for name in head if name not in wanted])
    for name in named:
        if states is None and name.lower() in TIMES:
            raise DataError(f'{path}: the column "{name}" looks like time, not like a state. Remedy: time="{name}", or states.')
    controls, *columns = (_numbers(path, rows, known[name], name) for name in (control, *named))
    table = np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0))
    parts = _parts([row[known[series]] for row in rows] if series else controls.tolist(), bool(series))
    for part in parts:
        _check_part(path, controls[part], control, series)
    if time is not None and parts:
        time_step = _time_step(path, [_numbers(path, rows, known[time], time)[part] for part in parts], time)
    return SeriesSet(tuple(table[part] for part in parts), np.array([controls[part[0]] for part in parts]), time_step, control)


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Head and rows; every row has a cell for every name, and no two names are the same."""
    if not path.is_file():
        raise DataError(f"{path} does not exist. Remedy: check the path.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            head, *rows = [[cell.strip() for cell in row] for row in csv.reader(stream) if row] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8 ({error}). Remedy: save it as one.") from None
    repeated = sorted({name for name in head if head.count(name) > 1})
    if repeated:
        raise DataError(f"{path} has several columns of one name: {', '.join(repeated)}. Remedy: a name for each.")
    for number, row in enumerate(rows):
        if len(row) != len(head):
            raise DataError(f"{path}, row {number + 1}: {len(row)} cells below {len(head)} names. Remedy: one in every column.")
    return head, rows


def _numbers(path: Path, rows: list[list[str]], column: int, name: str) -> np.ndarray:
    try:
        return np.array([float(row[column]) for row in rows])
    except ValueError as error:
        raise DataError(
            f'{path}, column "{name}", holds something that is not a number ({error}). Remedy: one number in every cell.'
        ) from None


def _parts(labels: list[object], gather: bool) -> list[np.ndarray]:
    """Rows of every series: all of one label where they are gathered, otherwise each run of one label."""
    found: dict[object, list[int]] = {}
    run = 0
    for row, label in enumerate(labels):
        run += not gather and row > 0 and label != labels[row - 1]
        found.setdefault((run, label), []).append(row)
    return [np.array(rows) for rows in found.values()]


def _check_part(path: Path, controls: np.ndarray, control: str, series: str | None) -> None:
    if np.ptp(controls) > 0:
        raise DataError(
            f'{path}: "{control}" moves from {controls.min():g} to {controls.max():g} within a series. Likely cause: a control '
            "that drifts, or a column that is no control. Remedy: cut the series where it moves, or name the right column."
        )
    if len(controls) < 2 and series is None:
        raise DataError(
            f'{path}: a row at "{control}" {controls[0]:g} stands alone. Likely cause: rows of several series alternate, or the '
            "control moves at every step. Remedy: a column that tells series apart, series=NAME."
        )


def _time_step(path: Path, times: list[np.ndarray], name: str) -> float:
    steps = np.concatenate([np.diff(one) for one in times])
    mean = float(steps.mean()) if len(steps) else 1.0
    if not np.all(np.abs(steps - mean) <= UNEVEN * abs(mean)) or not mean > 0:
        raise DataError(
            f'{path}: the times in "{name}" are not in equal steps forward: {steps.min():g} to {steps.max():g}. Likely cause: '
            "gaps, or two series taken for one. Remedy: a column that tells series apart, or series cut at the gaps."
        )
    return mean


@in_float64
def simulate(
    system: AbstractSystem, control: np.ndarray, steps: int, start: Callable[[np.random.Generator], np.ndarray], *,
    seed: int, burn: int = 0, noise: float = 0.0, repeats: int = 1, name: str = "control",
) -> SeriesSet:  # fmt: skip
    """`repeats` series of `steps` states at every control, from `start(rng)`, after `burn` steps, with normal observation noise.

    Flows are integrated by diffrax with error control, maps by iteration, both in float64.

    Raises:
        DataError: a state that is not finite: the system escapes there.
    """
    rng = np.random.default_rng(seed)
    values = np.atleast_2d(np.asarray(control, np.float64).T).T
    values = np.repeat(values, repeats, axis=0)
    starts = np.stack([np.atleast_1d(start(rng)) for _ in values])
    states = np.asarray(_simulate(system, jnp.asarray(starts), jnp.asarray(values), burn, steps))
    if not np.all(np.isfinite(states)):
        where = values[np.argmax(~np.isfinite(states).all(axis=(1, 2)))]
        raise DataError(f"The system escapes to infinity at {name} = {where}. Remedy: other start states, or leave it out.")
    states = states + noise * rng.standard_normal(states.shape)
    return SeriesSet(tuple(states), values, system.time_step, name)


@eqx.filter_jit
def _simulate(system: AbstractSystem, starts: jax.Array, control: jax.Array, burn: int, steps: int) -> jax.Array:
    def one(start: jax.Array, mu: jax.Array) -> jax.Array:
        if isinstance(system, Flow):
            path = jnp.concatenate([start[None], system.trajectory(start, mu, burn + steps - 1)])
            return path[burn:]
        x = jax.lax.fori_loop(0, burn, lambda _, x: system.step(x, mu), start)
        return jax.lax.scan(lambda x, _: (system.step(x, mu), x), x, None, length=steps)[1]

    return jax.vmap(one)(starts, control)


def _as_states(values: np.ndarray, number: int) -> np.ndarray:
    states = np.asarray(values)
    if states.dtype.kind not in "fiu":
        raise DataError(f"Series {number} holds {states.dtype}, not real numbers. {REMEDY}")
    states = states.astype(np.float64)
    states = states[:, None] if states.ndim == 1 else states
    if states.ndim != 2 or states.shape[1] == 0:
        raise DataError(f"Series {number} has shape {states.shape}, expected (steps, state). {REMEDY}")
    if len(states) < 2:
        raise DataError(f"Series {number} has {len(states)} state: one step needs two. {REMEDY}")
    bad = ~np.isfinite(states)
    if bad.any():
        step = int(np.argmax(bad.any(axis=1)))
        raise DataError(
            f"Series {number} holds {states[step][bad[step]][0]} at step {step}. Likely cause: a gap in the record, or a state "
            "that escaped to infinity. Remedy: cut it into series without gaps, or leave it out."
        )
    return states


def _as_control(values: np.ndarray, count: int) -> np.ndarray:
    control = np.asarray(values, np.float64)
    control = control[:, None] if control.ndim == 1 else control
    if control.ndim != 2 or len(control) != count:
        raise DataError(f"The control has shape {control.shape} for {count} series. Remedy: one value, or one row, per series.")
    if not np.all(np.isfinite(control)):
        raise DataError("The control holds values that are not finite. Remedy: leave those series out, or control=None.")
    if np.any(np.ptp(control, axis=0) == 0):
        raise DataError(
            f"All series are at one value of the control, {control[0].tolist()}. Likely cause: one experiment only. Remedy: "
            "series at two values at least; nothing can be said about others from one."
        )
    return control
