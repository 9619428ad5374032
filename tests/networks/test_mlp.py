"""Laws of the multilayer perceptron: sizes, composition, linear output."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.networks import ACTIVATIONS, MLP, Linear, count_parameters


@pytest.mark.parametrize(
    ("inputs", "outputs", "depth", "width", "parameters"),
    [(94, 65, 9, 256, 567_361), (64, 45, 5, 128, 80_173), (64, 45, 4, 64, 19_565)],
)
def test_parameter_counts(inputs, outputs, depth, width, parameters):
    network = jax.eval_shape(lambda: MLP.init(jax.random.key(0), inputs, outputs, (width,) * depth))
    leaves = sum(leaf.size for leaf in jax.tree.leaves(network))
    assert leaves == parameters
    assert network.sizes == (inputs, *(width,) * depth, outputs)


def test_it_is_the_composition_of_its_layers():
    network = MLP.init(jax.random.key(0), 4, 2, (8, 8))
    x = jax.random.normal(jax.random.key(1), (5, 4))
    h = np.asarray(x)
    for layer in network.layers[:-1]:
        h = h @ np.asarray(layer.weight.unwrap()).T + np.asarray(layer.bias)
        h = np.where(h > 0, h, 0.3 * h)
    last = network.layers[-1]
    assert_allclose(network(x), h @ last.weight.unwrap().T + last.bias, rtol=1e-5, atol=1e-6)
    assert count_parameters(network) == 4 * 8 + 8 + 8 * 8 + 8 + 8 * 2 + 2


def test_leaky_rectifier_makes_it_positively_homogeneous_without_bias():
    network = MLP.init(jax.random.key(0), 4, 2, (8, 8))  # biases start at zero
    x = jax.random.normal(jax.random.key(1), (5, 4))
    assert_allclose(network(3.0 * x), 3.0 * network(x), rtol=1e-5, atol=1e-5)


def test_no_hidden_layer_is_a_linear_layer():
    network = MLP.init(jax.random.key(0), 4, 2, ())
    x = jnp.ones(4)
    np.testing.assert_array_equal(network(x), network.layers[0](x))
    bare = Linear(network.layers[0].weight, None)
    np.testing.assert_array_equal(bare(x), network.layers[0].weight.apply(x))


def test_every_activation_is_odd_or_kinked_at_zero():
    assert all(float(function(jnp.zeros(()))) == 0.0 for function in ACTIVATIONS.values())


def test_bad_architectures_are_refused():
    with pytest.raises(UsageError, match="Unknown activation 'swishy'.*leaky_relu"):
        MLP.init(jax.random.key(0), 4, 2, (8,), activation="swishy")
    with pytest.raises(UsageError, match="at least 1"):
        MLP.init(jax.random.key(0), 4, 2, (0,))
