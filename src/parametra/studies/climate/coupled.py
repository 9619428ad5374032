"""Stage coupled: every network drives the host in the CRM's place; the best on the selection stretch goes on for the longest.

With `coupled.selections` above one the candidates are dealt into so many groups, and the best of each goes on: then choosing
itself has been tried more than once.

Two null closures run the same way: linear regression, and the time-mean tendencies; where asked for, the conventional scheme too,
which is the control run of a world without a cloud-resolving model. A candidate's crash is data; a crash of the chosen network
stops the study, but for a lottery, which takes the next best.
"""

from threading import Lock
from typing import Any

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.drift import late_climate
from parametra.climate.diagnostics.means import zonal_climate
from parametra.climate.emulator import TimeMean, load_emulator
from parametra.climate.host.atmosphere import Atmosphere
from parametra.climate.schemes.emulated import EmulatedScheme
from parametra.core.constants import SECONDS_PER_DAY
from parametra.core.errors import EndedError, PhysicalStopError
from parametra.coupling import Closure
from parametra.store.fields import open_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate import parts
from parametra.studies.climate.config import ClimateConfig
from parametra.studies.climate.drive import Drive
from parametra.studies.climate.training import LINEAR, network_names
from parametra.studies.climate.truth import last_state, truth_fields

TIME_MEAN, CONVENTIONAL = "time-mean", "conventional"
LIMITS = {"mean_temperature": 1.5, "zonal_temperature_rms": 3.0, "precipitable_water": 0.1, "rain_profile_r": 0.9}


def run_coupled(run: Run) -> dict[str, Any]:
    """Run the candidates, choose, run the chosen one and the null closures on to the end."""
    config: ClimateConfig = run.config
    candidates, factors = network_names(config), diffusion_factors(config)
    stage = _Stage(run, candidates, factors)
    stops = stage.run_all(dict.fromkeys(candidates, config.coupled.candidate_days))
    scores = {name: selection_score(run, name) if stops[name] is None else np.inf for name in candidates}
    eligible = [name for kind in config.networks if kind.eligible for name in kind.names]
    dealt = [name for kind in config.dealt for name in kind.names]
    ranking = sorted(candidates, key=lambda name: (name not in eligible, scores[name], candidates.index(name)))
    chosen, selected = ranking[0], best_of_groups(ranking, dealt, config.coupled.selections)
    run.folder.log("selected", network=chosen, selected=selected, scores={name: scores[name] for name in ranking})
    crash = stops[chosen]
    if crash is not None:  # then every candidate that may be chosen crashed
        raise crash
    survived = [name for name in candidates if stops[name] is None]
    longer = [name for name in dict.fromkeys([*selected, *long_runs(config)]) if name != chosen and stops[name] is None]
    onward = [chosen, *longer]
    stops |= stage.run_all(dict.fromkeys([*onward, *controls(config)], config.coupled.days))
    for name in ranking[1:]:  # one that stops after its trial is a figure, not the end: the next best takes its place
        if stops[chosen] is None:
            break
        if name in survived and name in eligible:
            chosen = name
            run.folder.log("selected", network=chosen, selected=selected)
            stops |= stage.run_all({chosen: config.coupled.days})
    stop = stops[chosen]
    if stop is not None:
        raise stop
    better = ranking[: ranking.index(chosen)]
    metrics = [
        Metric("networks that run to the end of their trial", len(survived) / len(candidates), "1", kind="skill"),
        Metric("networks chosen before this one that stopped after their trial", len(better), "1", kind="skill"),
    ]
    return {
        "chosen": chosen,
        "selected": selected,
        "ranking": ranking,
        "scores": [float(scores[name]) for name in ranking],
        "stops": {name: None if stop is None else str(stop) for name, stop in stops.items()},
        "metrics": metrics,
    }


class _Stage:
    """Runs from the truth's last state, of each network in a host of its diffusion."""

    def __init__(self, run: Run, candidates: list[str], factors: dict[str, float]):
        config, length = run.config, run.config.coupled
        onward = (length.days - length.candidate_days) * (length.selections + len(long_runs(config)))
        total = len(candidates) * length.candidate_days + onward + len(controls(config)) * length.days
        state, simulated, lock = last_state(run)[0], {}, Lock()
        self.factors = factors
        self.drives: dict[float, Drive] = {}
        for factor in sorted({1.0, *factors.values()}):
            hours = config.host.diffusion_hours / factor
            host = Atmosphere(config.host.model_copy(update={"diffusion_hours": hours}))
            self.drives[factor] = Drive(
                run, "coupled", "coupled", host, state, lambda name: closure_of(run, name),
                parts.zonal_recorder(*host.grid.shape, tuple(config.host.sigma_half)), total, simulated, lock=lock,
            )  # fmt: skip

    def run_all(self, lengths: dict[str, float]) -> dict[str, PhysicalStopError | None]:
        """As `Drive.run_all`."""
        stops: dict[str, PhysicalStopError | None] = {}
        for factor, drive in self.drives.items():
            stops |= drive.run_all({name: days for name, days in lengths.items() if self.factors.get(name, 1.0) == factor})
        return {name: stops[name] for name in lengths}


def best_of_groups(ranking: list[str], dealt: list[str], groups: int) -> list[str]:
    """The best network of each of `groups` groups, best first; `dealt` are dealt out in turn."""
    return sorted((min(dealt[group::groups], key=ranking.index) for group in range(groups)), key=ranking.index)


def diffusion_factors(config: ClimateConfig) -> dict[str, float]:
    """By network, what multiplies the host's horizontal diffusion in its runs."""
    return {name: kind.diffusion for kind in config.networks for name in kind.names}


def long_runs(config: ClimateConfig) -> list[str]:
    """The networks that go on beside the chosen one, if they last that long."""
    return [name for network in config.networks for name in network.names[: network.long]]


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


def coupled_fields(run: Run, name: str) -> xr.Dataset | None:
    """Daily zonal means of a coupled run; None of one that stopped before its first day was over."""
    path = run.folder.fields(f"coupled-{name}")
    return open_fields(path) if path.exists() else None


def late_difference(run: Run, name: str, record: xr.Dataset, window: tuple[float, float]) -> dict[str, float] | None:
    """`late_climate` of a coupled run over `window` [d]; None where it did not last so long."""
    fields = coupled_fields(run, name)
    if fields is None:
        return None
    try:
        return late_climate(fields, record, *window)
    except EndedError:
        return None


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
