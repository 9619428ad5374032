"""Stage coupled: every network drives the host in the CRM's place; the best on the selection stretch goes on for the longest.

Two null closures run the same way: linear regression, and the time-mean tendencies; where asked for, the conventional scheme too,
which is the control run of a world without a cloud-resolving model. A candidate's crash is data; a crash of the chosen network
stops the study.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any

import jax
import numpy as np
import xarray as xr

from parametra.climate.diagnostics.drift import late_climate
from parametra.climate.diagnostics.means import zonal_climate
from parametra.climate.emulator import TimeMean, load_emulator
from parametra.climate.host.atmosphere import Atmosphere
from parametra.climate.schemes.emulated import EmulatedScheme
from parametra.core import machine
from parametra.core.constants import SECONDS_PER_DAY
from parametra.core.errors import PhysicalStopError
from parametra.coupling import Closure, coupled_run, run_many
from parametra.store.fields import append_fields, open_fields, truncate_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate import parts
from parametra.studies.climate.config import ClimateConfig
from parametra.studies.climate.training import LINEAR, network_names
from parametra.studies.climate.truth import checkpoint_step, last_state, truth_fields

TIME_MEAN, CONVENTIONAL = "time-mean", "conventional"
LIMITS = {"mean_temperature": 1.5, "zonal_temperature_rms": 3.0, "precipitable_water": 0.1, "rain_profile_r": 0.9}


def run_coupled(run: Run) -> dict[str, Any]:
    """Run the candidates, choose, run the chosen one and the null closures on to the end."""
    config: ClimateConfig = run.config
    stage = _Coupled(run)
    candidates = network_names(config)
    stops = stage.run_all(dict.fromkeys(candidates, config.coupled.candidate_days))
    scores = {name: selection_score(run, name) if stops[name] is None else np.inf for name in candidates}
    ranking = sorted(candidates, key=lambda name: (scores[name], candidates.index(name)))
    chosen = ranking[0]
    run.folder.log("selected", network=chosen, scores={name: scores[name] for name in ranking})
    crash = stops[chosen]
    if crash is not None:  # then every candidate crashed
        raise crash
    stops |= stage.run_all(dict.fromkeys([chosen, *controls(config)], config.coupled.days))
    stop = stops[chosen]
    if stop is not None:
        raise stop
    survived = [name for name in candidates if stops[name] is None]
    metrics = [
        Metric("networks that run to the end of their trial", len(survived) / len(candidates), "1", kind="skill"),
    ]
    return {
        "chosen": chosen,
        "ranking": ranking,
        "scores": [float(scores[name]) for name in ranking],
        "stops": {name: None if stop is None else str(stop) for name, stop in stops.items()},
        "metrics": metrics,
    }


class _Coupled:
    """Runs of closures from the truth's last state, several at a time."""

    def __init__(self, run: Run):
        self.run, self.config = run, run.config
        self.host = parts.host_of(self.config)
        self.state, _ = last_state(run)
        self.lock, self.simulated = Lock(), {}
        length = self.config.coupled
        candidates = len(network_names(self.config)) * length.candidate_days
        on_and_beside = (length.days - length.candidate_days) + len(controls(self.config)) * length.days
        self.total_days = candidates + on_and_beside  # all runs of this stage
        self.threads = 1 if jax.default_backend() != "cpu" else machine.cores()

    def run_all(self, lengths: dict[str, float]) -> dict[str, PhysicalStopError | None]:
        """Each closure for its number of days; why it stopped, None where it did not."""
        jobs = {name: self._job(name, days) for name, days in lengths.items() if not self._is_beyond(name, days)}
        outcomes = run_many(jobs, self.threads)
        self.simulated |= lengths  # also those that stopped early: their days are not to come
        stops = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, PhysicalStopError)}
        return {name: stops.get(name) for name in lengths}

    def _is_beyond(self, name: str, days: float) -> bool:
        """Whether an interrupted stage had already taken this run further, as the chosen network's."""
        step = checkpoint_step(self.run.folder.checkpoint(f"coupled-{name}"))
        return step is not None and step > round(days * self.config.host.steps_per_day)

    def _job(self, name: str, days: float) -> Callable[[], object]:
        def job() -> object:
            grid, per_day = self.host.grid, self.config.host.steps_per_day
            recorder = parts.zonal_recorder(*grid.shape, tuple(self.config.host.sigma_half))
            every = max(round(self.config.coupled.checkpoint_days), 1)
            steps = round(days * per_day)
            writer = _Writer(self, name, every, steps)
            try:
                return coupled_run(
                    self.host, closure_of(self.run, name), self.state, (), self.config.seed, steps,
                    chunk=per_day, record=recorder, on_chunk=writer, on_start=writer.cut, watch=parts.WATCH,
                    checkpoint=self.run.folder.checkpoint(f"coupled-{name}"), checkpoint_every=every,
                )  # fmt: skip
            finally:
                writer.flush()  # the days that a crash ends with

        return job


