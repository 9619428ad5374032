"""A record may be read in blocks of any length: the figures stay what they are, and no more than a block is read at once."""

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose
from xarray.backends import BackendArray
from xarray.core import indexing

from parametra.climate.diagnostics import blocks
from parametra.climate.diagnostics.budgets import energy_budget, water_budget
from parametra.climate.diagnostics.drift import daily_series
from parametra.climate.diagnostics.means import zonal_climate
from parametra.climate.diagnostics.sanity import eddy_kinetic_energy, temperature_trend, world_checks
from parametra.climate.diagnostics.scoreboard import scoreboard
from parametra.climate.diagnostics.skill import per_cell_r2, pooled_r2
from parametra.climate.diagnostics.zigzag import zigzag_share

STEPS = 21
LENGTHS = (1, 4, 20)  # steps in a block


class Store(BackendArray):
    """An array on a disk that counts what is read from it."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.reads = []

    def __getitem__(self, key):
        basic = indexing.IndexingSupport.BASIC
        found = indexing.explicit_indexing_adapter(key, self.shape, basic, lambda index: self.values[index])
        self.reads.append(found.size * self.dtype.itemsize)
        return found


def on_disk(record):
    """The record, read lazily, and its stores by name."""
    stores = {name: Store(field.values) for name, field in record.data_vars.items()}
    lazy = {name: (record[name].dims, indexing.LazilyIndexedArray(store)) for name, store in stores.items()}
    return xr.Dataset(lazy, record.coords), stores


@pytest.fixture(scope="module")
def record(world) -> xr.Dataset:
    """Weather without any symmetry on the analytic world, float32 as a run stores it, every field that a figure asks for."""
    rng = np.random.default_rng(3)
    fields = world.isel(time=slice(0, STEPS), longitude=slice(0, 6)).drop_vars("precipitation_flux")
    flux = fields.surface_air_pressure
    made = {
        "rainfall_flux": 3e-5, "snowfall_flux": 1e-6, "surface_upward_sensible_heat_flux": 20.0,
        "toa_net_downward_shortwave_flux": 240.0, "surface_net_downward_shortwave_flux": 160.0,
        "surface_net_upward_longwave_flux": 60.0, "atmosphere_mass_content_of_cloud_condensed_water": 0.1,
        "atmosphere_mass_content_of_cloud_ice": 0.02,
    }  # fmt: skip
    fields = fields.assign({name: xr.full_like(flux, size) for name, size in made.items()})
    rates = {"tendency_of_air_temperature": 1e-5, "tendency_of_specific_humidity": 1e-8}
    fields = fields.assign({name: xr.full_like(fields.air_temperature, size) for name, size in rates.items()})
    noisy = {name: field * (1.0 + 0.01 * rng.normal(size=field.shape)) for name, field in fields.data_vars.items()}
    return fields.assign(noisy).astype(np.float32)


def budget_values(budget):
    terms = (*budget.terms, budget.residual, budget.closure_residual)
    return [value for term in terms for value in (term.mean, term.low, term.high)] + [budget.column_rms]


def series(dataset):
    return np.concatenate([field.values.ravel() for field in dataset.data_vars.values()])


FIGURES = {
    "water": lambda fields: budget_values(water_budget(fields)),
    "energy": lambda fields: budget_values(energy_budget(fields, xr.DataArray(np.arange(STEPS, dtype=float), dims="time"))),
    "checks": lambda fields: [check.value for check in world_checks(fields)],
    "eddies": eddy_kinetic_energy,
    "trend": temperature_trend,
    "rows": lambda fields: zigzag_share(fields.air_temperature, "latitude"),
    "levels": lambda fields: zigzag_share(fields.air_temperature, "level"),
    "climate": lambda fields: series(zonal_climate(fields)),
    "series": lambda fields: series(daily_series(fields, CLIMATE)),
    "scores": lambda fields: series(scoreboard(fields, {"warm": WARMER}, windows=(6.0, 12.0, 24.0, 7.0))),
}
CLIMATE = WARMER = xr.Dataset()


@pytest.fixture(scope="module", autouse=True)
def reference(record):
    global CLIMATE, WARMER
    CLIMATE, WARMER = zonal_climate(record), record * np.float32(1.01)


def in_blocks(monkeypatch, record, steps):
    """Blocks of about so many steps of the whole record; of some of its fields they are longer."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", steps * record.isel(time=0).nbytes)


@pytest.mark.parametrize("figure", FIGURES)
def test_any_length_of_the_blocks_gives_the_same_figures(figure, record, monkeypatch):
    in_blocks(monkeypatch, record, 10 * STEPS)
    whole = np.asarray(FIGURES[figure](record))
    assert np.isfinite(whole).any()
    for steps in LENGTHS:
        in_blocks(monkeypatch, record, steps)
        assert_allclose(FIGURES[figure](record), whole, rtol=1e-11, err_msg=f"blocks of {steps} steps")


@pytest.mark.parametrize("figure", FIGURES)
def test_no_more_than_a_block_is_read_at_once_and_nothing_twice(figure, record, monkeypatch):
    in_blocks(monkeypatch, record, 3)
    lazy, stores = on_disk(record)
    assert_allclose(FIGURES[figure](lazy), FIGURES[figure](record), rtol=1e-12, equal_nan=True)
    used = {name: store for name, store in stores.items() if store.reads}
    assert used
    for name, store in used.items():
        shared = store.values[0].nbytes  # budgets need the step after a block, which the next one starts with
        whole_windows = 4 * shared if figure == "scores" else 0
        assert max(store.reads) <= max(blocks.BLOCK_BYTES, whole_windows) + shared, name
        assert sum(store.reads) <= store.values.nbytes + len(store.reads) * shared, name


def test_zonal_climate_is_the_mean_of_everything(record, monkeypatch):
    in_blocks(monkeypatch, record, 2)
    mean = zonal_climate(record)
    assert_allclose(mean.eastward_wind, record.eastward_wind.astype(np.float64).mean(["time", "longitude"]), rtol=1e-12)
    rain = (record.rainfall_flux + record.snowfall_flux).astype(np.float64)
    assert_allclose(mean.precipitation_flux, rain.mean(["time", "longitude"]), rtol=1e-12)


def test_scores_are_those_of_their_definition(record):
    truth = record.tendency_of_air_temperature.astype(np.float64)
    word = truth + 0.3e-7 * np.random.default_rng(0).normal(size=truth.shape)
    flat = ["time", "latitude", "longitude"]
    assert_allclose(pooled_r2(truth, word).r2, 1.0 - ((truth - word) ** 2).mean(flat) / truth.var(flat), rtol=1e-9)
    by_cell = 1.0 - ((truth - word) ** 2).mean("time") / truth.var("time")
    assert_allclose(per_cell_r2(truth, word, area_weighted=False).r2, by_cell.mean(["latitude", "longitude"]), rtol=1e-9)


def test_blocks_cover_the_record_once(monkeypatch, record):
    in_blocks(monkeypatch, record, 4)
    assert [part.start for part in blocks.time_slices(record)] == [0, 4, 8, 12, 16, 20]
    assert [(part.start, part.stop) for part in blocks.time_slices(record, multiple=3)] == [
        (3 * k, min(3 * k + 3, STEPS)) for k in range(7)
    ]
    assert [(part.start, part.stop) for part in blocks.time_slices(record, overlap=1)] == [
        (0, 5), (4, 9), (8, 13), (12, 17), (16, 21)
    ]  # fmt: skip
    assert list(blocks.time_slices(record.isel(time=slice(0, 0)))) == [slice(0, 0)]
