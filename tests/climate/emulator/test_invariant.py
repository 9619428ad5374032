"""The climate-invariant view: what it is, that it hardly moves under warming, and that it goes into the file."""

import dataclasses
import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.climate.crm.microphysics import saturation
from parametra.climate.emulator import Inputs, load_emulator, save_emulator, train
from parametra.climate.emulator.invariant import invariant, view_vectors
from parametra.climate.emulator.vectors import mirror_signs
from parametra.climate.equilibrium import Equilibrium
from parametra.climate.host.levels import LEVELS_20
from parametra.core.errors import DataError, UsageError
from parametra.store.networks import load_network, save_network

from .conftest import SIGMA_HALF, TIME_STEP, columns_of


def tropics(warming):
    """A tropical column over a sea of 300 K and `warming`, relative humidity kept, fluxes as the bulk formulas give them."""
    host = Equilibrium(2, LEVELS_20, 300.0 + warming)
    return Inputs.from_columns(*host.resolved(host.init(jax.random.key(0)))).vector()


def test_warming_leaves_the_plain_range_but_hardly_moves_the_invariant_view():
    cold, warm = tropics(0.0), tropics(4.0)
    n = 20
    assert np.abs(warm - cold)[:, n - 4 : n].min() > 3.5
    a, b = invariant(cold, LEVELS_20), invariant(warm, LEVELS_20)
    low = np.asarray(LEVELS_20)[1:] > 0.2
    humid_a, humid_b = a[:, n : 2 * n][:, low], b[:, n : 2 * n][:, low]
    assert_allclose(humid_b, humid_a, atol=0.02)  # relative humidity; where ice is in play it moves a little
    assert np.abs(b - a)[:, n - 4 : n].max() < 0.6  # buoyancy of the boundary layer [K]
    plain, scaled = float(warm[0, -1] / cold[0, -1]), float(b[0, -1] / a[0, -1])
    assert plain > 1.15
    assert abs(scaled - 1.0) < 0.25 * (plain - 1.0)


def test_it_is_relative_humidity_buoyancy_and_scaled_evaporation(dataset):
    x = jnp.asarray(dataset.inputs[:32])
    seen, inputs = Inputs.from_vector(invariant(x, SIGMA_HALF)), Inputs.from_vector(x)
    half = np.asarray(SIGMA_HALF)
    pressure = inputs.surface_pressure[:, None] * (0.5 * (half[1:] + half[:-1])).astype(np.float32)
    saturated, _ = saturation(inputs.temperature, pressure)
    high = 0.5 * (half[1:] + half[:-1]) < 0.18
    assert 0 < high.sum() < len(high) - 1
    expected = np.where(high, inputs.specific_humidity, np.minimum(inputs.specific_humidity / saturated, 2.0))
    assert_allclose(seen.specific_humidity, expected, rtol=1e-5)
    assert_allclose(seen.latent_heat_flux * 2.501e6 * saturated[:, -1], inputs.latent_heat_flux, rtol=1e-5)
    dryness = saturated[:, -1] * (1.0 - inputs.specific_humidity[:, -1] / saturated[:, -1])
    assert np.array_equal(np.sign(seen.temperature[:, -1]), -np.sign(dryness))
    for name in ("eastward_wind", "surface_pressure", "insolation", "sensible_heat_flux"):
        assert np.array_equal(getattr(seen, name), getattr(inputs, name))
    signs = jnp.asarray(mirror_signs(6))
    assert_allclose(invariant(x * signs, SIGMA_HALF), invariant(x, SIGMA_HALF) * signs, rtol=1e-6)


def test_blocks_do_not_change_it(dataset, monkeypatch):
    whole = view_vectors("invariant", dataset.inputs, SIGMA_HALF)
    monkeypatch.setattr("parametra.climate.emulator.blocks.BLOCK", 100)
    assert_allclose(view_vectors("invariant", dataset.inputs, SIGMA_HALF), whole, rtol=1e-5, atol=1e-6)
    assert view_vectors("plain", dataset.inputs, SIGMA_HALF) is dataset.inputs


@pytest.fixture(scope="module")
def seeing(dataset, config):
    return train(dataset, config.model_copy(update={"inputs": "invariant"}), SIGMA_HALF, TIME_STEP, seed=1)[0]


def test_the_choice_is_trained_saved_and_loaded(seeing, emulator, dataset, tmp_path):
    assert (seeing.inputs, emulator.inputs) == ("invariant", "plain")
    assert float(seeing.scaling.high[6:12].max()) <= 2.0  # the norm is that of relative humidity
    save_emulator(tmp_path / "a.safetensors", seeing)
    loaded, header = load_emulator(tmp_path / "a.safetensors")
    assert eqx.tree_equal(loaded, seeing)
    assert header["view"]["kind"] == "invariant"
    assert "q / qs(T)" in json.dumps(header["view"])
    columns = columns_of(dataset.inputs[:16])
    assert_allclose(loaded(*columns)[0].temperature, seeing(*columns)[0].temperature)
    assert not np.allclose(dataclasses.replace(seeing, inputs="plain")(*columns)[0].temperature, loaded(*columns)[0].temperature)


def test_a_file_of_other_inputs_than_ours_is_refused(seeing, tmp_path):
    save_emulator(tmp_path / "a.safetensors", seeing)
    arrays, header = load_network(tmp_path / "a.safetensors")
    header["view"]["formulas"]["specific_humidity"] = "q / qs(T)"
    save_network(tmp_path / "a.safetensors", arrays, header)
    with pytest.raises(DataError, match=r"another version.*train it anew"):
        load_emulator(tmp_path / "a.safetensors")


def test_a_file_from_before_the_choice_is_plain(emulator, tmp_path):
    save_emulator(tmp_path / "a.safetensors", emulator)
    arrays, header = load_network(tmp_path / "a.safetensors")
    del header["view"]
    save_network(tmp_path / "a.safetensors", arrays, header)
    assert load_emulator(tmp_path / "a.safetensors")[0].inputs == "plain"


def test_an_unknown_view_is_refused(emulator):
    with pytest.raises(UsageError, match="Unknown view.*Known: plain, invariant"):
        dataclasses.replace(emulator, inputs="anomalies")
