"""The stored start: the same moment on its own grid, a bounded one on others, a consistent one over other seas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from parametra.climate.host.atmosphere import Atmosphere
from parametra.climate.host.config import HostConfig, SurfaceConfig
from parametra.climate.host.levels import LEVELS_30
from parametra.climate.host.mature import FIELDS, load, on_grid, save
from parametra.core.errors import DataError
from parametra.store.fields import write_fields


@pytest.fixture(scope="module")
def default():
    return Atmosphere(HostConfig())


def test_on_its_own_grid_it_is_what_was_stored(default):
    stored, fields = load(), on_grid(default)
    for name in FIELDS:
        expected = stored[name].reshape(512, *stored[name].shape[2:])
        np.testing.assert_allclose(fields[name], expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_it_has_the_jets_and_the_rain_belt_of_a_climate(default):
    fields = on_grid(default)
    wind = fields["eastward_wind"].reshape(16, 32, 20).mean(axis=1)
    for half in (slice(0, 8), slice(8, 16)):
        assert 25.0 < wind[half, 4:9].max() < 60.0
    humidity = fields["specific_humidity"].reshape(16, 32, 20).mean(axis=1)
    assert humidity[:, -1].argmax() in (7, 8, 9)
    assert np.all(fields["specific_humidity"] >= 0.0)


def test_other_grids_stay_within_the_stored_values():
    fine = Atmosphere(HostConfig(truncation=31, longitudes=64, latitudes=32, sigma_half=LEVELS_30))
    stored, fields = load(), on_grid(fine)
    for name in ("eastward_wind", "northward_wind", "surface_air_pressure"):
        assert fields[name].shape[0] == 2048
        assert stored[name].min() <= fields[name].min() <= fields[name].max() <= stored[name].max()
    west = fields["air_temperature"].reshape(32, 64, 30)
    assert np.abs(west[:, 0] - west[:, -1]).max() < 2.0 * np.abs(np.diff(west, axis=1)).max()  # no seam at the meridian


def test_a_warmer_sea_warms_the_air_and_keeps_its_relative_humidity(default):
    warm = Atmosphere(HostConfig(surface=SurfaceConfig(warming=4.0)))
    before, after = on_grid(default), on_grid(warm)
    np.testing.assert_allclose(after["air_temperature"] - before["air_temperature"], 4.0, atol=1e-4)
    growth = after["specific_humidity"][:, -1] / before["specific_humidity"][:, -1]
    assert np.all((1.25 < growth) & (growth < 1.45))  # 6 to 9 percent per kelvin


def test_the_state_keeps_the_mass_starts_the_clock_and_knows_its_seed(default, no_tendency):
    init = jax.jit(default.init)
    one, two = init(jax.random.key(0)), init(jax.random.key(1))
    assert int(one.step) == 0
    assert float(default.budget(one)["mass"]) == pytest.approx(1e5 / 9.80616, rel=1e-3)
    difference = np.asarray(one.columns.temperature - two.columns.temperature)
    assert 0.05 < difference.std() < 0.5
    stored = on_grid(default)["air_temperature"]
    assert np.sqrt(np.mean((np.asarray(one.columns.temperature) - stored) ** 2)) < 0.6
    after = jax.jit(default.step)(one, no_tendency(default))
    assert bool(jnp.all(jnp.isfinite(after.columns.temperature)))


def test_a_run_is_stored_and_a_broken_one_refused(tmp_path, default):
    stored = load()
    grid = default.grid
    axes = {"time": [0.0], "latitude": grid.latitudes, "longitude": grid.longitudes, "level": grid.sigma}
    dims = ("time", "latitude", "longitude", "level")
    fields = xr.Dataset({name: (dims[: stored[name].ndim + 1], stored[name][None].astype(np.float32)) for name in FIELDS}, axes)
    write_fields(tmp_path / "run" / "fields" / "truth.zarr", fields)
    save(tmp_path / "run", tmp_path / "start.npz")
    with np.load(tmp_path / "start.npz") as again:
        for name in FIELDS:
            np.testing.assert_allclose(again[name], stored[name], rtol=1e-4)
    fields["air_temperature"][0, 0, 0, 0] = np.nan
    write_fields(tmp_path / "bad" / "fields" / "truth.zarr", fields)
    with pytest.raises(DataError, match="not finite"):
        save(tmp_path / "bad", tmp_path / "bad.npz")
    assert not (tmp_path / "bad.npz").exists()
