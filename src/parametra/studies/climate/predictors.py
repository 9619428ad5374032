"""What is known of a network before it drives a host, and in the first days that it does: the columns of the lottery's table.

The sign is fixed beforehand: +1 where a larger number should mean a network that is lost sooner.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from parametra.climate.diagnostics.drift import late_climate
from parametra.climate.diagnostics.skill import fraction_of_ceiling, level_mean
from parametra.climate.emulator import ColumnDataset, Emulator, Inputs, column_dataset
from parametra.climate.emulator.linear_response import column_jacobians, energy_growth
from parametra.climate.emulator.replay import replay
from parametra.climate.emulator.wave_growth import wave_growth
from parametra.core.constants import HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, SECONDS_PER_DAY
from parametra.core.errors import EndedError
from parametra.networks import MLP, Committee, ntk
from parametra.store.fields import open_fields
from parametra.studies.base import Run
from parametra.studies.climate.training import LINEAR
from parametra.studies.climate.truth import truth_fields
from parametra.wide.score import OffManifoldScore, fit_score

MOMENTS = 3  # at which the columns are linearised
DIRECTIONS, ALARMS = 12, 0.01  # of the likeness: principal directions, and the share of training columns that it calls unlike
TARGETS = {"heating": "tendency_of_air_temperature", "moistening": "tendency_of_specific_humidity"}


class Predictor(NamedTuple):
    """One column: what it is in words, its unit, and +1 where more of it is expected to mean loss."""

    words: str
    units: str
    sign: int


BEFORE = {
    "r2_heating": Predictor("R2 of heating in single steps, on the scoring stretch", "1", -1),
    "r2_moistening": Predictor("R2 of moistening in single steps", "1", -1),
    "r2_heating_day": Predictor("R2 of 24-h heating", "1", -1),
    "r2_moistening_day": Predictor("R2 of 24-h moistening", "1", -1),
    "over_ceiling": Predictor("heating: (R2 - linear) / (ceiling - linear)", "1", -1),
    "lipschitz": Predictor("log of the product of the layers' spectral norms", "1", 1),
    "largest_norm": Predictor("largest spectral norm of a layer", "1", 1),
    "energy_growth": Predictor("fastest growth of energy by the linearised column, mean over columns", "day-1", 1),
    "abscissa": Predictor("growth in the end by the linearised column, mean over columns", "day-1", 1),
    "wave_growth": Predictor("growth of a gravity wave coupled to it, largest over latitudes and waves", "day-1", 1),
    "replay_departure": Predictor("rms departure of single columns under recorded dynamics", "K", 1),
    "replay_outside": Predictor("share of their inputs outside the range of training", "1", 1),
    "replay_unlike": Predictor("share of their inputs off the training manifold", "1", 1),
}
EARLY = {
    "early_temperature": Predictor("first days: mean temperature, difference", "K", 1),
    "early_rms": Predictor("first days: rms of zonal-mean temperature", "K", 1),
    "early_water": Predictor("first days: precipitable water, relative difference", "1", 1),
    "early_rain": Predictor("first days: correlation of the rain profile", "1", -1),
    "early_downpour": Predictor("first days: largest daily rain in a column", "mm/day", 1),
}
PREDICTORS = BEFORE | EARLY


@dataclass(frozen=True)
class Columns:
    """What every network is asked about: columns of each latitude on the selection stretch.

    Attributes:
        data: every step of them.
        likeness: score of what is like the training stretch, its alarm calibrated to one in a hundred.
    """

    data: ColumnDataset
    likeness: OffManifoldScore

    def some(self) -> Inputs:
        """The columns at three moments, in the order moment, latitude, columns of a latitude."""
        times = self.data.shape[0]
        at = [times * third // MOMENTS for third in range(MOMENTS)]
        by_time = self.data.inputs.reshape(times, -1, self.data.inputs.shape[1])
        return Inputs.from_vector(jnp.asarray(np.concatenate(by_time[at])))


def asked_columns(run: Run) -> Columns:
    """Columns spread over every latitude, the replayed days, and what the training stretch is like."""
    config, truth = run.config, run.config.truth
    longitudes = np.linspace(0, config.host.longitudes, config.lottery.columns, endpoint=False).astype(int)
    first = truth.selection_start
    data = column_dataset(truth_fields(run, first, first + config.lottery.replay_days).isel(longitude=longitudes))
    training = truth_fields(run, truth.spin_up_days, first)[["air_temperature", "specific_humidity"]]
    return Columns(data, likeness_of(training.isel(longitude=longitudes, time=slice(None, None, 5)).load()))


def likeness_of(training: xr.Dataset) -> OffManifoldScore:
    """The score of profiles of temperature and humidity, fitted to every second time and calibrated on the others."""
    profiles = [_profiles(training.isel(time=slice(start, None, 2))) for start in (0, 1)]
    directions = min(DIRECTIONS, profiles[0].shape[1])
    model = ntk.dense_network(jax.random.key(0), directions, 1, (64,))
    return fit_score(model, profiles[0], directions=directions).calibrate(jnp.asarray(profiles[1]), ALARMS)


def _profiles(fields: xr.Dataset) -> np.ndarray:
    values = (fields[name].transpose(..., "level").values for name in ("air_temperature", "specific_humidity"))
    return _side_by_side(*values)


def _side_by_side(temperature: np.ndarray, humidity: np.ndarray) -> np.ndarray:
    """(profile, 2n): both in kelvin, humidity by the heat of its condensation."""
    levels = temperature.shape[-1]
    moist = humidity * (LATENT_HEAT_CONDENSATION / HEAT_CAPACITY)
    return np.concatenate([temperature.reshape(-1, levels), moist.reshape(-1, levels)], axis=1).astype(np.float32)


def known_before(emulator: Emulator, asked: Columns) -> dict[str, float]:
    """What network and columns say without a host; the skill of the scoring stretch is not among it."""
    norms = spectral_norms(emulator)
    inputs = asked.some()
    jacobians = np.asarray(column_jacobians(emulator, inputs), np.float64)
    at_once, in_the_end = energy_growth(jacobians, emulator.sigma_half)
    again = replay(emulator, asked.data)
    visited = _side_by_side(np.asarray(again.temperature), np.asarray(again.humidity))
    return {
        "lipschitz": float(np.log(norms).sum()),
        "largest_norm": float(norms.max()),
        "energy_growth": float(at_once.mean()),
        "abscissa": float(in_the_end.mean()),
        "wave_growth": max(_wave_growth(jacobians, inputs, asked.data.shape[1], emulator)),
        "replay_departure": float(again.departure[-1]),
        "replay_outside": float(again.outside.mean()),
        "replay_unlike": float(np.mean(np.asarray(asked.likeness.alarm(jnp.asarray(visited))))),
    }


def spectral_norms(emulator: Emulator) -> np.ndarray:
    """Largest singular value of every layer, (layer,); of a committee, of the member with the largest product."""
    network = emulator.network
    members = network.members if isinstance(network, Committee) else (network,)
    norms = []
    for member in members:
        layers = member.layers if isinstance(member, MLP) else (member,)
        norms.append(np.array([np.linalg.norm(np.asarray(layer.weight.unwrap(), np.float64), 2) for layer in layers]))
    return max(norms, key=lambda values: float(np.log(values).sum()))


def _wave_growth(jacobians: np.ndarray, inputs: Inputs, rows: int, emulator: Emulator) -> list[float]:
    """The largest growth of each latitude's mean response."""

    def by_row(values: np.ndarray | jax.Array) -> np.ndarray:
        values = np.asarray(values, np.float64)
        each = values.shape[0] // MOMENTS // rows
        return values.reshape(MOMENTS, rows, each, *values.shape[1:]).mean(axis=(0, 2))

    means = (by_row(values) for values in (jacobians, inputs.temperature, inputs.specific_humidity, inputs.surface_pressure))
    return [
        float(wave_growth(response, warm, moist, float(pressure), emulator.sigma_half, emulator.time_step).max())
        for response, warm, moist, pressure in zip(*means, strict=True)
    ]


