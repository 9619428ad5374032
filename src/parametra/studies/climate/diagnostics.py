"""Stage diagnostics: the paper's figures R1 to R11 of truth, network and, where they ran, noise and the conventional scheme.

Everything is taken from daily summaries: of the truth, boiled down here; of coupled runs, as they recorded them; and of the
network's word on the truth's own columns ("network_offline"), which errs in the single step but not in the climate; for the
energy of columns also without its conservation layer ("network_layer_off").
"""

import itertools
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from parametra.climate.diagnostics import (
    WaveRecipe,
    band_powers,
    daily_summary,
    dispersion_curves,
    energy_drifts,
    energy_scatter,
    exceedance_quantiles,
    global_contents,
    log_ratio,
    rain_density,
    rain_histogram,
    scatter_axes,
    scatter_density,
    standard_deviation,
    trend,
    wave_spectrum,
    yardstick,
)
from parametra.climate.diagnostics.blocks import time_blocks
from parametra.climate.diagnostics.means import halves
from parametra.climate.diagnostics.sample import DRIFT_RESOLUTION
from parametra.climate.diagnostics.skill import SkillSums
from parametra.climate.diagnostics.summary import HISTOGRAM, NEEDED, SQUARED
from parametra.climate.emulator import column_dataset, load_emulator, predict
from parametra.climate.emulator.dataset import STORED
from parametra.climate.emulator.emulator import Emulator
from parametra.core.errors import DataError
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate.coupled import coupled_fields
from parametra.studies.climate.noise import STOCHASTIC
from parametra.studies.climate.truth import truth_fields

CONVENTIONAL = "conventional"
OFFLINE, LAYER_OFF = "network_offline", "network_layer_off"
READ = tuple(dict.fromkeys((*NEEDED, *STORED)))
SCATTER_EDGES = np.linspace(-1500.0, 4500.0, 61)  # W m-2
TARGETS = {
    "air_temperature_rms": 2.0,
    "specific_humidity_rms": 2.0,
    "precipitation_flux_rms": 2.0,
}  # times the truth's split half
LIVELY = {"rain_0.01_steps": (0.9, 1.1), "rain_0.001_steps": (0.9, 1.1), "deviation_tendency_of_air_temperature": 0.8}
UNTOLD = (0.97, 1.03)  # slope of the energy scatter without the layer
DRIFT_DAYS = 720.0  # no drift is asked of runs at least so long


def run_diagnostics(run: Run) -> dict[str, Any]:
    """Compute every figure's numbers and store them for the page."""
    config = run.config
    truth = _truth_summary(run)
    scored = _scored(run)
    online = _online(run)
    late = {name: _late(fields, config.coupled.days) for name, fields in online.items()}
    late = {name: fields for name, fields in late.items() if fields.sizes["time"]}
    recipe = WaveRecipe(latitude_bound=_tropics(truth.latitude.values))
    run.progress.update("diagnostics", 0.5)
    table = yardstick(truth, late, recipe)
    write_fields(run.folder.fields("yardstick"), table)
    sides = {"truth": truth, **late, OFFLINE: scored.summaries[OFFLINE]}
    write_fields(run.folder.fields("rain"), _rain(sides))
    write_fields(run.folder.fields("deviation"), _deviations(sides))
    if (waves := _waves({"truth": truth, **online}, recipe)) is not None:
        write_fields(run.folder.fields("waves"), waves)
    write_fields(run.folder.fields("scatter"), _scatter(scored.density, late | scored.summaries))
    contents = _contents({"truth": truth, **online})
    write_fields(run.folder.fields("contents"), contents)
    write_fields(run.folder.fields("skillmap"), scored.skill)
    return {"metrics": [*_score_rows(table), *_untold_rows(scored.summaries[LAYER_OFF]), *_drift_rows(online, contents)]}


def _truth_summary(run: Run) -> xr.Dataset:
    truth = run.config.truth
    summary = daily_summary(truth_fields(run, truth.spin_up_days, truth.days))
    write_fields(run.folder.fields("truth-daily"), summary)
    return summary


