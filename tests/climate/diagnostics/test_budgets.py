"""An analytically closed record has no residual; what is taken out of it shows up, with its size."""

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from parametra.climate.diagnostics.budgets import (
    budget_dataset,
    column_residuals,
    energy_budget,
    water_budget,
)
from parametra.climate.diagnostics.geometry import area_mean
from parametra.climate.diagnostics.scatter import energy_scatter, scatter_axes
from parametra.core.constants import GRAVITY, HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, LATENT_HEAT_FUSION
from parametra.core.errors import DataError

STEP = 1800.0


@pytest.fixture(scope="module")
def closed() -> xr.Dataset:
    """Columns without dynamics: each state follows from the one before by exactly the stored tendencies and fluxes."""
    rng = np.random.default_rng(0)
    time, rows, columns, levels = 241, 4, 3, 5
    latitude = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(rows)[0]))
    level = (np.arange(levels) + 0.5) / levels
    shape, pressure = (time, rows, columns), 1.0e5 + 500.0 * rng.normal(size=(rows, columns))
    mass = pressure[..., None] / levels / GRAVITY
    flux = {
        name: mean + spread * rng.random(shape)
        for name, mean, spread in (
            ("surface_upward_latent_heat_flux", 80.0, 20.0),
            ("surface_upward_sensible_heat_flux", 10.0, 5.0),
            ("toa_net_downward_shortwave_flux", 230.0, 10.0),
            ("surface_net_downward_shortwave_flux", 160.0, 10.0),
            ("toa_outgoing_longwave_flux", 225.0, 10.0),
            ("surface_net_upward_longwave_flux", 55.0, 5.0),
            ("rainfall_flux", 2e-5, 1e-5),
            ("snowfall_flux", 2e-6, 1e-6),
        )
    }
    condensate_rate = 1e-6 * rng.normal(size=shape)
    split = rng.dirichlet(np.ones(levels), size=shape)
    evaporation = flux["surface_upward_latent_heat_flux"] / LATENT_HEAT_CONDENSATION
    moistening = (evaporation - flux["rainfall_flux"] - flux["snowfall_flux"] - condensate_rate)[..., None] * split / mass
    radiation = (
        flux["toa_net_downward_shortwave_flux"] - flux["surface_net_downward_shortwave_flux"]
        - flux["toa_outgoing_longwave_flux"] + flux["surface_net_upward_longwave_flux"]
    )  # fmt: skip
    latent = LATENT_HEAT_CONDENSATION * (flux["rainfall_flux"] + flux["snowfall_flux"] + condensate_rate)
    latent = latent + LATENT_HEAT_FUSION * flux["snowfall_flux"]
    heating = (radiation + latent + flux["surface_upward_sensible_heat_flux"])[..., None] * split / mass / HEAT_CAPACITY

    def state(start, rate):
        return start + STEP * np.concatenate([np.zeros_like(rate[:1]), np.cumsum(rate, 0)[:-1]])

    dims = ("time", "latitude", "longitude")
    fields = {name: (dims, values) for name, values in flux.items()}
    fields |= {
        "air_temperature": ((*dims, "level"), state(280.0, heating)),
        "specific_humidity": ((*dims, "level"), state(0.01, moistening)),
        "tendency_of_air_temperature": ((*dims, "level"), heating),
        "tendency_of_specific_humidity": ((*dims, "level"), moistening),
        "surface_air_pressure": (dims, np.broadcast_to(pressure, shape)),
        "atmosphere_mass_content_of_cloud_condensed_water": (dims, state(0.2, condensate_rate)),
    }
    coords = {
        "time": np.arange(time) * STEP / 86400.0,
        "latitude": latitude,
        "longitude": np.arange(columns) * 120.0,
        "level": level,
    }
    return xr.Dataset(fields, coords=coords)


@pytest.mark.parametrize(("budget", "tolerance"), [(water_budget, 1e-8), (energy_budget, 1e-5)])
def test_closed_record_has_no_residual(closed, budget, tolerance):
    # float64 differences of contents of 50 kg m-2 and 3e9 J m-2 over 1800 s: 1e-9 mm/day and 1e-6 W m-2
    result = budget(closed)
    assert abs(result.residual.mean) < tolerance
    assert abs(result.closure_residual.mean) < tolerance
    assert result.column_rms < tolerance


def test_water_that_appears_from_nowhere_is_found(closed):
    drip = 1e-7 * np.arange(closed.sizes["time"])  # what a clip q = max(q, 0) does: 1e-7 per step
    result = water_budget(closed.assign(specific_humidity=closed.specific_humidity + drip * xr.ones_like(closed.time)))
    mass = float(area_mean(closed.surface_air_pressure.isel(time=0))) / GRAVITY
    assert_allclose(result.residual.mean, -1e-7 * mass / STEP * 86400.0, rtol=1e-6)
    assert result.column_rms < 1e-8  # the closure is innocent


def test_latent_heat_of_snow_counts(closed):
    all_rain = closed.assign(snowfall_flux=closed.snowfall_flux * 0.0, rainfall_flux=closed.rainfall_flux + closed.snowfall_flux)
    result = energy_budget(all_rain)
    expected = -LATENT_HEAT_FUSION * float(area_mean(closed.snowfall_flux.isel(time=slice(0, -1)).mean("time")))
    assert_allclose(result.residual.mean, expected, rtol=1e-4)
    assert_allclose(result.closure_residual.mean, expected, rtol=1e-4)


