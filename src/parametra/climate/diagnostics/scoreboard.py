"""All offline scores of several models in one dataset, the layout that the page reads."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.blocks import time_slices
from parametra.climate.diagnostics.geometry import step_in_hours
from parametra.climate.diagnostics.skill import WINDOWS, SkillSums, level_mean, mean_over, window_steps

TARGETS = ("tendency_of_air_temperature", "tendency_of_specific_humidity")
SCALARS = (
    "precipitation_flux",
    "toa_net_downward_shortwave_flux",
    "surface_net_downward_shortwave_flux",
    "toa_outgoing_longwave_flux",
    "surface_net_upward_longwave_flux",
)
READ = (*TARGETS, *SCALARS, "rainfall_flux", "snowfall_flux")


def with_precipitation(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with precipitation_flux = rainfall_flux + snowfall_flux [kg m-2 s-1], unless it is there already."""
    if "precipitation_flux" in dataset or "rainfall_flux" not in dataset:
        return dataset
    return dataset.assign(precipitation_flux=dataset.rainfall_flux + dataset.get("snowfall_flux", 0.0))


def scoreboard(
    truth: xr.Dataset,
    models: Mapping[str, xr.Dataset],
    *,
    windows: Sequence[float] = WINDOWS,
    step_hours: float | None = None,
    area_weighted: bool = False,
) -> xr.Dataset:
    """Scores of every model against `truth` on the same steps and columns.

    Args:
        truth: heating [K s-1], moistening [s-1], precipitation [kg m-2 s-1] and four fluxes [W m-2], dims (time, latitude,
            longitude[, level]).
        models: name -> the same variables, predicted.
        windows: hours of the time means that are scored; those that do not fit the record are NaN.
        step_hours: hours per step; read from the time coordinate when None.
        area_weighted: rows weighted by area in the pooled convention.

    Returns:
        r2_pooled, r2_per_cell, masked, masked_cells (model, target, level); r2_scalar, r2_scalar_per_cell (model, scalar);
        r2_window (model, window, target), the mean from 180 hPa to the surface, r2_window_scalar (model, window, scalar), pooled.
    """
    sums = ScoreSums(windows, step_in_hours(truth.time) if step_hours is None else step_hours)
    needed = truth[[name for name in READ if name in truth]]
    for part in time_slices(needed, sums.steps):
        sums.add(needed.isel(time=part).load(), {name: model.isel(time=part) for name, model in models.items()})
    return sums.board(area_weighted)


class ScoreSums:
    """What a scoreboard needs of a record that is read in blocks of time.

    Attributes:
        steps: a block must hold a multiple of so many, the last one excepted, so that no window lies across two.
    """

    def __init__(self, windows: Sequence[float], step_hours: float):
        self.windows, self.step_hours = list(windows), step_hours
        self.counts = [window_steps(hours, step_hours) for hours in windows]
        self.steps = math.lcm(*(count for count in self.counts if count))
        self.models: dict[str, dict[tuple[str, int], SkillSums]] = {}
        self.scalars: list[str] = []

    def add(self, truth: xr.Dataset, models: Mapping[str, xr.Dataset]) -> None:
        """Take in a block of the truth and what each model says of it, as `scoreboard` has them."""
        truth = with_precipitation(truth)
        self.scalars = [name for name in SCALARS if name in truth]
        counts = sorted({1, *(count for count in self.counts if 0 < count <= truth.sizes["time"])})
        for name, count in itertools.product((*TARGETS, *self.scalars), counts):
            mean = mean_over(truth[name], count)
            for model, word in models.items():
                sums = self.models.setdefault(model, {}).setdefault((name, count), SkillSums())
                sums.add(mean, mean_over(with_precipitation(word)[name], count))

    def board(self, area_weighted: bool = False) -> xr.Dataset:
        """As `scoreboard` returns it."""
        boards = []
        for sums in self.models.values():
            pooled = [sums[name, 1].pooled_r2(area_weighted=area_weighted) for name in TARGETS]
            cells = [sums[name, 1].per_cell_r2() for name in TARGETS]
            scalar = [sums[name, 1].pooled_r2(area_weighted=area_weighted).r2 for name in self.scalars]
            board = xr.Dataset(
                {
                    "r2_pooled": _stack([score.r2 for score in pooled], "target"),
                    "r2_per_cell": _stack([score.r2 for score in cells], "target"),
                    "masked": _stack([score.masked for score in pooled], "target"),
                    "masked_cells": _stack([score.masked for score in cells], "target"),
                    "r2_scalar": _stack(scalar, "scalar"),
                    "r2_scalar_per_cell": _stack([sums[name, 1].per_cell_r2().r2 for name in self.scalars], "scalar"),
                    "r2_window": self._windows(sums, TARGETS, "target", area_weighted),
                    "r2_window_scalar": self._windows(sums, self.scalars, "scalar", area_weighted),
                }
            )
            boards.append(board)
        board = xr.concat(boards, "model", coords="minimal", compat="override", join="override")
        return board.assign_coords(
            model=list(self.models), target=list(TARGETS), scalar=self.scalars, window=np.asarray(self.windows, np.float64)
        )

    def _windows(
        self, sums: Mapping[tuple[str, int], SkillSums], names: Sequence[str], dim: str, area_weighted: bool
    ) -> xr.DataArray:  # fmt: skip
        """NaN for a window that fits no step or no record: a record of an hour has no daily means."""
        table = np.full((len(self.windows), len(names)), np.nan)
        for (i, count), (j, name) in itertools.product(enumerate(self.counts), enumerate(names)):
            if (name, count) in sums:
                table[i, j] = level_mean(sums[name, count].pooled_r2(area_weighted=area_weighted).r2)
        return xr.DataArray(table, dims=("window", dim))


def _stack(values: Sequence[xr.DataArray], dim: str) -> xr.DataArray:
    return xr.concat(list(values), dim, coords="minimal", compat="override", join="override")