def _online(run: Run) -> dict[str, xr.Dataset]:
    """Coupled runs that are drawn beside the truth, whole."""
    names = {"network": run.result("coupled")["chosen"]}
    names |= {name: name for name in (STOCHASTIC, CONVENTIONAL) if run.folder.fields(f"coupled-{name}").exists()}
    online = {label: coupled_fields(run, name) for label, name in names.items()}
    return {label: fields.load() for label, fields in online.items() if fields is not None}


def _late(fields: xr.Dataset, days: float) -> xr.Dataset:
    """The second half of a run of so many days; nothing of one that stopped before its end."""
    elapsed = fields.time.values - fields.time.values[0]
    return fields.isel(time=np.flatnonzero((elapsed >= days / 2.0 - 1e-6) & (elapsed[-1] + 1.5 > days)))


class _Scored(NamedTuple):
    """The scoring stretch, its columns told by the truth and by the chosen network, with and without its conservation layer.

    Attributes:
        summaries: name -> its own, day by day.
        density: name -> its energy scatter's, dims (x, y).
        skill: R2 by latitude and level, both conventions; in the pooled one against the variance of each row.
    """

    summaries: dict[str, xr.Dataset]
    density: dict[str, xr.DataArray]
    skill: xr.Dataset


def _scored(run: Run) -> _Scored:
    """Days are read and predicted one after the other."""
    config = run.config
    emulator = load_emulator(run.folder.network(run.result("coupled")["chosen"]))[0]
    columns = truth_fields(run, config.truth.scoring_start, config.truth.days)
    needed = columns[[name for name in READ if name in columns]]
    skill = {name: SkillSums() for name in SQUARED}
    days: dict[str, list[xr.Dataset]] = {"truth": [], OFFLINE: [], LAYER_OFF: []}
    parts: dict[str, list[xr.DataArray]] = {name: [] for name in days}
    for block in time_blocks(needed, config.host.steps_per_day):
        predicted = _predicted(emulator, block)
        share = block.sizes["time"] / columns.sizes["time"]
        untold = _predicted(replace(emulator, conservation=False), block)
        for name, side in (("truth", block), (OFFLINE, predicted), (LAYER_OFF, untold)):
            days[name].append(daily_summary(side))
            parts[name].append(share * scatter_density(scatter_axes(side), SCATTER_EDGES))
        for name, sums in skill.items():
            sums.add(block[name], predicted[name])
    by = ("latitude", "level")
    maps = {f"pooled_{name}": sums.pooled_r2(by=by).r2 for name, sums in skill.items()}
    maps |= {f"per_cell_{name}": sums.per_cell_r2(by=by).r2 for name, sums in skill.items()}
    summaries: dict[str, Any] = {
        name: xr.concat(found, "time", coords="minimal", compat="override", join="override") for name, found in days.items()
    }
    density = {name: xr.concat(found, "block").sum("block") for name, found in parts.items()}
    return _Scored(summaries, density, xr.Dataset(maps))


def _predicted(emulator: Emulator, columns: xr.Dataset) -> xr.Dataset:
    """The truth's columns with the network's tendencies and fluxes in the place of their own."""
    word = predict(emulator, column_dataset(columns))
    if "precipitation_flux" in word:  # one flux, no snow apart
        columns = columns.drop_vars(["rainfall_flux", "snowfall_flux"], errors="ignore")
    # by position: coordinates that went through float32 once must not empty the intersection
    return columns.assign({str(name): (field.dims, field.values) for name, field in word.data_vars.items()})


def _tropics(latitude: np.ndarray) -> float:
    """15 degrees, or as far as the second pair of rows on a grid that is coarser than that."""
    return float(max(15.0, np.sort(np.abs(latitude))[min(3, latitude.size - 1)] + 1e-3))


def _rain(sides: dict[str, xr.Dataset]) -> xr.Dataset:
    """Densities on 4 mm/day bins and exceedance quantiles, of single steps and of daily means."""
    parts = {}
    for kind in ("steps", "daily"):
        histograms = {}
        for name, side in sides.items():
            if kind == "daily":
                histograms[name] = rain_histogram(side.precipitation_flux)
            elif HISTOGRAM in side:
                histograms[name] = side[HISTOGRAM]
        density = {name: rain_density(histogram) for name, histogram in histograms.items()}
        quantile = {name: exceedance_quantiles(histogram) for name, histogram in histograms.items()}
        parts[f"density_{kind}"] = _side_by_side(density, sides)
        for part in ("value", "low", "high"):
            parts[f"{part}_{kind}"] = _side_by_side({name: table[part] for name, table in quantile.items()}, sides)
    bins = parts["density_steps"].notnull().any("run") | parts["density_daily"].notnull().any("run")
    last = int(np.flatnonzero(bins.values)[-1]) + 1 if bins.any() else 1
    days = xr.DataArray([side.sizes["time"] for side in sides.values()], dims="run")
    return xr.Dataset(parts).isel(bin=slice(0, last)).assign(days=days)


