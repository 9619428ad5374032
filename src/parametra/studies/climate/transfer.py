"""Stage transfer: offline skill of every recipe on the reference and on the other world.

The failure that Rasp et al. (2018) report of a network over a warmer sea, and how much of it a recipe undoes: a network that
has seen the other world alone is what can be asked for.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.blocks import time_blocks
from parametra.climate.diagnostics.geometry import area_mean
from parametra.climate.diagnostics.scoreboard import TARGETS, with_precipitation
from parametra.climate.diagnostics.skill import SkillSums, level_mean
from parametra.climate.emulator import column_dataset, load_emulator, predict
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate.config import ClimateConfig, WorldConfig
from parametra.studies.climate.elsewhere import Elsewhere
from parametra.studies.climate.offline import READ
from parametra.studies.climate.recipes import networks_of
from parametra.studies.climate.truth import TRUTH, truth_fields

WORDS = dict(zip(TARGETS, ("heating", "moistening"), strict=True))
RAIN = "precipitation_flux"
SHARE_OF_YARDSTICK = 0.9


def score_transfer(run: Run) -> dict[str, Any]:
    """R2 by level of every network on both scoring stretches."""
    config: ClimateConfig = run.config
    rows: list[Metric] = []
    for index, world in enumerate(config.worlds):
        there = Elsewhere.of(run, world)
        stretches = {"reference": truth_fields(run, config.truth.scoring_start, config.truth.days), world.name: there.scoring()}
        tables = []
        for place, (name, fields) in enumerate(stretches.items()):
            run.progress.update("transfer", (2 * index + place) / (2 * len(config.worlds)), world=world.name, stretch=name)
            tables.append(_skill(run, world, fields))
        board = xr.concat(tables, "stretch", join="override").assign_coords(stretch=list(stretches))
        write_fields(run.folder.fields(f"transfer-{world.name}"), board)
        rows += _rows(board, world)
    return {"metrics": rows}


def _skill(run: Run, world: WorldConfig, fields: xr.Dataset) -> xr.Dataset:
    """Scores of all networks on one stretch, which is read and predicted in blocks.

    Returns:
        r2 (recipe, seed, target, level), r2_mean without level, the mean by mass from 180 hPa down; of precipitation rain_r2 and
        rain_ratio, its mean over the truth's (recipe, seed).
    """
    names = [name for recipe in world.recipes for name in networks_of(run.config, world, recipe)]
    emulators = {name: load_emulator(run.folder.network(name))[0] for name in names}
    sums = {name: {variable: SkillSums() for variable in (*TARGETS, RAIN)} for name in names}
    wet = dict.fromkeys((TRUTH, *names), 0.0)
    needed = fields[[name for name in READ if name in fields]]
    for block in map(with_precipitation, time_blocks(needed)):
        data = column_dataset(block)
        wet[TRUTH] += float(area_mean(block[RAIN].sum("time")))
        for name, emulator in emulators.items():
            word = predict(emulator, data)
            wet[name] += float(area_mean(word[RAIN].sum("time")))
            for variable, one in sums[name].items():
                one.add(block[variable], word[variable])
    skill = {name: {variable: one.pooled_r2().r2 for variable, one in each.items()} for name, each in sums.items()}
    shape = (len(world.recipes), run.config.recipes.seeds)

    def table(values: Callable[[str], Any]) -> np.ndarray:
        found = np.asarray([values(name) for name in names])
        return found.reshape(*shape, *found.shape[1:])

    seeds = ("recipe", "seed")
    return xr.Dataset(
        {
            "r2": ((*seeds, "target", "level"), table(lambda name: [skill[name][target].values for target in TARGETS])),
            "r2_mean": ((*seeds, "target"), table(lambda name: [level_mean(skill[name][target]) for target in TARGETS])),
            "rain_r2": (seeds, table(lambda name: float(skill[name][RAIN]))),
            "rain_ratio": (seeds, table(lambda name: wet[name] / wet[TRUTH])),
        },
        {"recipe": list(world.recipes), "target": list(TARGETS), "level": fields.level.values},
    )


def _rows(board: xr.Dataset, world: WorldConfig) -> list[Metric]:
    seen = f"mean over {board.sizes['seed']} seeds, pooled, 180 hPa to surface; yardstick: what has seen {world.name} alone"
    rows = []
    for target, word in WORDS.items():
        skill = {
            (recipe, stretch): float(board.r2_mean.sel(recipe=recipe, stretch=stretch, target=target).mean("seed"))
            for recipe in world.recipes
            for stretch in ("reference", world.name)
        }
        yardstick = skill["alone", world.name]
        for recipe in world.recipes:
            name = f"over {world.name}, {recipe}, offline: R2 of {word}"
            home, there = skill[recipe, "reference"], skill[recipe, world.name]
            rows.append(Metric(f"{name} on the reference", home, "1", None, "higher", "skill", seen))
            rows.append(Metric(f"{name} on {world.name}", there, "1", None, "higher", "skill", seen))
            if recipe == "plain":
                rows.append(Metric(f"{name}, lost on {world.name}", home - there, "1", kind="skill", source=seen))
            if recipe != "alone":
                share = there / yardstick if yardstick > 0 else float("nan")
                goal = SHARE_OF_YARDSTICK if recipe == "invariant" else None
                rows.append(Metric(f"{name} on {world.name}, over the yardstick's", share, "1", goal, "higher", "skill", seen))
    for recipe in world.recipes:
        name = f"over {world.name}, {recipe}, offline: mean precipitation over the truth's"
        ratio = float(board.rain_ratio.sel(recipe=recipe, stretch=world.name).mean())
        rows.append(Metric(name, ratio, "1", None, "inside", "skill", f"mean over {board.sizes['seed']} seeds"))
    return rows
