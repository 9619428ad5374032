"""Where water and energy go, in float64, from a recorded dataset: is the truth closed, and does the network conserve?

The record holds the state *before* each step and the tendencies and fluxes *of* that step. Two residuals are told apart:

- global, from the recorded states: what the whole model gained against what its fluxes brought, host fixers and host mixing
included;
- column, from the closure's own tendencies: what the closure did to a column against the fluxes that it reported.

Latent heats follow the ledger of the cloud-resolving model: rain leaves with that of condensation, snow with that of sublimation;
condensate in the air is booked with that of condensation unless its ice is stored apart.

A record is read in blocks of time that share one step with their neighbours; of each step only global means are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.stats import t

from parametra.climate.diagnostics.blocks import time_blocks
from parametra.climate.diagnostics.contents import independent_samples
from parametra.climate.diagnostics.geometry import area_mean, column_integral, time_in_days
from parametra.climate.diagnostics.means import precipitable_water
from parametra.climate.diagnostics.required import require
from parametra.core.constants import HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, LATENT_HEAT_FUSION, SECONDS_PER_DAY
from parametra.core.errors import DataError

CONDENSATE = ("atmosphere_mass_content_of_cloud_condensed_water", "atmosphere_mass_content_of_precipitating_water")
ICE = "atmosphere_mass_content_of_cloud_ice"
RAIN = ("rainfall_flux", "snowfall_flux", "precipitation_flux")
RADIATION = (
    "toa_net_downward_shortwave_flux",
    "surface_net_downward_shortwave_flux",
    "toa_outgoing_longwave_flux",
    "surface_net_upward_longwave_flux",
)
WATER = (
    "specific_humidity", "tendency_of_specific_humidity", "surface_air_pressure", "surface_upward_latent_heat_flux", *RAIN,
    *CONDENSATE,
)  # fmt: skip
ENERGY = (
    "air_temperature", "tendency_of_air_temperature", "surface_air_pressure", "surface_upward_sensible_heat_flux", *RADIATION,
    *RAIN, *CONDENSATE, ICE,
)  # fmt: skip
FALLS = ("rainfall_flux", "precipitation_flux")
COLUMN_WATER = ("tendency_of_specific_humidity", "surface_air_pressure", "surface_upward_latent_heat_flux", FALLS)
COLUMN_ENERGY = (
    "tendency_of_air_temperature", "surface_air_pressure", "surface_upward_sensible_heat_flux", *RADIATION, FALLS,
)  # fmt: skip
OTHER = "other heating"
LEAST_DAYS = 5  # independent ones; an interval from fewer is a guess


@dataclass(frozen=True)
class Term:
    """One line of a budget: mean over the record, and its 95 % interval from daily means and their memory.

    The interval is NaN where the days are worth fewer than `LEAST_DAYS` independent ones.
    """

    name: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Budget:
    """A budget of the whole sphere and of single columns.

    Attributes:
        name: water or energy.
        unit: mm/day or W m-2.
        terms: sources, sinks and storage, all such that the residual is sources - sinks - storage.
        residual: what is left of the recorded states, global.
        closure_residual: what is left of the closure's own tendencies and fluxes, global.
        column_rms: root mean square of the latter over columns and steps, area-weighted.
    """

    name: str
    unit: str
    terms: tuple[Term, ...]
    residual: Term
    closure_residual: Term
    column_rms: float


def water_budget(dataset: xr.Dataset) -> Budget:
    """E - P - d(vapour + condensate)/dt [mm/day] of a recorded run of at least two steps.

    Args:
        dataset: specific_humidity, surface_air_pressure, surface_upward_latent_heat_flux, rainfall_flux, snowfall_flux,
            tendency_of_specific_humidity, and the condensate contents where the closure has any.

    Raises:
        DataError: one state alone, or a variable is missing.
    """
    require(dataset, ["specific_humidity", *COLUMN_WATER])
    return _budget("water", "mm/day", SECONDS_PER_DAY, dataset[[name for name in WATER if name in dataset]], _water_steps)


def energy_budget(dataset: xr.Dataset, other_heating: xr.DataArray | float = 0.0) -> Budget:
    """Latent + sensible heating - radiative cooling - storage [W m-2] of a recorded run of at least two steps.

    Storage is that of cp T less the latent heat of the condensate in the air.

    Args:
        dataset: air_temperature, surface_air_pressure, surface_upward_sensible_heat_flux, the four radiative fluxes,
            rainfall_flux, snowfall_flux, tendency_of_air_temperature, and the condensate contents where the closure has any.
        other_heating: (time,) or a number [W m-2]: what the host added in the global mean outside the closure (relaxation, energy
            fixer); it enters the global residual only.

    Raises:
        DataError: one state alone, or a variable is missing.
    """
    require(dataset, ["air_temperature", *COLUMN_ENERGY])
    fields = dataset[[name for name in ENERGY if name in dataset]]
    if isinstance(other_heating, xr.DataArray) or other_heating != 0.0:
        fields = fields.assign({OTHER: other_heating})
    return _budget("energy", "W m-2", 1.0, fields, _energy_steps)


def latent_heating(dataset: xr.Dataset) -> xr.DataArray:
    """Heat that precipitation leaves behind [W m-2]: Lc (rain + snow) + Lf snow."""
    return LATENT_HEAT_CONDENSATION * _precipitation(dataset) + LATENT_HEAT_FUSION * _or_zero(dataset, "snowfall_flux")


def radiative_cooling(dataset: xr.Dataset) -> xr.DataArray:
    """Loss of the atmosphere by radiation [W m-2]: long-wave out at the top less in at the ground, less absorbed sunlight."""
    longwave = dataset.toa_outgoing_longwave_flux.astype(np.float64) - dataset.surface_net_upward_longwave_flux
    return longwave - (dataset.toa_net_downward_shortwave_flux.astype(np.float64) - dataset.surface_net_downward_shortwave_flux)


def column_residuals(dataset: xr.Dataset) -> xr.Dataset:
    """Column residuals of a closure without condensate of its own (a network), from its outputs alone.

    Returns:
        water [mm/day]: sum m dq - (E - P). energy [W m-2]: cp sum m dT - (latent + sensible - radiative cooling).

    Raises:
        DataError: a variable is missing.
    """
    require(dataset, dict.fromkeys((*COLUMN_WATER, *COLUMN_ENERGY)))
    evaporation = dataset.surface_upward_latent_heat_flux.astype(np.float64) / LATENT_HEAT_CONDENSATION
    pressure = dataset.surface_air_pressure
    moistening = column_integral(dataset.tendency_of_specific_humidity, pressure)
    heating = HEAT_CAPACITY * column_integral(dataset.tendency_of_air_temperature, pressure)
    sources = latent_heating(dataset) + dataset.surface_upward_sensible_heat_flux.astype(np.float64) - radiative_cooling(dataset)
    water = (moistening - evaporation + _precipitation(dataset)) * SECONDS_PER_DAY
    return xr.Dataset({"water": water, "energy": heating - sources})


def budget_dataset(*budgets: Budget) -> xr.Dataset:
    """Budgets as the page reads them (fields/budgets.zarr): mean, low, high (term,) with coordinates term, budget, unit."""
    rows = [
        (budget, term, column)
        for budget in budgets
        for term, column in [
            *((term, np.nan) for term in budget.terms),
            (budget.residual, np.nan),
            (budget.closure_residual, budget.column_rms),
        ]
    ]
    return xr.Dataset(
        {
            "mean": ("term", [term.mean for _, term, _ in rows]),
            "low": ("term", [term.low for _, term, _ in rows]),
            "high": ("term", [term.high for _, term, _ in rows]),
            "column_rms": ("term", [column for _, _, column in rows]),
        },
        coords={
            "term": [term.name for _, term, _ in rows],
            "budget": ("term", [budget.name for budget, _, _ in rows]),
            "unit": ("term", [budget.unit for budget, _, _ in rows]),
        },
    )


@dataclass(frozen=True)
class _Steps:
    """What a budget keeps of the steps of a block, all but its last.

    Attributes:
        terms: name -> (time,) global mean [kg m-2 s-1 or W m-2].
        closure: (time,) global mean of the column residual, same unit.
        squared: (time,) that of its square.
    """

    terms: dict[str, np.ndarray]
    closure: np.ndarray
    squared: np.ndarray


def _water_steps(block: xr.Dataset) -> _Steps:
    evaporation = block.surface_upward_latent_heat_flux.astype(np.float64) / LATENT_HEAT_CONDENSATION
    precipitation = _precipitation(block)
    condensate = _condensate(block)
    vapour_rate = column_integral(block.tendency_of_specific_humidity, block.surface_air_pressure)
    terms = {
        "evaporation": _interval(evaporation),
        "precipitation": _interval(precipitation),
        "vapour storage": _rate(precipitable_water(block)),
        "condensate storage": _rate(condensate),
    }
    return _steps(terms, _forward(evaporation - precipitation - vapour_rate) - _step_rate(condensate))


def _energy_steps(block: xr.Dataset) -> _Steps:
    latent = latent_heating(block)
    sensible = block.surface_upward_sensible_heat_flux.astype(np.float64)
    cooling = radiative_cooling(block)
    heat = HEAT_CAPACITY * column_integral(block.air_temperature, block.surface_air_pressure)
    condensate = LATENT_HEAT_CONDENSATION * _condensate(block)
    if ICE in block:
        condensate = condensate + LATENT_HEAT_FUSION * block[ICE].astype(np.float64)
    terms = {
        "latent heating": _interval(latent),
        "sensible heating": _interval(sensible),
        "radiative cooling": _interval(cooling),
        "heat storage": _rate(heat - condensate),
    }
    if OTHER in block:
        terms[OTHER] = _interval(xr.zeros_like(latent) + block[OTHER])
    heating_rate = HEAT_CAPACITY * column_integral(block.tendency_of_air_temperature, block.surface_air_pressure)
    return _steps(terms, _forward(latent + sensible - cooling - heating_rate) + _step_rate(condensate))


def _steps(terms: dict[str, np.ndarray], column: xr.DataArray) -> _Steps:
    return _Steps(terms, area_mean(column).values, area_mean(column**2).values)


def _budget(name: str, unit: str, scale: float, fields: xr.Dataset, steps: Callable[[xr.Dataset], _Steps]) -> Budget:
    """Sources are the terms whose names say so; the others are sinks and storage. `scale` is from SI to `unit`."""
    if fields.sizes["time"] < 2:
        raise DataError(
            "A budget needs the states before and after a step, the record holds one. Remedy: record at least two steps."
        )
    parts = [steps(block) for block in time_blocks(fields, overlap=1)]
    signs = {"evaporation": 1, "latent heating": 1, "sensible heating": 1, OTHER: 1}
    series = {key: scale * np.concatenate([part.terms[key] for part in parts]) for key in parts[0].terms}
    residual = np.sum([signs.get(key, -1) * values for key, values in series.items()], axis=0)
    closure = scale * np.concatenate([part.closure for part in parts])
    days = time_in_days(fields.time)[:-1]
    return Budget(
        name, unit,
        tuple(_term(key, values, days) for key, values in series.items()),
        _term("residual", residual, days),
        _term("closure residual", closure, days),
        scale * float(np.sqrt(np.concatenate([part.squared for part in parts]).mean())),
    )  # fmt: skip


def _term(name: str, series: np.ndarray, days: np.ndarray) -> Term:
    """Mean over steps, and Student's interval of whole-day means by the number of independent days that they are worth."""
    day = np.floor(days - days[0] + 1e-9).astype(int)
    sums, counts = np.bincount(day, series), np.bincount(day)
    daily = sums[counts > 0] / counts[counts > 0]
    mean = float(series.mean())
    rest = daily - daily.mean()
    independent = independent_samples(rest)
    half = float("nan")
    if independent >= LEAST_DAYS:
        error = np.sqrt(np.sum(rest**2) / (independent - 1.0) / independent)
        half = float(t.ppf(0.975, independent - 1.0) * error)
    return Term(name, mean, mean - half, mean + half)


