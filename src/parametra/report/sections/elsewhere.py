"""Other seas: what networks make of a climate that they have not seen, one block of figures for each world."""

from typing import Any

import numpy as np
import xarray as xr

from parametra.report.figures.chart import chart
from parametra.report.figures.lines import by_day, by_latitude, by_level
from parametra.report.figures.meridional import Scale, meridional_section
from parametra.report.figures.palette import BLACK, BLUE, GREEN, GREY, VERMILION, Palette
from parametra.report.formatting import with_unit
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section
from parametra.report.sections import zonal
from parametra.report.sections.recipes import (
    MAPS,
    RECIPES,
    TARGETS,
    coupled_table,
    home_table,
    offline_table,
    seeds,
    shown_coupled,
    shown_offline,
)

TITLE = "Other seas"
LEAD = (
    "The paper's two generalization experiments, R8 and R9: networks of one size and training over a sea that is warmer or wavy. "
    "They differ in what they have seen: the reference alone, plainly or through climate-invariant inputs, both worlds, or "
    "that world alone, which is the yardstick."
)
COLOURS = Palette(
    {"truth": BLACK} | dict(zip(RECIPES.values(), (VERMILION, BLUE, GREEN, GREY), strict=True)),
)


def section(run: RunReader) -> Section | None:
    """One block for each world of the configuration; None where there are none."""
    worlds = run.folder.config.get("worlds") or []
    if not worlds:
        return None
    home = run.fields("response-home")
    parts = [part for world in worlds for part in _world(run, world)]
    parts += [home_table(home)] if home is not None else []
    return Section("elsewhere", TITLE, LEAD, tuple(parts))


def _world(run: RunReader, world: dict[str, Any]) -> list[Part]:
    name, recipes = str(world["name"]), [str(recipe) for recipe in world["recipes"]]
    skill, found = (run.fields(f"{kind}-{name}") for kind in ("transfer", "response"))
    parts: list[Part] = []
    if skill is not None:
        parts += [_skill(skill, name, recipes), offline_table(skill, world), shown_offline(skill, world)]
    if found is not None:
        warming, wave = world.get("warming"), world.get("wave")
        parts += [_warming(found, name, recipes), *_apart(found, world)] if warming or not wave else []
        parts += [_map(found, name, recipes, variable) for variable in MAPS] if wave else []
        parts += [_profiles(found, name, recipes), coupled_table(found, world), *shown_coupled(found, world)]
    return parts + [
        Note(run.why_missing(f"{kind}-{name}"), "missing")
        for kind, data in (("transfer", skill), ("response", found))
        if data is None
    ]


def _skill(skill: xr.Dataset, name: str, recipes: list[str]) -> Panels:
    """R2 by level, mean over seeds, on the reference and on the other world."""
    figures = []
    for target, word in TARGETS.items():
        for stretch in ("reference", name):
            lines = {
                RECIPES[recipe]: skill.r2.sel(recipe=recipe, stretch=stretch, target=target).mean("seed").values
                for recipe in recipes
            }
            title = f"{word.capitalize()}, on {'the reference' if stretch == 'reference' else name}"
            drawing = by_level(
                skill.level.values, lines, COLOURS, title, xlabel="R² (pooled); below −1 at the edge", limits=(-1.0, 1.0)
            )
            figures.append(Figure(drawing))
    return Panels(tuple(figures), columns=2, title=f"{name}: skill by level, offline, mean over seeds")


def _warming(found: xr.Dataset, name: str, recipes: list[str]) -> Panels:
    """Change of zonal-mean temperature from the reference truth, one scale for all."""
    fields = {side: _mean(data.change_of_air_temperature) for side, data in _sides(found, recipes).items()}
    scale = Scale.around_zero("RdBu_r", *(field.values for field in fields.values()))
    figures = [
        Figure(
            meridional_section(
                found.latitude.values, found.level.values, field.transpose("latitude", "level").values, scale, side.capitalize(),
                "K",
            )
        )
        for side, field in fields.items()
    ]  # fmt: skip
    title = (
        f"{name}: sections of the change of zonal-mean temperature from the reference truth, coupled, mean over seeds that ran "
        "to the end"
    )
    return Panels(tuple(figures), title=title)


