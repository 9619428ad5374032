"""What a cell and step of the cloud-resolving model costs, beside what it computes.

    uv run python -m benchmarks.crm [--json FILE]

Times are medians of interleaved repetitions in one process: one block of columns in one thread, two blocks in two threads, and a
copy of the same number of bytes as a floor. CPU time is that of the whole process.
"""

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from parametra.climate.equilibrium import Equilibrium
from parametra.climate.host.levels import LEVELS_20
from parametra.climate.schemes.multiscale import Multiscale
from parametra.core.files import write_text
from parametra.coupling import coupled_run, start
from parametra.store.metrics import Metric

COLUMNS, CRM_COLUMNS, LAYERS, STEPS, REPEATS = 512, 8, 20, 60, 7


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json also write its rows."""
    parser = argparse.ArgumentParser(description="Cost of the cloud-resolving model.")
    parser.add_argument("--json", type=Path)
    rows = measure()
    for row in rows:
        mark = {True: "reached", False: "missed", None: ""}[row.passed]
        print(f"{row.name:<58} {row.value:10.1f} {row.unit:<6} {row.target or '':>6} {mark}")
    target = parser.parse_args(arguments).json
    if target is not None:
        write_text(target, json.dumps([row.to_dict() for row in rows], indent=1) + "\n")


def measure() -> list[Metric]:
    """512 columns x 8 x 20, one host step of 60 CRM steps, after a day so that there are clouds."""
    host, scheme = Equilibrium(COLUMNS // 2, LEVELS_20), Multiscale.build(LEVELS_20, CRM_COLUMNS)
    state, carry = start(host, scheme, 0)
    state, carry, _ = coupled_run(host, scheme, state, carry, 0, 72, chunk=24)
    resolved, forcing = host.resolved(state)
    key = jax.random.key(0)

    @eqx.filter_jit
    def interval(scheme, resolved, forcing, carry, key):
        return scheme(resolved, forcing, carry, key)

    compiled = interval.lower(scheme, resolved, forcing, carry, key).compile()
    cells = COLUMNS // 2 * CRM_COLUMNS * LAYERS
    analysis = compiled.compiled.cost_analysis()
    pool = ThreadPoolExecutor(2)

    def one() -> None:
        jax.block_until_ready(interval(scheme, resolved, forcing, carry, key))

    def two() -> None:
        list(pool.map(lambda _: one(), range(2)))

    # Floor: a step that only reads and writes the eight prognostic arrays of a block.
    fields = jnp.ones((8, cells), jnp.float32)
    copy = jax.jit(lambda x: jax.lax.fori_loop(0, STEPS, lambda _, y: y * 1.0000001, x))

    seconds, cpu = interleave({"one": one, "two": two, "copy": lambda: jax.block_until_ready(copy(fields))})
    work = cells * STEPS

    def row(name: str, value: float, unit: str, target: float | None = None) -> Metric:
        return Metric(name, value, unit, target, "lower", "cost", "median of 7 interleaved repetitions")

    return [
        row("CRM, one block of 256 columns: wall per cell and step", seconds["one"] / work * 1e9, "ns"),
        row("CRM, two blocks in two threads: wall per cell and step", seconds["two"] / (2 * work) * 1e9, "ns", 50.0),
        row("CRM, two blocks in two threads: CPU per cell and step", cpu["two"] / (2 * work) * 1e9, "ns", 100.0),
        row("copy of eight fields: wall per cell and step", seconds["copy"] / work * 1e9, "ns"),
        row("CRM over the copy", seconds["one"] / seconds["copy"], "1"),
        row("operations per cell and step (cost_analysis)", analysis["flops"] / cells / 2.0, "1", 1200.0),
        row("bytes per cell and step (cost_analysis)", analysis["bytes accessed"] / cells / 2.0, "byte"),
    ]


def interleave(jobs: dict[str, Callable[[], object]]) -> tuple[dict[str, float], dict[str, float]]:
    """Median wall and process seconds of every job, repetitions of all jobs in turn, after a warm-up of each."""
    for job in jobs.values():
        job()
    wall: dict[str, list[float]] = {name: [] for name in jobs}
    cpu: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(REPEATS):
        for name, job in jobs.items():
            started, used = time.perf_counter(), time.process_time()
            job()
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - used)
    return {n: float(np.median(v)) for n, v in wall.items()}, {n: float(np.median(v)) for n, v in cpu.items()}


if __name__ == "__main__":
    main()
