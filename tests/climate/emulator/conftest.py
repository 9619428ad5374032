"""A small made-up truth with the CF names: 6 levels, 4 x 4 columns, and tendencies that depend on the columns."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from parametra.climate.columns import ColumnForcing, ColumnState
from parametra.climate.emulator import EmulatorConfig, Inputs, column_dataset, train
from parametra.learn import FitConfig

SIGMA_HALF = (0.0, 0.1, 0.25, 0.45, 0.65, 0.85, 1.0)
TIME_STEP = 1800.0


def make_fields(times=48, seed=0):
    random = np.random.default_rng(seed)
    grid, middle = (times, 4, 4), 0.5 * (np.array(SIGMA_HALF[1:]) + np.array(SIGMA_HALF[:-1]))
    profile = (*grid, 6)
    temperature = 270 + 30 * middle + 3 * random.standard_normal(profile)
    humidity = 0.01 * middle**3 * np.exp(0.5 * random.standard_normal(profile))
    wind = 10 * random.standard_normal(profile)
    insolation = np.broadcast_to(np.maximum(0, 1000 * np.cos(np.arange(times) / 48 * 2 * np.pi))[:, None, None], grid)
    rain = 4e-5 * np.maximum(0, 1 + np.tanh((temperature[..., -1] - 297) / 3))
    three, four = ("time", "latitude", "longitude"), ("time", "latitude", "longitude", "level")
    fields = {
        "air_temperature": (four, temperature),
        "specific_humidity": (four, humidity - 5e-7),  # some cells of the host are below zero
        "eastward_wind": (four, wind),
        "surface_air_pressure": (three, 1e5 + 500 * random.standard_normal(grid)),
        "toa_incoming_shortwave_flux": (three, insolation),
        "surface_upward_sensible_heat_flux": (three, 15 + 8 * random.standard_normal(grid)),
        "surface_upward_latent_heat_flux": (three, 90 + 30 * random.standard_normal(grid)),
        "tendency_of_air_temperature": (four, 2e-5 * np.tanh(wind / 10) + 1e-8 * insolation[..., None]),
        "tendency_of_specific_humidity": (four, -2e-8 * np.tanh(wind / 10) * (middle > 0.2)),
        "toa_net_downward_shortwave_flux": (three, 0.7 * insolation),
        "surface_net_downward_shortwave_flux": (three, 0.5 * insolation),
        "toa_outgoing_longwave_flux": (three, 200 + 0.3 * (temperature[..., 0] - 270)),
        "surface_net_upward_longwave_flux": (three, 60 - 0.3 * (temperature[..., -1] - 300)),
        "rainfall_flux": (three, 0.8 * rain),
        "snowfall_flux": (three, 0.2 * rain),
    }
    coordinates = {
        "time": np.arange(times) * TIME_STEP,
        "latitude": [-60.0, -20.0, 20.0, 60.0],
        "longitude": [0.0, 90.0, 180.0, 270.0],
        "level": middle,
    }
    return xr.Dataset({name: (dims, np.asarray(v, np.float32)) for name, (dims, v) in fields.items()}, coordinates)


def columns_of(inputs, time_step=TIME_STEP):
    """State and forcing of an array of input vectors."""
    x = Inputs.from_vector(jnp.asarray(inputs))
    state = ColumnState(x.temperature, x.specific_humidity, x.eastward_wind, 0.5 * x.eastward_wind, x.surface_pressure)
    zenith = x.insolation / 1360.0
    forcing = ColumnForcing(x.temperature[:, -1], x.insolation, zenith, x.sensible_heat_flux, x.latent_heat_flux, time_step)
    return state, forcing


@pytest.fixture(scope="session")
def fields():
    return make_fields()


@pytest.fixture(scope="session")
def dataset(fields):
    return column_dataset(fields)


@pytest.fixture(scope="session")
def config():
    return EmulatorConfig(depth=2, width=16, dry_levels=2, fit=FitConfig(epochs=3, batch_size=64, learning_rate=1e-2, chunk=6))


@pytest.fixture(scope="session")
def trained(dataset, config):
    return train(dataset, config, SIGMA_HALF, TIME_STEP, seed=1, selection=dataset)


@pytest.fixture(scope="session")
def emulator(trained):
    return trained[0]
