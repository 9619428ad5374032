"""The host as the coupled run sees it: start states, forcing, identity, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.climate.host.atmosphere import Atmosphere
from parametra.climate.host.config import HostConfig
from parametra.climate.surface import bulk_fluxes
from parametra.core.config import resolve
from parametra.core.errors import UsageError
from parametra.coupling.protocols import Host


def test_atmosphere_is_a_host(host):
    assert isinstance(host, Host)
    assert host.time_step == 1800.0


def test_equal_configurations_are_equal_atmospheres(host):
    twin = Atmosphere(host.config.model_copy())
    assert twin == host
    assert hash(twin) == hash(host)
    assert Atmosphere(host.config.model_copy(update={"diffusion_hours": 8.0})) != host


def test_start_depends_on_the_key_and_on_nothing_else(spun_up):
    first, again, other = (spun_up(jax.random.key(seed)).columns.temperature for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_start_is_a_sensible_atmosphere(host, spun_up):
    state = spun_up(jax.random.key(0))
    columns = jax.tree.map(np.asarray, state.columns)
    humidity, u = columns.specific_humidity, columns.eastward_wind.reshape(*host.grid.shape, -1)
    assert int(state.step) == 0
    assert 15.0 < host.budget(state)["water_vapour"] < 35.0  # kg m-2
    assert humidity.min() >= 0.0
    assert np.all(np.diff(humidity.mean(axis=0)) > 0.0)  # falls with height
    assert columns.temperature.min() > 185.0
    assert columns.temperature.max() < 305.0
    jets = u.mean(axis=1).max(axis=1)  # by latitude
    assert min(jets[:8].max(), jets[8:].max()) > 20.0  # m s-1


def test_forcing_is_this_steps_sun_and_the_last_states_fluxes(host, moist_run):
    columns, forcing = host.resolved(moist_run.end)
    sea = host.config.surface
    sensible, latent = bulk_fluxes(
        columns, forcing.surface_temperature, float(host.grid.sigma[-1]), exchange=sea.exchange, gustiness=sea.gustiness
    )
    assert_allclose(forcing.sensible_heat_flux, sensible, rtol=1e-4, atol=1e-2)
    assert_allclose(forcing.latent_heat_flux, latent, rtol=1e-4, atol=1e-2)
    lit = np.asarray(forcing.cosine_zenith).reshape(host.grid.shape)[8]
    assert lit.argmax() == 16  # after whole days it is midnight at longitude zero
    assert_allclose(forcing.insolation, 1360.0 * forcing.cosine_zenith)


def test_ledger_of_the_last_step_is_what_diagnose_shows(host, moist_run):
    entries = host.diagnose(moist_run.end)
    assert {"column_fill", "global_fill", "water_fixer", "mass_fixer", "energy_fixer", "negative_humidity"} <= set(entries)
    for name, value in entries.items():
        assert_allclose(value, moist_run.ledger[name][-1])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["truncation=31"], "cannot hold wave number 31"),
        (["latitudes=17"], "even number"),
        (["time_step=1700.0"], "whole number of time steps"),
        (["sigma_half=[0.0, 0.5, 0.4, 1.0]"], "must rise from 0"),
        (["sigma_half=[0.1, 0.5, 0.8, 1.0]"], "must rise from 0"),
        (["sponge_days=[[0.5, 1.0], [0.2, 1.0]]"], "rising sigma"),
        (["surface.exchange=-1.0"], "surface.exchange"),
        (["levles=20"], "unknown key"),
        (["stepper='leapfrog'"], "stepper"),
    ],
)
def test_bad_configurations_are_refused(overrides, message):
    with pytest.raises(UsageError, match=message):
        resolve(HostConfig, {}, overrides)


def test_preset_values_from_toml_are_taken():
    config = resolve(HostConfig, {"sigma_half": [0.0, 0.3, 0.6, 1.0]}, ["surface.warming=4.0", "sponge_days=[[0.1, 1.0]]"])
    assert config.sigma_half == (0.0, 0.3, 0.6, 1.0)
    warm = Atmosphere(config).surface_temperature - Atmosphere(HostConfig()).surface_temperature
    assert_allclose(warm, 4.0)
    assert jnp.asarray(warm).shape == (512,)
