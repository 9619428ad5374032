"""Stage offline: skill on the scoring stretch, beside linear regression, zonal climatology and the noise ceiling."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import numpy as np
import xarray as xr

from parametra.climate.diagnostics.blocks import mean_in_blocks, time_slices
from parametra.climate.diagnostics.scoreboard import READ as SCORED
from parametra.climate.diagnostics.scoreboard import SCALARS, TARGETS, ScoreSums, with_precipitation
from parametra.climate.diagnostics.skill import WINDOWS, fraction_of_ceiling, level_mean
from parametra.climate.emulator import column_dataset, column_residuals, load_emulator, predict
from parametra.climate.emulator.dataset import STORED
from parametra.climate.emulator.emulator import Emulator
from parametra.store.fields import open_fields, write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate import parts
from parametra.studies.climate.training import LINEAR, network_names
from parametra.studies.climate.truth import truth_fields

CLIMATOLOGY = "zonal climatology"
READ = tuple(dict.fromkeys((*STORED, *SCORED)))
LOW_CEILING = 0.2
STATED = "30-min"  # the step for which targets of single steps are stated


def score_offline(run: Run) -> dict[str, Any]:
    """Score every network; the figures are those of the chosen one."""
    truth, chosen = run.config.truth, run.result("coupled")["chosen"]
    fields = truth_fields(run, truth.scoring_start, truth.days)
    board, rain = _score(run, fields, chosen)
    board = _with_ceiling(board, open_fields(run.folder.fields("ceiling")).load())
    write_fields(run.folder.fields("skill"), board)
    emulator = load_emulator(run.folder.network(chosen))[0]
    step = f"{run.config.host.time_step / 60.0:g}-min"
    rows = [*_skill_rows(board, chosen, step), *_rain_rows(rain, step), *_conservation_rows(fields, emulator)]
    return {"metrics": rows}


def _score(run: Run, fields: xr.Dataset, chosen: str) -> tuple[xr.Dataset, dict[str, np.ndarray]]:
    """Scores of every network, and the precipitation of every step and column [kg m-2 s-1] of truth and the chosen one.

    Days are read and predicted one after the other; only precipitation is kept of them.
    """
    emulators = {name: load_emulator(run.folder.network(name))[0] for name in [LINEAR, *network_names(run.config)]}
    climatology = _climatology(run).astype(np.float32)
    sums = ScoreSums(WINDOWS, run.config.host.time_step / 3600.0)
    rain: dict[str, list[np.ndarray]] = {"truth": [], "the network": []}
    needed = fields[[name for name in READ if name in fields]]
    steps = fields.sizes["time"]
    for part in time_slices(needed, sums.steps):
        block = with_precipitation(needed.isel(time=part).load())
        data = column_dataset(block)
        sums.add(block, {CLIMATOLOGY: xr.Dataset({name: mean.broadcast_like(block[name]) for name, mean in climatology.items()})})
        for index, (name, emulator) in enumerate(emulators.items()):
            done = (part.start + (part.stop - part.start) * index / len(emulators)) / steps
            run.progress.update("offline", done, network=name)
            said = predict(emulator, data)
            sums.add(block, {name: said})  # one after the other: a lottery's together are gigabytes
            if name == chosen:
                rain["the network"].append(said.precipitation_flux.values.ravel())
        rain["truth"].append(block.precipitation_flux.values.ravel())
    return sums.board(), {name: np.concatenate(values) for name, values in rain.items()}


def _climatology(run: Run) -> xr.Dataset:
    """Zonal and time means of the training stretch."""
    truth = run.config.truth
    training = truth_fields(run, truth.spin_up_days, truth.selection_start)
    training = training[[name for name in SCORED if name in training]]
    return mean_in_blocks(training, ["time", "longitude"], lambda block: with_precipitation(block)[[*TARGETS, *SCALARS]])


def _with_ceiling(board: xr.Dataset, ceilings: xr.Dataset) -> xr.Dataset:
    new = {}
    for label in ("ceiling", "ceiling_low", "ceiling_high"):
        new[label] = xr.concat([ceilings[f"{label}_{name}"] for name in TARGETS], "target").assign_coords(target=list(TARGETS))
        new[f"{label}_precipitation"] = ceilings[f"{label}_precipitation_flux"]
    return board.assign(new)


def _skill_rows(board: xr.Dataset, chosen: str, step: str) -> list[Metric]:
    rows, stated = [], step == STATED
    for target, word in zip(TARGETS, ("heating", "moistening"), strict=True):
        network = level_mean(board.r2_pooled.sel(model=chosen, target=target))
        linear = level_mean(board.r2_pooled.sel(model=LINEAR, target=target))
        ceiling = board.ceiling.sel(target=target)
        limit = level_mean(ceiling)
        low = [f"{level:.3f}" for level in board.level.values[(ceiling < LOW_CEILING).values]]
        source = f"scoring stretch, pooled, 180 hPa to surface; ceiling < {LOW_CEILING} at sigma {', '.join(low) or 'none'}"
        rows += [
            Metric(f"{step} {word}: R2 of the network", network, "1", None, "higher", "skill", source),
            Metric(f"{step} {word}: R2 of linear regression", linear, "1", None, "higher", "skill", source),
            Metric(f"{step} {word}: noise ceiling", limit, "1", None, "higher", "skill", source),
            Metric(
                f"{step} {word}: (R2 - linear) / (ceiling - linear)", fraction_of_ceiling(network, linear, limit), "1",
                0.6 if stated else None, "higher", "skill", source,
            ),
        ]  # fmt: skip
        daily = level_mean(board.r2_window.sel(model=chosen, target=target, window=24.0))
        base = level_mean(board.r2_window.sel(model=CLIMATOLOGY, target=target, window=24.0))
        goal = 0.55 if word == "heating" else 0.70
        rows += [
            Metric(f"24-h means of {word}: R2", daily, "1", goal, "higher", "skill", "scoring stretch, pooled"),
            Metric(
                f"24-h means of {word}: R2 of zonal climatology", base, "1", None, "higher", "skill", "scoring stretch, pooled"
            ),
        ]
    for model, word, goal in (
        (chosen, "the network", 0.65 if stated else None),
        (LINEAR, "linear regression", None),
        (CLIMATOLOGY, CLIMATOLOGY, None),
    ):
        value = float(board.r2_scalar.sel(model=model, scalar="precipitation_flux"))
        rows.append(Metric(f"{step} precipitation: R2 of {word}", value, "1", goal, "higher", "skill", "scoring stretch, pooled"))
    for name, word in zip(
        SCALARS[1:], ("top short-wave", "surface short-wave", "top long-wave", "surface long-wave"), strict=True
    ):
        value = float(board.r2_scalar.sel(model=chosen, scalar=name))
        rows.append(Metric(f"{word}: R2 of the network", value, "1", None, "higher", "skill", "scoring stretch, pooled"))
    return rows


def _rain_rows(rain: dict[str, np.ndarray], step: str) -> list[Metric]:
    rows = []
    for share in (0.99, 0.999):
        for label, values in rain.items():
            value = float(np.quantile(values, share)) * 86400.0
            rows.append(Metric(f"{step} precipitation exceeded {100 * (1 - share):g} % of the time, {label}", value, "mm/day"))
    return rows


def _conservation_rows(fields: xr.Dataset, emulator: Emulator) -> list[Metric]:
    """Column residuals of the network from its own outputs, with its layer and without, over the first day."""
    rows = []
    day = fields.isel(time=slice(0, round(86400.0 / emulator.time_step))).load()
    state, forcing = parts.columns_of(day, emulator.time_step)
    for layer in (True, False):
        network = replace(emulator, conservation=layer)
        water, energy = column_residuals(state, forcing, *eqx.filter_jit(network)(state, forcing), emulator.sigma_half)
        word = "with its conservation layer" if layer else "without the layer"
        goal = 1e-3 if layer and emulator.conservation else None
        for name, residual in (("water", water), ("energy", energy)):
            rows += [
                Metric(
                    f"network, {word}: column {name} residual, largest", float(np.abs(residual).max()), "W m-2",
                    goal, "lower", "physics", "its own float32 outputs, float64 sums, one day",
                ),
                Metric(f"network, {word}: column {name} residual, rms", float(np.sqrt(np.mean(residual**2))), "W m-2"),
                Metric(f"network, {word}: {name} residual, mean", float(np.mean(residual)), "W m-2"),
            ]  # fmt: skip
    return rows
