"""Residual networks: published parameter counts, shapes, and what their layers promise."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.networks import RESNET_50, RESNET_101, Conv, GroupNorm, ResNet, WideResNet, lipschitz_bound
from parametra.networks.resnet import Bottleneck
from parametra.networks.wide_resnet import PreActivation
from parametra.weights import AbstractKernel, AbstractWeight, dihedrally_symmetric, hadamard, parametrize, spectral, symmetric

KEY = jax.random.key(0)


def count(build):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(eqx.filter_eval_shape(build)) if hasattr(leaf, "shape"))


# Totals of torchvision's models and of the authors' wide networks (batch norm's scale and shift counted); the symmetric ones less
# half of each square 3 x 3 slice, 9 w (w - 1)/2 per kernel.
@pytest.mark.parametrize(("depths", "total", "left"), [(RESNET_50, 25_557_032, 19_915_400), (RESNET_101, 44_549_160, 33_913_608)])
def test_parameters_of_resnets(depths, total, left):
    assert count(lambda: ResNet.init(KEY, depths)) == total
    assert count(lambda: parametrize(ResNet.init(KEY, depths), ResNet.middle_kernels, symmetric())) == left


@pytest.mark.parametrize(
    ("depth", "factor", "block", "total", "left"),
    [
        (16, 4, "bottleneck", 219_482, 172_106),
        (28, 10, "bottleneck", 2_493_914, 1_894_154),
        (40, 10, "bottleneck", 3_643_034, 2_743_394),
        (16, 4, "basic", 2_748_890, 1_593_722),
        (28, 10, "basic", 36_479_194, 19_580_074),
    ],
)
def test_parameters_of_wide_resnets(depth, factor, block, total, left):
    def build():
        return WideResNet.init(KEY, depth, factor, block=block)

    assert count(build) == total
    assert count(lambda: parametrize(build(), WideResNet.square_kernels, symmetric())) == left


@pytest.mark.parametrize("scheme", [hadamard(4), dihedrally_symmetric(), symmetric()], ids=lambda scheme: scheme.name)
def test_a_wide_resnet_runs_and_learns_over_any_kernel(scheme):
    network = parametrize(WideResNet.init(KEY, 10, 1), WideResNet.square_kernels, scheme, keep="scale")
    x = jax.random.normal(KEY, (2, 8, 8, 3))

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(network):
        return -jnp.mean(jax.nn.log_softmax(network(x))[:, 0])

    value, gradient = loss(network)
    assert 0.5 < float(value) < 10
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(gradient))
    assert all(bool((leaf != 0).any()) for leaf in jax.tree.leaves(gradient.groups) if leaf.size)


def test_a_resnet_shrinks_space_by_32():
    network = ResNet.init(KEY, (1, 1), classes=5, width=8)
    y = jax.eval_shape(network, jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.float32))
    assert y.shape == (2, 5)


def test_group_norm_is_free_of_shift_and_scale_of_each_group():
    norm = GroupNorm.init(8, 2)
    x = jax.random.normal(KEY, (3, 4, 5, 8))
    assert norm.groups == 2
    moved = 3.0 * x + jnp.repeat(jnp.array([1.0, -2.0]), 4)
    assert_allclose(norm(moved), norm(x), atol=1e-4)
    parts = np.asarray(norm(x)).reshape(3, 20, 2, 4)
    assert_allclose(parts.mean((1, 3)), 0, atol=1e-6)
    assert_allclose(parts.std((1, 3)), 1, atol=1e-4)


def test_convolution_is_that_of_equinox():
    ours = Conv.init(KEY, 6, 4, (3, 5), 2, bias=True, padding=((1, 1), (2, 2)))
    theirs = eqx.nn.Conv2d(4, 6, (3, 5), 2, ((1, 1), (2, 2)), key=KEY)
    theirs = eqx.tree_at(lambda c: (c.weight, c.bias), theirs, (ours.weight.unwrap(), jnp.zeros((6, 1, 1))))
    x = jax.random.normal(KEY, (2, 9, 8, 4))
    assert_allclose(ours(x), jnp.moveaxis(jax.vmap(theirs)(jnp.moveaxis(x, -1, 1)), 1, -1), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="at least one block"):
        ResNet.init(KEY, ())
    with pytest.raises(UsageError, match="6 n . 4 layers"):
        WideResNet.init(KEY, 17, 2)
    with pytest.raises(UsageError, match="at least 1"):
        Conv.init(KEY, 0, 3)


def held(network):
    """Every weight by its singular values, in [0.5, 1]."""
    kinds = (AbstractKernel, AbstractWeight)

    def weights(model):
        return [leaf for leaf in jax.tree.leaves(model, is_leaf=lambda x: isinstance(x, kinds)) if isinstance(leaf, kinds)]

    return parametrize(network, weights, spectral(2, (0.5, 1.0)))


@pytest.mark.parametrize(
    "block",
    [PreActivation.init(KEY, 4, 4, 1, False), PreActivation.init(KEY, 4, 8, 2, False), Bottleneck.init(KEY, 4, 2, 2)],
    ids=["kept", "pre-activation", "bottleneck"],
)
def test_no_direction_is_stretched_beyond_the_lipschitz_bound(block):
    with pytest.raises(UsageError, match="singular values|No Lipschitz bound"):
        lipschitz_bound(block)
    block, x = held(block), jax.random.normal(KEY, (4, 4, 4))
    jacobian = jax.jit(jax.jacrev(lambda x: block(x[None])[0].ravel()))(x).reshape(-1, 64)
    assert 0 < np.linalg.norm(jacobian, 2) <= float(lipschitz_bound(block))


def test_the_lipschitz_bound_of_a_network_is_the_product_of_its_parts():
    network = held(ResNet.init(KEY, (1,), classes=3, width=2))
    parts = (network.stem, network.norm, network.stages[0][0], network.head)
    assert_allclose(lipschitz_bound(network), 2.0 * np.prod([float(lipschitz_bound(part)) for part in parts]), rtol=1e-5)


def test_the_lipschitz_bound_of_a_normalisation_is_attained_without_variance():
    norm = GroupNorm(jnp.array([1.0, 1.0, 3.0, 1.0]), jnp.zeros(4), 2)
    jacobian = jax.jacrev(lambda x: norm(x[None])[0])(jnp.zeros((5, 4))).reshape(20, 20)
    stretched = np.linalg.norm(jacobian, 2)
    assert 0.9 * float(lipschitz_bound(norm)) < stretched <= 1.000001 * float(lipschitz_bound(norm))
