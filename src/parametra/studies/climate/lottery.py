"""Stage lottery: which networks lose the climate, when, and which number known before or early would have told.

Every network of the study is a ticket. A network is lost when it stops within its trial or does not keep the four measures of the
climate over its last days. All numbers and their signs are fixed in `predictors`; on the kind named `unseen` none is chosen. The
table of all networks is kept as fields/lottery.zarr and, for other tools, lottery.csv.
"""

from typing import Any

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.drift import daily_series, late_climate
from parametra.climate.diagnostics.geometry import area_mean
from parametra.climate.diagnostics.means import mass_weighted_mean, zonal_climate
from parametra.climate.emulator import load_emulator
from parametra.core.files import atomic_path
from parametra.store.fields import open_fields, write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate.climate import wilson
from parametra.studies.climate.config import ClimateConfig
from parametra.studies.climate.coupled import LIMITS, keeps_climate
from parametra.studies.climate.odds import (
    area_under_curve,
    best_by_chance,
    best_of,
    cross_validated_risk,
    least_share,
    risk_of_unseen,
)
from parametra.studies.climate.predictors import (
    BEFORE,
    EARLY,
    PREDICTORS,
    asked_columns,
    known_before,
    known_early,
    known_offline,
)
from parametra.studies.climate.training import network_names
from parametra.studies.climate.truth import truth_fields

ALL_BEFORE, ALL_EARLY = "all known before", "all known by then"
GOALS = {"before": 0.85, "early": 0.95, "unseen": 0.8, "share": 0.95}
SMOOTH = 30  # d
FILE = "lottery.csv"


def run_lottery(run: Run) -> dict[str, Any]:
    """The table of all networks, and the areas under the curve of every number in it; nothing where no lottery is configured."""
    if not run.config.lottery.unseen:
        return {}
    table = _table(run)
    table = _with_areas(table, run.config)
    write_fields(run.folder.fields("lottery"), table)
    _write_csv(run, table)
    return {"metrics": [*_share_rows(table, run.config), *_area_rows(table, run.config)]}


def _table(run: Run) -> xr.Dataset:
    """One row for each network: outcome and predictors."""
    config, truth = run.config, run.config.truth
    names = network_names(config)
    record = zonal_climate(truth_fields(run, truth.spin_up_days, truth.days))
    asked, offline = asked_columns(run), known_offline(run, names)
    rows = []
    for index, name in enumerate(names):
        run.progress.update("lottery", index / len(names), network=name)
        emulator = load_emulator(run.folder.network(name))[0]
        path = run.folder.fields(f"coupled-{name}")
        fields = open_fields(path) if path.exists() else None  # there is none of a run that stopped on its first day
        known = known_before(emulator, asked) | offline[name] | known_early(fields, record, config.lottery.early_days)
        rows.append(outcome(fields, record, config) | known)
    kinds = [network.name for network in config.networks for _ in range(network.seeds)]
    columns: dict[str, Any] = {key: ("network", np.array([row[key] for row in rows])) for key in rows[0]}
    for key, known in PREDICTORS.items():
        columns[key] = (*columns[key], {"units": known.units, "long_name": known.words})
    return xr.Dataset(columns, {"network": names, "kind": ("network", kinds)})


def outcome(fields: xr.Dataset | None, record: xr.Dataset, config: ClimateConfig) -> dict[str, Any]:
    """What became of a run: days it lasted, whether it crashed within its trial or lost the climate, and from which day on.

    Returns:
        days [d]; crashed, lost (a crash is a loss); lost_day, the first day from which running means over 30 days stay outside
        the limits, at most the last of the trial, NaN where the climate is kept; late_rms [K] and late_rain over the last
        days of the trial; kept_long, whether a run of `coupled.days` keeps the climate over as many of its own last days, NaN
        where it has not run so long.
    """
    window = config.coupled.keeps_from, config.coupled.candidate_days
    days = 0.0 if fields is None else float(fields.sizes["time"])
    crashed = days < round(config.coupled.candidate_days)
    late = {"zonal_temperature_rms": np.nan, "rain_profile_r": np.nan}
    lost, lost_day = True, days
    if fields is not None and not crashed:
        late = late_climate(fields, record, *window)
        lost = not keeps_climate(late)
        lost_day = _lost_day(fields, record, window[1]) if lost else np.nan
    end, kept_long = config.coupled.days, np.nan
    if fields is not None and days >= round(end):
        kept_long = float(keeps_climate(late_climate(fields, record, end - window[1] + window[0], end)))
    return {
        "days": days, "crashed": crashed, "lost": lost, "lost_day": lost_day,
        "late_rms": late["zonal_temperature_rms"], "late_rain": late["rain_profile_r"], "kept_long": kept_long,
    }  # fmt: skip


def _lost_day(fields: xr.Dataset, record: xr.Dataset, last: float) -> float:
    series = daily_series(fields.isel(time=slice(0, round(last))), record, smooth_days=SMOOTH)
    smooth = series[["mean_temperature", "precipitable_water"]].rolling(day=SMOOTH, min_periods=1).mean()
    warmer = smooth.mean_temperature - mass_weighted_mean(record.air_temperature)
    wetter = smooth.precipitable_water / area_mean(record.atmosphere_mass_content_of_water_vapor) - 1.0
    fine = (
        (abs(warmer) <= LIMITS["mean_temperature"])
        & (series.zonal_temperature_rms < LIMITS["zonal_temperature_rms"])
        & (abs(wetter) <= LIMITS["precipitable_water"])
        & (series.rain_profile_r >= LIMITS["rain_profile_r"])
    )
    within = np.flatnonzero(fine.values)
    return min(float(series.day.values[within[-1]]) + 1.0, last) if within.size else 1.0


