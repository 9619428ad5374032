"""Sunlight at equinox: the daily mean is S0 cos(latitude) / pi, the night is dark, the clock does not wear out."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.climate.grid import ColumnGrid
from parametra.climate.insolation import cosine_zenith, insolation
from parametra.core.constants import SOLAR_CONSTANT


@pytest.fixture(scope="module")
def grid():
    nodes, weights = np.polynomial.legendre.leggauss(8)
    return ColumnGrid(np.degrees(np.arcsin(nodes)), np.arange(12) * 30.0, weights / weights.sum(), np.array([0.0, 0.5, 1.0]))


@pytest.mark.parametrize("steps_per_day", [24, 48, 77])
def test_daily_mean_is_exact_for_any_step(grid, steps_per_day):
    flux = np.mean([insolation(cosine_zenith(jnp.int32(n), steps_per_day, grid)) for n in range(steps_per_day)], axis=0)
    assert_allclose(
        flux, SOLAR_CONSTANT / np.pi * np.cos(np.radians(grid.column_latitude)), rtol=1e-5
    )  # float32: differences of an integral near 3, over a small step


def test_global_mean_is_a_quarter_of_the_solar_constant(grid):
    means = [float(np.dot(insolation(cosine_zenith(jnp.int32(n), 48, grid)), grid.area_weight)) for n in range(48)]
    assert_allclose(np.mean(means), SOLAR_CONSTANT / 4.0, rtol=1e-3)  # quadrature of cos(latitude) on eight circles


def test_noon_and_night(grid):
    cosine = np.asarray(cosine_zenith(jnp.int32(24), 48, grid)).reshape(grid.shape)
    assert cosine[4].argmax() == 0  # half a day after the start, longitude zero
    assert np.all(cosine[:, 6] == 0.0)
    assert np.all(cosine >= 0.0)


def test_every_day_is_the_same_day(grid):
    first, late = cosine_zenith(jnp.int32(7), 48, grid), cosine_zenith(jnp.int32(7 + 48 * 1_000_000), 48, grid)
    assert np.array_equal(first, late)
