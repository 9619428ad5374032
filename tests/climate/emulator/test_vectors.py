"""The two vectors: order, sizes, factors, and the way back."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.climate.emulator import Inputs, Outputs
from parametra.climate.emulator.vectors import INPUTS, OUTPUTS, feature_names, output_factors, size, slices


@pytest.mark.parametrize(("levels", "inputs", "outputs"), [(30, 94, 65), (20, 64, 45), (6, 22, 17)])
def test_sizes(levels, inputs, outputs):
    assert (size(INPUTS, levels), size(OUTPUTS, levels)) == (inputs, outputs)
    assert len(feature_names(INPUTS, levels)) == inputs
    assert output_factors(levels).shape == (outputs,)
    assert slices(OUTPUTS, levels)["precipitation_flux"] == slice(outputs - 1, outputs)


def test_factors_are_the_papers():
    where, factors = slices(OUTPUTS, 6), output_factors(6)
    assert_allclose(factors[where["tendency_of_air_temperature"]], 1004.64, rtol=1e-3)
    assert_allclose(factors[where["tendency_of_specific_humidity"]], 2.8347e6)
    fluxes = [factors[where[v.name]][0] for v in OUTPUTS if not v.profile]
    assert_allclose(fluxes[:4], [1e-3, -1e-3, -1e-3, 1e-3])
    assert_allclose(fluxes[4] * 1000.0, 1.728e6)  # per m/s of liquid water
    assert_allclose(fluxes[4] / 86400.0, 0.02)  # per mm/day


def test_vectors_and_names_are_inverse(dataset):
    x = dataset.inputs[:7]
    np.testing.assert_array_equal(Inputs.from_vector(jnp.asarray(x)).vector(), x)
    y = dataset.targets[:7]
    np.testing.assert_array_equal(Outputs.from_vector(jnp.asarray(y)).vector(), y)


def test_rain_and_snow_add_up_and_snow_falls_where_it_is_cold(dataset):
    x = dataset.inputs[:3].copy()
    x[:, 5] = (260.0, 275.66, 290.0)  # lowest level [K]
    inputs = Inputs.from_vector(jnp.asarray(x))
    assert_allclose(inputs.snow_share, [1.0, 0.5, 0.0], atol=1e-5)
    outputs = Outputs.from_vector(jnp.abs(dataset.targets[:3]))
    tendency, fluxes = outputs.columns(inputs.snow_share)
    assert_allclose(fluxes.precipitation, outputs.precipitation, rtol=1e-6)
    assert tendency.eastward_wind is None


def test_humidity_below_zero_counts_as_none(dataset):
    x = dataset.inputs[:3].copy()
    x[:, 6:12] = -1e-4
    assert np.all(np.asarray(Inputs.from_vector(jnp.asarray(x)).vector())[:, 6:12] == 0.0)
