"""Laws of the emulator as a closure, and of its file."""

import dataclasses
import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.climate.emulator import column_residuals, load_emulator, save_emulator
from parametra.climate.emulator.vectors import Inputs
from parametra.climate.schemes.emulated import EmulatedScheme
from parametra.core.errors import DataError, UsageError
from parametra.store.networks import load_network, save_network

from .conftest import SIGMA_HALF, columns_of

call = eqx.filter_jit(lambda emulator, state, forcing: emulator(state, forcing))


@pytest.fixture(scope="module")
def columns(dataset):
    return columns_of(dataset.inputs[10 * 16 : 11 * 16])  # a step in the dark


def test_it_conserves_with_its_layer_and_not_without(emulator, columns):
    state, forcing = columns
    for on in (True, False):
        tendency, fluxes = call(dataclasses.replace(emulator, conservation=on), state, forcing)
        water, energy = column_residuals(state, forcing, tendency, fluxes, SIGMA_HALF)
        worst = max(np.abs(water).max(), np.abs(energy).max())
        assert (worst <= 1e-3) == on


def test_permuting_columns_permutes_tendencies(emulator, columns):
    order = np.random.default_rng(0).permutation(16)
    plain = call(emulator, *columns)
    permuted = call(emulator, *jax.tree.map(lambda a: a[order], columns))
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(permuted), strict=True):
        assert_allclose(np.asarray(a)[order], b, rtol=1e-4, atol=1e-5 * float(np.abs(a).max()))


def test_the_sun_does_not_shine_at_night(emulator, columns):
    state, forcing = columns
    _, fluxes = call(emulator, state, dataclasses.replace(forcing, insolation=jnp.zeros(16)))
    assert np.all(np.asarray(fluxes.net_shortwave_top) == 0.0)
    assert np.all(np.asarray(fluxes.net_shortwave_surface) == 0.0)


def test_the_exported_function_is_the_module(emulator, columns):
    state, forcing = columns
    tendency, fluxes = call(emulator, state, forcing)
    y = eqx.filter_jit(lambda x: emulator.vector(x))(Inputs.from_columns(state, forcing).vector())
    assert_allclose(y[:, :6], tendency.temperature, rtol=1e-4, atol=1e-9)
    assert_allclose(y[:, 6:12], tendency.specific_humidity, rtol=1e-4, atol=1e-12)
    assert_allclose(y[:, 14], fluxes.net_longwave_top, rtol=1e-5)
    assert_allclose(y[:, 16], fluxes.precipitation, rtol=1e-4, atol=1e-10)


def test_the_scheme_is_a_memoryless_closure_that_can_be_traced(emulator, columns):
    scheme, (state, forcing) = EmulatedScheme(emulator), columns
    carry = scheme.init(state, forcing, jax.random.key(0))
    step = jax.jit(lambda scheme, state, forcing: scheme(state, forcing, carry, jax.random.key(1)))
    tendency, fluxes, after = step(scheme, state, forcing)
    assert carry == after == ()
    expected = call(emulator, state, forcing)
    for a, b in zip(jax.tree.leaves((tendency, fluxes)), jax.tree.leaves(expected), strict=True):
        assert_allclose(a, b, rtol=1e-5, atol=1e-6 * float(np.abs(b).max()))
    assert all(eqx.is_array(leaf) for leaf in jax.tree.leaves(scheme))
    hash(jax.tree.structure(scheme))


def test_clipping_ignores_what_lies_outside_the_training_range(emulator, columns):
    state, forcing = columns
    windy = dataclasses.replace(state, eastward_wind=jnp.full((16, 6), 500.0))
    windier = dataclasses.replace(state, eastward_wind=jnp.full((16, 6), 900.0))
    np.testing.assert_array_equal(call(emulator, windy, forcing)[0].temperature, call(emulator, windier, forcing)[0].temperature)
    free = dataclasses.replace(emulator, clip=False)
    assert not np.allclose(call(free, windy, forcing)[0].temperature, call(free, windier, forcing)[0].temperature)


def test_a_wrong_number_of_levels_is_refused(emulator, columns):
    state, forcing = columns
    short = dataclasses.replace(
        state, **{n: getattr(state, n)[:, :5] for n in ("temperature", "specific_humidity", "eastward_wind", "northward_wind")}
    )
    with pytest.raises(UsageError, match="columns have 5 levels, the network 6.*Remedy"):
        emulator(short, forcing)
    with pytest.raises(UsageError, match="does not fit 3 levels"):
        dataclasses.replace(emulator, sigma_half=(0.0, 0.3, 0.6, 1.0))


def test_a_file_gives_back_the_very_same_emulator(emulator, tmp_path):
    save_emulator(tmp_path / "a.safetensors", emulator, {"world": "test"})
    loaded, header = load_emulator(tmp_path / "a.safetensors")
    assert eqx.tree_equal(loaded, emulator)
    assert header["extra"] == {"world": "test"}
    assert json.loads(json.dumps(header)) == header
    assert [part["size"] for part in header["inputs"]] == [6, 6, 6, 1, 1, 1, 1]
    assert header["sigma_half"] == list(SIGMA_HALF)


def test_a_file_from_before_the_cold_trap_has_none(emulator, tmp_path):
    path = tmp_path / "a.safetensors"
    save_emulator(path, emulator)
    arrays, header = load_network(path)
    assert load_emulator(path)[0].limits.cold_trap
    del header["limits"]["dry_levels_moistening"]
    save_network(path, arrays, header)
    old, _ = load_emulator(path)
    assert not old.limits.cold_trap
    save_emulator(path, old)
    assert eqx.tree_equal(load_emulator(path)[0], old)


def test_the_file_is_enough_without_the_package(emulator, columns, tmp_path):
    """The raw network from arrays and header with NumPy, as another program would do it."""
    save_emulator(tmp_path / "a.safetensors", emulator)
    arrays, header = load_network(tmp_path / "a.safetensors")
    inputs = Inputs.from_columns(*columns)
    x = np.clip(inputs.vector(), arrays["scaling.low"], arrays["scaling.high"])
    x = (x - arrays["scaling.mean"]) / arrays["scaling.scale"]
    depth = len(header["architecture"]["hidden"]) + 1
    for k in range(depth):
        x = x @ arrays[f"network.layers.{k}.weight.matrix"].T + arrays[f"network.layers.{k}.bias"]
        x = np.where((x > 0) | (k == depth - 1), x, header["architecture"]["leaky_relu_slope"] * x)
    factors = np.concatenate([[part["factor"]] * part["size"] for part in header["outputs"]])
    assert_allclose(x, emulator.raw(inputs).vector() * factors, rtol=1e-4, atol=1e-5)


def test_damage_is_noticed(emulator, tmp_path):
    path = tmp_path / "a.safetensors"
    save_emulator(path, emulator)
    arrays, header = load_network(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        load_emulator(path)
    for change, words in (
        ({"format": "another"}, "format"),
        ({"architecture": {"kind": "mlp"}}, "incomplete.*hidden"),
        ({"architecture": header["architecture"] | {"kind": "cnn"}}, "unknown architecture cnn"),
        ({"levels": 7}, "incomplete|fit"),
        ({"architecture": header["architecture"] | {"hidden": [16, 17]}}, "in the file, the network needs"),
    ):
        save_network(path, arrays, header | change)
        with pytest.raises(DataError, match=words):
            load_emulator(path)