def known_offline(run: Run, names: list[str]) -> dict[str, dict[str, float]]:
    """Skill of every network on the scoring stretch, from the board of stage offline."""
    board = open_fields(run.folder.fields("skill")).load()
    found = {}
    for name in names:
        row = {}
        for word, target in TARGETS.items():
            here = board.sel(model=name, target=target)
            row[f"r2_{word}"] = level_mean(here.r2_pooled)
            row[f"r2_{word}_day"] = level_mean(here.r2_window.sel(window=24.0))
        linear = level_mean(board.r2_pooled.sel(model=LINEAR, target=TARGETS["heating"]))
        limit = level_mean(board.ceiling.sel(target=TARGETS["heating"]))
        row["over_ceiling"] = fraction_of_ceiling(row["r2_heating"], linear, limit)
        found[name] = row
    return found


def known_early(fields: xr.Dataset | None, reference: xr.Dataset, days: int) -> dict[str, float]:
    """What the first `days` of a run say against the truth's climate; a run that stopped before is as bad as can be."""
    try:
        early = None if fields is None else late_climate(fields, reference, 0.0, float(days))
    except EndedError:
        early = None
    if fields is None or early is None:
        return {name: -np.inf if known.sign < 0 else np.inf for name, known in EARLY.items()}
    first = fields.precipitation_flux.isel(time=slice(0, days))
    return {
        "early_temperature": abs(early["mean_temperature"]),
        "early_rms": early["zonal_temperature_rms"],
        "early_water": abs(early["precipitable_water"]),
        "early_rain": early["rain_profile_r"],
        "early_downpour": float(first.max()) * SECONDS_PER_DAY,
    }