def _interval(flux: xr.DataArray) -> np.ndarray:
    """Global mean of a flux over the steps that have a state after them."""
    return area_mean(_forward(flux)).values


def _rate(content: xr.DataArray) -> np.ndarray:
    """Global mean of what a content gains per second over each step."""
    return area_mean(_step_rate(content)).values


def _forward(flux: xr.DataArray) -> xr.DataArray:
    return flux.isel(time=slice(None, -1))


def _step_rate(content: xr.DataArray) -> xr.DataArray:
    seconds = np.diff(time_in_days(content.time)) * SECONDS_PER_DAY
    return content.diff("time", label="lower") / xr.DataArray(seconds, dims="time", coords={"time": content.time[:-1]})


def _precipitation(dataset: xr.Dataset) -> xr.DataArray:
    if "rainfall_flux" in dataset:
        return dataset.rainfall_flux.astype(np.float64) + _or_zero(dataset, "snowfall_flux")
    return dataset.precipitation_flux.astype(np.float64)


def _condensate(dataset: xr.Dataset) -> xr.DataArray:
    total = xr.zeros_like(dataset.surface_air_pressure, np.float64)
    for name in CONDENSATE:
        total = total + _or_zero(dataset, name)
    return total


def _or_zero(dataset: xr.Dataset, name: str) -> xr.DataArray | float:
    return dataset[name].astype(np.float64) if name in dataset else 0.0
