"""The table of recipes over another sea, and what it shows in sentences."""

from typing import Any

import numpy as np
import xarray as xr

from parametra.report.formatting import number, with_unit
from parametra.report.section import Note, Table
from parametra.report.sections import zonal

RECIPES = {
    "plain": "reference, plain inputs",
    "invariant": "reference, invariant inputs",
    "both": "both worlds",
    "alone": "that world alone",
}
TARGETS = {"tendency_of_air_temperature": "heating", "tendency_of_specific_humidity": "moistening"}
MAPS = {
    "tendency_of_atmosphere_enthalpy_content": ("Column heating", "W/m²", 1.0, "RdBu_r"),
    "precipitation_flux": ("Precipitation", "mm/day", zonal.DAY, "YlGnBu"),
}
MEASURES = {
    "mean_temperature": ("mean temperature", "K"),
    "zonal_temperature_rms": ("rms of zonal-mean temperature", "K"),
    "precipitable_water": ("precipitable water", ""),
    "rain_profile_r": ("r of the rain profile", ""),
}
CHANGES = {"mean_temperature": ("mean temperature", "K"), "precipitation": ("mean precipitation", "mm/day")}


def offline_table(skill: xr.Dataset, world: dict[str, Any]) -> Table:
    """R2 of every recipe at home and abroad; `skill` as fields/transfer-NAME.zarr."""
    name = str(world["name"])
    head = (
        "recipe",
        *(f"{word} R², {place}" for word in TARGETS.values() for place in ("reference", name, "over the yardstick")),
    )
    rows = []
    for recipe in map(str, world["recipes"]):
        cells = []
        for target in TARGETS:
            pairs = ((recipe, "reference"), (recipe, name), ("alone", name))
            home, there, yardstick = (_mean_r2(skill, *pair, target) for pair in pairs)
            cells += [number(home), number(there), number(there / yardstick) if yardstick > 0 else "–"]
        rows.append((RECIPES[recipe], *cells))
    caption = f"{name}, offline: pooled R² on the scoring stretches, by mass from 180 hPa down, mean over seeds."
    return Table(head, tuple(rows), f"{caption} The yardstick is what has seen {name} alone.")


def coupled_table(found: xr.Dataset, world: dict[str, Any]) -> Table:
    """How every recipe ran; `found` as fields/response-NAME.zarr."""
    maps = [f"r of {title.lower()}, {kind}" for kind in ("whole", "less zonal mean") for title, *_ in MAPS.values()]
    head = (
        "recipe",
        "days run",
        "climate kept",
        "temperature change",
        "precipitation change",
        *(maps if world.get("wave") else []),
    )
    rows = [("truth", *_truth_cells(found))]
    rows += [(RECIPES[recipe], *_coupled_cells(found, recipe)) for recipe in map(str, world["recipes"])]
    caption = (
        f"{world['name']}, coupled: means over seeds that ran to the end; days of every seed, fewer than asked where it crashed; "
        "in brackets the share of the truth's change; r against the truth's map, of the truth between its halves."
    )
    return Table(head, tuple(row[: len(head)] for row in rows), caption)


def home_table(home: xr.Dataset) -> Table:
    """Those that have seen the reference alone, over its own sea; `home` as fields/response-home.zarr."""
    head = ("recipe", "climate kept", *(words for words, _ in MEASURES.values()))
    rows = []
    for recipe in map(str, home.recipe.values):
        one = home.sel(recipe=recipe)
        each = [", ".join(with_unit(float(value), unit) for value in one[key].values) for key, (_, unit) in MEASURES.items()]
        rows.append((RECIPES[recipe], f"{int(one.kept.fillna(0.0).sum())} of {one.sizes['seed']}", *each))
    caption = (
        "At home, coupled over the reference's own sea, each seed against its truth: what is lost over another sea but not "
        "here is lost to the sea."
    )
    return Table(head, tuple(rows), caption)