def _deviations(sides: dict[str, xr.Dataset]) -> xr.Dataset:
    truth_halves = dict(zip(("truth_first_half", "truth_second_half"), halves(sides["truth"]), strict=True))
    every, parts = sides | truth_halves, {}
    for name in SQUARED:
        found = {}
        for label, side in every.items():
            try:
                found[label] = standard_deviation(side, name)
            except DataError:  # a run recorded before squares were kept
                continue
        parts[f"deviation_{name}"] = _side_by_side(found, every)
    return xr.Dataset(parts)


def _waves(records: dict[str, xr.Dataset], recipe: WaveRecipe) -> xr.Dataset | None:
    """Log ratios, bands and curves of the records that hold a window; None where none does."""
    spectra = {}
    for name, record in records.items():
        try:
            spectra[name] = wave_spectrum(record.precipitation_flux, recipe)
        except DataError:
            continue
    if not spectra:
        return None
    ratio = {name: log_ratio(spectrum) for name, spectrum in spectra.items()}
    bands = {name: band_powers(spectrum) for name, spectrum in spectra.items()}
    parts = {f"ratio_{part}": _side_by_side({name: side[part] for name, side in ratio.items()}, spectra)
             for part in ("symmetric", "antisymmetric")}  # fmt: skip
    parts |= {
        f"band_{part}": _side_by_side({name: side[part] for name, side in bands.items()}, spectra) for part in ("power", "ratio")
    }
    wavenumber = next(iter(spectra.values())).wavenumber.values
    windows = xr.DataArray([spectrum.attrs["windows"] for spectrum in spectra.values()], dims="run")
    return xr.Dataset(parts).assign(windows=windows, dispersion=dispersion_curves(wavenumber))


def _scatter(density: dict[str, xr.DataArray], sides: dict[str, xr.Dataset]) -> xr.Dataset:
    """Two-dimensional densities where there are any, slope and rms wherever moments are.

    The truth is that of the scoring stretch, so that networks offline are seen beside the same columns.
    """
    found: dict[str, dict[str, float]] = {}
    for name, side in sides.items():
        try:
            found[name] = energy_scatter(side)
        except DataError:
            continue
    dataset = _side_by_side(density, sides).to_dataset(name="density")
    for key in ("slope", "rms", "mean"):
        dataset[key] = ("run", [found.get(name, {}).get(key, np.nan) for name in sides])
    return dataset


def _contents(records: dict[str, xr.Dataset]) -> xr.Dataset:
    """Global contents by day; coupled runs start from the truth's last state, so the truth's last day is day 0."""
    series = {}
    for name, record in records.items():
        contents = global_contents(record)
        start = record.time.values[-1] if name == "truth" else record.time.values[0] - 1.0
        days = np.round(record.time.values - start).astype(int)
        series[name] = contents.drop_vars("time").assign_coords(time=days).rename(time="day")
    table = xr.concat(list(series.values()), "run", join="outer", coords="minimal", compat="override")
    # a float32 store keeps 2e-7 of 2.6e9 J m-2, a day's worth of 0.006 W/m2: store the departure from the truth's mean
    base = float(table.energy.isel(run=0).mean())
    return table.assign(energy=(table.energy - base) / 1e6).assign_coords(run=list(series)).merge(energy_drifts(records))


def _side_by_side(found: dict[str, xr.DataArray], names: Any) -> xr.DataArray:
    """Fields along a new dimension run, NaN for the names that have none."""
    like = next(iter(found.values()))
    blank = xr.full_like(like, np.nan, np.float64)
    rows = [found.get(name, blank).transpose(*like.dims) for name in names]
    return xr.concat(rows, "run", join="override", coords="minimal", compat="override").assign_coords(run=list(names))


