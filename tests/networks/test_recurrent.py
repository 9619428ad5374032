"""Recurrent cells against their formulas in NumPy, with weights of every kind; the language model; the Lipschitz bound."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.networks import (
    ACTIVATIONS,
    MLP,
    GRUCell,
    LanguageModel,
    LSTMCell,
    RNNCell,
    count_parameters,
    lipschitz_bound,
    residual_bound,
)
from parametra.networks.lipschitz import SLOPES
from parametra.weights import Dense, SpectralWeight, hadamard, parametrize, spectral, stacked, symmetric

KEY = jax.random.key(0)
SEQUENCE = jax.random.normal(jax.random.key(1), (5, 2, 3))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(cell, sequence):
    """Outputs of a cell, one step after another in NumPy."""
    w, m = np.asarray(cell.hidden.unwrap()), np.asarray(cell.inputs.unwrap())
    h = c = np.zeros((sequence.shape[1], cell.width))
    outputs = []
    for x in np.asarray(sequence):
        if isinstance(cell, RNNCell):
            z = h @ w.T + x @ m.T
            modrelu = np.sign(z) * np.maximum(np.abs(z) + np.asarray(cell.bias), 0)
            h = modrelu if cell.activation == "modrelu" else np.asarray(ACTIVATIONS[cell.activation](z + cell.bias))
        elif isinstance(cell, LSTMCell):
            i, f, g, o = np.split(h @ w.T + cell.hidden_bias + x @ m.T + cell.input_bias, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            r, z, n = np.split(h @ w.T + cell.hidden_bias, 3, axis=1)
            dr, dz, dn = np.split(x @ m.T + cell.input_bias, 3, axis=1)
            keep = sigmoid(z + dz)
            h = (1 - keep) * np.tanh(dn + sigmoid(r + dr) * n) + keep * h
        outputs.append(h)
    return np.stack(outputs)


def lstm(scheme, inputs=4):
    return parametrize(LSTMCell.init(KEY, 4, inputs), ["hidden", "inputs"], stacked(4, scheme))


CELLS = {
    "rnn": lambda: RNNCell.init(KEY, 4, 3),
    "modrelu": lambda: RNNCell(Dense(jnp.eye(4)), Dense(jnp.ones((4, 3))), jnp.linspace(-0.5, 0.5, 4), "modrelu"),
    "spectral rnn": lambda: RNNCell.spectral(KEY, 4, 3, 2),
    "lstm": lambda: LSTMCell.init(KEY, 4, 3),
    "gru": lambda: GRUCell.init(KEY, 4, 3),
    "symmetric lstm": lambda: lstm(symmetric()),
    "spectral gru": lambda: parametrize(GRUCell.init(KEY, 4, 3), "hidden", stacked(3, spectral())),
    "hadamard rnn": lambda: parametrize(RNNCell.init(KEY, 4, 3), "hidden", hadamard(2)),
}


@pytest.mark.parametrize("name", CELLS)
def test_cells_are_their_formulas(name):
    cell = CELLS[name]()
    sequence = SEQUENCE if cell.inputs.shape[1] == 3 else jax.random.normal(KEY, (5, 2, 4))
    outputs, last = eqx.filter_jit(lambda c, x: c.run(x))(cell, sequence)
    assert_allclose(outputs, by_hand(cell, sequence), atol=2e-6)
    assert_allclose(cell.output(last), outputs[-1], atol=1e-6)


def test_a_sequence_can_be_cut_anywhere():
    cell = LSTMCell.init(KEY, 4, 3)
    whole, _ = cell.run(SEQUENCE)
    first, state = cell.run(SEQUENCE[:2])
    second, _ = cell.run(SEQUENCE[2:], state)
    assert_allclose(jnp.concatenate([first, second]), whole, atol=1e-6)


@pytest.mark.parametrize("width", [6, 256])
def test_the_spectral_rnn_is_the_same_by_reflectors_and_by_its_matrix(width):
    """Width 256 with 4 reflectors runs on reflectors, width 6 on the matrix; gradients too."""
    cell = RNNCell.spectral(KEY, width, 3, 4)
    free = eqx.tree_at(lambda c: c.hidden, cell, Dense(cell.hidden.unwrap()))
    loss = eqx.filter_jit(eqx.filter_value_and_grad(lambda c: jnp.sum(jnp.sin(c.run(SEQUENCE)[0]))))
    (value, gradient), (wanted, dense) = loss(cell), loss(free)
    assert_allclose(value, wanted, rtol=1e-5)
    assert_allclose(gradient.inputs.matrix, dense.inputs.matrix, atol=2e-5 * np.abs(dense.inputs.matrix).max())
    pulled = jax.jit(jax.grad(lambda w: jnp.vdot(w.unwrap(), dense.hidden.matrix), allow_int=True))(cell.hidden)
    scale = np.abs(pulled.left.packed).max()
    assert_allclose(gradient.hidden.left.packed, pulled.left.packed, atol=1e-4 * scale)
    assert_allclose(gradient.hidden.right.packed, pulled.right.packed, atol=1e-4 * scale)


def test_the_weight_of_a_scan_is_made_once():
    """FLOPs of a long sequence grow by the dense step alone, not by what making the matrix costs."""
    cell = RNNCell.spectral(KEY, 32, 3, 32)
    dense = eqx.tree_at(lambda c: c.hidden, cell, Dense(jnp.eye(32)))

    def steps(c):
        text = str(jax.make_jaxpr(lambda x: c.run(x)[0])(jnp.ones((7, 2, 3))))
        return text[text.rindex("scan[") :].count("dot_general")

    assert steps(cell) == steps(dense)


def test_parameters_of_the_paper():
    """(n_i + m1 + m2 + 2) n - (m1² + m2² - m1 - m2)/2 without output: section 3 of Zhang, Lei & Dhillon, n_i inputs."""
    n, m, inputs = 12, 5, 3
    cell = RNNCell.spectral(KEY, n, inputs, m)
    assert count_parameters(cell) == (inputs + 2 * m + 2) * n - (2 * m * m - 2 * m) // 2


@pytest.mark.parametrize(
    ("gates", "parameters"), [((), 19_780_400), (("hidden",), 18_093_000), (("hidden", "inputs"), 16_405_600)]
)
def test_language_model_of_650_has_the_published_number_of_parameters(gates, parameters):
    def build():
        model = LanguageModel.init(KEY, 10_000, 650)
        return parametrize(model, [f"cells.*.{name}" for name in gates], stacked(4, symmetric())) if gates else model

    shapes = eqx.filter_eval_shape(build)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes) if hasattr(leaf, "size")) == parameters


@pytest.mark.parametrize("tied", [True, False])
def test_language_model(tied):
    model = LanguageModel.init(KEY, 11, 6, tied=tied)
    words = jax.random.randint(KEY, (7, 2), 0, 11)
    loss, states = eqx.filter_jit(lambda m, w: m.loss(w))(model, words)
    scores, _ = model(words[:-1])
    wanted = -np.mean(np.take_along_axis(np.asarray(jax.nn.log_softmax(scores)), np.asarray(words[1:])[..., None], -1))
    assert_allclose(loss, wanted, rtol=1e-5)
    assert len(states) == 2
    assert abs(float(loss) - np.log(11)) < 0.1  # knows nothing yet
    assert count_parameters(model) == 11 * 6 * (1 if tied else 2) + 11 + 2 * (8 * 36 + 48)
    dropped, _ = model(words, key=KEY)
    assert not np.allclose(dropped, model(words)[0])


def test_lipschitz_bound_of_a_network():
    """The Jacobian of a network, anywhere, is no longer than the product of the norms."""
    network = parametrize(MLP.init(KEY, 5, 4, (6, 6), "tanh"), "layers.*.weight", spectral(bounds=(0.5, 1.5)))
    bound = lipschitz_bound(network)
    jacobian = jax.jacrev(network)(jnp.ones(5))
    assert np.linalg.norm(jacobian, 2) <= bound <= 1.5**3 * (1 + 1e-6)
    only = Dense(jnp.eye(3))
    with pytest.raises(UsageError, match="Dense.*closed form"):
        lipschitz_bound(only)
    with pytest.raises(UsageError, match="No Lipschitz bound is known for Dropout.*Remedy"):
        lipschitz_bound(eqx.nn.Dropout(0.5))
    weight = SpectralWeight.init(KEY, 3, 3, bounds=(0.1, 0.1))
    assert_allclose(residual_bound(lipschitz_bound(weight)), 1.1, rtol=1e-6)
    assert_allclose(lipschitz_bound(RNNCell.spectral(KEY, 4, 3)), 1.0, rtol=1e-6)


def test_slopes_are_the_steepest():
    x = jnp.linspace(-8, 8, 20_001)
    for name, function in ACTIVATIONS.items():
        steepest = jax.vmap(jax.grad(function))(x).max()
        assert steepest <= SLOPES[name] <= steepest * 1.001, name


def test_bad_cells_are_refused():
    with pytest.raises(UsageError, match="Unknown activation 'swish'"):
        RNNCell.init(KEY, 4, 3, "swish")
    with pytest.raises(UsageError, match=r"4 gate\(s\)"):
        LSTMCell(Dense(jnp.ones((8, 4))), Dense(jnp.ones((8, 3))), jnp.zeros(8), jnp.zeros(8))
    with pytest.raises(UsageError, match="at least 1"):
        GRUCell.init(KEY, 0, 3)
    with pytest.raises(UsageError, match="dropout"):
        LanguageModel.init(KEY, 10, 4, dropout=1.0)
