"""The prescribed sea and the exchange with it."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.climate.columns import ColumnState
from parametra.climate.surface import aquaplanet_temperature, bulk_fluxes
from parametra.core.constants import KAPPA

LATITUDE = np.linspace(-90.0, 90.0, 181)


def _state(temperature, humidity, wind, pressure=1.0e5):
    def column(value):
        return jnp.full((1, 2), value)

    return ColumnState(column(temperature), column(humidity), column(wind), column(0.0), jnp.array([pressure]))


def test_known_temperatures_of_the_sea():
    celsius = aquaplanet_temperature(np.array([5.0, 60.0, 75.0, -60.0, -90.0]), np.zeros(5)) - 273.15
    assert_allclose(celsius, [29.0, 2.0, 2.0, 2.0, 2.0], atol=1e-9)


def test_sea_cools_monotonically_away_from_its_maximum():
    sea = aquaplanet_temperature(LATITUDE, np.zeros_like(LATITUDE))
    warmest = sea.argmax()
    assert LATITUDE[warmest] == 5.0
    assert np.all(np.diff(sea[: warmest + 1]) >= -1e-9)
    assert np.all(np.diff(sea[warmest:]) <= 1e-9)


def test_wave_is_three_kelvin_at_its_crest_and_nothing_outside_the_tropics():
    longitude = np.zeros_like(LATITUDE)
    wave = aquaplanet_temperature(LATITUDE, longitude, wave=3.0) - aquaplanet_temperature(LATITUDE, longitude)
    assert_allclose(wave[LATITUDE == 5.0], 3.0)
    assert_allclose(wave[(LATITUDE <= -25.0) | (LATITUDE >= 35.0)], 0.0, atol=1e-12)
    opposite = aquaplanet_temperature(np.array([5.0]), np.array([180.0]), wave=3.0, warming=4.0)
    assert_allclose(opposite, 273.15 + 29.0 - 3.0 + 4.0)


def test_neutral_air_takes_no_heat():
    sigma = 0.985
    sensible, _ = bulk_fluxes(_state(300.0 * sigma**KAPPA, 0.01, 5.0), jnp.array([300.0]), sigma, exchange=1.2e-3, gustiness=5.0)
    assert_allclose(sensible, 0.0, atol=1e-3)  # float32 round-off of 300 K


@pytest.mark.parametrize("gustiness", [0.0, 5.0])
def test_fluxes_grow_with_wind_and_have_the_sign_of_the_difference(gustiness):
    def fluxes(wind, sea):
        return bulk_fluxes(_state(290.0, 0.008, wind), jnp.array([sea]), 0.985, exchange=1.2e-3, gustiness=gustiness)

    (weak, moist), (strong, moister) = fluxes(5.0, 300.0), fluxes(10.0, 300.0)
    assert 0.0 < float(weak[0]) < float(strong[0])
    assert 0.0 < float(moist[0]) < float(moister[0])
    cooled, dried = fluxes(5.0, 280.0)
    assert float(cooled[0]) < 0.0
    assert float(dried[0]) < 0.0


def test_evaporation_of_a_tropical_sea_is_of_the_observed_size():
    # Trade wind of 7 m/s, air a degree and a half cooler than the sea, at 80 percent: the textbook's 100 to 150 and about 10 W/m2
    sensible, latent = bulk_fluxes(_state(298.5, 0.0175, 7.0), jnp.array([301.0]), 0.985, exchange=1.2e-3, gustiness=0.0)
    assert 5.0 < float(sensible[0]) < 25.0
    assert 80.0 < float(latent[0]) < 200.0
