"""Stage climate: the chosen network's climate beside the truth's, the null closures' and every other seed's."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.drift import daily_series, drift_table, late_climate
from parametra.climate.diagnostics.means import climate_difference, halves, zonal_climate
from parametra.climate.diagnostics.scoreboard import with_precipitation
from parametra.core.errors import EndedError
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate.coupled import controls, coupled_fields, keeps_climate, late_difference
from parametra.studies.climate.kinds import kinds_table
from parametra.studies.climate.noise import STOCHASTIC
from parametra.studies.climate.training import network_names
from parametra.studies.climate.truth import truth_fields

MEASURES = (
    ("mean_temperature", "mass-weighted mean temperature below 180 hPa, difference", "K"),
    ("zonal_temperature_rms", "rms of zonal-mean temperature", "K"),
    ("precipitable_water", "precipitable water, relative difference", "1"),
    ("rain_profile_r", "correlation of the rain profile", "1"),
    ("rain_profile_rms", "rms of the rain profile", "mm/day"),
    ("precipitation", "mean precipitation, difference", "mm/day"),
)
FRAMES = 24
YEAR = 360.0  # d
KEPT = "|dT| <= 1.5 K, rms < 3 K, PW within 10 percent, rain r >= 0.9"


def score_climate(run: Run) -> dict[str, Any]:
    """Climates over the last half of the chosen run, and over the last third of every candidate's trial."""
    config, truth_config = run.config.coupled, run.config.truth
    truth = truth_fields(run, truth_config.scoring_start, truth_config.days)
    whole = truth_fields(run, truth_config.spin_up_days, truth_config.days)
    chosen = run.result("coupled")["chosen"]
    others = controls(run.config)
    if run.folder.fields(f"coupled-{STOCHASTIC}").exists():
        others = [STOCHASTIC, *others]
    runs = {label: coupled_fields(run, name) for label, name in [("network", chosen), *zip(others, others, strict=True)]}
    reference, record = zonal_climate(truth), zonal_climate(whole)
    late = (config.days / 2.0, config.days)
    rows = []
    for label, fields in runs.items():
        rows += _climate_rows(fields, reference, record, late, label)
    first, second = (zonal_climate(half) for half in halves(whole))
    apart = climate_difference(first, second)
    rows += [Metric(f"truth's split half: {words}", apart[key], unit, kind="skill") for key, words, unit in MEASURES]
    rows += _seed_rows(run, record, (config.keeps_from, config.candidate_days))
    rows += _year_rows({name: coupled_fields(run, name) for name in run.result("coupled")["selected"]}, record, config.days)
    write_fields(run.folder.fields("kinds"), kinds_table(run, record))
    zonal = [record, first, second]
    zonal += [_late_zonal(fields, late) for fields in runs.values() if fields is not None]
    labels = ["truth", "truth_first_half", "truth_second_half", *(label for label, fields in runs.items() if fields is not None)]
    write_fields(
        run.folder.fields("zonal"),
        xr.concat(zonal, "run", join="override", coords="minimal", compat="override").assign_coords(run=labels),
    )
    assert runs["network"] is not None, "a chosen network that stops ends the study"
    _write_maps(run, truth, runs["network"])
    every = {name: coupled_fields(run, name) for name in [*network_names(run.config), *others]}
    series = {"truth": daily_series(whole, record)}
    series |= {name: daily_series(fields, record) for name, fields in every.items() if fields is not None}
    write_fields(run.folder.fields("drift"), drift_table(series))
    return {"metrics": rows}


def _late_zonal(fields: xr.Dataset, late: tuple[float, float]) -> xr.Dataset:
    days = fields.time.values - fields.time.values[0]
    with np.errstate(invalid="ignore"):  # a null closure that stopped early has no late days: NaN, which the page leaves out
        return zonal_climate(fields.isel(time=np.flatnonzero(days >= late[0] - 1e-6)))


