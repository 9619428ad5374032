"""What a simulated year costs: truth, networks, conventional scheme and the host alone, over grids and levels.

    uv run python -m benchmarks.climate [--json FILE] [--only NAME ...] [--repeats N]

Grids are those of the presets mini (linear T15), desk (T31) and t42 (T63 on 128 x 64 points, 30 levels); layers are cut from 10
to 30 on mini's grid. Closures take turns in one process; the shortest of the repetitions counts. Networks have weights of no
meaning, which cost the same. A closure's part is its whole step less that of the host alone.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.interleaved import best_seconds, cpus
from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.emulator import Emulator
from parametra.climate.emulator.limits import Limits
from parametra.climate.emulator.scaling import InputScaling
from parametra.climate.emulator.vectors import INPUTS, OUTPUTS, size
from parametra.climate.schemes.emulated import EmulatedScheme
from parametra.core.files import write_text
from parametra.coupling import Closure, coupled_run
from parametra.networks import MLP
from parametra.store.metrics import Metric
from parametra.studies.climate import STUDY, parts
from parametra.studies.climate.config import ClimateConfig
from parametra.studies.climate.coupled import years_per_day

NETWORKS = {"5x128": ((128,) * 5, "plain"), "5x128 invariant": ((128,) * 5, "invariant"), "9x256": ((256,) * 9, "plain")}
LAYERS = (10, 30)  # beside mini's 20
TARGET = 350.0  # simulated years per day of 5x128 on desk's grid, two cores
HOST, TRUTH, CONVENTIONAL = "host alone", "truth", "conventional"


class Idle(eqx.Module):
    """A closure that does nothing: what is left is the host."""

    def init(self, state: ColumnState, forcing: ColumnForcing, key: Any) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def __call__(self, state: ColumnState, forcing: ColumnForcing, carry: Any, key: Any) -> Any:
        """No tendency, no flux."""
        zero = jnp.zeros_like(state.surface_pressure)
        still = jnp.zeros_like(state.temperature)
        return ColumnTendency(still, still), ColumnFluxes(*(zero,) * 6), carry


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json also write its rows."""
    cases = _cases()
    parser = argparse.ArgumentParser(description="Cost of simulated years.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", action="append", choices=list(cases))
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args(arguments)
    print(f"{cpus()} CPU(s), jax {jax.__version__}, {jax.devices()[0].device_kind}")
    rows: list[Metric] = []
    for name in chosen.only or cases:
        found = measure(name, cases[name], chosen.repeats)
        for row in found:
            mark = {True: "reached", False: "missed", None: ""}[row.passed]
            print(f"{row.name:<66} {row.value:12.5g} {row.unit:<6} {row.target or '':>8} {mark}", flush=True)
        rows += found
    if chosen.json is not None:
        write_text(chosen.json, json.dumps([row.to_dict() for row in rows], indent=1) + "\n")


def measure(name: str, config: ClimateConfig, repeats: int) -> list[Metric]:
    """All closures on one grid."""
    host = parts.host_of(config)
    state = host.init(jax.random.key(0))
    resolved, forcing = eqx.filter_jit(host.resolved)(state)
    crm = parts.in_blocks(config, parts.multiscale(config))
    closures: dict[str, Closure] = {HOST: Idle(), **{kind: _network(config, *like) for kind, like in NETWORKS.items()}}
    closures |= {CONVENTIONAL: parts.conventional(config), TRUTH: crm}
    steps = {kind: 1 if kind == TRUTH else host.config.steps_per_day for kind in closures}
    jobs = {}
    for kind, closure in closures.items():
        carry = closure.init(resolved, forcing, jax.random.key(1))
        jobs[kind] = _steps(host, closure, state, carry, steps[kind])
    total = best_seconds(jobs, repeats)
    seconds = {kind: total[kind] / steps[kind] for kind in jobs}
    columns, rows = host.grid.columns, []
    for kind, value in seconds.items():
        years = years_per_day(value, config.host.time_step)
        asked = TARGET if (name, kind) == ("desk", "5x128") else None
        label = f"{name}, {columns} columns x {len(config.host.sigma_half) - 1}, {kind}"
        rows.append(Metric(f"{label}: simulated years per day", years, "1", asked, "higher", "cost", "benchmarks.climate"))
        if kind != HOST:
            own = (value - seconds[HOST]) / columns * 1e9
            rows.append(Metric(f"{label}: its part", own, "ns/col", None, "lower", "cost", "benchmarks.climate"))
        if kind not in (HOST, TRUTH):
            faster = seconds[TRUTH] / value
            rows.append(Metric(f"{label}: truth over it", faster, "1", None, "higher", "cost", "benchmarks.climate"))
    return rows


def _cases() -> dict[str, ClimateConfig]:
    """Configurations by name: grids of presets, and mini's grid with other layers."""
    resolved: dict[str, Any] = {name: STUDY.resolve(name) for name in ("mini", "desk", "t42")}
    mini = resolved["mini"]
    for layers in LAYERS:
        half = np.asarray(mini.host.sigma_half)
        cut = np.interp(np.linspace(0.0, 1.0, layers + 1), np.linspace(0.0, 1.0, half.size), half)
        host = mini.host.model_copy(update={"sigma_half": tuple(float(s) for s in cut)})
        resolved[f"mini-{layers}"] = mini.model_copy(update={"host": host})
    return resolved


def _network(config: ClimateConfig, hidden: tuple[int, ...], seen: str) -> EmulatedScheme:
    """An emulator that sees next to nothing and says as little, so that the host stays where it is.

    Where it sees the invariant view, what it says grows with the vapour, as in mini.
    """
    levels = len(config.host.sigma_half) - 1
    inputs, outputs = size(INPUTS, levels), size(OUTPUTS, levels)
    network = MLP.init(jax.random.key(0), inputs, outputs, hidden)
    one, wide = jnp.ones(inputs), jnp.full(inputs, 1e6)
    scaling = InputScaling(0.0 * one, wide, -wide, wide, norm="variable")
    limits = Limits(max(0, round(0.25 * levels)))
    moisture = None if seen == "plain" else jnp.full(levels, 1e-3)
    half = tuple(config.host.sigma_half)
    return EmulatedScheme(Emulator(scaling, network, half, config.host.time_step, limits, True, True, seen, moisture))


def _steps(host: Any, closure: Closure, state: Any, carry: Any, steps: int) -> Callable[[], Any]:
    return lambda: coupled_run(host, closure, state, carry, 0, steps, chunk=steps)[:2]


if __name__ == "__main__":
    main()
