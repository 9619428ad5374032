"""All offline scores of several models in one dataset, the layout that the page reads."""

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.skill import WINDOWS, level_mean, per_cell_r2, pooled_r2, window_mean
from parametra.core.errors import UsageError

TARGETS = ("tendency_of_air_temperature", "tendency_of_specific_humidity")
SCALARS = (
    "precipitation_flux",
    "toa_net_downward_shortwave_flux",
    "surface_net_downward_shortwave_flux",
    "toa_outgoing_longwave_flux",
    "surface_net_upward_longwave_flux",
)


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
    truth = with_precipitation(truth)
    scalars = [name for name in SCALARS if name in truth]
    boards = []
    for model in models.values():
        model = with_precipitation(model)
        pooled = [pooled_r2(truth[name], model[name], area_weighted=area_weighted) for name in TARGETS]
        cells = [per_cell_r2(truth[name], model[name]) for name in TARGETS]
        board = xr.Dataset(
            {
                "r2_pooled": _stack([score.r2 for score in pooled], "target"),
                "r2_per_cell": _stack([score.r2 for score in cells], "target"),
                "masked": _stack([score.masked for score in pooled], "target"),
                "masked_cells": _stack([score.masked for score in cells], "target"),
                "r2_scalar": _stack([pooled_r2(truth[n], model[n], area_weighted=area_weighted).r2 for n in scalars], "scalar"),
                "r2_scalar_per_cell": _stack([per_cell_r2(truth[n], model[n]).r2 for n in scalars], "scalar"),
                "r2_window": _windows(truth, model, TARGETS, "target", windows, step_hours, area_weighted),
                "r2_window_scalar": _windows(truth, model, scalars, "scalar", windows, step_hours, area_weighted),
            }
        )
        boards.append(board)
    board = xr.concat(boards, "model", coords="minimal", compat="override", join="override")
    return board.assign_coords(model=list(models), target=list(TARGETS), scalar=scalars, window=np.asarray(windows, np.float64))


def _stack(values: Sequence[xr.DataArray], dim: str) -> xr.DataArray:
    return xr.concat(list(values), dim, coords="minimal", compat="override", join="override")


def _windows(
    truth: xr.Dataset, model: xr.Dataset, names: Sequence[str], dim: str, windows: Sequence[float], step: float | None, area: bool
) -> xr.DataArray:  # fmt: skip
    table = np.full((len(windows), len(names)), np.nan)
    for (i, hours), (j, name) in itertools.product(enumerate(windows), enumerate(names)):
        with suppress(UsageError):  # a record of an hour has no daily means: that is a gap in the table, not a failure
            pair = window_mean(truth[name], hours, step), window_mean(model[name], hours, step)
            table[i, j] = level_mean(pooled_r2(*pair, area_weighted=area).r2)
    return xr.DataArray(table, dims=("window", dim))