def _climate_rows(
    fields: xr.Dataset | None, reference: xr.Dataset, record: xr.Dataset, late: tuple[float, float], label: str
) -> list[Metric]:  # fmt: skip
    """The four measures against the scoring stretch, with targets for the network, and against the whole record."""
    targets = {
        "mean_temperature": ((-1.5, 1.5), "inside"),
        "zonal_temperature_rms": (2.0, "lower"),
        "precipitable_water": ((-0.1, 0.1), "inside"),
        "rain_profile_r": (0.95, "higher"),
    }
    rows = []
    yardsticks = [(record, "all truth after spin-up"), (reference, "the scoring stretch")]
    for against, source in yardsticks if label == "network" else yardsticks[:1]:
        difference = dict.fromkeys((key for key, _, _ in MEASURES), float("nan"))
        try:
            difference |= late_climate(fields, against, *late) if fields is not None else {}
        except EndedError:  # a null closure may stop early: that is its score
            pass
        for key, words, unit in MEASURES:
            target, better = targets.get(key, (None, "lower")) if label == "network" and against is record else (None, "lower")
            rows.append(
                Metric(
                    f"{label}, days {late[0]:g} to {late[1]:g}, against {source}: {words}",
                    difference[key],
                    unit,
                    target,
                    better,
                    "skill",
                    source,
                )
            )
    return rows


def _year_rows(selected: Mapping[str, xr.Dataset | None], record: xr.Dataset, days: float) -> list[Metric]:
    """Of runs of two years or more, the best network of each selection: every year's measures, and the share that is kept."""
    years = int(days // YEAR)
    if years < 2:
        return []
    rows, shares, source = [], [], f"{KEPT}, against all truth after spin-up"
    for name, fields in selected.items():
        kept = 0
        for year in range(years):
            if fields is None:
                break
            try:
                difference = late_climate(fields, record, year * YEAR, (year + 1) * YEAR)
            except EndedError:  # it stopped before
                break
            kept += keeps_climate(difference)
            for key, words, unit in MEASURES[:4]:
                rows.append(Metric(f"{name}, year {year + 1}: {words}", difference[key], unit, kind="skill", source=source))
        shares.append(kept / years)
        label = f"{name}, the best of its selection: share of {years} years that keep the climate"
        rows.append(Metric(label, shares[-1], "1", kind="skill", source=source))
    steady = sum(share == 1.0 for share in shares) / len(shares)
    whole = f"selected networks ({len(shares)}): share that keep the climate in each of {years} years"
    return [Metric(whole, steady, "1", 1.0, "higher", "skill", source), *rows]


def _seed_rows(run: Run, record: xr.Dataset, window: tuple[float, float]) -> list[Metric]:
    """Which seeds keep the climate, of every kind of network, with the Wilson interval of the share."""
    rows = []
    source = f"{KEPT}, against all truth after spin-up"
    for network in run.config.networks:
        kept = 0
        for seed in range(network.seeds):
            name = f"{network.name}-{seed}"
            difference = late_difference(run, name, record, window)
            if difference is None:
                continue
            kept += keeps_climate(difference)
            rows.append(
                Metric(
                    f"{name}, days {window[0]:g} to {window[1]:g}: rms of zonal-mean temperature",
                    difference["zonal_temperature_rms"],
                    "K",
                    kind="skill",
                )
            )
            rows.append(
                Metric(
                    f"{name}, days {window[0]:g} to {window[1]:g}: correlation of the rain profile",
                    difference["rain_profile_r"],
                    "1",
                    kind="skill",
                )
            )
        low, high = wilson(kept, network.seeds)
        rows.append(
            Metric(
                f"{network.name}: share of seeds that keep the climate over days {window[0]:g} to {window[1]:g} "
                f"({kept} of {network.seeds}, 95 % interval {low:.2f} to {high:.2f})",
                kept / network.seeds, "1", 1.0 if network.required else None, "higher", "skill", source,
            )
        )  # fmt: skip
    return rows


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(float(centre - half), 0.0), min(float(centre + half), 1.0)


def _write_maps(run: Run, truth: xr.Dataset, network: xr.Dataset) -> None:
    """Daily precipitation maps of truth and network, at most so many frames."""
    rain = with_precipitation(truth).precipitation_flux
    per_day = run.config.host.steps_per_day
    days = rain.sizes["time"] // per_day
    daily = (
        rain.isel(time=slice(0, max(days, 1) * per_day)).coarsen(time=min(per_day, rain.sizes["time"]), boundary="trim").mean()
    )
    frames = min(FRAMES, daily.sizes["time"], network.sizes["time"])
    pair = [daily.isel(time=slice(0, frames)), network.precipitation_flux.isel(time=slice(-frames, None))]
    pair = [frame.assign_coords(time=np.arange(frames) + 1.0) for frame in pair]
    maps = xr.concat(pair, "run", join="override", coords="minimal", compat="override").assign_coords(run=["truth", "network"])
    write_fields(run.folder.fields("maps"), maps.to_dataset(name="precipitation_flux"))
