"""Stage recipes: networks of one size and training that differ in what they have seen of two worlds.

| recipe | seen | inputs and outputs |
| --- | --- | --- |
| plain | the reference | as they are |
| invariant | the reference | climate-invariant inputs; outputs as `recipes.emulator.outputs` says |
| both | half of the steps of the reference and of the other world, at most as many columns as the others | as they are |
| alone | the other world | as they are |

plain and invariant know nothing of the other world and serve all of them. alone is the yardstick: what such a network makes of
that climate when it has seen it.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.geometry import time_in_days
from parametra.climate.emulator import ColumnDataset, column_dataset
from parametra.studies.base import Run
from parametra.studies.climate.config import ClimateConfig, Recipe, WorldConfig
from parametra.studies.climate.elsewhere import Elsewhere
from parametra.studies.climate.training import Shown, home_data, in_turn, train_network

GAP = 1.0  # d, more than any step
HOME: tuple[Recipe, ...] = ("plain", "invariant")


def networks_of(config: ClimateConfig, world: WorldConfig, recipe: Recipe) -> list[str]:
    """The networks of a recipe in a world, by seed."""
    where = "" if recipe in HOME else f"-{world.name}"
    return [f"recipe-{recipe}{where}-{seed}" for seed in range(config.recipes.seeds)]


def train_recipes(run: Run) -> dict[str, Any]:
    """Train what is not trained yet; networks that serve several worlds are trained once."""
    config: ClimateConfig = run.config
    pairs: list[tuple[WorldConfig, Recipe]] = [(world, recipe) for world in config.worlds for recipe in world.recipes]
    total = len({name for world, recipe in pairs for name in networks_of(config, world, recipe)})
    trained: list[str] = []
    show = Shown(run, "recipes", total)
    for world, recipe, data, selection in _lessons(run):
        seen = {"inputs": "invariant"} if recipe == "invariant" else {"inputs": "plain", "outputs": "plain"}
        emulator = config.recipes.emulator.model_copy(update=seen)
        names = networks_of(config, world, recipe)
        in_turn(
            {
                name: partial(train_network, run, name, data, emulator, seed, selection, show.of(name))
                for seed, name in enumerate(names)
            },
            data,
        )
        trained += names
    return {"networks": trained}


def _lessons(run: Run) -> Iterator[tuple[WorldConfig, Recipe, ColumnDataset, ColumnDataset]]:
    """(world, recipe, what it learns from, the reference's selection stretch); what all worlds share comes once."""
    worlds = run.config.worlds
    if not worlds:
        return
    home, selection = home_data(run)
    for recipe in HOME:
        world = next((world for world in worlds if recipe in world.recipes), None)
        if world is not None:
            yield world, recipe, home, selection
    for world in worlds:
        there = column_dataset(Elsewhere.of(run, world).training())
        for recipe in (recipe for recipe in world.recipes if recipe not in HOME):
            lesson = joined(home, there, run.config.recipes.emulator.rollout.steps + 1) if recipe == "both" else there
            yield world, recipe, lesson, selection


def joined(home: ColumnDataset, there: ColumnDataset, moments: int = 1) -> ColumnDataset:
    """Half of two stretches, one after the other: of each the first `moments` steps, without the next as many, and so on.

    Rollouts need unbroken stretches, as long as one of them; single steps say more the further they are apart. The times are
    no calendar: those of the second stretch go on a day after the first one ends, so that nothing takes the seam for a step.
    """
    first, second = _half(home, moments), _half(there, moments)
    days, later = (time_in_days(part.coordinates.time) for part in (first, second))
    times = days, later - later[0] + days[-1] + GAP
    coordinates = [part.coordinates.assign_coords(time=time) for part, time in zip((first, second), times, strict=True)]
    return ColumnDataset(
        np.concatenate([first.inputs, second.inputs]),
        np.concatenate([first.targets, second.targets]),
        xr.concat(coordinates, "time", join="override"),
    )


def _half(data: ColumnDataset, moments: int) -> ColumnDataset:
    steps, each = data.shape[0], data.shape[1] * data.shape[2]
    kept = np.flatnonzero(np.arange(steps) // moments % 2 == 0)
    kept = kept[: max(steps // 2 // moments, 1) * moments]  # whole stretches, no more than a half

    def thin(array: np.ndarray) -> np.ndarray:
        return array.reshape(steps, each, -1)[kept].reshape(-1, array.shape[1])

    return ColumnDataset(thin(data.inputs), thin(data.targets), data.coordinates.isel(time=kept))
