"""Stage stochastic: noise around the chosen network, trained on what it errs by, scored offline, then in the host.

A least-squares network predicts means, so it is too quiet; the head learns on the selection stretch, where the residuals are
those of columns that the network has not been trained on. The coupled run goes on from the truth's last state, as the network's
own, and the diagnostics draw it beside that one.
"""

from typing import Any

import equinox as eqx
import jax
import numpy as np
import xarray as xr

from parametra.climate.diagnostics.skill import level_mean
from parametra.climate.emulator import (
    ColumnDataset,
    column_dataset,
    draw,
    ensemble_scores,
    load_emulator,
    load_stochastic,
    save_stochastic,
    train_stochastic,
)
from parametra.climate.emulator.stochastic import StochasticEmulator
from parametra.climate.emulator.vectors import OUTPUTS, slices
from parametra.climate.schemes.emulated import StochasticScheme
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.climate import parts
from parametra.studies.climate.drive import Drive
from parametra.studies.climate.truth import last_state, truth_fields

STOCHASTIC = "stochastic"
MOST_COLUMNS = 100_000  # that draws are scored on
TENDENCIES = {"heating": "tendency_of_air_temperature", "moistening": "tendency_of_specific_humidity"}


def run_stochastic(run: Run) -> dict[str, Any]:
    """Train, score and run the head of the chosen network; nothing where it is off."""
    if not run.config.stochastic.on:
        return {"metrics": []}
    head = _head(run)
    table = _scores(run, head)
    write_fields(run.folder.fields(STOCHASTIC), table)
    days, stop = run.config.coupled.days, _drive(run, head)
    ran = Metric("stochastic: days run", days if stop is None else stop.day, "d", days, "higher", "skill")
    return {
        "metrics": [*_rows(table, run.result("coupled")["chosen"]), ran],
        "stops": {} if stop is None else {STOCHASTIC: str(stop)},
    }


def _head(run: Run) -> StochasticEmulator:
    """Trained on the selection stretch, unless its file is there."""
    chosen, path = run.result("coupled")["chosen"], run.folder.network(STOCHASTIC)
    if not path.exists():
        run.progress.update(STOCHASTIC, 0.0, network=chosen)
        emulator = load_emulator(run.folder.network(chosen))[0]
        truth = run.config.truth
        unseen = column_dataset(truth_fields(run, truth.selection_start, truth.scoring_start))
        head, _ = train_stochastic(emulator, unseen, run.config.stochastic.head, run.config.seed)
        save_stochastic(path, head, {"study": "climate", "preset": run.folder.preset, "mean": chosen})
    return load_stochastic(path)[0]


def _scores(run: Run, head: StochasticEmulator) -> xr.Dataset:
    """Of draws and of the mean alone on the scoring stretch, by level: CRPS, spread over error, deviation over the truth's."""
    config = run.config
    truth = truth_fields(run, config.truth.scoring_start, config.truth.days)
    every = -(-truth.sizes["time"] * config.host.longitudes * config.host.latitudes // MOST_COLUMNS)
    data = column_dataset(truth.isel(time=slice(None, None, every)))
    run.progress.update(STOCHASTIC, 0.05)
    draws = draw(head, data, config.stochastic.members, config.seed)
    found = {"draws": ensemble_scores(draws, data.targets), "mean": ensemble_scores(_mean(head, data)[None], data.targets)}
    where = slices(OUTPUTS, data.levels)
    table = {}
    for side, scores in found.items():
        for word, name in TENDENCIES.items():
            kept = {"crps": scores.crps, "spread_skill": scores.spread_skill, "deviation": scores.variance_ratio}
            for key, values in kept.items():
                table[f"{side}_{key}_{word}"] = ("level", values[where[name]])
    sampled = f"every {every}. step of the scoring stretch, {len(data.inputs)} columns"
    return xr.Dataset(table, {"level": truth.level}).assign_attrs(sample=sampled, members=config.stochastic.members)


def _mean(head: StochasticEmulator, data: ColumnDataset) -> np.ndarray:
    """What the network says without its noise, as draws are given."""
    quiet = eqx.tree_at(lambda one: one.modes, head, np.zeros_like(head.modes))
    return draw(quiet, data, 1, 0)[0]


def _drive(run: Run, head: StochasticEmulator) -> Any:
    """The coupled run; why it stopped, None if it did not."""
    config, host = run.config, parts.host_of(run.config)
    scheme, state = StochasticScheme(head), last_state(run)[0]
    memory = head.start(host.grid.columns, jax.random.key(config.seed))
    drive = Drive(
        run, STOCHASTIC, "coupled", host, state, lambda _: scheme,
        parts.zonal_recorder(*host.grid.shape, tuple(config.host.sigma_half)), config.coupled.days, carry=memory,
    )  # fmt: skip
    return drive.run_all({STOCHASTIC: config.coupled.days})[STOCHASTIC]


def _rows(table: xr.Dataset, chosen: str) -> list[Metric]:
    source = f"{chosen}, {table.attrs['members']} draws; {table.attrs['sample']}; 180 hPa to surface, by mass"
    rows = []
    for word in TENDENCIES:
        speaks = table[f"mean_deviation_{word}"] > 0.0  # elsewhere the network says nothing by its limits
        ratio = level_mean((table[f"draws_crps_{word}"] / table[f"mean_crps_{word}"]).where(speaks))
        label = f"stochastic: CRPS of {word} over the mean's absolute error"
        rows.append(Metric(label, ratio, "1", None, "lower", "skill", source))
        spread = level_mean(table[f"draws_spread_skill_{word}"].where(speaks))
        rows.append(Metric(f"stochastic: spread over error of {word}", spread, "1", None, "inside", "skill", source))
        for side, name in (("draws", "stochastic"), ("mean", "network")):
            ratio = level_mean(table[f"{side}_deviation_{word}"].where(speaks))
            label = f"{name}, offline: standard deviation of {word} over the truth's"
            rows.append(Metric(label, ratio, "1", None, "higher", "skill", source))
    return rows
