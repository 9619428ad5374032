"""Networks on disk: a round trip is exact, the header stands alone, damage is named."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.core.errors import DataError, UsageError
from parametra.store.networks import fill_module, flatten_module, load_header, load_network, save_network

HEADER = {"format": 1, "inputs": ["air_temperature"], "scale": [0.1, 1 / 3], "config": {"width": 5}}


def mlp(seed):
    return eqx.nn.MLP(3, 2, 5, 2, key=jax.random.key(seed))


def test_a_round_trip_is_exact(tmp_path):
    network = mlp(1)
    save_network(tmp_path / "a.safetensors", flatten_module(network), HEADER)
    arrays, header = load_network(tmp_path / "a.safetensors")
    assert header == HEADER == load_header(tmp_path / "a.safetensors")
    filled = fill_module(eqx.filter_eval_shape(mlp, 0), arrays)
    x = jnp.array([0.1, 0.2, 0.3])
    np.testing.assert_array_equal(filled(x), network(x))


def test_names_are_paths_that_a_reader_understands():
    assert "layers.0.weight" in flatten_module(mlp(0))


def test_strides_do_not_matter(tmp_path):
    array = np.arange(6.0).reshape(2, 3).T
    save_network(tmp_path / "a.safetensors", {"a": array}, {})
    np.testing.assert_array_equal(load_network(tmp_path / "a.safetensors")[0]["a"], array)


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "type"])
def test_filling_is_strict(change):
    arrays = dict(flatten_module(mlp(0)))
    if change == "missing":
        del arrays["layers.0.bias"]
    elif change == "extra":
        arrays["layers.9.bias"] = jnp.zeros(3)
    elif change == "shape":
        arrays["layers.0.bias"] = jnp.zeros(3)
    else:
        arrays["layers.0.bias"] = jnp.zeros(5, int)
    with pytest.raises(DataError, match="Likely cause.*Remedy"):
        fill_module(mlp(0), arrays)


@pytest.mark.parametrize("length", [0, 5, 8, 60, -9, -1])
def test_a_truncated_file_is_damaged(tmp_path, length):
    path = tmp_path / "a.safetensors"
    save_network(path, flatten_module(mlp(0)), HEADER)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match="is damaged.*Likely cause.*Remedy"):
        load_network(path)


def test_absent_and_foreign_files_are_named(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_network(tmp_path / "a.safetensors")
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(2)}, tmp_path / "b.safetensors")
    with pytest.raises(DataError, match="not a network of ours"):
        load_network(tmp_path / "b.safetensors")


def test_a_header_that_json_cannot_hold_is_refused_and_nothing_written(tmp_path):
    for header in ({"scale": float("nan")}, {"function": print}):
        with pytest.raises(UsageError, match="not JSON"):
            save_network(tmp_path / "a.safetensors", {"a": np.zeros(2)}, header)
    assert list(tmp_path.iterdir()) == []