class _Writer:
    """Keeps daily means and appends them at every checkpoint: an append takes as long as half a simulated day."""

    def __init__(self, stage: _Coupled, name: str, every: int, steps: int):
        self.stage, self.name, self.every, self.steps = stage, name, every, steps
        self.path = stage.run.folder.fields(f"coupled-{name}")
        self.per_day = stage.config.host.steps_per_day
        self.days: list[xr.Dataset] = []

    def cut(self, step: int) -> None:
        """Drop what was written beyond the checkpoint that the run goes on from."""
        if self.path.exists():
            truncate_fields(self.path, -(-step // self.per_day))

    def __call__(self, step: int, records: dict[str, np.ndarray], state: Any) -> None:
        grid, stage = self.stage.host.grid, self.stage
        self.days.append(parts.zonal_fields(grid, records, step / self.per_day - 0.5))
        if len(self.days) == self.every or step == self.steps:  # the checkpoint of this very step is made after this call
            self.flush()
        with stage.lock:
            stage.simulated[self.name] = step / self.per_day
            fraction = min(sum(stage.simulated.values()) / stage.total_days, 1.0)
            values = parts.progress_values(grid, {k: v for k, v in records.items() if v.shape != grid.shape})
            stage.run.progress.update("coupled", fraction, network=self.name, day=step / self.per_day, **values)

    def flush(self) -> None:
        """Append what is kept."""
        if self.days:
            append_fields(self.path, xr.concat(self.days, "time", data_vars="minimal", coords="minimal", compat="override"))
            self.days = []


def controls(config: ClimateConfig) -> list[str]:
    """Closures beside which the networks are seen: the two null closures, and the conventional scheme if it is on."""
    return [LINEAR, TIME_MEAN, *([CONVENTIONAL] if config.coupled.conventional else [])]


def closure_of(run: Run, name: str) -> Closure:
    """The closure of a run by name."""
    if name == CONVENTIONAL:
        return parts.conventional(run.config)
    if name == TIME_MEAN:
        truth = run.config.truth
        return TimeMean.of(truth_fields(run, truth.spin_up_days, truth.selection_start))
    return EmulatedScheme(load_emulator(run.folder.network(name))[0])


def selection_score(run: Run, name: str) -> float:
    """How far the run's early climate is from that of the selection stretch; 1 is about what is still tolerable."""
    config: ClimateConfig = run.config
    reference = zonal_climate(truth_fields(run, config.truth.selection_start, config.truth.scoring_start))
    difference = late_climate(
        open_fields(run.folder.fields(f"coupled-{name}")), reference, config.coupled.selection_from, config.coupled.selection_to
    )
    return climate_score(difference)


def climate_score(difference: dict[str, float]) -> float:
    """Mean of the four measures of a climate difference, each in units of its limit."""
    return float(np.mean([
        abs(difference["mean_temperature"]) / LIMITS["mean_temperature"],
        difference["zonal_temperature_rms"] / LIMITS["zonal_temperature_rms"],
        abs(difference["precipitable_water"]) / LIMITS["precipitable_water"],
        (1.0 - difference["rain_profile_r"]) / (1.0 - LIMITS["rain_profile_r"]),
    ]))  # fmt: skip


def keeps_climate(difference: dict[str, float]) -> bool:
    """Whether all four measures are within their limits."""
    return (
        abs(difference["mean_temperature"]) <= LIMITS["mean_temperature"]
        and difference["zonal_temperature_rms"] < LIMITS["zonal_temperature_rms"]
        and abs(difference["precipitable_water"]) <= LIMITS["precipitable_water"]
        and difference["rain_profile_r"] >= LIMITS["rain_profile_r"]
    )


def coupled_fields(run: Run, name: str) -> xr.Dataset:
    """Daily zonal means of a coupled run."""
    return open_fields(run.folder.fields(f"coupled-{name}"))


def years_per_day(step_seconds: float, time_step: float) -> float:
    """Simulated years in a day of wall time."""
    return time_step / step_seconds * SECONDS_PER_DAY / (360.0 * SECONDS_PER_DAY)


def timed_closures(run: Run, host: Atmosphere) -> dict[str, Closure]:
    """One network of every kind, the chosen one first, and the conventional scheme if it is on, for timing."""
    chosen = run.result("coupled")["chosen"]
    kinds = {chosen.rpartition("-")[0]: chosen} | {
        network.name: f"{network.name}-0" for network in run.config.networks if network.name != chosen.rpartition("-")[0]
    }
    kinds |= {CONVENTIONAL: CONVENTIONAL} if run.config.coupled.conventional else {}
    return {kind: closure_of(run, name) for kind, name in kinds.items()}
