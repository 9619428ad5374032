"""Stage abroad: every recipe drives the host over the other world's sea, from the last state of that world's truth.

Those that have seen the reference alone run over its own sea too (`home`). A crash is a result: its day is kept, nothing stops.
"""

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.emulator import load_emulator
from parametra.climate.schemes.emulated import EmulatedScheme
from parametra.core.constants import GRAVITY, HEAT_CAPACITY
from parametra.core.errors import PhysicalStopError
from parametra.coupling.records import Recorder
from parametra.store.fields import open_fields, write_fields
from parametra.studies.base import Run
from parametra.studies.climate import parts
from parametra.studies.climate.config import ClimateConfig, WorldConfig
from parametra.studies.climate.drive import Drive
from parametra.studies.climate.elsewhere import Elsewhere
from parametra.studies.climate.home import AtHome
from parametra.studies.climate.recipes import networks_of
from parametra.studies.climate.response import HEATING, Trial, response, response_rows

PREFIX = "abroad"


def run_abroad(run: Run) -> dict[str, Any]:
    """Drive the host over every sea with every network, then lay the responses beside the truth's."""
    config: ClimateConfig = run.config
    simulated: dict[str, float] = {}
    home = AtHome.of(run)
    networks = home.count + sum(len(world.recipes) for world in config.worlds) * config.recipes.seeds
    total = networks * config.coupled.candidate_days
    stops = home.drive(simulated, total)
    rows = home.judge(stops)
    crashes = {f"{name} at home": str(stop) for name, stop in stops.items() if stop is not None}
    for world in config.worlds:
        there = Elsewhere.of(run, world)
        stops = _drive(run, there, simulated, total)
        trials = [
            Trial(recipe, seed, _fields(run, world, name), stops[name])
            for recipe in world.recipes
            for seed, name in enumerate(networks_of(config, world, recipe))
        ]
        found = response(run, there, trials)
        write_fields(run.folder.fields(f"response-{world.name}"), found)
        rows += [*response_rows(found, world, config.coupled), *home.own_changes(found, world)]
        crashes |= {f"{name} over {world.name}": str(stop) for name, stop in stops.items() if stop is not None}
    return {"crashes": crashes, "metrics": rows}


def _drive(run: Run, there: Elsewhere, simulated: dict[str, float], total: float) -> dict[str, PhysicalStopError | None]:
    """All networks of a world for the length of a trial; why each stopped."""
    config, host, world = run.config, parts.host_of(there.run.config), there.world
    labels = {_label(world, name): name for recipe in world.recipes for name in networks_of(config, world, recipe)}
    drive = Drive(
        run, "abroad", PREFIX, host, there.last_state(),
        lambda label: EmulatedScheme(load_emulator(run.folder.network(labels[label]))[0]),
        heating_recorder(*host.grid.shape, tuple(config.host.sigma_half)), total, simulated,
    )  # fmt: skip
    stops = drive.run_all({label: config.coupled.candidate_days for label in labels})
    return {labels[label]: stop for label, stop in stops.items()}


def _label(world: WorldConfig, network: str) -> str:
    return f"{world.name}-{network}"


def _fields(run: Run, world: WorldConfig, network: str) -> xr.Dataset | None:
    """What a trial left behind; None if it stopped before its first day was over."""
    path = run.folder.fields(f"{PREFIX}-{_label(world, network)}")
    return open_fields(path) if path.exists() else None


@cache
def heating_recorder(latitudes: int, longitudes: int, sigma_half: tuple[float, ...]) -> Recorder:
    """`parts.zonal_recorder` with a map of the columns' heating [W m-2] beside that of precipitation."""
    zonal = parts.zonal_recorder(latitudes, longitudes, sigma_half)
    weight = jnp.asarray(np.diff(np.asarray(sigma_half)) * HEAT_CAPACITY / GRAVITY, jnp.float32)

    def record(
        state: ColumnState, forcing: ColumnForcing, tendency: ColumnTendency, fluxes: ColumnFluxes, carry: object
    ) -> dict[str, Array]:
        heating = jnp.sum(tendency.temperature * weight, axis=1) * state.surface_pressure
        return {**zonal(state, forcing, tendency, fluxes, carry), HEATING: heating.reshape(latitudes, longitudes)}

    return record