def shown_coupled(found: xr.Dataset, world: dict[str, Any]) -> tuple[Note, Note]:
    """Which recipes keep the climate, and whether the truths are long enough."""
    kept = [f"{RECIPES[recipe]} {_kept(found, recipe)}" for recipe in map(str, world["recipes"])]
    return Note(f"Coupled, seeds that keep the climate of {world['name']}'s own truth: {'; '.join(kept)}."), _sample(found, world)


def seeds(found: xr.Dataset, recipe: str) -> list[str]:
    """The runs of a recipe."""
    return [str(name) for name in found.run.values if str(name).rpartition("-")[0] == recipe]


def _truth_cells(found: xr.Dataset) -> list[str]:
    truth = found.sel(run="truth")
    changes = [with_unit(float(truth[f"change_{key}"]), unit) for key, (_, unit) in CHANGES.items()]
    return [number(float(truth.days)), "", *changes, *_correlations(truth)]


def _coupled_cells(found: xr.Dataset, recipe: str) -> list[str]:
    one, truth = found.sel(run=seeds(found, recipe)), found.sel(run="truth")
    changes = []
    for key, (_, unit) in CHANGES.items():
        change, whole = float(one[f"change_{key}"].mean()), float(truth[f"change_{key}"])
        share = f" ({number(change / whole)})" if whole else ""  # a world like the reference has not changed at all
        changes.append(with_unit(change, unit) + share if np.isfinite(change) else "–")
    return [", ".join(number(float(day)) for day in one.days.values), _kept(found, recipe), *changes, *_correlations(one)]


def _correlations(runs: xr.Dataset) -> list[str]:
    return [number(float(runs[f"{kind}_{name}"].mean())) for kind in ("r", "departure_r") for name in MAPS]


def _kept(found: xr.Dataset, recipe: str) -> str:
    kept = found.kept.sel(run=seeds(found, recipe)).values
    return f"{int(np.nansum(kept))} of {kept.size}"


def _mean_r2(skill: xr.Dataset, recipe: str, stretch: str, target: str) -> float:
    """Mean over seeds of the mean by mass from 180 hPa down, as the metrics have it."""
    return float(skill.r2_mean.sel(recipe=recipe, stretch=stretch, target=target).mean("seed"))


def shown_offline(skill: xr.Dataset, world: dict[str, Any]) -> Note:
    """What became of the skill in heating, in a sentence."""
    heating, name = next(iter(TARGETS)), str(world["name"])
    said = [
        f"{RECIPES[recipe]} {number(_mean_r2(skill, recipe, 'reference', heating))} on the reference, "
        f"{number(_mean_r2(skill, recipe, name, heating))} here"
        for recipe in map(str, world["recipes"])
    ]
    return Note(f"{_words(world)}, R² of heating offline: {'; '.join(said)}.")


def _sample(found: xr.Dataset, world: dict[str, Any]) -> Note:
    """Whether the truths are long enough: for the changes under a warming, for the maps under a wave."""
    titles = {key: text for key, (text, _) in CHANGES.items()} if world.get("warming") or not world.get("wave") else {}
    titles |= {name: f"map of {title.lower()}" for name, (title, *_) in MAPS.items()} if world.get("wave") else {}
    rows = {title: found.sel(figure=figure) for figure, title in titles.items()}
    poor = any(str(row.word.values) != "long enough" for row in rows.values())
    sentence = "; ".join(f"{title}: {row.word.values}, {row.why.values}" for title, row in rows.items())
    return Note(f"Is the sample long enough? {sentence}.", "warning" if poor else "plain")


def _words(world: dict[str, Any]) -> str:
    """A world as a reader sees it: plus4 (4 K warmer), wave (a wave of 3 K)."""
    warming, wave = float(world.get("warming", 0.0)), float(world.get("wave", 0.0))
    sea = [f"{abs(warming):g} K {'warmer' if warming > 0 else 'colder'}"] if warming else []
    return f"{world['name']} ({', '.join(sea + ([f'a wave of {wave:g} K'] if wave else [])) or 'the reference sea'})"
