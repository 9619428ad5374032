"""Stage speed: sub-grid part and whole step, truth and networks side by side, interleaved, medians."""

import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from parametra.core import machine
from parametra.coupling import Closure, ColumnBlocks, coupled_run
from parametra.coupling.blocks import call_closure
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate import parts
from parametra.studies.climate.config import ClimateConfig
from parametra.studies.climate.coupled import timed_closures, years_per_day
from parametra.studies.climate.truth import last_state

REPEATS = 7
REFERENCE_NS = 45.0  # wall per CRM cell and step for which the ratios are stated
LIMITS = {"mini": (15.0, 8.0)}  # min, GB; longer presets promise neither
TARGETS = {"ns": 1300.0, "years": 900.0, "subgrid": 300.0, "whole": 45.0}


def measure_speed(run: Run) -> dict[str, Any]:
    """Nanoseconds and ratios; nothing of this is asserted anywhere, machines differ."""
    config: ClimateConfig = run.config
    host, truth = parts.host_of(config), parts.in_blocks(config, parts.multiscale(config))
    state, carry = last_state(run)
    closures = timed_closures(run, host)
    jobs: dict[str, Callable[[], object]] = {"truth sub-grid": _subgrid(host, truth, state, carry)}
    jobs["truth whole"] = _whole(host, truth, state, carry, 1)
    for kind, closure in closures.items():
        jobs[f"{kind} sub-grid"] = _compiled(host, closure, state, 20)
        jobs[f"{kind} whole"] = _whole(host, closure, state, (), host.config.steps_per_day)
    seconds = _interleave(run, jobs)
    return {"metrics": _rows(run, host.grid.columns, seconds, list(closures))}


def _subgrid(host: Any, closure: Closure, state: Any, carry: Any) -> Callable[[], object]:
    """One call of the closure on the columns of one state, from outside as the truth calls it."""
    resolved, forcing = eqx.filter_jit(host.resolved)(state)
    call = closure if isinstance(closure, ColumnBlocks) else lambda *a: call_closure(closure, *a)
    key = jax.random.key(0)

    def job() -> object:
        jax.block_until_ready(call(resolved, forcing, carry, key))
        return 1

    return job


def _compiled(host: Any, closure: Closure, state: Any, repeats: int) -> Callable[[], object]:
    """`repeats` calls of a closure without memory inside one compiled program, as in its coupled run.

    Each call waits for the last one: its temperature has nothing of the last heating added, which XLA cannot know.
    """
    resolved, forcing = eqx.filter_jit(host.resolved)(state)
    key = jax.random.key(0)

    @eqx.filter_jit
    def calls(nothing: Any) -> Any:
        def call(columns: Any, _: None) -> tuple[Any, Any]:
            tendency, fluxes, _ = closure(columns, forcing, (), key)
            warmer = columns.temperature + nothing * tendency.temperature
            return eqx.tree_at(lambda c: c.temperature, columns, warmer), (tendency, fluxes)

        return jax.lax.scan(call, resolved, length=repeats)

    def job() -> object:
        jax.block_until_ready(calls(jnp.zeros(())))
        return repeats

    return job


def _whole(host: Any, closure: Closure, state: Any, carry: Any, steps: int) -> Callable[[], object]:
    """`steps` coupled steps."""

    def job() -> object:
        jax.block_until_ready(coupled_run(host, closure, state, carry, 0, steps, chunk=steps)[:2])
        return steps

    return job


def _interleave(run: Run, jobs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of one call or step of every job, over interleaved repetitions after a warm-up."""
    for index, job in enumerate(jobs.values()):
        run.progress.update("speed", 0.3 * index / len(jobs), warming="up")
        job()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for repeat in range(REPEATS):
        run.progress.update("speed", 0.3 + 0.7 * repeat / REPEATS, repetition=f"{repeat + 1}/{REPEATS}")
        for name, job in jobs.items():
            started = time.perf_counter()
            count = job()
            times[name].append((time.perf_counter() - started) / float(str(count)))
    return {name: float(np.median(values)) for name, values in times.items()}


def _rows(run: Run, columns: int, seconds: dict[str, float], kinds: list[str]) -> list[Metric]:
    config: ClimateConfig = run.config
    cells = columns * config.crm.columns * (len(config.host.sigma_half) - 1)
    steps = config.host.time_step / config.crm.time_step
    crm = seconds["truth sub-grid"] / (cells * steps) * 1e9
    source = f"median of {REPEATS} interleaved repetitions, {machine.cores()} cores, {jax.devices()[0].device_kind}"
    stated = config.networks[0].required and run.folder.preset in LIMITS  # the targets are of its world and its small network
    target = crm / REFERENCE_NS if stated else None

    def row(name: str, value: float, unit: str, goal: float | None = None, better: str = "lower") -> Metric:
        return Metric(name, value, unit, goal, better, "cost", source)  # type: ignore[arg-type]

    rows = [
        row("CRM: wall time per cell and step", crm, "ns"),
        row("truth: simulated years per day", years_per_day(seconds["truth whole"], config.host.time_step), "1"),
    ]
    for kind in kinds:
        aim = target if kind == config.networks[0].name else None
        years = years_per_day(seconds[f"{kind} whole"], config.host.time_step)
        rows += [
            row(f"{kind}: wall time per column", seconds[f"{kind} sub-grid"] / columns * 1e9, "ns", aim and TARGETS["ns"]),
            row(f"{kind}: simulated years per day, coupled", years, "1", TARGETS["years"] if aim else None, "higher"),
            row(
                f"{kind}: sub-grid part, times faster than the CRM", seconds["truth sub-grid"] / seconds[f"{kind} sub-grid"], "1",
                TARGETS["subgrid"] * aim if aim else None, "higher",
            ),
            row(
                f"{kind}: whole step, times faster than the truth", seconds["truth whole"] / seconds[f"{kind} whole"], "1",
                TARGETS["whole"] * aim if aim else None, "higher",
            ),
        ]  # fmt: skip
    minutes = sum(run.folder.cost(f"stage {stage}") for stage in STAGES) / 60.0
    longest, largest = LIMITS.get(run.folder.preset, (None, None))
    there = f"{machine.cores()} cores, over all interruptions"
    rows.append(Metric("all stages before this one", minutes, "min", longest, "lower", "cost", there))
    rows.append(Metric("peak memory", machine.peak_memory(), "GB", largest, "lower", "cost", "of the process that ended the run"))
    return rows


STAGES = (
    *("truth", "elsewhere", "world", "ceiling", "train", "recipes", "transfer", "coupled", "stochastic", "offline", "abroad"),
    *("climate", "diagnostics", "lottery"),
)
