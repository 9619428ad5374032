"""Closures in the CRM's place, several at a time: each with its own store of daily means and its own checkpoints."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import jax
import numpy as np
import xarray as xr

from parametra.climate.host.atmosphere import Atmosphere
from parametra.core import machine
from parametra.core.errors import PhysicalStopError
from parametra.coupling import Closure, coupled_run, run_many
from parametra.coupling.records import Recorder
from parametra.store.fields import append_fields, truncate_fields
from parametra.studies.base import Run
from parametra.studies.climate import parts
from parametra.studies.climate.truth import checkpoint_step


@dataclass
class Drive:
    """Runs of closures from one state of a host.

    Attributes:
        run: the folder, the seed and how often checkpoints are made.
        stage: whose progress it is.
        prefix: run NAME is kept in fields/PREFIX-NAME.zarr and checkpoints/PREFIX-NAME.
        host: what they drive.
        state: where all of them start.
        closure_of: the closure of a run by name.
        recorder: what is kept of a step.
        total_days: of all runs of the stage, for its progress.
        simulated: days of each run so far.
        carry: the closures' memory at the start.
    """

    run: Run
    stage: str
    prefix: str
    host: Atmosphere
    state: Any
    closure_of: Callable[[str], Closure]
    recorder: Recorder
    total_days: float
    simulated: dict[str, float] = field(default_factory=dict)
    carry: Any = ()
    lock: Any = field(default_factory=Lock)

    def run_all(self, lengths: dict[str, float]) -> dict[str, PhysicalStopError | None]:
        """Each closure for its number of days; why it stopped, None where it did not."""
        jobs = {name: self._job(name, days) for name, days in lengths.items() if not self._is_beyond(name, days)}
        outcomes = run_many(jobs, 1 if jax.default_backend() != "cpu" else machine.cores())
        self.simulated |= lengths  # also those that stopped early: their days are not to come
        stops = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, PhysicalStopError)}
        return {name: stops.get(name) for name in lengths}

    def _is_beyond(self, name: str, days: float) -> bool:
        """Whether an interrupted stage had already taken this run further, as the chosen network's."""
        step = checkpoint_step(self.run.folder.checkpoint(f"{self.prefix}-{name}"))
        return step is not None and step > round(days * self.host.config.steps_per_day)

    def _job(self, name: str, days: float) -> Callable[[], object]:
        def job() -> object:
            per_day = self.host.config.steps_per_day
            every = max(round(self.run.config.coupled.checkpoint_days), 1)
            steps = round(days * per_day)
            writer = _Writer(self, name, every, steps)
            try:
                return coupled_run(
                    self.host, self.closure_of(name), self.state, self.carry, self.run.config.seed, steps,
                    chunk=per_day, record=self.recorder, on_chunk=writer, on_start=writer.cut, watch=parts.WATCH,
                    checkpoint=self.run.folder.checkpoint(f"{self.prefix}-{name}"), checkpoint_every=every,
                )  # fmt: skip
            finally:
                writer.flush()  # the days that a crash ends with

        return job


class _Writer:
    """Keeps daily means and appends them at every checkpoint: an append takes as long as half a simulated day."""

    def __init__(self, drive: Drive, name: str, every: int, steps: int):
        self.drive, self.name, self.every, self.steps = drive, name, every, steps
        self.path = drive.run.folder.fields(f"{drive.prefix}-{name}")
        self.per_day = drive.host.config.steps_per_day
        self.days: list[xr.Dataset] = []

    def cut(self, step: int) -> None:
        """Drop what was written beyond the checkpoint that the run goes on from."""
        truncate_fields(self.path, -(-step // self.per_day))

    def __call__(self, step: int, records: dict[str, np.ndarray], state: Any) -> None:
        grid, drive = self.drive.host.grid, self.drive
        self.days.append(parts.zonal_fields(grid, records, step / self.per_day - 0.5))
        if len(self.days) == self.every or step == self.steps:  # the checkpoint of this very step is made after this call
            self.flush()
        with drive.lock:
            drive.simulated[self.name] = step / self.per_day
            fraction = min(sum(drive.simulated.values()) / drive.total_days, 1.0)
            values = parts.progress_values(grid, {k: v for k, v in records.items() if v.shape != grid.shape})
            drive.run.progress.update(drive.stage, fraction, network=self.name, day=step / self.per_day, **values)

    def flush(self) -> None:
        """Append what is kept."""
        if self.days:
            append_fields(self.path, xr.concat(self.days, "time", data_vars="minimal", coords="minimal", compat="override"))
            self.days = []
