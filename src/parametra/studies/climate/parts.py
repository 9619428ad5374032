"""What the stages share: the host and the truth from a configuration, what a run records, and how it is stored."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.diagnostics.precipitation import RAIN_EDGES
from parametra.climate.diagnostics.summary import HISTOGRAM
from parametra.climate.grid import ColumnGrid
from parametra.climate.host.atmosphere import Atmosphere
from parametra.climate.radiation import CloudOptics
from parametra.climate.schemes.conventional import Conventional
from parametra.climate.schemes.multiscale import Multiscale
from parametra.core import machine
from parametra.core.constants import GRAVITY, SOLAR_CONSTANT
from parametra.core.files import atomic_path
from parametra.coupling import Closure, ColumnBlocks, Watch
from parametra.coupling.records import Recorder
from parametra.studies.climate.config import ClimateConfig
from parametra.studies.climate.moments import step_moments

WATCH = Watch({
    "temperature": (150.0, 350.0),
    "specific_humidity": (-1e-3, 0.1),
    "eastward_wind": (-250.0, 250.0),
    "northward_wind": (-250.0, 250.0),
    "surface_pressure": (5e4, 1.2e5),
})  # fmt: skip


def multiscale(config: ClimateConfig) -> Multiscale:
    """The truth's scheme."""
    crm = config.crm
    optics = CloudOptics(**config.optics.model_dump())
    return Multiscale.build(config.host.sigma_half, crm.columns, crm.spacing, crm.time_step, optics)


def conventional(config: ClimateConfig) -> Conventional:
    """The conventional scheme on the host's layers, with the truth's optics and the host's sea."""
    sea = config.host.surface
    optics = CloudOptics(**config.optics.model_dump())
    return Conventional(tuple(config.host.sigma_half), optics, drag=sea.drag, gustiness=sea.gustiness)


def in_blocks(config: ClimateConfig, scheme: Closure) -> Closure:
    """A scheme with blocks of columns on every core; as it is on a GPU, and where one block is asked for."""
    blocks = config.truth.blocks or (1 if jax.default_backend() != "cpu" else machine.cores())
    return scheme if blocks == 1 else ColumnBlocks(scheme, blocks)


def record_steps(
    state: ColumnState, forcing: ColumnForcing, tendency: ColumnTendency, fluxes: ColumnFluxes, carry: object
) -> dict[str, Array]:
    """Every variable of one step of truth, by its CF name, `(column, ...)`."""
    diagnostics: dict[str, Array] = getattr(carry, "diagnostics", {})
    named = {
        "cloud_water": "atmosphere_mass_content_of_cloud_condensed_water",
        "precipitating_water": "atmosphere_mass_content_of_precipitating_water",
        "ice": "atmosphere_mass_content_of_cloud_ice",
        "water_residual": "closure_water_residual",
        "energy_residual": "closure_energy_residual",
        "returned_heat": "dissipation_heating",
        "largest_courant": "largest_courant_number",
        "largest_updraught": "largest_updraught",
    }
    return {
        "air_temperature": state.temperature,
        "specific_humidity": state.specific_humidity,
        "eastward_wind": state.eastward_wind,
        "northward_wind": state.northward_wind,
        "surface_air_pressure": state.surface_pressure,
        "surface_temperature": forcing.surface_temperature,
        "toa_incoming_shortwave_flux": forcing.insolation,
        "surface_upward_sensible_heat_flux": forcing.sensible_heat_flux,
        "surface_upward_latent_heat_flux": forcing.latent_heat_flux,
        "tendency_of_air_temperature": tendency.temperature,
        "tendency_of_specific_humidity": tendency.specific_humidity,
        "toa_net_downward_shortwave_flux": fluxes.net_shortwave_top,
        "surface_net_downward_shortwave_flux": fluxes.net_shortwave_surface,
        "toa_outgoing_longwave_flux": fluxes.net_longwave_top,
        "surface_net_upward_longwave_flux": fluxes.net_longwave_surface,
        "rainfall_flux": fluxes.rain,
        "snowfall_flux": fluxes.snow,
        **{name: diagnostics[key] for key, name in named.items() if key in diagnostics},
    }


