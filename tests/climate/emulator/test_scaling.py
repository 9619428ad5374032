"""Laws of the input norms."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.climate.emulator import input_scaling
from parametra.climate.emulator.vectors import INPUTS, mirror_signs, slices
from parametra.core.errors import DataError, UsageError

NORMS = ("max_rs", "variable", "feature")


@pytest.mark.parametrize("norm", NORMS)
def test_features_are_centred_of_order_one_and_invertible(dataset, norm):
    scaling = input_scaling(dataset.inputs, 6, norm)
    inputs = jnp.asarray(dataset.inputs)
    features = np.asarray(scaling(inputs))
    assert np.all(np.abs(features.mean(axis=0)) < 1e-2)
    assert np.all(features.std(axis=0) < 3.0)
    resolution = 1e-6 * (np.abs(scaling.mean) + scaling.scale)
    assert np.all(np.abs(scaling.invert(scaling(inputs)) - inputs) <= resolution)


def test_each_norm_keeps_its_promise(dataset):
    where = slices(INPUTS, 6)
    range_ = np.ptp(dataset.inputs, axis=0)
    deviation = dataset.inputs.std(axis=0, dtype=np.float64)
    scale = {norm: np.asarray(input_scaling(dataset.inputs, 6, norm).scale) for norm in NORMS}
    assert_allclose(scale["feature"], deviation, rtol=1e-4)
    for part in where.values():
        assert_allclose(scale["max_rs"][part], np.maximum(range_[part], deviation[part].mean()), rtol=1e-4)
        assert_allclose(scale["variable"][part], np.sqrt((deviation[part] ** 2).mean()), rtol=1e-4)
    assert len(set(scale["variable"][where["specific_humidity"]].tolist())) == 1


def test_a_level_without_variance_is_carried_by_its_variable(dataset):
    x = dataset.inputs.copy()
    x[:, 6] = 0.0  # humidity of the top level
    assert np.all(np.isfinite(input_scaling(x, 6, "max_rs")(jnp.asarray(x))))
    assert np.all(np.isfinite(input_scaling(x, 6, "variable")(jnp.asarray(x))))
    with pytest.raises(DataError, match=r"specific_humidity\[0\].*every sample.*Remedy"):
        input_scaling(x, 6, "feature")


@pytest.mark.parametrize("norm", NORMS)
def test_mirrored_statistics_are_those_of_the_data_and_their_mirror_images(dataset, norm):
    doubled = np.concatenate([dataset.inputs, dataset.inputs * mirror_signs(6)])
    both, mirrored = input_scaling(doubled, 6, norm), input_scaling(dataset.inputs, 6, norm, mirror=True)
    for name in ("mean", "scale", "low", "high"):
        assert_allclose(getattr(mirrored, name), getattr(both, name), rtol=1e-5, atol=1e-6)
    x = jnp.asarray(dataset.inputs)
    assert_allclose(mirrored(x * mirror_signs(6)), mirrored(x) * mirror_signs(6), atol=1e-6)


def test_clipping_holds_inputs_at_the_training_range(dataset):
    scaling = input_scaling(dataset.inputs, 6, "max_rs")
    far = scaling.high + 10.0 * scaling.scale
    assert_allclose(scaling(far, clip=True), scaling(scaling.high))
    inputs = jnp.asarray(dataset.inputs)
    np.testing.assert_array_equal(scaling(inputs, clip=True), scaling(inputs))


def test_bad_input_is_refused(dataset):
    x = dataset.inputs.copy()
    x[:, 18] = 1e5  # surface pressure, a variable of one feature
    for norm in NORMS:
        with pytest.raises(DataError, match="surface_air_pressure is 100000 in every sample"):
            input_scaling(x, 6, norm)
    with pytest.raises(UsageError, match="Unknown input norm 'minmax'"):
        input_scaling(x, 6, "minmax")
    with pytest.raises(UsageError, match="22 features do not fit 20 levels"):
        input_scaling(x, 20, "max_rs")
    with pytest.raises(DataError, match="empty"):
        input_scaling(x[:0], 6, "max_rs")
