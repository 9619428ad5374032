"""Patterns, variability, energy scatter, contents, maps of skill: each against a world where the answer is known."""

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from parametra.climate.diagnostics import (
    column_heating,
    daily_summary,
    deviation_ratio,
    difference_verdict,
    energy_drift,
    energy_drifts,
    energy_scatter,
    global_contents,
    interval_verdict,
    mean_absolute_difference,
    mean_deviation,
    pattern_scores,
    pattern_verdict,
    per_cell_r2,
    pooled_r2,
    rain_belt,
    scatter_axes,
    scatter_density,
    standard_deviation,
    trend,
    trend_verdict,
    window_verdict,
)
from parametra.climate.diagnostics.contents import Trend
from parametra.core.constants import GRAVITY, HEAT_CAPACITY, LATENT_HEAT_CONDENSATION, LATENT_HEAT_FUSION
from parametra.core.errors import DataError

HEATING, MOISTENING = "tendency_of_air_temperature", "tendency_of_specific_humidity"


@pytest.fixture(scope="module")
def columns() -> xr.Dataset:
    """Two days of noisy columns whose moist enthalpy is kept but for the freezing of their snow."""
    rng = np.random.default_rng(0)
    time, rows, places, levels = 96, 8, 6, 5
    axes = {
        "time": np.arange(time) / 48,
        "latitude": np.degrees(np.arcsin(np.polynomial.legendre.leggauss(rows)[0])),
        "longitude": np.arange(places) * 60.0,
        "level": (np.arange(levels) + 0.5) / levels,
    }
    flat, deep = ("time", "latitude", "longitude"), ("time", "latitude", "longitude", "level")
    shape, pressure = (time, rows, places), 1e5 + 1e3 * rng.normal(size=(time, rows, places))
    mass = pressure[..., None] / levels / GRAVITY
    rain, snow, latent = 1e-4 * rng.gamma(0.5, 1.0, shape), 1e-6 * rng.random(shape), 100.0 + 10 * rng.normal(size=shape)
    sensible, out, down, back = 10 + rng.normal(size=shape), 230.0 + rng.normal(size=shape), 60.0 + 0 * rain, 50.0 + 0 * rain
    split = rng.dirichlet(np.ones(levels), size=shape)
    moistening = (latent / LATENT_HEAT_CONDENSATION - rain - snow)[..., None] * split / mass
    total = LATENT_HEAT_CONDENSATION * (rain + snow) + LATENT_HEAT_FUSION * snow + sensible - out + back + (240.0 - down)
    return xr.Dataset(
        {
            MOISTENING: (deep, moistening), HEATING: (deep, total[..., None] * split / mass / HEAT_CAPACITY),
            "air_temperature": (deep, 260.0 + 0 * split), "specific_humidity": (deep, 0.005 + 0 * split),
            "surface_air_pressure": (flat, pressure), "rainfall_flux": (flat, rain), "snowfall_flux": (flat, snow),
            "surface_upward_latent_heat_flux": (flat, latent), "surface_upward_sensible_heat_flux": (flat, sensible),
            "toa_outgoing_longwave_flux": (flat, out), "surface_net_upward_longwave_flux": (flat, back),
            "toa_net_downward_shortwave_flux": (flat, 240.0 + 0 * rain), "surface_net_downward_shortwave_flux": (flat, down),
        },
        axes,
    )  # fmt: skip


def test_scatter_of_columns_that_keep_their_energy_has_slope_one_and_the_snows_freezing_left(columns):
    found = energy_scatter(columns)
    assert_allclose(found["slope"], 1.0, atol=1e-3)
    freezing = LATENT_HEAT_FUSION * columns.snowfall_flux.values
    assert_allclose(found["rms"], np.sqrt(np.mean(freezing**2)), rtol=1e-6)
    density = scatter_density(scatter_axes(columns), np.linspace(-500.0, 1500.0, 41))
    assert_allclose(float(density.sum()), 1.0)