@cache
def zonal_recorder(latitudes: int, longitudes: int, sigma_half: tuple[float, ...]) -> Recorder:
    """A recorder of zonal means `(latitude, ...)`, the precipitation map and moments, for runs too long to keep every column.

    The same arguments give the same function, so that runs share one compiled program.
    """
    weight = jnp.asarray(np.diff(np.asarray(sigma_half)) / GRAVITY, jnp.float32)
    rows_area = np.polynomial.legendre.leggauss(latitudes)[1] / 2.0  # the grid is Gaussian
    area = jnp.asarray(np.repeat(rows_area / longitudes, longitudes), jnp.float32)

    def record(
        state: ColumnState, forcing: ColumnForcing, tendency: ColumnTendency, fluxes: ColumnFluxes, carry: object
    ) -> dict[str, Array]:
        steps = record_steps(state, forcing, tendency, fluxes, ())
        u, v = state.eastward_wind, state.northward_wind

        def zonal(x: Array) -> Array:
            return jnp.mean(x.reshape(latitudes, longitudes, *x.shape[1:]), axis=1)

        rows = {name: zonal(x) for name, x in steps.items()}
        rows["specific_kinetic_energy_of_eddies"] = 0.5 * (zonal(u * u) - zonal(u) ** 2 + zonal(v * v) - zonal(v) ** 2)
        water = jnp.sum(state.specific_humidity * weight, axis=1) * state.surface_pressure
        rows["atmosphere_mass_content_of_water_vapor"] = zonal(water)
        rows["precipitation_flux"] = fluxes.precipitation.reshape(latitudes, longitudes)
        return rows | step_moments(steps, fluxes.precipitation, zonal, weight, area)

    return record


def coordinates(grid: ColumnGrid, days: np.ndarray) -> dict[str, object]:
    """Coordinates of stored fields."""
    return {
        "time": days,
        "latitude": grid.latitudes,
        "longitude": grid.longitudes,
        "level": grid.sigma,
    }


def column_fields(grid: ColumnGrid, records: dict[str, np.ndarray], days: np.ndarray) -> xr.Dataset:
    """Records `(time, column[, level])` as a dataset on latitude and longitude."""
    variables = {}
    for name, values in records.items():
        shaped = values.reshape(values.shape[0], *grid.shape, *values.shape[2:])
        variables[name] = (("time", "latitude", "longitude", "level")[: shaped.ndim], shaped)
    return xr.Dataset(variables, coordinates(grid, days))


def zonal_fields(grid: ColumnGrid, records: dict[str, np.ndarray], day: float) -> xr.Dataset:
    """One mean of a zonal recorder, with a time axis of one entry."""
    variables = {}
    for name, values in records.items():
        dims = ("latitude", "longitude") if values.shape == grid.shape else ("latitude", "level")[: values.ndim]
        variables[name] = (("time", *(("rain",) if name == HISTOGRAM else dims)), values[None])
    rain = {"rain": RAIN_EDGES} if HISTOGRAM in records else {}
    return xr.Dataset(variables, coordinates(grid, np.array([day])) | rain)


def columns_of(fields: xr.Dataset, time_step: float) -> tuple[ColumnState, ColumnForcing]:
    """State and forcing of recorded columns, all steps and places along one axis."""
    stacked = fields.stack(column=[name for name in ("time", "latitude", "longitude") if name in fields.dims])

    def array(name: str) -> Array:
        return jnp.asarray(stacked[name].transpose("column", ...).values, jnp.float32)

    sun = array("toa_incoming_shortwave_flux")
    state = ColumnState(
        array("air_temperature"), array("specific_humidity"), array("eastward_wind"), array("northward_wind"),
        array("surface_air_pressure"),
    )  # fmt: skip
    forcing = ColumnForcing(
        surface_temperature=array("surface_temperature"),
        insolation=sun,
        cosine_zenith=sun / SOLAR_CONSTANT,
        sensible_heat_flux=array("surface_upward_sensible_heat_flux"),
        latent_heat_flux=array("surface_upward_latent_heat_flux"),
        time_step=time_step,
    )
    return state, forcing


def progress_values(grid: ColumnGrid, records: dict[str, np.ndarray]) -> dict[str, tuple[float | str, str]]:
    """Largest wind, temperature range and mean precipitation of records with the column (or latitude) and level last."""
    rain = records["rainfall_flux"] + records["snowfall_flux"]
    weight = grid.area_weight if rain.shape[-1] == grid.columns else grid.latitude_weights / grid.latitude_weights.sum()
    temperature, wind = records["air_temperature"], records["eastward_wind"]
    return {
        "wind": (float(np.abs(wind).max()), "m/s"),
        "T": (f"{temperature.min():.0f}-{temperature.max():.0f}", "K"),
        "P": (float((rain * weight).sum(-1).mean()) * 86400.0, "mm/day"),
    }


def host_of(config: ClimateConfig) -> Atmosphere:
    """The resolved atmosphere."""
    return Atmosphere(config.host)


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Arrays as one .npz file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # pyright: ignore[reportArgumentType]
