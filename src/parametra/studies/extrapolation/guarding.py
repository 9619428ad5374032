"""Stage guard: does it flag what fails, and only that? On noisy series of seeds and systems that its rule was not set on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from parametra.dynamics import (
    LOGISTIC,
    AbstractSystem,
    Design,
    SeriesSet,
    diagram,
    find_landmarks,
    guard,
    select,
)
from parametra.dynamics.trust import TIMES_FLOOR
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.extrapolation.config import ExtrapolationConfig
from parametra.studies.extrapolation.parts import (
    FRESH,
    INTERVAL,
    KNOWN,
    SEARCH,
    distances,
    logistic_series,
    sparse_pool,
)  # fmt: skip
from parametra.studies.extrapolation.systems import SEARCH as SYSTEM_SEARCH
from parametra.studies.extrapolation.systems import SYSTEMS, series_of

BEYOND, STEPS = 101, 400  # parameters beyond training, steps of the attractors compared there
FIRST, SECOND = np.array([0.4]), np.array([0.7])
NOISE = 1e-3  # of the other systems' series


@dataclass(frozen=True)
class Case:
    """A family to be learned from noisy series, and the range beyond them in which it is judged."""

    name: str
    exact: AbstractSystem
    data: SeriesSet
    designs: Sequence[Design]
    beyond: np.ndarray
    search: tuple[float, float]
    known: tuple[str, ...]


def run_guard(run: Run) -> dict[str, Any]:
    """Shares of failed and of good extrapolations that are flagged."""
    config: ExtrapolationConfig = run.config
    cases = list(_cases(config))
    names, verdicts = [], []
    for number, case in enumerate(cases):
        names.append(case.name)
        verdicts.append(_verdict(case, config.logistic.edge))
        run.progress.update("guard", (number + 1) / len(cases), case=case.name, failed=bool(verdicts[-1][0]))
    failed, flagged, trusted = np.array(verdicts, dtype=float).T
    fields = {name: ("case", values) for name, values in (("failed", failed), ("flagged", flagged), ("trusted", trusted))}
    systems = np.array([name.split()[0] for name in names])
    write_fields(run.folder.fields("guard"), xr.Dataset(fields, {"case": names, "system": ("case", systems)}))
    return {"metrics": _rows(config, failed > 0, flagged > 0), "by_system": _by_system(systems, failed > 0, flagged > 0)}


def _by_system(systems: np.ndarray, failed: np.ndarray, flagged: np.ndarray) -> list[dict[str, Any]]:
    """Runs, failures, failures that are flagged and false alarms of every system."""
    table = []
    for name in dict.fromkeys(systems.tolist()):
        bad, alarm = failed[systems == name], flagged[systems == name]
        counts = (len(bad), bad.sum(), (bad & alarm).sum(), (~bad & alarm).sum())
        table.append(dict(zip(("system", "runs", "failed", "caught", "false_alarms"), (name, *map(int, counts)), strict=True)))
    return table


def _cases(config: ExtrapolationConfig) -> Iterator[Case]:
    protocol = config.logistic
    for seed in range(config.seed + FRESH, config.seed + FRESH + config.guard_seeds):
        for regime in protocol.regimes:
            for noise in [value for value in protocol.noise if value > 0]:
                data = logistic_series(protocol, regime, noise, seed)
                beyond = np.linspace(protocol.high, 4.0, BEYOND + 2)[1:-1]  # at 4 itself any error below is an escape
                yield Case(
                    f"logistic {regime} {noise:g}", LOGISTIC, data, sparse_pool(protocol), beyond, SEARCH, KNOWN["logistic"]
                )
        for system in [one for one in config.systems if one.name in SYSTEM_SEARCH]:
            beyond = np.linspace(system.high, max(system.targets), BEYOND + 2)[1:-1]
            data = series_of(system, seed, NOISE)
            search, known = SYSTEM_SEARCH[system.name], KNOWN[system.name]
            yield Case(system.name, SYSTEMS[system.name], data, system.designs, beyond, search, known)


def _verdict(case: Case, fraction: float) -> tuple[bool, bool, float]:
    """(failed, flagged, share of parameters that are trusted)."""
    selection = select(case.designs, case.data, fraction=fraction)
    family = selection.chosen.family
    exact = [diagram(case.exact, case.beyond, start, burn=1000, steps=STEPS) for start in (FIRST, SECOND)]
    learned = diagram(family, case.beyond, FIRST, burn=1000, steps=STEPS, bound=1e3)
    found = find_landmarks(family, case.search, INTERVAL)
    lost = [np.isnan(getattr(found, name)) for name in case.known]
    near = float(np.mean(distances(learned, exact[0]))) <= TIMES_FLOOR * float(np.mean(distances(*exact)))
    verdict = guard(selection.fitted, case.data, case.beyond, edge=selection.edge, steps=STEPS)
    return not near or any(lost), verdict.flagged, float(verdict.trusted.mean())


def _rows(config: ExtrapolationConfig, failed: np.ndarray, flagged: np.ndarray) -> list[Metric]:
    caught = float(flagged[failed].mean()) if failed.any() else float("nan")
    false = float(flagged[~failed].mean()) if (~failed).any() else float("nan")
    source = (
        f"{int(failed.sum())} of {failed.size} runs on fresh seeds, noisy series of the logistic map and other maps, failed: "
        f"W1 above {TIMES_FLOOR:g} floors, an escape, or a landmark not found"
    )
    judged = config.judged
    return [
        Metric("guard: failed extrapolations that are flagged", caught, "1", 0.95 if judged and failed.any() else None, "higher",
               "skill", source),
        Metric("guard: false alarms", false, "1", 0.1 if judged and (~failed).any() else None, "lower", "skill", source),
    ]  # fmt: skip
