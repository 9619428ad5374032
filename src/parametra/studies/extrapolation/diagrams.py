"""Stage diagram: the learned family beside the exact map, at many parameters, and over a million steps."""

import time
from typing import Any

import numpy as np
import xarray as xr

from parametra.dynamics import LOGISTIC, AbstractSystem, Diagram, diagram
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.extrapolation.config import ExtrapolationConfig
from parametra.studies.extrapolation.parts import distances, load_family, logistic_series, median

BURN, SHOWN = 500, 64
START, OTHER, LEARNED = np.array([0.4]), np.array([0.7]), np.array([0.55])
KEPT = 2000  # states of a long run that are compared
SAMPLING_ZERO = 1e-3  # exponents nearer to zero have no sign: sampling decides


def run_diagrams(run: Run) -> dict[str, Any]:
    """The first figure of the page, exponents, long-term integrity, and what a diagram costs."""
    config: ExtrapolationConfig = run.config
    protocol, sizes = config.logistic, config.diagram
    data = logistic_series(protocol, "cov", 0.0, config.seed)
    names = [f"network-{seed}" for seed in range(protocol.network_seeds)]
    families = {name: load_family(run.folder, name, data) for name in names}
    r = np.linspace(protocol.low, 4.0, sizes.controls)
    exact = diagram(LOGISTIC, r, START, burn=BURN, steps=sizes.steps)
    other = diagram(LOGISTIC, r, OTHER, burn=BURN, steps=sizes.steps)
    learned = {}
    for number, (name, family) in enumerate(families.items()):
        learned[name] = diagram(family, r, LEARNED, burn=BURN, steps=sizes.steps, bound=1e3)
        run.progress.update("diagram", 0.3 * (number + 1) / len(names), network=name)
    beyond = (r >= protocol.high) & (r < 4.0)  # at 4 itself an error of the crisis, however small, is an escape
    rows = _exponents(config, exact, learned, beyond)
    floor = float(np.mean(distances(_cut(exact, beyond), _cut(other, beyond))))
    gap = [float(np.mean(distances(_cut(one, beyond), _cut(exact, beyond)))) for one in learned.values()]
    source = f"mean over {int(beyond.sum())} r, {sizes.steps} steps; sampling floor {floor:.2g}; median over seeds"
    goal = 3.0 if config.judged else None
    ratio = median(np.array(gap)) / floor
    rows.append(Metric("logistic, networks alone: W1 over its floor", ratio, "1", goal, "lower", "skill", source))
    rows += _integrity(run, load_family(run.folder, "sparse-0", data), families[names[0]])
    rows.append(_cost(families[names[0]], r, sizes.steps))
    _write(run, r, exact, learned[names[0]])
    return {"metrics": rows}


def _exponents(config: ExtrapolationConfig, exact: Diagram, learned: dict[str, Diagram], beyond: np.ndarray) -> list[Metric]:
    truth = exact.exponents[beyond]
    clear = np.abs(truth) > SAMPLING_ZERO
    clipped = np.maximum(truth, -1.0)  # at superstable parameters the exponent is minus infinity
    mistakes, agreement = [], []
    for one in learned.values():
        mine = one.exponents[beyond]
        mistakes.append(np.mean(np.abs(np.maximum(mine, -1.0) - clipped)))  # NaN for a network that escapes somewhere
        agreement.append(np.mean(np.sign(mine)[clear] == np.sign(truth)[clear]))
    source = "networks alone, r in [3.5, 4], exponents below -1 count as -1; median over seeds"
    signs = f"{source}; {int((~clear).sum())} of {clear.size} r with an exponent within {SAMPLING_ZERO:g} of zero left out"
    judged = config.judged
    return [
        Metric("logistic: Lyapunov exponent, mean absolute error", median(np.array(mistakes)), "1", 0.02 if judged else None,
               "lower", "skill", source),
        Metric("logistic: Lyapunov exponent, agreement of sign", float(np.median(agreement)), "1", 0.98 if judged else None,
               "higher", "skill", signs),
    ]  # fmt: skip


def _integrity(run: Run, sparse: AbstractSystem, network: AbstractSystem) -> list[Metric]:
    """A long run at many parameters beyond training: does it stay where the exact map stays?"""
    config: ExtrapolationConfig = run.config
    sizes = config.diagram
    r = np.linspace(config.logistic.high, 4.0, sizes.integrity_controls + 2)[1:-1]
    # one state in so many, a prime: a multiple of a cycle's period would keep one of its phases and miss the others
    every = _prime(sizes.integrity_steps // KEPT)
    steps = -(-sizes.integrity_steps // every) * every
    runs = {}
    for number, (name, system, start) in enumerate(
        (("exact", LOGISTIC, START), ("again", LOGISTIC, OTHER), ("sparse", sparse, LEARNED), ("network", network, LEARNED))
    ):
        run.progress.update("diagram", 0.4 + 0.15 * number, long_run=name)
        runs[name] = diagram(system, r, start, burn=BURN, steps=steps, bound=1e3, every=every)
    floor = float(np.mean(distances(runs["exact"], runs["again"])))
    rows = []
    for name in ("sparse", "network"):
        escaped = int((runs[name].escaped & ~runs["exact"].escaped).sum())
        source = f"{len(r)} parameters in (3.5, 4), {steps:,} steps each, every {every}th kept, seed 0 alone"
        goal = 0.0 if config.judged else None
        rows.append(
            Metric(f"long runs, {name}: escapes that the exact map has not", escaped, "1", goal, "lower", "skill", source)
        )
        gap = float(np.mean(distances(runs[name], runs["exact"]))) / floor
        goal = 3.0 if config.judged else None
        rows.append(
            Metric(f"long runs, {name}: W1 over its floor", gap, "1", goal, "lower", "skill", f"{source}; floor {floor:.2g}")
        )
    return rows


def _prime(most: int) -> int:
    """The greatest prime up to `most`, 1 below 7: cycles of two, three and five are common."""
    return next((n for n in range(most, 6, -1) if all(n % k for k in range(2, int(n**0.5) + 1))), 1)


def _cost(family: AbstractSystem, r: np.ndarray, steps: int) -> Metric:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        diagram(family, r, LEARNED, burn=BURN, steps=steps, bound=1e3)
        times.append(time.perf_counter() - began)
    return Metric(
        f"a diagram: {len(r):,} parameters x {steps:,} steps with exponents", float(np.median(times)), "s",
        0.5 if len(r) == 1000 and steps == 2000 else None, "lower", "cost", "median of 5, after compilation, seed 0's network",
    )  # fmt: skip


def _cut(one: Diagram, where: np.ndarray) -> Diagram:
    return Diagram(one.control[where], one.states[where], one.exponents[where], one.escaped[where])


def _write(run: Run, r: np.ndarray, exact: Diagram, learned: Diagram) -> None:
    picked = slice(0, min(SHOWN, exact.states.shape[1]))
    dims = ("system", "r", "sample")
    states = np.stack([exact.states[:, picked, 0], learned.states[:, picked, 0]])
    exponents = np.stack([exact.exponents, learned.exponents])
    fields = xr.Dataset({"state": (dims, states), "exponent": (dims[:2], exponents)}, {"system": ["exact", "learned"], "r": r})
    fields.attrs = {"low": run.config.logistic.low, "high": run.config.logistic.high}
    write_fields(run.folder.fields("diagram"), fields)