def test_heat_from_outside_the_closure_is_booked_apart(closed):
    warming = 1e-4 * xr.DataArray(np.arange(closed.sizes["time"]), dims="time")
    warmer = closed.assign(air_temperature=closed.air_temperature + warming)
    alone = energy_budget(warmer).residual.mean
    assert alone < -0.1
    assert abs(energy_budget(warmer, other_heating=-alone).residual.mean) < 1e-9


def evaporating(anomaly: np.ndarray) -> xr.Dataset:
    """A column that evaporates 100 + `anomaly` (day,) W m-2, one step a day, and changes nothing else."""
    dims, days = ("time", "latitude", "longitude"), np.arange(anomaly.size + 1.0)
    quiet = np.zeros((days.size, 2, 1))
    latent = quiet + 100.0 + np.append(anomaly, 0.0)[:, None, None]  # of the last state nothing is used
    fields = {
        "surface_upward_latent_heat_flux": (dims, latent), "rainfall_flux": (dims, quiet),
        "surface_air_pressure": (dims, quiet + 1e5), "specific_humidity": ((*dims, "level"), quiet[..., None] + 0.01),
        "tendency_of_specific_humidity": ((*dims, "level"), quiet[..., None]),
    }  # fmt: skip
    return xr.Dataset(fields, {"time": days, "latitude": [-35.26, 35.26], "longitude": [0.0], "level": [0.5]})


def evaporation(anomaly: np.ndarray):
    (term,) = [term for term in water_budget(evaporating(anomaly)).terms if term.name == "evaporation"]
    return term


def remembering(days: int, memory: float, seed: int) -> np.ndarray:
    shocks, values = np.random.default_rng(seed).normal(size=days), np.zeros(days)
    for day in range(1, days):
        values[day] = memory * values[day - 1] + shocks[day]
    return values


def test_intervals_hold_the_mean_and_narrow_with_days():
    short, long = (evaporation(remembering(days, 0.0, 0)) for days in (40, 640))
    for term in (short, long):
        assert term.low < term.mean < term.high
    assert 3.0 < (short.high - short.low) / (long.high - long.low) < 6.0  # sixteen times the days: a quarter, give or take


def test_intervals_of_weather_that_lasts_hold_the_truth_as_often_as_they_say():
    """AR(1) with r = 0.8: days taken as independent would miss the true mean in half of the records."""
    terms = [evaporation(remembering(200, 0.8, seed)) for seed in range(60)]
    true = 100.0 / LATENT_HEAT_CONDENSATION * 86400.0
    assert sum(not term.low <= true <= term.high for term in terms) <= 10


def test_few_days_or_one_long_swell_have_no_interval():
    assert np.isnan(evaporation(np.array([1.0, -1.0, 1.0, -1.0])).low)
    swell = evaporation(np.sin(np.arange(20) / 6.0))
    assert np.isfinite(swell.mean)
    assert np.isnan([swell.low, swell.high]).all()


@pytest.mark.parametrize("figure", [water_budget, energy_budget, column_residuals, energy_scatter, scatter_axes])
def test_what_a_budget_lacks_is_named(closed, figure):
    poor = closed.drop_vars(["surface_upward_latent_heat_flux", "surface_upward_sensible_heat_flux", "rainfall_flux"])
    with pytest.raises(DataError, match=r"holds no .*surface_upward_(latent|sensible)_heat_flux.*Remedy"):
        figure(poor)
    if "scatter" not in figure.__name__:
        with pytest.raises(DataError, match="rainfall_flux or precipitation_flux"):
            figure(poor)


def test_network_without_condensate_is_judged_from_its_outputs(closed):
    columns = column_residuals(closed)
    condensate = closed.atmosphere_mass_content_of_cloud_condensed_water.diff("time", label="lower") / STEP
    # what the network cannot hold is exactly what the condensate took
    assert_allclose(columns.water[:-1], -condensate * 86400.0, atol=1e-6)
    assert_allclose(columns.energy[:-1], LATENT_HEAT_CONDENSATION * condensate, atol=1e-4)


def test_scatter_of_a_dry_exchange_has_slope_one(closed):
    # all vapour lost turns into heat with one latent heat
    mass_ratio = LATENT_HEAT_CONDENSATION / HEAT_CAPACITY
    exact = closed.assign(
        tendency_of_air_temperature=-mass_ratio * closed.tendency_of_specific_humidity,
        **{name: closed[name] * 0.0 for name in closed if "flux" in str(name)},
    )
    scatter = energy_scatter(exact)
    assert_allclose(scatter["slope"], 1.0, rtol=1e-9)
    assert scatter["rms"] < 1e-8


def test_one_state_is_refused(closed):
    with pytest.raises(DataError, match="at least two steps"):
        water_budget(closed.isel(time=[0]))


def test_table_for_the_page(closed):
    table = budget_dataset(water_budget(closed), energy_budget(closed))
    assert set(table.budget.values) == {"water", "energy"}
    assert set(table.data_vars) == {"mean", "low", "high", "column_rms"}
