"""Stage systems: other maps and a flow, learned at some parameters and judged by landmarks or exponents at others."""

from typing import Any

import numpy as np
import xarray as xr

from parametra.dynamics import (
    HENON,
    LORENZ63,
    QUARTIC,
    RICKER,
    SINE_LAW,
    AbstractSystem,
    Fitted,
    SeriesSet,
    diagram,
    find_landmarks,
    fit,
    select,
    simulate,
)  # fmt: skip
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.extrapolation.config import SystemConfig
from parametra.studies.extrapolation.parts import KNOWN, median

SYSTEMS: dict[str, AbstractSystem] = {
    "quartic": QUARTIC, "sine-law": SINE_LAW, "henon": HENON, "ricker": RICKER, "lorenz63": LORENZ63,
}  # fmt: skip
SEARCH = {"quartic": (2.2, 4.2), "sine-law": (0.75, 1.75)}  # where landmarks are looked for
BOXES = {
    "quartic": ([0.0], [1.0]), "sine-law": ([0.0], [1.0]), "henon": ([-1.0, -0.3], [1.0, 0.3]), "ricker": ([0.05], [5.0]),
    "lorenz63": ([-25.0, -35.0, 0.0], [25.0, 35.0, 60.0]),
}  # fmt: skip
ORBIT = {"henon": [0.1, 0.1], "ricker": [0.5], "lorenz63": [1.0, 1.0, 20.0]}
SHIFT, NEIGHBOURS = 0.004, 9  # exponents are means over so many controls within this share of the target: windows move
TARGETS = {"henon": 0.03, "ricker": 0.03, "lorenz63": 0.02}


def run_systems(run: Run) -> dict[str, Any]:
    """Figures of every system; the ranking of the first seed in full."""
    rows: list[Metric] = []
    tables = {}
    for number, system in enumerate(run.config.systems):
        judge = _landmarks if system.name in SEARCH else _exponents
        results = []
        for seed in range(system.seeds):
            share = (number + seed / system.seeds) / len(run.config.systems)
            run.progress.update("systems", share, system=system.name, seed=seed)
            data = series_of(system, run.config.seed + seed)
            selection = select(system.designs, data, seed=seed)
            if seed == 0:
                tables[system.name] = [
                    {"design": one.design.label, "edge": one.error, "parameters": one.parameters} for one in selection.ranking
                ] + [{"design": f"chosen: {selection.chosen.design.label}", "edge": None, "parameters": None}]
            plain = fit(system.baseline, data, seed=seed) if system.baseline is not None else None
            results.append(judge(system, selection.chosen, plain))
        rows += _rows(run.config.judged, system, results)
        _write(run, system, results)
    return {"metrics": rows, "tables": tables}


def series_of(system: SystemConfig, seed: int, noise: float = 0.0) -> SeriesSet:
    """Training series from a wide box of start states, observed with noise of that standard deviation."""
    low, high = (np.asarray(side) for side in BOXES[system.name])
    control = np.linspace(system.low, system.high, system.controls)
    return simulate(
        SYSTEMS[system.name], control, system.steps, lambda rng: rng.uniform(low, high), seed=seed, repeats=system.repeats,
        noise=noise, name="control",
    )  # fmt: skip


def _landmarks(system: SystemConfig, chosen: Fitted, plain: Fitted | None) -> dict[str, Any]:
    """Errors of the landmarks that the exact system is known to have, NaN for one that is not found."""
    exact = find_landmarks(SYSTEMS[system.name], SEARCH[system.name], (0.0, 1.0))
    found = find_landmarks(chosen.family, SEARCH[system.name], (0.0, 1.0))
    errors = {n: abs(getattr(found, n) - getattr(exact, n)) for n in KNOWN[system.name]}
    other = {}
    if plain is not None:
        rival = find_landmarks(plain.family, SEARCH[system.name], (0.0, 1.0))
        other = {f"{n}, plain": abs(getattr(rival, n) - getattr(exact, n)) for n in errors}
    return errors | other


def _exponents(system: SystemConfig, chosen: Fitted, plain: Fitted | None) -> dict[str, Any]:
    """Relative errors of the largest exponent at the targets, and orbits that escaped."""
    result: dict[str, Any] = {}
    exact = _mean_exponents(SYSTEMS[system.name], system)
    for label, fitted in (("", chosen), (", plain", plain)):
        if fitted is None:
            continue
        mine = _mean_exponents(fitted.family, system)
        for target, value, truth in zip(system.targets, mine, exact, strict=True):
            result[f"exponent at {target:g}{label}"] = abs(value / truth - 1.0)
    return result


def _mean_exponents(system: AbstractSystem, config: SystemConfig) -> np.ndarray:
    """(target,) largest exponents, each a mean over neighbouring controls below it, NaN if one of the orbits escaped."""
    near = np.linspace(1.0 - SHIFT, 1.0, NEIGHBOURS)
    controls = np.concatenate([target * near for target in config.targets])
    steps = config.exponent_steps
    run = diagram(system, controls, np.array(ORBIT[config.name]), burn=config.burn, steps=steps, bound=1e3, every=steps)
    return run.exponents.reshape(len(config.targets), NEIGHBOURS).mean(axis=1)


def _rows(judged: bool, system: SystemConfig, results: list[dict[str, Any]]) -> list[Metric]:
    rows = []
    for name in results[0]:
        value = median(np.array([one[name] for one in results]))
        plain = name.endswith(", plain")
        target = TARGETS.get(system.name) if judged and not plain else None
        what = "relative error of the largest " if system.name in TARGETS else "error of "
        source = f"learned at {system.low:g} to {system.high:g}, {system.controls} controls, {len(results)} seeds, no noise"
        rows.append(Metric(f"{system.name}: {what}{name.replace('_', ' ')}", value, "1", target, "lower", "skill", source))
    if system.name in SEARCH:
        names = KNOWN[system.name]
        lost = sum(bool(np.isnan(one[name])) for one in results for name in names)
        source = f"of {len(names) * len(results)}: {len(names)} that the exact map has, {len(results)} seeds"
        goal = 0 if judged else None
        rows.append(Metric(f"{system.name}: landmarks not found, of all seeds", lost, "1", goal, "lower", "skill", source))
    return rows


def _write(run: Run, system: SystemConfig, results: list[dict[str, Any]]) -> None:
    names = list(results[0])
    table = np.array([[one[name] for name in names] for one in results], dtype=float)
    fields = xr.Dataset({"error": (("seed", "figure"), table)}, {"seed": np.arange(len(results)), "figure": names})
    write_fields(run.folder.fields(f"system-{system.name}"), fields)