def _score_rows(table: xr.Dataset) -> list[Metric]:
    rows = []
    for name, score in itertools.product(table.run.values, table.score.values):
        one = table.sel(run=name, score=score)
        value, words = float(one.value), str(one.words.values)
        if not np.isfinite(value):
            continue
        source = f"{one.figure.values}; split half {float(one.split_half):.3g}; sample {one.word.values}: {one.why.values}"
        better = "higher" if score == "wave_spectrum" or str(score).endswith("_r") else "lower"
        told = name == STOCHASTIC and str(one.word.values) != "too short"
        asked = LIVELY.get(str(score)) if told else None  # what noise is for
        better = "inside" if isinstance(asked, tuple) else "higher" if asked else better
        rows.append(Metric(f"{name}: {words}", value, str(one.unit.values), asked, better, "skill", source))
        if name == "network":
            rows += _target_rows(table, str(score), words, source)
    return rows


def _target_rows(table: xr.Dataset, score: str, words: str, source: str) -> list[Metric]:
    """The network over the truth's split half and over the conventional scheme; its waves over the split-half ceiling."""
    ratio = {str(name): float(table.ratio.sel(run=name, score=score)) for name in table.run.values}
    rows = []
    if score in TARGETS:
        title = f"network: {words}, over the truth's split half"
        rows.append(Metric(title, ratio["network"], "1", TARGETS[score], "lower", "skill", source))
        if np.isfinite(ratio.get(CONVENTIONAL, np.nan)):
            title = f"network: {words}, over the conventional scheme's"
            rows.append(Metric(title, ratio["network"] / ratio[CONVENTIONAL], "1", 1.0, "lower", "skill", source))
    if score == "wave_spectrum" and str(table.word.sel(score=score).values) == "long enough":
        half = float(table.split_half.sel(score=score))
        share = float(table.value.sel(run="network", score=score)) / spearman_brown(half)
        title = f"network: {words}, over the ceiling of two records as long as the truth"
        rows.append(Metric(title, share, "1", 0.9, "higher", "skill", f"{source}; ceiling from the halves by Spearman and Brown"))
    return rows


def spearman_brown(half: float) -> float:
    """Correlation of two records, each with its own noise, from that of two records half as long."""
    return 2.0 * half / (1.0 + half)


def _untold_rows(summary: xr.Dataset) -> list[Metric]:
    """The energy scatter with the conservation layer off: of a network that learnt single steps without it, rollouts with it."""
    found, source = energy_scatter(summary), "scoring stretch, every column and step"
    title = "network without its layer: energy scatter"
    return [
        Metric(f"{title}, slope", found["slope"], "1", UNTOLD, "inside", "skill", source),
        Metric(f"{title}, rms of heat gained - latent heat given up", found["rms"], "W m-2", kind="skill", source=source),
        Metric(f"{title}, mean of the same", found["mean"], "W m-2", kind="skill", source=source),
    ]


def _drift_rows(online: dict[str, xr.Dataset], contents: xr.Dataset) -> list[Metric]:
    """Drift of energy and water with intervals; no verdict where the record knows the drift no better than what is asked."""
    rows = []
    for name, record in online.items():
        one, days, title = contents.sel(run=name), record.sizes["time"], f"{name}: drift of the column's"
        asked = name == "network" and days >= DRIFT_DAYS and str(one.drift_word.values) == "long enough"
        target = (-DRIFT_RESOLUTION, DRIFT_RESOLUTION) if asked else None
        source = (
            f"moist enthalpy over {days} days: {_interval(float(one.drift_low), float(one.drift_high))}, {one.drift_why.values}"
        )
        rows.append(Metric(f"{title} energy", float(one.drift), "W m-2", target, "inside", "skill", source))
        water = trend(global_contents(record).water)
        source = f"over {days} days: {_interval(water.low, water.high)}, worth {water.independent:.1f} independent days"
        rows.append(Metric(f"{title} water", water.slope, "kg m-2 day-1", None, "inside", "skill", source))
    return rows


def _interval(low: float, high: float) -> str:
    return f"95 % interval {low:.2g} to {high:.2g}" if np.isfinite(high) else "no interval"
