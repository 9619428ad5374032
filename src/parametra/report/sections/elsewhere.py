"""Other seas: what networks make of a climate that they have not seen, one block of figures for each world."""

from typing import Any

import numpy as np
import xarray as xr

from parametra.report.figures.chart import chart
from parametra.report.figures.lines import by_day, by_latitude, by_level
from parametra.report.figures.meridional import Scale, meridional_section
from parametra.report.figures.palette import BLACK, BLUE, GREEN, GREY, VERMILION, Palette
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section
from parametra.report.sections import zonal
from parametra.report.sections.recipes import MAPS, RECIPES, TARGETS, seeds, table, verdict

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
    parts = [part for world in worlds for part in _world(run, world)]
    return Section("elsewhere", TITLE, LEAD, tuple(parts))


def _world(run: RunReader, world: dict[str, Any]) -> list[Part]:
    name, recipes = str(world["name"]), [str(recipe) for recipe in world["recipes"]]
    skill, found = (run.fields(f"{kind}-{name}") for kind in ("transfer", "response"))
    parts: list[Part] = []
    if skill is not None:
        parts.append(_skill(skill, name, recipes))
    if found is not None:
        parts.append(_changes(found, recipes, name))
        parts += [_maps(found, recipes, name)] if world.get("wave") else []
    if skill is not None or found is not None:
        parts += [table(skill, found, name, recipes), *verdict(skill, found, world)]
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


def _changes(found: xr.Dataset, recipes: list[str], name: str) -> Panels:
    """Change of zonal-mean temperature and precipitation from the reference truth, and how the runs went."""
    sides = {"truth": found.sel(run="truth")} | {RECIPES[recipe]: found.sel(run=seeds(found, recipe)) for recipe in recipes}
    fields = {side: _mean(data.change_of_air_temperature) for side, data in sides.items()}
    scale = Scale.around_zero("RdBu_r", *(field.values for field in fields.values()))
    figures = [
        Figure(
            meridional_section(
                found.latitude.values, found.level.values, field.transpose("latitude", "level").values, scale,
                f"Temperature change, {side}", "K",
            )
        )
        for side, field in fields.items()
    ]  # fmt: skip
    halves = [
        found.change_of_precipitation_flux.sel(run=half).values * zonal.DAY for half in ("truth_first_half", "truth_second_half")
    ]
    lines = {side: _mean(data.change_of_precipitation_flux).values * zonal.DAY for side, data in sides.items()}
    lines = {side: values for side, values in lines.items() if np.isfinite(values).any()}
    band = (np.minimum(*halves), np.maximum(*halves), "halves of the truth")
    figures.append(Figure(by_latitude(found.latitude.values, lines, COLOURS, "Precipitation change", "mm/day", band=band)))
    figures.append(Figure(_drift(found, recipes)))
    return Panels(
        tuple(figures), columns=2, title=f"{name}: change from the reference truth, coupled, mean over seeds that ran to the end"
    )


def _drift(found: xr.Dataset, recipes: list[str]) -> str:
    """Mean temperature of every seed by day: those of one recipe in one colour, a gap between them."""
    day, series = found.day.values.astype(np.float64), found.drift_temperature.transpose("run", "day")
    target = float(series.sel(run="truth").mean())
    lines = {}
    for recipe in recipes:
        rows = np.pad(series.sel(run=seeds(found, recipe)).values, ((0, 0), (0, 1)), constant_values=np.nan)
        lines[RECIPES[recipe]] = rows.ravel()
    tolerance = (target - 1.5, target + 1.5, "that world's truth ± 1.5 K")
    days = np.tile(np.append(day, day[-1]), len(seeds(found, recipes[0])))
    return by_day(days, lines, COLOURS, "Mean temperature, every seed", "K", tolerance=tolerance)


def _maps(found: xr.Dataset, recipes: list[str], name: str) -> Panels:
    """Mean maps of the truth and of the first seed of every recipe that ran to the end."""
    runs = {"truth": "truth"} | {RECIPES[recipe]: _first_alive(found, recipe) for recipe in recipes}
    figures = []
    for variable, (title, unit, factor, cmap) in MAPS.items():
        maps = {
            label: found[f"map_{variable}"].sel(run=run).transpose("latitude", "longitude").values * factor
            for label, run in runs.items()
        }
        scale = Scale.around_zero(cmap, *maps.values()) if cmap == "RdBu_r" else Scale.spanning(cmap, np.zeros(1), *maps.values())
        figures += [
            Figure(chart(found.latitude.values, found.longitude.values, field, scale, f"{title}, {label}", unit))
            for label, field in maps.items()
        ]
    return Panels(
        tuple(figures), columns=2, title=f"{name}: mean maps, coupled (R8); of each recipe the first seed that ran to the end"
    )


def _mean(data: xr.DataArray) -> xr.DataArray:
    return data.mean("run") if "run" in data.dims else data


def _first_alive(found: xr.Dataset, recipe: str) -> str:
    names = seeds(found, recipe)
    alive = found.kept.sel(run=names).notnull().values
    return names[int(np.argmax(alive))]
