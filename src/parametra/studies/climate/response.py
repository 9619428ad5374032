"""How climate answers to another sea: the changes of truth and of every network from the reference truth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.blocks import mean_in_blocks
from parametra.climate.diagnostics.drift import daily_series, drift_table
from parametra.climate.diagnostics.geometry import time_in_days
from parametra.climate.diagnostics.means import climate_difference, halves, split_half, zonal_climate
from parametra.climate.diagnostics.patterns import column_heating, mean_absolute_difference, pattern_scores
from parametra.climate.diagnostics.sample import Verdict, difference_verdict, pattern_verdict
from parametra.climate.diagnostics.scoreboard import with_precipitation
from parametra.core.errors import PhysicalStopError
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate.climate import wilson
from parametra.studies.climate.config import CoupledConfig, WorldConfig
from parametra.studies.climate.coupled import keeps_climate
from parametra.studies.climate.elsewhere import Elsewhere
from parametra.studies.climate.truth import truth_fields

HEATING = "tendency_of_atmosphere_enthalpy_content"
SOURCES_OF_MAPS = ("tendency_of_air_temperature", "surface_air_pressure", "rainfall_flux", "snowfall_flux")
MAPS = {HEATING: "column heating", "precipitation_flux": "precipitation"}
CHANGES = (("mean_temperature", "mean temperature", "K"), ("precipitation", "mean precipitation", "mm/day"))
ZONAL = ("air_temperature", "precipitation_flux")
HALVES = ("truth_first_half", "truth_second_half")
WITHIN = (0.8, 1.2)  # of the truth's change
PATTERN = 0.9


@dataclass(frozen=True)
class Trial:
    """One network over the other sea.

    Attributes:
        recipe, seed: which one.
        fields: its days as they were recorded; None if it did not survive one.
        stop: why it ended early, None if it did not.
    """

    recipe: str
    seed: int
    fields: xr.Dataset | None
    stop: PhysicalStopError | None

    @property
    def days(self) -> float:
        """Days that it ran: those recorded, or until it stopped."""
        return self.stop.day if self.stop is not None else 0.0 if self.fields is None else float(self.fields.sizes["time"])


def response(run: Run, there: Elsewhere, trials: list[Trial]) -> xr.Dataset:
    """Everything that the page and the metrics need of one world.

    Returns:
        by run, that is the truth, its two halves and every network RECIPE-SEED: change_of_... the change of the zonal means
        (latitude[, level]) and change_... of the means of `CHANGES` from the reference truth; gap_... the measures of
        `climate_difference` from that world's own truth; map_... (latitude, longitude) of `MAPS`, with r_... and departure_r_...,
        their correlations with the truth's map, as they are and less their zonal means; kept, days, drift_temperature (day).
        Of a network that stopped early NaN, but for its days and its drift. The truth's r_... are those of its halves.
        by figure, that is `CHANGES` and `MAPS`: word and why, whether the truths are long enough for it.
    """
    truth, window = run.config.truth, (run.config.coupled.keeps_from, run.config.coupled.candidate_days)
    home, record = truth_fields(run, truth.spin_up_days, truth.days), there.record()
    reference, target = zonal_climate(home), zonal_climate(record)
    sides = {"truth": record} | dict(zip(HALVES, halves(record), strict=True))
    wanted = _maps(record)
    tables = [_answer(side, reference, target, wanted) for side in sides.values()]
    first, second = ({name: table[f"map_{name}"] for name in MAPS} for table in tables[1:])
    tables[0] = tables[0].assign(_correlations(first, second))
    blank = xr.full_like(tables[0], np.nan)
    labels = [*sides]
    for trial in trials:
        labels.append(f"{trial.recipe}-{trial.seed}")
        late = None if trial.stop is not None or trial.fields is None else _days(trial.fields, *window)
        tables.append(blank if late is None else _answer(late, reference, target, wanted))
    found = xr.concat(tables, "run", join="override", coords="minimal", compat="override").assign_coords(run=labels)
    days = [float(record.sizes["time"]) / there.run.config.host.steps_per_day, np.nan, np.nan, *(trial.days for trial in trials)]
    series = {"truth": daily_series(record, target)}
    series |= {
        label: daily_series(trial.fields, target)
        for label, trial in zip(labels[3:], trials, strict=True)
        if trial.fields is not None
    }
    drift = drift_table(series).mean_temperature.reindex(run=labels)
    verdicts = _verdicts(found, split_half(home, climate_difference))
    return (
        found.assign(days=("run", days), drift_temperature=drift)
        .assign(
            word=("figure", [verdict.word for verdict in verdicts.values()]),
            why=("figure", [verdict.why for verdict in verdicts.values()]),
        )
        .assign_coords(figure=list(verdicts))
    )


def _verdicts(found: xr.Dataset, noise: dict[str, float]) -> dict[str, Verdict]:
    """Is the sample long enough? Of a change: for a fifth of it to show, with both truths' errors; of a map: for its pattern."""
    verdicts = {}
    for key, _, unit in CHANGES:
        change = found[f"change_{key}"]
        first, second = (float(change.sel(run=half)) for half in HALVES)
        matters = float(f"{(WITHIN[1] - 1.0) * abs(float(change.sel(run='truth'))):.2g}")
        verdicts[key] = difference_verdict(float(np.hypot(first - second, noise[key])), matters, unit)
    return verdicts | {name: pattern_verdict(float(found[f"r_{name}"].sel(run="truth"))) for name in MAPS}


def _days(fields: xr.Dataset, first: float, last: float) -> xr.Dataset:
    elapsed = time_in_days(fields.time) - time_in_days(fields.time)[0]
    return fields.isel(time=np.flatnonzero((elapsed >= first - 1e-6) & (elapsed < last - 1e-6)))


