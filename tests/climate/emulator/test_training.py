"""From fields to a trained network: data sets, baselines, seeds, resume, prediction, refusals."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from parametra.climate.diagnostics import blocks
from parametra.climate.emulator import (
    NETWORKS,
    EmulatorConfig,
    TimeMean,
    column_dataset,
    predict,
    predict_vectors,
    stretch,
    train,
    train_linear,
    train_many,
    training,
)
from parametra.climate.emulator.linear import linear_regression
from parametra.climate.emulator.scaling import input_scaling
from parametra.climate.emulator.vectors import output_factors
from parametra.core.errors import DataError, UsageError

from .conftest import SIGMA_HALF, TIME_STEP, columns_of


def test_samples_are_columns_in_order_of_time_latitude_longitude(dataset, fields):
    assert dataset.inputs.shape == (48 * 16, 22)
    assert dataset.shape == (48, 4, 4)
    point = fields.isel(time=5, latitude=2, longitude=3)
    x, y = dataset.inputs[5 * 16 + 2 * 4 + 3], dataset.targets[5 * 16 + 2 * 4 + 3]
    np.testing.assert_array_equal(x[:6], point["air_temperature"])
    np.testing.assert_array_equal(x[6:12], np.maximum(point["specific_humidity"], 0))
    rain = float(point["rainfall_flux"] + point["snowfall_flux"])
    assert_allclose(y[-1], 0.02 * 86400 * rain, rtol=1e-5)


def test_order_of_dimensions_does_not_matter(dataset, fields):
    turned = column_dataset(fields.transpose("level", "longitude", "time", "latitude"))
    np.testing.assert_array_equal(turned.inputs, dataset.inputs)
    np.testing.assert_array_equal(turned.targets, dataset.targets)


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_blocks_of_any_length_give_the_same_samples(dataset, fields, steps, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", steps * fields.isel(time=0).nbytes)
    again = column_dataset(fields)
    np.testing.assert_array_equal(again.inputs, dataset.inputs)
    np.testing.assert_array_equal(again.targets, dataset.targets)
    broken = fields.copy(deep=True)
    broken["eastward_wind"][11, 1, 2, 3] = np.nan
    with pytest.raises(DataError, match="eastward_wind.*first at step 11"):
        column_dataset(broken)


def test_the_samples_are_not_copied_and_batches_are_scaled_to_the_bit(dataset, config, monkeypatch):
    given = {}

    def capture(networks, loss, data, *arguments, augment, **options):
        given.update(data=data, augment=augment)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "fit_many", capture)
    with pytest.raises(KeyboardInterrupt):
        train(dataset, config.model_copy(update={"mirror": False}), SIGMA_HALF, TIME_STEP, seed=1)
    assert given["data"][0] is dataset.inputs
    assert given["data"][1] is dataset.targets
    features, targets = jax.jit(given["augment"])((dataset.inputs, dataset.targets), jax.random.key(0))
    scaling = input_scaling(dataset.inputs, dataset.levels, config.norm)
    np.testing.assert_array_equal(features, (dataset.inputs - np.asarray(scaling.mean)) / np.asarray(scaling.scale))
    np.testing.assert_array_equal(targets, dataset.targets)


@pytest.mark.parametrize("rows", [7, 16, 99])
def test_blocks_are_all_of_one_length_and_fill_every_row(rows, monkeypatch):
    monkeypatch.setattr(training, "BLOCK", rows)
    whole, lengths = np.arange(96, dtype=np.float32).reshape(48, 2), set()

    def make(part):
        lengths.add(len(whole[part]))
        return whole[part]

    np.testing.assert_array_equal(training._filled(whole.shape, make), whole)
    assert lengths == {min(rows, 48)}


def test_stretches_by_day_do_not_overlap(fields):
    first, second = stretch(fields, 0.0, 0.5, TIME_STEP), stretch(fields, 0.5, 1.0, TIME_STEP)
    assert first.sizes["time"] == second.sizes["time"] == 24
    assert not set(first["time"].values) & set(second["time"].values)
    for days in ((0.5, 2.0), (0.5, 0.5), (-1.0, 0.5)):
        with pytest.raises(UsageError, match="not in fields of 1 days.*Remedy"):
            stretch(fields, *days, TIME_STEP)


def test_training_lowers_the_loss_and_repeats_itself(trained, dataset, config):
    emulator, history = trained
    assert history.loss[-1] < 0.7 * history.loss[0]
    again, _ = train(dataset, config, SIGMA_HALF, TIME_STEP, seed=1, selection=dataset)
    assert eqx.tree_equal(again, emulator)


def test_a_killed_training_goes_on_bit_for_bit(trained, dataset, config, tmp_path):
    def kill(record):
        if record.epoch == 1:
            raise KeyboardInterrupt

    arguments = (dataset, config, SIGMA_HALF, TIME_STEP, 1)
    with pytest.raises(KeyboardInterrupt):
        train(*arguments, selection=dataset, on_epoch=kill, resume_path=tmp_path)
    emulator, history = train(*arguments, selection=dataset, resume_path=tmp_path)
    assert eqx.tree_equal(emulator, trained[0])
    np.testing.assert_array_equal(history.selection_loss, trained[1].selection_loss)


def test_seeds_side_by_side_are_seeds_one_by_one(trained, dataset, config):
    emulators, histories = train_many(dataset, config, SIGMA_HALF, TIME_STEP, (1, 2), selection=dataset)
    assert_allclose(histories[0].loss, trained[1].loss, rtol=1e-3)
    first, second, alone = (predict_vectors(e, dataset.inputs[:64]) * output_factors(6) for e in (*emulators, trained[0]))
    assert_allclose(first, alone, atol=2e-3)
    assert not np.allclose(second, alone, atol=2e-3)


def test_linear_regression_recovers_a_linear_map():
    random = np.random.default_rng(0)
    matrix, bias = random.standard_normal((3, 5)), random.standard_normal(3)
    x = random.standard_normal((400, 5)).astype(np.float32)
    layer = linear_regression(x, (x @ matrix.T + bias).astype(np.float32))
    assert_allclose(layer.weight.unwrap(), matrix, atol=1e-5)
    assert_allclose(layer(jnp.zeros(5)), bias, atol=1e-5)
    with pytest.raises(DataError, match="needs more than 4 samples"):
        linear_regression(x[:4], x[:4])


def test_linear_regression_is_an_emulator_and_beats_the_mean(dataset, config):
    linear = train_linear(dataset, config, SIGMA_HALF, TIME_STEP)
    raw = dataclasses.replace(linear, conservation=False)
    predicted = predict_vectors(raw, dataset.inputs) * output_factors(6)
    error = np.mean((predicted - dataset.targets) ** 2, axis=0)
    assert np.all(error <= 1.001 * dataset.targets.var(axis=0) + 1e-8)
    assert error[:6].sum() < 0.5 * dataset.targets[:, :6].var(axis=0).sum()


def test_predictions_are_fields_under_the_names_of_the_truth(emulator, dataset, fields):
    predicted = predict(emulator, dataset, batch=100)  # the last batch is padded
    assert predicted.sizes == {"time": 48, "latitude": 4, "longitude": 4, "level": 6}
    name = "tendency_of_air_temperature"
    assert predicted[name].shape == fields[name].shape
    y = predict_vectors(emulator, dataset.inputs[-16:])
    assert_allclose(predicted[name].isel(time=-1).values.reshape(16, 6), y[:, :6], rtol=1e-3, atol=1e-9)
    assert predicted["precipitation_flux"].attrs["units"] == "kg m-2 s-1"
    assert_allclose(predicted["time"], fields["time"])


def test_time_mean_repeats_the_mean_but_never_dries_below_zero(fields, dataset):
    state, forcing = columns_of(dataset.inputs[:16])
    scheme = TimeMean.of(fields, zonal=False)
    tendency, fluxes, carry = scheme(state, forcing, scheme.init(state, forcing, jax.random.key(0)), jax.random.key(0))
    assert carry == ()
    mean = fields.mean("time")
    assert_allclose(tendency.temperature, mean["tendency_of_air_temperature"].values.reshape(16, 6), rtol=1e-4, atol=1e-10)
    assert_allclose(fluxes.rain, mean["rainfall_flux"].values.ravel(), rtol=1e-4)
    assert np.all(np.asarray(tendency.specific_humidity + 0.9 * state.specific_humidity / TIME_STEP) >= -1e-12)
    zonal = TimeMean.of(fields)
    assert np.ptp(np.asarray(zonal.fluxes.rain).reshape(4, 4), axis=1).max() == 0.0
    assert_allclose(zonal.fluxes.rain.mean(), scheme.fluxes.rain.mean(), rtol=1e-5)


def test_named_networks_are_configurations():
    configs = {name: EmulatorConfig.model_validate(dict(size)) for name, size in NETWORKS.items()}
    assert all(name == f"{config.depth}x{config.width}" for name, config in configs.items())


def test_bad_fields_are_refused(fields, dataset, config):
    broken = fields.copy(deep=True)
    broken["eastward_wind"][7, 1, 1, 3] = np.nan
    with pytest.raises(DataError, match="eastward_wind has values that are not finite, first at step 7"):
        column_dataset(broken)
    with pytest.raises(DataError, match="no columns"):
        column_dataset(fields.isel(time=slice(0, 0)))
    with pytest.raises(DataError, match="no toa_outgoing_longwave_flux"):
        column_dataset(fields.drop_vars("toa_outgoing_longwave_flux"))
    with pytest.raises(DataError, match="no dimension longitude"):
        column_dataset(fields.isel(longitude=0))
    with pytest.raises(DataError, match="no rainfall_flux"):
        TimeMean.of(fields.drop_vars("rainfall_flux"))
    with pytest.raises(UsageError, match="6 levels, sigma_half 4"):
        train(dataset, config, (0.0, 0.2, 0.4, 0.7, 1.0), TIME_STEP, seed=0)
    assert isinstance(dataset.coordinates, xr.Dataset)
