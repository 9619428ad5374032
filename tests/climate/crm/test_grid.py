"""The CRM's layers carry the host's mass; heights and density are an atmosphere's."""

import numpy as np
import pytest

from parametra.climate.crm.grid import CRMGrid, level_array
from parametra.climate.host.levels import LEVELS_20, LEVELS_30
from parametra.core.constants import GRAVITY, REFERENCE_PRESSURE


@pytest.mark.parametrize("levels", [LEVELS_20, LEVELS_30])
def test_layers_have_the_mass_of_the_hosts_at_1000_hpa(levels):
    grid = CRMGrid.from_sigma(np.asarray(levels), 8, 4000.0, 30.0)
    np.testing.assert_allclose(grid.mass[::-1], np.diff(levels) * REFERENCE_PRESSURE / GRAVITY, rtol=1e-12)
    assert np.all(np.diff(grid.density) < 0.0)
    assert 1.0 < grid.density[0] < 1.3
    assert 20e3 < grid.interface_height[-1] < 60e3


def test_the_sponge_lies_above_the_troposphere_and_grows_upward():
    grid = CRMGrid.from_sigma(np.asarray(LEVELS_20), 8, 4000.0, 30.0)
    assert np.all(grid.sponge_rate[grid.height < 15e3] == 0.0)
    assert np.all(np.diff(grid.sponge_rate) >= 0.0)
    assert grid.sponge_rate[-1] <= 1.0 / 60.0


def test_an_isentropic_grid_is_hydrostatic():
    """Mass above each level gives its pressure, to second order in the layer thickness."""
    grid = CRMGrid.isentropic(64, 100.0, 4, 100.0, 1.0, 300.0)
    exner = 1.0 - GRAVITY * grid.interface_height / (1004.0 * 300.0)
    pressure = REFERENCE_PRESSURE * exner**3.5
    np.testing.assert_allclose(GRAVITY * grid.mass, -np.diff(pressure), rtol=1e-5)


def test_profiles_broadcast_over_x_and_column_in_float32():
    assert level_array(np.ones(5)).shape == (5, 1, 1)
    assert level_array(np.ones(5)).dtype == np.float32