def test_a_summary_gives_the_same_scatter_deviation_and_rain_as_the_columns(columns):
    """On rows of equal weight they would be equal; Gaussian weights make them near."""
    summary = daily_summary(columns)
    assert summary.sizes["time"] == 2
    assert_allclose(energy_scatter(summary)["slope"], energy_scatter(columns)["slope"], atol=1e-3)
    for name in (HEATING, MOISTENING):
        assert_allclose(standard_deviation(summary, name), standard_deviation(columns, name), rtol=1e-6)
    assert_allclose(summary.precipitation_flux.mean("time"), (columns.rainfall_flux + columns.snowfall_flux).mean("time"))
    assert_allclose(summary.precipitation_histogram.sum("rain"), 1.0)
    with pytest.raises(DataError, match="needs a record of columns"):
        daily_summary(summary.drop_dims("longitude"))


def test_deviation_about_cells_leaves_out_what_stands_still(columns):
    standing = columns.assign({HEATING: columns[HEATING] + 1e-3 * np.cos(np.radians(columns.longitude))})
    cell = [standard_deviation(data, HEATING, "cell") for data in (columns, standing)]
    assert_allclose(cell[0], cell[1], rtol=1e-9)
    assert float(standard_deviation(standing, HEATING).min()) > 1e-3 / np.sqrt(2) * 0.9
    with pytest.raises(DataError, match="square_of"):
        standard_deviation(columns[[HEATING]].mean("longitude"), HEATING)


def test_ratio_and_mean_of_deviations_scale(columns):
    reference = standard_deviation(columns, HEATING)
    assert_allclose(deviation_ratio(0.7 * reference, reference), 0.7)
    assert_allclose(mean_deviation(0.7 * reference), 0.7 * mean_deviation(reference))


def test_patterns_shift_scale_and_flip(world):
    field = world.air_temperature.mean(["time", "longitude"])
    assert pattern_scores(field + 2.0, field) == pytest.approx((2.0, 2.0, 1.0))
    assert pattern_scores(-field, field)[2] == pytest.approx(-1.0)
    assert np.isnan(pattern_scores(field, 0.0 * field)[2])
    assert mean_absolute_difference(field - 3.0, field) == pytest.approx(3.0)


@pytest.mark.parametrize(("centre", "width"), [(5.0, 12.0), (-8.0, 20.0)])
def test_the_rain_belt_of_a_bell_is_where_it_is_and_as_wide(centre, width):
    latitude = np.linspace(-89, 89, 90)[::-1]
    rain = np.exp(-4 * np.log(2) * ((latitude - centre) / width) ** 2) + 5.0 * (abs(latitude) > 50)
    found = rain_belt(xr.DataArray(rain, {"latitude": latitude}, ("latitude",)))
    assert_allclose(found, (centre, width), rtol=0.03)


def test_column_heating_is_the_energy_that_goes_in(columns):
    rain = columns.rainfall_flux + columns.snowfall_flux
    expected = LATENT_HEAT_CONDENSATION * rain + LATENT_HEAT_FUSION * columns.snowfall_flux
    expected = expected + columns.surface_upward_sensible_heat_flux - columns.toa_outgoing_longwave_flux
    expected = expected + columns.surface_net_upward_longwave_flux + 240.0 - columns.surface_net_downward_shortwave_flux
    assert_allclose(column_heating(columns), expected.mean("time"), rtol=1e-9)


def test_contents_and_their_drift(columns):
    contents = global_contents(columns)
    mass = float((columns.surface_air_pressure.mean("longitude") * 1.0).mean()) / GRAVITY
    assert_allclose(contents.water.mean(), 0.005 * mass, rtol=1e-3)
    warming = columns.assign(air_temperature=columns.air_temperature + 1e-3 * columns.time)  # 1 mK per day
    steady = columns.assign(surface_air_pressure=0 * columns.surface_air_pressure + 1e5)
    drift = energy_drift(warming.assign(surface_air_pressure=steady.surface_air_pressure))
    assert_allclose(drift.slope, HEAT_CAPACITY * 1e5 / GRAVITY * 1e-3 / 86400.0, rtol=1e-6)