def _answer(side: xr.Dataset, reference: xr.Dataset, target: xr.Dataset, wanted: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """One run's part of `response`."""
    climate, maps = zonal_climate(side), _maps(side)
    change, gap = climate_difference(climate, reference), climate_difference(climate, target)
    parts = {f"change_of_{name}": climate[name] - reference[name] for name in ZONAL}
    parts |= {f"change_{key}": xr.DataArray(change[key]) for key, _, _ in CHANGES}
    parts |= {f"gap_{key}": xr.DataArray(value) for key, value in gap.items()}
    parts |= {f"map_{name}": maps[name] for name in MAPS}
    apart = mean_absolute_difference(climate.air_temperature, target.air_temperature)
    parts |= {"kept": xr.DataArray(float(keeps_climate(gap))), "gap_absolute_temperature": xr.DataArray(apart)}
    return xr.Dataset(parts | _correlations(maps, wanted))


def _correlations(maps: Mapping[str, xr.DataArray], wanted: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Pattern correlations of two sets of maps, as they are and less their zonal means."""
    found = {}
    for name in MAPS:
        departure, other = (side[name] - side[name].mean("longitude") for side in (maps, wanted))
        found[f"r_{name}"] = xr.DataArray(pattern_scores(maps[name], wanted[name])[2])
        found[f"departure_r_{name}"] = xr.DataArray(pattern_scores(departure, other)[2])
    return found


def _maps(side: xr.Dataset) -> dict[str, xr.DataArray]:
    """Mean maps, read in blocks; the columns' heating from their tendencies where it was not recorded by itself."""
    names = MAPS if HEATING in side else SOURCES_OF_MAPS

    def derive(block: xr.Dataset) -> xr.Dataset:
        block = block if HEATING in block else block.assign({HEATING: column_heating(block)})
        return with_precipitation(block)[list(MAPS)]

    means = mean_in_blocks(side[[name for name in names if name in side]], ["time"], derive)
    return {name: means[name] for name in MAPS}


def response_rows(found: xr.Dataset, world: WorldConfig, coupled: CoupledConfig) -> list[Metric]:
    """Changes of truth and recipes, what is kept, how long they ran, and the maps' correlations."""
    rows: list[Metric] = []
    window = f"days {coupled.keeps_from:g} to {coupled.candidate_days:g}"
    truth = found.sel(run="truth")
    for key, words, unit in CHANGES:
        change = float(truth[f"change_{key}"])
        rows.append(
            Metric(f"over {world.name}: change of {words}, truth", change, unit, kind="skill", source=_sample(found, key))
        )
    for kind, name, words in _patterns(world):
        label = f"over {world.name}: {words}, correlation of the truth's halves"
        rows.append(Metric(label, float(truth[f"{kind}_{name}"]), "1", None, "higher", "skill", _sample(found, name)))
    for recipe in world.recipes:
        rows += _recipe_rows(found, world, recipe, window, coupled.candidate_days)
    return rows


def _sample(found: xr.Dataset, figure: str) -> str:
    one = found.sel(figure=figure)
    return f"sample {one.word.values}: {one.why.values}"


def _recipe_rows(found: xr.Dataset, world: WorldConfig, recipe: str, window: str, asked: float) -> list[Metric]:
    names = [str(name) for name in found.run.values if str(name).rpartition("-")[0] == recipe]
    one = found.sel(run=names)
    alive = int(one.kept.notnull().sum())
    title = f"over {world.name}, {recipe}, coupled"
    source = f"{window}, mean of the {alive} of {len(names)} seeds that ran to the end"
    rows = [
        Metric(
            f"{title}, seed {seed}: days run", float(one.days[seed]), "d", None, "higher", "skill", f"{asked:g} were asked for"
        )
        for seed in range(len(names))
    ]
    apart = float(one.gap_absolute_temperature.mean())
    rows.append(
        Metric(f"{title}: mean absolute difference of temperature from its truth (R9)", apart, "K", kind="skill", source=source)
    )
    invariant = recipe == "invariant"
    kept = int(one.kept.fillna(0.0).sum())
    low, high = wilson(kept, len(names))
    rows.append(
        Metric(
            f"{title}: share of seeds that keep the climate", kept / len(names), "1",
            1.0 if invariant and world.warming else None, "higher", "skill",
            f"{window}, against that world's truth; {kept} of {len(names)}, 95 % interval {low:.2f} to {high:.2f}",
        )
    )  # fmt: skip
    for key, words, unit in CHANGES:
        change = float(one[f"change_{key}"].mean())
        rows.append(Metric(f"{title}: change of {words}", change, unit, kind="skill", source=source))
        if world.warming:
            share = change / float(found[f"change_{key}"].sel(run="truth"))
            target = WITHIN if invariant else None
            rows.append(Metric(f"{title}: change of {words} over the truth's", share, "1", target, "inside", "skill", source))
    for kind, name, words in _patterns(world):
        target = PATTERN if kind == "r" and recipe == "plain" else None
        label = f"{title}: {words}, correlation with the truth's"
        rows.append(Metric(label, float(one[f"{kind}_{name}"].mean()), "1", target, "higher", "skill", source))
    return rows


def _patterns(world: WorldConfig) -> list[tuple[str, str, str]]:
    """(kind of correlation, variable, words) of the maps; none where the sea has no pattern along latitudes."""
    kinds = {"r": "map", "departure_r": "map less its zonal mean"} if world.wave else {}
    return [(kind, name, f"{text} of {words}") for name, words in MAPS.items() for kind, text in kinds.items()]
