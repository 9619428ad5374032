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
CHANGES = {"mean_temperature": ("mean temperature", "K"), "precipitation": ("mean precipitation", "mm/day")}
OFFLINE = ("heating R², reference → here", "moistening R², reference → here", "here, over that world alone")
COUPLED = ("days run", "climate kept", "T change", "P change", "map r: heating, rain", "less zonal mean")


def table(skill: xr.Dataset | None, found: xr.Dataset | None, name: str, recipes: list[str]) -> Table:
    """All figures, a row for each recipe and one for the truth; `skill` and `found` as fields/transfer-... and response-...."""
    head = ("recipe", *(OFFLINE if skill is not None else ()), *(COUPLED if found is not None else ()))
    rows = [] if found is None else [("truth", *(("",) * len(OFFLINE) if skill is not None else ()), *_truth_cells(found))]
    for recipe in recipes:
        offline = [] if skill is None else _offline_cells(skill, name, recipe)
        rows.append((RECIPES[recipe], *offline, *([] if found is None else _coupled_cells(found, recipe))))
    caption = (
        f"{name}. Means over seeds that ran to the end; days of every seed, fewer than asked where it crashed; in brackets: over "
        "the truth's change; r of the truth: of its halves."
    )
    return Table(head, tuple(rows), caption)


def verdict(skill: xr.Dataset | None, found: xr.Dataset | None, world: dict[str, Any]) -> list[Note]:
    """What the table shows, and whether the truths are long enough for it."""
    recipes, notes = [str(recipe) for recipe in world["recipes"]], []
    if skill is not None and "plain" in recipes:
        notes.append(_shown_offline(skill, world, recipes))
    if found is not None:
        kept = [f"{RECIPES[recipe]} {_kept(found, recipe)}" for recipe in recipes]
        notes += [Note(f"Coupled, seeds that keep the climate of its own truth: {'; '.join(kept)}."), _sample(found, world)]
    return notes


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
        changes.append(f"{with_unit(change, unit)} ({number(change / whole)})" if np.isfinite(change) else "–")
    return [", ".join(number(float(day)) for day in one.days.values), _kept(found, recipe), *changes, *_correlations(one)]


def _correlations(runs: xr.Dataset) -> list[str]:
    return [", ".join(number(float(runs[f"{kind}_{name}"].mean())) for name in MAPS) for kind in ("r", "departure_r")]


def _kept(found: xr.Dataset, recipe: str) -> str:
    kept = found.kept.sel(run=seeds(found, recipe)).values
    return f"{int(np.nansum(kept))} of {kept.size}"


def _offline_cells(skill: xr.Dataset, name: str, recipe: str) -> list[str]:
    cells, shares = [], []
    for target in TARGETS:
        home, there, yardstick = (
            _mean_r2(skill, *which, target) for which in ((recipe, "reference"), (recipe, name), ("alone", name))
        )
        cells.append(f"{number(home)} → {number(there)}")
        shares.append(number(there / yardstick) if yardstick > 0 else "–")
    return [*cells, ", ".join(shares)]


def _mean_r2(skill: xr.Dataset, recipe: str, stretch: str, target: str) -> float:
    """Mean over seeds of the mean by mass from 180 hPa down, as the metrics have it."""
    return float(skill.r2_mean.sel(recipe=recipe, stretch=stretch, target=target).mean("seed"))


def _shown_offline(skill: xr.Dataset, world: dict[str, Any], recipes: list[str]) -> Note:
    heating, name = next(iter(TARGETS)), str(world["name"])
    home, there, best = (
        number(_mean_r2(skill, *which, heating)) for which in (("plain", "reference"), ("plain", name), ("alone", name))
    )
    text = (
        f"Offline, {_words(world)}: R² of heating of a plain network of the reference is {home} at home and {there} here, "
        f"of one that has seen nothing but this world {best}"
    )
    if "invariant" in recipes:
        text += f", of the reference through invariant inputs {number(_mean_r2(skill, 'invariant', name, heating))}"
    return Note(text + ".")


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