def test_a_trend_knows_about_memory():
    """AR(1) noise without a trend: the naive interval misses zero far too often, ours about as often as it says."""
    random, misses = np.random.default_rng(2), 0
    for _ in range(100):
        shocks, values = random.normal(size=400), np.zeros(400)
        for i in range(1, 400):
            values[i] = 0.8 * values[i - 1] + shocks[i]
        found = trend(xr.DataArray(values, {"time": np.arange(400.0)}, ("time",)))
        misses += not found.low <= 0.0 <= found.high
    assert misses <= 20
    short = trend(xr.DataArray(np.sin(np.arange(30) / 8), {"time": np.arange(30.0)}, ("time",)))
    assert np.isnan(short.low)


def test_every_record_says_whether_it_is_long_enough_for_a_drift(columns):
    still = columns.isel(time=0, drop=True).assign(surface_air_pressure=1e5 + 0 * columns.surface_air_pressure.isel(time=0))
    days, noise = np.arange(400.0), np.random.default_rng(1).normal(size=400)
    records = {}
    for name, count in (("long", 400), ("short", 8)):
        warmth = xr.DataArray(1e-3 * days[:count] + 1e-3 * noise[:count], {"time": days[:count]}, ("time",))
        records[name] = still[["specific_humidity", "surface_air_pressure"]].assign(
            air_temperature=still.air_temperature + warmth, time=days[:count]
        )
    found = energy_drifts(records)
    assert_allclose(found.drift.sel(run="long"), HEAT_CAPACITY * 1e5 / GRAVITY * 1e-3 / 86400.0, rtol=0.05)
    assert float(found.drift_low.sel(run="long")) < float(found.drift.sel(run="long")) < float(found.drift_high.sel(run="long"))
    assert found.drift_word.values.tolist() == ["long enough", "too short"]
    assert "ten are needed" in str(found.drift_why.sel(run="short").values)
    with pytest.raises(DataError, match="holds no specific_humidity"):
        energy_drifts({"poor": columns.drop_vars("specific_humidity")})


def test_a_gap_makes_the_deviation_and_the_slope_no_number(columns):
    summary = daily_summary(columns.where((columns.time < 1.5) | (columns.latitude > -60)))
    deviation = standard_deviation(summary, HEATING)
    assert_allclose(deviation.isnull().any("level"), summary.latitude <= -60)
    assert np.isnan(energy_scatter(summary)["slope"])


@pytest.mark.parametrize("score", [pooled_r2, per_cell_r2])
def test_skill_by_latitude_is_that_of_each_row_alone(columns, score):
    truth = columns[HEATING]
    prediction = 0.7 * truth + 0.3 * truth.mean("time")
    table = score(truth, prediction, by=("latitude", "level")).r2
    assert set(table.dims) == {"latitude", "level"}
    row = truth.isel(latitude=[3])
    alone = score(row, prediction.isel(latitude=[3])).r2
    assert_allclose(table.isel(latitude=3).transpose("level"), alone, rtol=1e-9)


def test_words_follow_their_rules():
    assert pattern_verdict(0.95).word == "long enough"
    assert pattern_verdict(0.7).word == "barely"
    assert pattern_verdict(-0.2).word == pattern_verdict(float("nan")).word == "too short"
    assert [difference_verdict(value, 1.0, "K").word for value in (0.9, 1.9, 2.1)] == ["long enough", "barely", "too short"]
    assert interval_verdict(100.0, 95.0, 105.0, 12).word == "long enough"
    assert interval_verdict(100.0, 95.0, 105.0, 5).word == "barely"
    assert interval_verdict(100.0, float("nan"), 105.0, 12).word == "too short"
    assert [window_verdict(count).word for count in (10, 5, 4)] == ["long enough", "barely", "too short"]
    assert trend_verdict(Trend(0.1, 0.08, 0.12, 50.0), 0.05, "W/m²").word == "long enough"
    assert trend_verdict(Trend(0.1, float("nan"), float("nan"), 5.0), 0.05, "W/m²").word == "too short"
