"""Stage truth: the multi-scale model runs, every column of every step is kept, and the states that later stages start from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import xarray as xr

from parametra.climate.host.atmosphere import Atmosphere
from parametra.core.constants import SECONDS_PER_DAY
from parametra.coupling import ColumnBlocks, coupled_run, start
from parametra.coupling.run import restore
from parametra.store.checkpoints import newest_checkpoint
from parametra.store.fields import append_fields, open_fields, truncate_fields
from parametra.studies.base import Run
from parametra.studies.climate import parts
from parametra.studies.climate.config import ClimateConfig

TRUTH = "truth"
Show = Callable[[float, float, dict[str, Any]], None]


def run_truth(run: Run, store: str = TRUTH, show: Show | None = None) -> dict[str, Any]:
    """Run the segments between the states that the twins start from; each ends with a checkpoint that stays.

    Args:
        run: where, and the configuration of the world.
        store: fields/STORE.zarr takes the columns; checkpoints and ledger are named after it.
        show: told the share that is done, the day and values worth showing after every chunk.
    """
    config: ClimateConfig = run.config
    host, closure = parts.host_of(config), parts.in_blocks(config, parts.multiscale(config))
    run.folder.log("blocks", truth=store, blocks=closure.blocks if isinstance(closure, ColumnBlocks) else 1)
    ends = segment_ends(config)
    show = show or _shown_in(run)
    finished = [segment for segment, end in enumerate(ends) if checkpoint_step(segment_folder(run, segment, store)) == end]
    if finished:
        state, carry = last_state(run, finished[-1], store)
    else:
        show(0.0, 0.0, {"starting": "the host"})
        state, carry = start(host, closure, config.seed)
    for segment in range(finished[-1] + 1 if finished else 0, len(ends)):
        first = ends[segment - 1] if segment else 0
        recorder = _Recorder(run, host, ends[-1], store, show)
        state, carry, _ = coupled_run(
            host, closure, state, carry, config.seed, ends[segment] - first,
            chunk=chunk_steps(config), record=parts.record_steps, reduce="none", on_chunk=recorder, on_start=recorder.cut,
            watch=parts.WATCH, checkpoint=segment_folder(run, segment, store), start_step=first,
        )  # fmt: skip
    return {"days": config.truth.days, "columns": host.grid.columns}


def _shown_in(run: Run) -> Show:
    """Progress of the stage truth, with its speed."""

    def show(fraction: float, day: float, values: dict[str, Any]) -> None:
        if day:
            seconds = max(run.folder.cost("stage truth"), 1.0)
            values = {"day": day, "years_per_day": day / 360.0 * SECONDS_PER_DAY / seconds} | values
        run.progress.update("truth", fraction, **values)

    return show


class _Recorder:
    """Writes every chunk: all columns of all steps, and the host's ledger."""

    def __init__(self, run: Run, host: Atmosphere, last: int, store: str, show: Show):
        self.host, self.last, self.show = host, last, show
        self.chunk = chunk_steps(run.config)
        self.columns, self.ledger = run.folder.fields(store), run.folder.fields(ledger_of(store))

    def cut(self, step: int) -> None:
        """Drop what was written beyond the checkpoint that the run goes on from."""
        for path, length in ((self.columns, step), (self.ledger, -(-step // self.chunk))):
            truncate_fields(path, length)

    def __call__(self, step: int, records: dict[str, np.ndarray], state: Any) -> None:
        grid, per_day = self.host.grid, self.host.config.steps_per_day
        count = next(iter(records.values())).shape[0]
        days = (step - count + np.arange(count)) / per_day
        append_fields(self.columns, parts.column_fields(grid, records, days))
        append_fields(self.ledger, ledger_entry(self.host, state, step / per_day))
        self.show(step / self.last, step / per_day, parts.progress_values(grid, records))


def ledger_of(store: str) -> str:
    """Name of the ledger beside a store of truth."""
    return store.replace(TRUTH, "ledger", 1)


def ledger_entry(host: Atmosphere, state: Any, day: float) -> xr.Dataset:
    """The host's ledger summed over all steps so far, and its global contents, at the end of `day`."""
    steps = max(int(state.step), 1)
    budget = dict(host.budget(state))
    summed = {name: budget[name] * steps for name in state.ledger.entries()}
    contents = {name: budget[name] for name in ("mass", "water_vapour", "energy")}
    return xr.Dataset(
        {name: ("time", np.array([value], np.float64)) for name, value in {**summed, **contents}.items()},
        {"time": np.array([day])},
    )


def chunk_steps(config: ClimateConfig) -> int:
    """Steps between outputs of the truth."""
    return round(config.truth.chunk_hours * 3600.0 / config.host.time_step)


def segment_ends(config: ClimateConfig) -> list[int]:
    """Steps at which segments end: where twins start, spread over the truth after its spin-up, and the end; whole chunks."""
    per_day, chunk = config.host.steps_per_day, chunk_steps(config)
    total = -(-round(config.truth.days * per_day) // chunk) * chunk
    first = max(-(-round(config.truth.spin_up_days * per_day) // chunk), 1)
    twins = round((config.ceiling.settle_hours + config.ceiling.score_hours) / 24.0 * per_day)
    last = max((total - twins) // chunk, first)
    starts = np.unique(np.round(np.linspace(first, last, config.ceiling.starts)).astype(int)) * chunk
    return [int(step) for step in starts if step < total] + [total]


def segment_folder(run: Run, segment: int, store: str = TRUTH) -> Path:
    """Checkpoints of a segment."""
    return run.folder.checkpoint(f"{store}-{segment:02d}")


def checkpoint_step(folder: Path) -> int | None:
    """The step of the newest whole checkpoint."""
    newest = newest_checkpoint(folder)
    return None if newest is None else int(newest.name.rpartition("_")[2])


def last_state(run: Run, segment: int = -1, store: str = TRUTH) -> tuple[Any, Any]:
    """State of the host and memory of the closure at the end of a segment."""
    config: ClimateConfig = run.config
    host, closure = parts.host_of(config), parts.in_blocks(config, parts.multiscale(config))
    segments = len(segment_ends(config))
    state = eqx.filter_eval_shape(host.init, jax.random.key(0))
    resolved, forcing = eqx.filter_eval_shape(host.resolved, state)
    carry = eqx.filter_eval_shape(closure.init, resolved, forcing, jax.random.key(0))
    restored = restore(segment_folder(run, segment % segments, store), host, closure, state, carry)
    assert restored is not None, "the stage that made it is finished"
    return restored.state, restored.carry


def truth_fields(run: Run, first_day: float, last_day: float, store: str = TRUTH) -> xr.Dataset:
    """The recorded steps of the days [first_day, last_day)."""
    fields = open_fields(run.folder.fields(store))
    per_day = run.config.host.steps_per_day
    return fields.isel(time=slice(round(first_day * per_day), round(last_day * per_day)))
