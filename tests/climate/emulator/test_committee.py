"""Committees: the mean of their members, lawful as one, the same after a file, and not of networks that differ in kind."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from parametra.climate.emulator import (
    Inputs,
    column_residuals,
    committee,
    load_emulator,
    predict_vectors,
    save_emulator,
    train,
    train_linear,
)
from parametra.climate.emulator.vectors import output_factors
from parametra.core.errors import UsageError
from parametra.networks import Committee

from .conftest import SIGMA_HALF, TIME_STEP, columns_of


@pytest.fixture(scope="module")
def three(dataset, config):
    return [train(dataset, config, SIGMA_HALF, TIME_STEP, seed)[0] for seed in (1, 2, 3)]


def test_it_says_the_mean_of_what_its_members_say(three, dataset):
    inputs = Inputs.from_vector(jnp.asarray(dataset.inputs[:300]))
    mean = np.mean([np.asarray(one.raw(inputs).vector()) for one in three], axis=0)
    assert_allclose(committee(three).raw(inputs).vector(), mean, rtol=1e-5, atol=1e-9 * np.abs(mean).max())
    assert_allclose(committee(three[:1]).outputs(inputs).vector(), three[0].outputs(inputs).vector(), rtol=1e-6)


def test_its_error_is_the_mean_error_less_what_its_members_differ(three, dataset):
    """The ambiguity decomposition (Krogh & Vedelsby 1995), an identity of squares."""
    inputs = Inputs.from_vector(jnp.asarray(dataset.inputs))
    answers = [np.asarray(one.raw(inputs).vector(), np.float64) * output_factors(dataset.levels) for one in three]
    whole = np.asarray(committee(three).raw(inputs).vector(), np.float64) * output_factors(dataset.levels)
    spread = np.mean([np.mean((one - whole) ** 2) for one in answers])
    errors = np.mean([np.mean((one - dataset.targets) ** 2) for one in answers])
    assert spread > 0
    assert_allclose(np.mean((whole - dataset.targets) ** 2), errors - spread, rtol=1e-5)


def test_columns_close_as_they_do_for_one_network(three, dataset):
    state, forcing = columns_of(dataset.inputs[:200])
    water, energy = column_residuals(state, forcing, *committee(three)(state, forcing), SIGMA_HALF)
    assert max(np.abs(water).max(), np.abs(energy).max()) <= 1e-3  # W m-2


def test_a_file_gives_it_back(three, dataset, tmp_path):
    whole = committee(three)
    save_emulator(tmp_path / "whole.safetensors", whole)
    again, header = load_emulator(tmp_path / "whole.safetensors")
    assert isinstance(again.network, Committee)
    assert header["architecture"]["members"] == 3
    assert_array_equal(predict_vectors(again, dataset.inputs), predict_vectors(whole, dataset.inputs))


def test_what_is_not_of_one_kind_is_refused(three, dataset, config):
    with pytest.raises(UsageError, match="at least one"):
        committee([])
    with pytest.raises(UsageError, match="made of perceptrons"):
        committee([three[0], train_linear(dataset, config, SIGMA_HALF, TIME_STEP)])
    with pytest.raises(UsageError, match="differ in norm"):
        committee([three[0], dataclasses.replace(three[1], conservation=False)])
    moved = eqx.tree_at(lambda e: e.scaling.mean, three[1], three[1].scaling.mean + 1.0)
    with pytest.raises(UsageError, match="same columns"):
        committee([three[0], moved])
    other = train(dataset, config.model_copy(update={"width": 8}), SIGMA_HALF, TIME_STEP, 1)[0]
    with pytest.raises(UsageError, match="shape or activation"):
        committee([three[0], other])