def _with_areas(table: xr.Dataset, config: ClimateConfig) -> xr.Dataset:
    """Areas (predictor, kind, bound) for loss and for a crash; the regressions on all of them, cross-validated within a kind."""
    kinds, unseen = [network.name for network in config.networks], config.lottery.unseen
    seen = [kind for kind in kinds if kind != unseen]
    risks = {key: table[key].values * known.sign for key, known in PREDICTORS.items()}
    groups = {ALL_BEFORE: list(BEFORE), ALL_EARLY: list(PREDICTORS)}
    stacked = {group: np.stack([risks[key] for key in members], axis=1) for group, members in groups.items()}
    of_seen = np.isin(table.kind.values, seen)
    new = {}
    for ending in ("lost", "crashed"):
        came = table[ending].values
        values = np.full((len(risks) + len(groups), len(kinds), 3), np.nan)
        for place, kind in enumerate(kinds):
            here = table.kind.values == kind
            for row, risk in enumerate(risks.values()):
                values[row, place] = area_under_curve(risk[here], came[here])
            for row, group in enumerate(groups, start=len(risks)):
                columns = stacked[group]
                if kind == unseen:
                    judged = risk_of_unseen(columns[of_seen], came[of_seen], columns[here])
                else:
                    judged = cross_validated_risk(columns[here], came[here])
                values[row, place] = area_under_curve(judged, came[here])
        new[f"area_{ending}"] = (("predictor", "of", "bound"), values)
    return (
        table.assign(new)
        .assign_coords(predictor=[*risks, *groups], of=kinds, bound=["value", "low", "high"])
        .assign_attrs(unseen=unseen)
    )


def _share_rows(table: xr.Dataset, config: ClimateConfig) -> list[Metric]:
    """What became of each kind, with Wilson intervals."""
    rows = []
    for network in config.networks:
        here = table.isel(network=table.kind.values == network.name)
        kept = int((~here.lost).sum())
        low, high = wilson(kept, network.seeds)
        crashed = int(here.crashed.sum())
        label = f"lottery, {network.name}"
        interval = f"{kept} of {network.seeds}, 95 % interval {low:.2f} to {high:.2f}"
        goal = GOALS["share"] if network.name != config.lottery.unseen else None
        rows += [
            Metric(f"{label}: share that keeps the climate ({interval})", kept / network.seeds, "1", None, "higher", "skill"),
            Metric(
                f"{label}: what that share is at least",
                least_share(kept, network.seeds),
                "1",
                goal,
                "higher",
                "skill",
                "95 %, one-sided, Clopper and Pearson: 59 of 59 reach .95",
            ),
            Metric(f"{label}: share that stops within its trial", crashed / network.seeds, "1", None, "lower", "skill"),
        ]
        if network.long:
            lasted = int((here.days.values[: network.long] >= config.coupled.days).sum())
            kept = int((here.kept_long.values[: network.long] == 1.0).sum())
            count = min(network.long, network.seeds)
            for found, words in ((lasted, "lasts"), (kept, "keeps the climate for")):
                title = f"{label}: of its first {count}, share that {words} {config.coupled.days:g} days"
                rows.append(Metric(title, found / count, "1", None, "higher", "skill"))
    return rows


def _area_rows(table: xr.Dataset, config: ClimateConfig) -> list[Metric]:
    """The best single number of each group by its mean over the seen kinds, there and on the unseen kind; and all together."""
    unseen = config.lottery.unseen
    seen = [network.name for network in config.networks if network.name != unseen]
    areas, of_seen, rows = table.area_lost, np.isin(table.kind.values, seen), []
    for group, members, whole, goal in (
        ("before the run", BEFORE, ALL_BEFORE, GOALS["before"]),
        (f"within {config.lottery.early_days} days", EARLY, ALL_EARLY, GOALS["early"]),
    ):
        middle = areas.sel(of=seen, bound="value").mean("of", skipna=True)
        best, value = best_of([(key, float(middle.sel(predictor=key))) for key in members])
        risks = np.stack([table[key].values[of_seen] * PREDICTORS[key].sign for key in members])
        chance = best_by_chance(risks, table.lost.values[of_seen], table.kind.values[of_seen].tolist())
        told = [kind for kind in seen if np.isfinite(areas.sel(of=kind, bound="value", predictor=list(members))).any()]
        of_chance = f"of as many numbers without meaning the best stays below {chance:.2f} 95 % of the time; " if told else ""
        rows.append(
            Metric(
                f"lottery: best predictor of loss {group} ({best or 'none'}), area under the curve, mean of the seen kinds",
                value, "1", goal, "higher", "skill",
                f"the best of {len(members)}, signs fixed beforehand; {of_chance}of {', '.join(told) or 'no kind'}, which have 3 "
                "lost and 3 kept",
            )
        )  # fmt: skip
        for word, key in ((f"the same ({best or 'none'})", best), (whole, whole)):
            if not key:
                continue
            area = areas.sel(predictor=key, of=unseen)
            low, high = (float(area.sel(bound=bound)) for bound in ("low", "high"))
            rows.append(
                Metric(
                    f"lottery: {word}, on {unseen}, which was not looked at (95 % interval {low:.2f} to {high:.2f})",
                    float(area.sel(bound="value")), "1", GOALS["unseen"], "higher", "skill", group,
                )
            )  # fmt: skip
    return rows


def _write_csv(run: Run, table: xr.Dataset) -> None:
    """The table as text: one network a line."""
    import csv

    columns = ["kind", *(str(key) for key in table.data_vars if table[key].dims == ("network",))]
    with atomic_path(run.folder.path / FILE) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["network", *columns])
        for index, name in enumerate(table.network.values):
            writer.writerow([name, *(table[key].values[index] for key in columns)])
