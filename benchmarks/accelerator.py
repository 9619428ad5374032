"""What the multi-scale world costs on the device that jax sees, and whether its arithmetic is exact enough there.

    uv run python -m benchmarks.accelerator [--sizes mini,t42] [--json FILE]

For each size, a preset of the climate study: the cloud-resolving model with its radiation, one step of the host alone, and the
whole truth, medians of repetitions after half a day of spin-up, so that there are clouds; the largest error of the spherical
transforms in float32 against float64, there and back; memory.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from parametra.climate.columns import ColumnTendency
from parametra.climate.host.atmosphere import Atmosphere
from parametra.climate.schemes.multiscale import Multiscale
from parametra.core import machine
from parametra.core.files import write_text
from parametra.coupling import coupled_run, start
from parametra.store.metrics import Metric
from parametra.studies.climate import parts
from parametra.studies.climate.config import ClimateConfig
from parametra.studies.registry import find

REPEATS, HOURS = 5, 12.0


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json also write its rows."""
    parser = argparse.ArgumentParser(description="Cost and exactness of the multi-scale world on this device.")
    parser.add_argument("--sizes", default="mini" if jax.default_backend() == "cpu" else "mini,t42")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    device = jax.devices()[0]
    print(f"{device.platform} {device.device_kind}, jax {jax.__version__}")
    rows = []
    for size in chosen.sizes.split(","):
        for row in measure(size):
            print(f"{row.name:<64} {row.value:12.4g} {row.unit}", flush=True)
            rows.append(row)
    if chosen.json is not None:
        write_text(chosen.json, json.dumps([row.to_dict() for row in rows], indent=1) + "\n")


def measure(size: str) -> list[Metric]:
    """The rows of one preset."""
    config = find("climate").resolve(size)
    assert isinstance(config, ClimateConfig)
    host, scheme = parts.host_of(config), parts.in_blocks(config, parts.multiscale(config))
    steps = round(HOURS * 3600.0 / config.host.time_step)
    name = f"{size}, {host.grid.columns} columns x {config.crm.columns} x {host.grid.levels}"

    def advance(state: Any, carry: Any, first: int) -> tuple[Any, Any]:
        end = coupled_run(host, scheme, state, carry, 0, steps, chunk=steps, start_step=first)
        return jax.block_until_ready((end.state, end.carry))

    state, carry = start(host, scheme, 0)
    state, carry = advance(state, carry, 0)
    whole = median(lambda: advance(state, carry, steps), repeats=2)
    resolved, forcing = host.resolved(state)
    tendency = ColumnTendency(jnp.zeros_like(resolved.temperature), jnp.zeros_like(resolved.specific_humidity))
    step = eqx.filter_jit(host.step)
    rows = [
        Metric(f"{name}: truth, simulated days per hour", 3600.0 / whole * HOURS / 24.0, "1"),
        Metric(f"{name}: truth, wall per cell and CRM step", whole / steps / crm_cells(config, host) * 1e9, "ns"),
    ]
    if isinstance(scheme, Multiscale):
        interval = eqx.filter_jit(scheme)
        crm = median(lambda: jax.block_until_ready(interval(resolved, forcing, carry, jax.random.key(0))))
        rows.append(Metric(f"{name}: CRM and radiation, wall per cell and step", crm / crm_cells(config, host) * 1e9, "ns"))
    alone = median(lambda: jax.block_until_ready(step(state, tendency)))
    rows.append(Metric(f"{name}: host alone, wall per step", alone * 1e3, "ms"))
    rows.append(Metric(f"{name}: host alone, simulated years per day", config.host.time_step / alone / 360.0, "1"))
    rows.append(Metric(f"{name}: transforms there and back, float32 against float64", transform_error(host), "1"))
    stats = jax.devices()[0].memory_stats() or {}
    memory = stats["peak_bytes_in_use"] / machine.GIGABYTE if "peak_bytes_in_use" in stats else machine.peak_memory()
    rows.append(Metric(f"{name}: peak memory so far", memory, "GB"))
    return rows


def crm_cells(config: ClimateConfig, host: Atmosphere) -> float:
    """Cells of all CRMs times their steps in one step of the host."""
    return host.grid.columns * config.crm.columns * host.grid.levels * config.host.time_step / config.crm.time_step


def transform_error(host: Atmosphere) -> float:
    """Largest error of columns -> modes -> columns in float32 over the largest value, for a field that the truncation holds."""
    rough = np.random.default_rng(0).normal(size=(host.grid.columns, host.grid.levels))
    with jax.enable_x64(True):
        exact = Atmosphere(host.config).core
        field = np.asarray(exact.to_columns(exact.to_modal(jnp.asarray(rough))))
        twice = np.asarray(exact.to_columns(exact.to_modal(jnp.asarray(field))))
    assert field.dtype == np.float64
    single = np.asarray(host.core.to_columns(host.core.to_modal(jnp.asarray(field, jnp.float32))))
    return float(np.abs(single - twice).max() / np.abs(twice).max())


def median(job: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median wall seconds after a warm-up."""
    job()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
