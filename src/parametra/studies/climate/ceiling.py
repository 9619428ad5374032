"""Stage ceiling: twins of the cloud-resolving model under the truth's own trajectory."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from parametra.climate.columns import ColumnFluxes, ColumnTendency
from parametra.coupling import ceiling, growth_curve, levelled_off, twin_run
from parametra.coupling.blocks import ColumnBlocks
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate import parts
from parametra.studies.climate.config import ClimateConfig
from parametra.studies.climate.truth import last_state, segment_ends, truth_fields

TARGETS = ("tendency_of_air_temperature", "tendency_of_specific_humidity", "precipitation_flux")


def run_ceiling(run: Run) -> dict[str, Any]:
    """Twins from every start state; the part of the variance that is not their difference can be predicted."""
    config: ClimateConfig = run.config
    scheme = parts.multiscale(config)
    closure = parts.in_blocks(config, scheme)
    grid = parts.host_of(config).grid
    per_day = config.host.steps_per_day
    settle, score = (round(h / 24.0 * per_day) for h in (config.ceiling.settle_hours, config.ceiling.score_hours))
    starts = segment_ends(config)[:-1]
    results: list[dict[str, np.ndarray]] = []
    for index, step in enumerate(starts):
        path = run.folder.checkpoint("ceiling") / f"start-{index:02d}.npz"
        if path.exists():
            results.append(dict(np.load(path)))
            continue
        columns = choose_columns(grid.shape, config.ceiling.columns, index)
        _, memory = last_state(run, index)
        whole = ColumnBlocks.whole(memory, grid.columns) if isinstance(closure, ColumnBlocks) else memory
        trajectory = _Trajectory(run, step, settle + score, columns, index, len(starts))
        twins = twin_run(
            closure, take_columns(whole, columns), trajectory, config.seed + 1 + index, _perturb(scheme),
            twins=config.ceiling.twins, target=target,
        )  # fmt: skip
        parts.save_arrays(path, twins)
        results.append(twins)
    return _store(run, results, settle, grid.sigma)


def target(tendency: ColumnTendency, fluxes: ColumnFluxes) -> dict[str, Array]:
    """What is compared between twins."""
    return {
        "tendency_of_air_temperature": tendency.temperature,
        "tendency_of_specific_humidity": tendency.specific_humidity,
        "precipitation_flux": fluxes.precipitation,
    }


def _perturb(scheme: Any) -> Any:
    return lambda carry, resolved, key: scheme.perturb(carry, resolved, key)


def take_columns(tree: Any, columns: Any) -> Any:
    """Some columns of a memory, a state or a forcing."""
    return jax.tree.map(lambda leaf: leaf[jnp.asarray(columns)], tree)


def choose_columns(shape: tuple[int, int], count: int, turn: int) -> np.ndarray:
    """`count` columns spread evenly over latitudes and longitudes, other longitudes at every `turn`."""
    latitudes, longitudes = shape
    rows = np.round(np.linspace(0, latitudes - 1, min(count, latitudes))).astype(int)
    shares = np.diff(np.round(np.linspace(0, count, len(rows) + 1)).astype(int))
    return np.concatenate(
        [
            row * longitudes + (np.arange(each) * longitudes // each + turn * 5 + row) % longitudes
            for row, each in zip(rows, shares, strict=True)
        ]
    )


class _Trajectory:
    """The truth's resolved columns and forcing, step after step, with progress."""

    def __init__(self, run: Run, first: int, steps: int, columns: np.ndarray, index: int, starts: int):
        per_day = run.config.host.steps_per_day
        self.run, self.steps, self.columns, self.index, self.starts = run, steps, jnp.asarray(columns), index, starts
        self.fields = truth_fields(run, first / per_day, (first + steps) / per_day).load()

    def __iter__(self) -> Any:
        for step in range(self.steps):
            done = (self.index + step / self.steps) / self.starts
            self.run.progress.update("ceiling", done, start=f"{self.index + 1}/{self.starts}")
            row = parts.columns_of(self.fields.isel(time=step), self.run.config.host.time_step)
            yield take_columns(row, self.columns)


def _store(run: Run, results: list[dict[str, np.ndarray]], settle: int, sigma: np.ndarray) -> dict[str, Any]:
    """Ceilings by level with their intervals, and the growth of the twins' differences."""
    hours = run.config.host.time_step / 3600.0
    variables: dict[str, Any] = {}
    growths, first = {}, {}
    for name in TARGETS:
        growth = growth_curve([twins[name] for twins in results])
        growths[name] = growth
        limit = ceiling([twins[name][:, settle:] for twins in results])
        flat = levelled_off(growth)
        first[name] = None if flat is None else flat * hours
        dims = ("level",) if limit.value.ndim else ()
        for label, values in (("ceiling", limit.value), ("ceiling_low", limit.low), ("ceiling_high", limit.high)):
            variables[f"{label}_{name}"] = (dims, values)
        variables[f"growth_{name}"] = (("lead", *dims), growth.mean(axis=0))
    leads = (np.arange(next(iter(growths.values())).shape[1]) + 1) * hours
    write_fields(run.folder.fields("ceiling"), xr.Dataset(variables, {"lead": leads, "level": sigma}))
    settled = [hours for hours in first.values() if hours is not None]
    metrics = [
        Metric(
            "twins: lead from which heating, moistening and precipitation have levelled off",
            max(settled) if len(settled) == len(first) else float("nan"), "h", settle * hours, "lower", "skill",
            "differences of twins over start states",
        ),
        Metric(
            f"twins: ceiling R2 of {60.0 * hours:g}-min precipitation", float(variables["ceiling_precipitation_flux"][1]), "1",
            kind="skill",
        ),
    ]  # fmt: skip
    return {"metrics": metrics, "levelled_off_hours": first}
