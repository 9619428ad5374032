"""Kinds of networks side by side: in what each differs from the first, how well its seeds fit, and what becomes of them."""

from typing import Any

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.scoreboard import TARGETS
from parametra.climate.diagnostics.skill import level_mean
from parametra.store.fields import open_fields
from parametra.studies.base import Run
from parametra.studies.climate.config import ClimateConfig, NetworkConfig
from parametra.studies.climate.coupled import keeps_climate, late_difference

WORDS = tuple(zip(("heating", "moistening"), TARGETS, strict=True))
MEASURES = ("mean_temperature", "zonal_temperature_rms", "precipitable_water", "rain_profile_r")
NOT_A_DIFFERENCE = ("name", "seeds", "required", "long", "choose")
COMMITTEE = ("committee_of", "members", "diffusion")  # all that a committee has of its own


def kinds_table(run: Run, record: xr.Dataset) -> xr.Dataset:
    """One line per network: its kind, its skill offline, its late climate against `record`, and whether it keeps the climate.

    Returns:
        by network: kind, differs, r2_heating, r2_moistening (single steps, pooled, 180 hPa to surface), kept (0 or 1), and the
        measures of the last part of its trial, NaN where it stopped.
    """
    config: ClimateConfig = run.config
    board = open_fields(run.folder.fields("skill")).load()
    window = (config.coupled.keeps_from, config.coupled.candidate_days)
    rows: list[dict[str, Any]] = []
    names = []
    for network in config.networks:
        for seed in range(network.seeds):
            name = f"{network.name}-{seed}"
            names.append(name)
            found = late_difference(run, name, record, window) or {}
            rows.append(
                {
                    "kind": network.name,
                    "differs": differences(network, config.networks[0]),
                    **{f"r2_{word}": level_mean(board.r2_pooled.sel(model=name, target=target)) for word, target in WORDS},
                    "kept": float(bool(found) and keeps_climate(found)),
                    **{measure: found.get(measure, np.nan) for measure in MEASURES},
                }
            )
    return xr.Dataset({key: ("network", [row[key] for row in rows]) for key in rows[0]}, {"network": names})


def differences(network: NetworkConfig, first: NetworkConfig) -> str:
    """What was set otherwise than for the first kind, as in a configuration."""
    mine, theirs = _flat(network.model_dump()), _flat(first.model_dump())
    own = COMMITTEE if network.committee_of else [key for key in mine if key not in (*NOT_A_DIFFERENCE, "members")]
    changed = {key: mine[key] for key in own if mine[key] != theirs[key] or key == "members"}
    return ", ".join(_words_of(key.removeprefix("emulator."), value) for key, value in changed.items())


def _words_of(key: str, value: object) -> str:
    return f"{key} {value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else f"{key} {value}"


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
