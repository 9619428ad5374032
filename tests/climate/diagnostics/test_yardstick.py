"""The yardstick tells the truth's twin from a faulty copy; any CF dataset is read as ours."""

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from parametra.climate.diagnostics import WaveRecipe, daily_summary, from_cf, mass_weighted_mean, yardstick, zonal_climate
from parametra.climate.diagnostics.geometry import layer_thickness
from parametra.core.errors import DataError


def weather(seed: int, days: int = 24) -> xr.Dataset:
    """A climate with weather: a rain belt, heating that follows it, temperature with noise of a few days' memory."""
    rng = np.random.default_rng(seed)
    axes = xr.Dataset(
        coords={
            "time": np.arange(days * 4) / 4, "latitude": np.degrees(np.arcsin(np.polynomial.legendre.leggauss(8)[0])),
            "longitude": np.arange(8) * 45.0, "level": (np.arange(6) + 0.5) / 6,
        }
    )  # fmt: skip
    y, s = np.radians(axes.latitude), axes.level
    noise = xr.DataArray(np.repeat(rng.normal(size=(days // 2, 8, 8)), 8, axis=0), dims=("time", "latitude", "longitude"))
    rain = (1.0 + 9.0 * np.exp(-(((axes.latitude - 5) / 12) ** 2))) * np.exp(0.3 * noise) / 86400.0
    bell = np.exp(-(((s - 0.45) / 0.25) ** 2))
    fields = {
        "air_temperature": 300.0 - 30.0 * np.sin(y) ** 2 - 60.0 * (1 - s) + noise,
        "specific_humidity": 0.015 * s**3 * np.cos(y) ** 2 * (1.0 + 0.05 * noise),
        "tendency_of_air_temperature": rain * bell - 1e-5,
        "tendency_of_specific_humidity": -4e-4 * rain * bell,
        "precipitation_flux": rain,
        "toa_outgoing_longwave_flux": 240.0 + 10.0 * noise,
        "toa_net_downward_shortwave_flux": 240.0 * np.cos(y) + 5.0 * noise,
    }
    full = xr.ones_like(axes.time * axes.latitude * axes.longitude)
    fields = {name: (field * full).transpose("time", "latitude", "longitude", ...) for name, field in fields.items()}
    return xr.Dataset(fields, axes.coords)


@pytest.fixture(scope="module")
def table() -> xr.Dataset:
    truth, twin = weather(0), weather(1, days=48)
    faulty = twin.assign(
        air_temperature=twin.air_temperature + 4.0, tendency_of_air_temperature=0.5 * twin.tendency_of_air_temperature
    )
    runs = {"twin": daily_summary(twin), "faulty": daily_summary(faulty)}
    return yardstick(daily_summary(truth), runs, WaveRecipe(latitude_bound=30))


def test_a_twin_is_within_chance_and_a_faulty_copy_is_not(table):
    twin, faulty = table.ratio.sel(run="twin"), table.ratio.sel(run="faulty")
    means = [str(name) for name in table.score.values if str(name).endswith("_rms")]
    assert float(twin.sel(score=means).max()) < 2.0
    assert float(faulty.sel(score="air_temperature_rms")) > 5.0
    assert_allclose(table.value.sel(run="faulty", score="deviation_tendency_of_air_temperature"), 0.5, rtol=0.15)


def test_correlations_are_compared_by_the_roots_of_their_departures(table):
    """A field twice as far off has a ratio twice as large, by its rms and by its correlation."""
    for name in ("precipitation_flux_rms", "precipitation_flux_r"):
        one = table.sel(score=name)
        departure = np.abs(np.array([float(one.value.sel(run="twin")), float(one.split_half)]) - (name[-1] == "r"))
        power = 0.5 if name[-1] == "r" else 1.0
        assert_allclose(float(one.ratio.sel(run="twin")), (departure[0] / departure[1]) ** power, rtol=1e-6)


def test_what_a_record_does_not_hold_or_is_too_short_for_is_nan_with_a_reason(table):
    assert np.isnan(table.value.sel(score="wave_spectrum")).all()
    assert str(table.word.sel(score="wave_spectrum").values) == "too short"
    assert np.isnan(table.split_half.sel(score="energy_slope"))
    assert "does not hold" in str(table.why.sel(score="energy_slope").values)


def test_no_run_or_a_truth_of_one_day_is_refused():
    summary = daily_summary(weather(0, days=4))
    with pytest.raises(DataError, match=r"at least one run.*Remedy"):
        yardstick(summary, {})
    with pytest.raises(DataError, match=r"no halves.*Remedy"):
        yardstick(summary.isel(time=[0]), {"run": summary})


def test_a_day_with_a_gap_is_no_number_in_the_summary_and_the_others_are_whole():
    record = weather(0, days=4)
    there = (record.time < 1) | (record.time > 1.3) | (record.longitude > 50)
    summary, whole = daily_summary(record.where(there)), daily_summary(record)
    for name in ("air_temperature", "square_of_tendency_of_air_temperature"):
        assert np.isnan(summary[name].isel(time=1)).all(), name
        assert_allclose(summary[name].isel(time=[0, 2, 3]), whole[name].isel(time=[0, 2, 3]))
    assert_allclose(summary.precipitation_flux.isel(time=1).isnull().sum("longitude"), 2)
    assert_allclose(summary.precipitation_histogram.sum("rain"), 1.0)
    lost = daily_summary(record.where((record.time < 1) | (record.time >= 2)))
    assert np.isnan(lost.precipitation_histogram.isel(time=1)).all()
    assert np.isfinite(lost.precipitation_histogram.isel(time=[0, 2, 3])).all()


def foreign() -> xr.Dataset:
    """A model that writes pressure levels from the ground up, hPa, mm/day and short names."""
    ours = weather(3, days=4)
    pressure = np.array([950.0, 850.0, 700.0, 500.0, 300.0, 100.0])
    renamed = ours[["air_temperature", "precipitation_flux"]].rename(latitude="lat", longitude="lon", level="plev")
    renamed = renamed.assign_coords(plev=("plev", pressure, {"units": "hPa", "standard_name": "air_pressure", "axis": "Z"}))
    ta = renamed.air_temperature.isel(plev=slice(None, None, -1)).assign_coords(plev=renamed.plev) - 273.15
    ta.attrs = {"units": "degC", "standard_name": "air_temperature"}
    pr = renamed.precipitation_flux * 86400.0
    pr.attrs = {"units": "mm day-1", "standard_name": "precipitation_flux"}
    return xr.Dataset({"ta": ta, "pr": pr, "station": ("lat", np.arange(8), {"units": "furlong"})})


def test_a_foreign_dataset_is_read_as_ours():
    read, ours = from_cf(foreign()), weather(3, days=4)
    assert set(read.dims) == {"time", "latitude", "longitude", "level"}
    assert_allclose(read.level, [0.1, 0.3, 0.5, 0.7, 0.85, 0.95])
    assert_allclose(read.air_temperature.transpose(*ours.air_temperature.dims), ours.air_temperature, rtol=1e-12)
    assert_allclose(read.precipitation_flux, ours.precipitation_flux, rtol=1e-12)
    assert read.precipitation_flux.attrs["units"] == "kg m-2 s-1"
    assert "assumed" in read.surface_air_pressure.attrs["comment"]
    assert_allclose(layer_thickness(read.level), np.diff([0.0, 0.2, 0.4, 0.6, 0.775, 0.9, 1.0]))
    assert 200 < float(mass_weighted_mean(zonal_climate(read).air_temperature)) < 320
    summary = daily_summary(read)
    assert {"air_temperature", "precipitation_histogram"} <= set(summary.data_vars)


@pytest.mark.parametrize("unit", ["mb", "millibars"])
def test_bounds_of_levels_are_not_mistaken_for_columns(unit):
    other = foreign()
    edges = np.array([1000.0, 900.0, 775.0, 600.0, 400.0, 200.0, 0.0])
    other = other.assign_coords(plev=other.plev.assign_attrs(units=unit))
    bounds = ("plev", "bnds"), np.stack([edges[:-1], edges[1:]], 1)
    read = from_cf(xr.Dataset({"plev_bnds": bounds}).merge(other))
    assert next(iter(read.data_vars)) == "plev_bnds"
    assert set(read.surface_air_pressure.dims) == {"time", "latitude", "longitude"}
    assert_allclose(read.level, [0.1, 0.3, 0.5, 0.7, 0.85, 0.95])
    assert "surface_air_pressure" not in from_cf(xr.Dataset({"plev_bnds": bounds}).merge(other[["pr", "plev"]]))


def test_our_own_fields_pass_through_unchanged():
    ours = weather(4, days=2)
    read = from_cf(ours)
    for name in ours.data_vars:
        xr.testing.assert_identical(read[name], ours[name])


def test_what_cannot_be_read_is_refused_with_its_name():
    other = foreign()
    with pytest.raises(DataError, match="no latitude"):
        from_cf(other.rename(lat="cell"))
    with pytest.raises(DataError, match="Two variables are air_temperature"):
        from_cf(other.assign(copy=other.ta))
    wrong = other.assign(ta=other.ta.assign_attrs(units="furlong"))
    with pytest.raises(DataError, match="furlong"):
        from_cf(wrong)
