"""Copy and addition: what a sequence holds, what no memory can do better than, and orthogonal weights against scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from parametra.core.errors import UsageError
from parametra.networks.size import count_parameters
from parametra.studies.spectral import networks
from parametra.studies.spectral.config import CellConfig
from parametra.studies.spectral.orthogonal import SkewWeight
from parametra.studies.spectral.tasks import RECALLED, SYMBOLS, AdditionTask, CopyTask

KEY = jax.random.key(0)


@settings(max_examples=8, deadline=None)
@given(delay=st.integers(1, 12), batch=st.integers(1, 4))
def test_a_copy_sequence_asks_for_its_first_ten_symbols(delay, batch):
    task = CopyTask(delay)
    x, targets = (np.asarray(part) for part in task.draw(jax.random.key(delay), batch))
    assert x.shape == (delay + 20, batch, SYMBOLS + 2)
    np.testing.assert_array_equal(x.sum(-1), 1)
    shown = x.argmax(-1)
    np.testing.assert_array_equal(shown[:RECALLED], targets[-RECALLED:])
    np.testing.assert_array_equal(targets[:-RECALLED], SYMBOLS)
    np.testing.assert_array_equal(np.argwhere(shown == SYMBOLS + 1)[:, 0], RECALLED + delay - 1)  # once, T steps after the last


def test_the_trivial_answer_to_copy_has_the_trivial_loss():
    task = CopyTask(30)
    _, targets = task.draw(KEY, 16)
    scores = jnp.full((*targets.shape, task.outputs), 0.0)
    scores = scores.at[:-RECALLED, :, SYMBOLS].set(40.0).at[-RECALLED:, :, SYMBOLS].set(-40.0)
    assert float(task.loss(scores, targets)) == pytest.approx(task.trivial, rel=1e-5)
    right = 40.0 * jax.nn.one_hot(targets, task.outputs)
    assert float(task.loss(right, targets)) == pytest.approx(0.0, abs=1e-6)
    assert float(task.score(right, targets)) == 1.0


def test_addition_marks_one_number_in_each_half_and_asks_for_their_sum():
    task = AdditionTask(21)
    x, targets = (np.asarray(part) for part in task.draw(KEY, 500))
    assert (x[:10, :, 1].sum(0) == 1).all()
    assert (x[10:, :, 1].sum(0) == 1).all()
    np.testing.assert_allclose((x[..., 0] * x[..., 1]).sum(0), targets, rtol=1e-6)
    assert np.mean((targets - 1.0) ** 2) == pytest.approx(task.trivial, rel=0.15)
    perfect = jnp.broadcast_to(jnp.asarray(targets)[None, :, None], (21, 500, 1))
    assert float(task.score(perfect, jnp.asarray(targets))) == pytest.approx(1.0)
    assert float(task.score(jnp.ones_like(perfect), jnp.asarray(targets))) == pytest.approx(0.0, abs=0.15)


def test_lengths_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match="delay of at least 1"):
        CopyTask(0)
    with pytest.raises(UsageError, match="at least 2 steps"):
        AdditionTask(1)


@pytest.mark.x64
@pytest.mark.parametrize("map", ["cayley", "exponential"])
@pytest.mark.parametrize("size", [2, 5, 8])
def test_skew_weights_are_the_orthogonal_matrices_of_their_maps(map, size):
    with jax.enable_x64(True):
        weight = SkewWeight.init(jax.random.key(size), size, map)
        weight = SkewWeight(weight.upper + 0.3 * jax.random.normal(KEY, weight.upper.shape, jnp.float64), size, map)
        skew, matrix = np.asarray(weight.skew()), np.asarray(weight.unwrap())
    one = np.eye(size)
    np.testing.assert_array_equal(skew, -skew.T)
    expected = scipy.linalg.expm(skew) if map == "exponential" else np.linalg.inv(one + skew) @ (one - skew)
    np.testing.assert_allclose(matrix, expected, atol=1e-12)
    np.testing.assert_allclose(matrix.T @ matrix, one, atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)


@pytest.mark.parametrize("map", ["cayley", "exponential"])
def test_skew_weights_start_as_rotations_of_pairs(map):
    matrix = np.asarray(SkewWeight.init(KEY, 6, map).unwrap())
    blocks = np.kron(np.eye(3), np.ones((2, 2)))
    np.testing.assert_allclose(matrix * (1 - blocks), 0, atol=1e-6)
    least = -1e-6 if map == "cayley" else -1.0  # a quarter turn at most
    assert (np.diag(matrix) >= least).all()


def test_an_unknown_map_or_network_is_refused():
    with pytest.raises(UsageError, match="Unknown map 'polar'"):
        SkewWeight.init(KEY, 4, "polar")
    with pytest.raises(UsageError, match="Unknown recurrent network 'gated'"):
        networks.make("gated", KEY, CellConfig(), 2, 1)


@pytest.mark.parametrize("name", list(networks.CELLS))
def test_every_network_reads_a_sequence_and_its_last_score_is_that_of_all(name):
    network = networks.make(name, KEY, CellConfig(width=6, reflectors=3), 2, 3)
    x = jax.random.normal(KEY, (4, 5, 2))
    scores = network(x)
    assert scores.shape == (4, 5, 3)
    np.testing.assert_allclose(network.last(x), scores[-1], atol=1e-6)


def test_the_identity_is_where_the_spectral_network_may_start():
    network = networks.make("spectral", KEY, CellConfig(width=8, reflectors=8, start="identity", activation="relu"), 2, 1)
    np.testing.assert_allclose(network.cell.hidden.unwrap(), np.eye(8), atol=1e-5)


@pytest.mark.parametrize("name", ["rnn", "lstm", "cayley"])
def test_networks_of_equal_size_are_as_large_as_fits(name):
    config = CellConfig(width=32, reflectors=8)
    size = networks.size_of("spectral", config, 2, 3)
    assert size == count_parameters(networks.make("spectral", KEY, config, 2, 3))
    width = networks.width_of_size(name, size, config, 2, 3)
    assert networks.size_of(name, config, 2, 3, width) <= size < networks.size_of(name, config, 2, 3, width + 1)
