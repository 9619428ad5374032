"""What a diagram of a learned family costs, beside the exact map in the same compiled form and beside NumPy.

    uv run python -m benchmarks.dynamics [--json FILE]

Times are medians of interleaved repetitions in one process, after compilation: 1,000 parameters x 2,000 steps, with exponents.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from parametra.core.files import write_text
from parametra.dynamics import LOGISTIC, Design, diagram, fit, simulate
from parametra.store.metrics import Metric

PARAMETERS, STEPS, REPEATS = 1000, 2000, 7
R, START = np.linspace(2.8, 4.0, PARAMETERS), np.array([0.4])


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json also write its rows."""
    parser = argparse.ArgumentParser(description="Cost of a bifurcation diagram.")
    parser.add_argument("--json", type=Path)
    target = parser.parse_args(arguments).json
    rows = measure()
    for row in rows:
        mark = {True: "reached", False: "missed", None: ""}[row.passed]
        print(f"{row.name:<64} {row.value:10.3f} {row.unit:<4} {row.target or '':>6} {mark}")
    if target is not None:
        write_text(target, json.dumps([row.to_dict() for row in rows], indent=1) + "\n")


def measure() -> list[Metric]:
    """Seconds of each kind, interleaved, and the first fit of a network, compilation included."""
    series = simulate(LOGISTIC, np.linspace(2.8, 3.5, 15), 6, lambda rng: rng.uniform(0, 1, 1), seed=0, repeats=8)
    began = time.perf_counter()
    network = fit(Design(main="network", hidden=(8,), ridge=1e-22, restarts=1), series).family
    first = time.perf_counter() - began
    sparse = fit(Design(degree=2), series).family
    jobs: dict[str, Callable[[], object]] = {
        "learned network of 8": lambda: diagram(network, R, START, burn=0, steps=STEPS, bound=1e3),
        "learned polynomial": lambda: diagram(sparse, R, START, burn=0, steps=STEPS, bound=1e3),
        "exact map": lambda: diagram(LOGISTIC, R, START, burn=0, steps=STEPS),
        "exact map, NumPy": in_numpy,
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for repeat in range(REPEATS + 1):
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            if repeat:  # the first round compiles
                times[name].append(time.perf_counter() - began)
    rows = [
        Metric(f"diagram, {name}", float(np.median(t)), "s", 0.5 if "learned" in name else None, kind="cost")
        for name, t in times.items()
    ]
    return [*rows, Metric("first fit of a network, compilation included", first, "s", kind="cost")]


def in_numpy() -> np.ndarray:
    """The exact map and its exponents, one vector of parameters at a time."""
    x, growth, states = np.full(PARAMETERS, START[0]), np.zeros(PARAMETERS), np.empty((STEPS, PARAMETERS))
    for step in range(STEPS):
        growth += np.log(np.maximum(np.abs(R * (1.0 - 2.0 * x)), 1e-300))
        x = R * x * (1.0 - x)
        states[step] = x
    return growth / STEPS


if __name__ == "__main__":
    main()