def _apart(found: xr.Dataset, world: dict[str, Any]) -> tuple[Note, ...]:
    """R9 at this world's increment: one number for each recipe, and that of chance; nothing where it was not stored."""
    if "gap_absolute_temperature" not in found:
        return ()
    gap = found.gap_absolute_temperature
    said = [f"{RECIPES[recipe]} {with_unit(float(gap.sel(run=seeds(found, recipe)).mean()), 'K')}"
            for recipe in map(str, world["recipes"])]  # fmt: skip
    halves = float(gap.sel(run=["truth_first_half", "truth_second_half"]).mean())
    text = (
        f"R9 at {float(world.get('warming') or 0.0):+g} K: mean over area and mass of |T − T of {world['name']}'s own truth|, "
        f"mean over seeds that ran to the end: {'; '.join(said)}. A half of that truth differs from the whole by "
        f"{with_unit(halves, 'K')}."
    )
    return (Note(text),)


def _map(found: xr.Dataset, name: str, recipes: list[str], variable: str) -> Panels:
    """Mean maps of the truth and of the first seed of every recipe that ran to the end."""
    title, unit, factor, cmap = MAPS[variable]
    runs = {"truth": "truth"} | {RECIPES[recipe]: _first_alive(found, recipe) for recipe in recipes}
    maps = {
        side: found[f"map_{variable}"].sel(run=run).transpose("latitude", "longitude").values * factor
        for side, run in runs.items()
    }
    scale = Scale.around_zero(cmap, *maps.values()) if cmap == "RdBu_r" else Scale.spanning(cmap, np.zeros(1), *maps.values())
    figures = [
        Figure(chart(found.latitude.values, found.longitude.values, field, scale, side.capitalize(), unit))
        for side, field in maps.items()
    ]
    words = f"{name}: mean {title.lower()} (R8), coupled; of each recipe the first seed that ran to the end"
    return Panels(tuple(figures), columns=2, title=words)


def _profiles(found: xr.Dataset, name: str, recipes: list[str]) -> Panels:
    """Change of precipitation by latitude from the reference truth, and how every seed's mean temperature went."""
    change = found.change_of_precipitation_flux * zonal.DAY
    first, second = (change.sel(run=half).values for half in ("truth_first_half", "truth_second_half"))
    lines = {side: _mean(data.change_of_precipitation_flux).values * zonal.DAY for side, data in _sides(found, recipes).items()}
    lines = {side: values for side, values in lines.items() if np.isfinite(values).any()}
    band = (np.minimum(first, second), np.maximum(first, second), "halves of the truth")
    rain = by_latitude(found.latitude.values, lines, COLOURS, "Precipitation, change from the reference", "mm/day", band=band)
    return Panels((Figure(rain), Figure(_drift(found, recipes))), columns=2, title=f"{name}: precipitation and drift, coupled")


def _drift(found: xr.Dataset, recipes: list[str]) -> str:
    """Mean temperature of every seed by day: those of one recipe in one colour, a gap between them."""
    day, series = found.day.values.astype(np.float64), found.drift_temperature.transpose("run", "day")
    target = float(series.sel(run="truth").mean())
    lines = {}
    for recipe in recipes:
        rows = np.pad(series.sel(run=seeds(found, recipe)).values, ((0, 0), (0, 1)), constant_values=np.nan)
        lines[RECIPES[recipe]] = rows.ravel()
    days = np.tile(np.append(day, day[-1]), len(seeds(found, recipes[0])))
    tolerance = (target - 1.5, target + 1.5, "its own truth ± 1.5 K")
    return by_day(days, lines, COLOURS, "Mean temperature, every seed", "K", tolerance=tolerance)


def _sides(found: xr.Dataset, recipes: list[str]) -> dict[str, xr.Dataset]:
    """The truth, and the runs of every recipe under its words."""
    return {"truth": found.sel(run="truth")} | {RECIPES[recipe]: found.sel(run=seeds(found, recipe)) for recipe in recipes}


def _mean(data: xr.DataArray) -> xr.DataArray:
    return data.mean("run") if "run" in data.dims else data


def _first_alive(found: xr.Dataset, recipe: str) -> str:
    names = seeds(found, recipe)
    return names[int(np.argmax(found.kept.sel(run=names).notnull().values))]
