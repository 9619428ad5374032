"""Laws of finite networks: structured kernels are those of the Jacobian, and the two parameterizations train alike."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.networks import MLP, ntk
from parametra.wide import empirical_ntk, kernel, linearize, monte_carlo_kernel, ntk_product

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X, IMAGES = (jnp.asarray(RNG.normal(size=shape), jnp.float32) for shape in ((3, 5), (3, 4, 4, 2)))


class Gain(eqx.Module):
    """A layer with a free number of its own, which no structured rule knows."""

    gain: jax.Array

    def __call__(self, x):
        return self.gain * x


MODELS = {
    "perceptron": (MLP.init(KEY, 5, 2, (6,)), X),
    "residual": (ntk.residual_network(KEY, 5, 2, 6, 1, ntk.Erf(), b_std=0.1), X),
    "convolution": (ntk.conv_network(KEY, 2, 2, (3,), ntk.Erf(), b_std=0.1), IMAGES),
    "own layer": (ntk.Chain((ntk.Dense.init(KEY, 5, 2), Gain(jnp.asarray(2.0)))), X),
}


@pytest.mark.parametrize("name", MODELS)
def test_structured_kernels_are_those_of_the_jacobian(name):
    model, x = MODELS[name]
    full = empirical_ntk(model, x, kind="full", structured=False)
    scale = float(jnp.abs(full).max())
    assert_allclose(empirical_ntk(model, x, x[:2], "full"), full[:, :2], rtol=0, atol=3e-6 * scale)
    assert_allclose(empirical_ntk(model, x), jnp.einsum("abii->ab", full) / 2, rtol=0, atol=3e-6 * scale)


def test_both_parameterizations_train_alike_at_rates_that_correspond():
    """Gradient descent at rate eta is, in the standard one, at eta sw²/n for weights and eta sb² for biases: to rounding."""
    one = ntk.dense_network(KEY, 5, 2, (6,), ntk.Erf(), w_std=1.5, b_std=0.3)
    layers = [
        ntk.Dense(layer.scales[0] * layer.weight, layer.scales[1] * layer.bias, 1.5, 0.3, "standard")  # pyright: ignore[reportOperatorIssue]
        if isinstance(layer, ntk.Dense)
        else layer
        for layer in one.layers
    ]
    two, y = ntk.Chain(tuple(layers)), jnp.asarray(RNG.normal(size=(3, 2)), jnp.float32)
    assert_allclose(one(X), two(X), rtol=1e-5, atol=1e-6)

    def loss(model):
        return 0.5 * jnp.mean((model(X) - y) ** 2)

    def rates(layer):
        return [0.5, 0.5] if layer.parameterization == "ntk" else [0.5 * 1.5**2 / layer.fan_in, 0.5 * 0.3**2]

    @eqx.filter_jit
    def step(model):
        moved = []
        for layer, gradient in zip(model.layers, eqx.filter_grad(loss)(model).layers, strict=True):
            if isinstance(layer, ntk.Dense):
                w, b = rates(layer)
                pair = (layer.weight - w * gradient.weight, layer.bias - b * gradient.bias)
                layer = eqx.tree_at(lambda dense: (dense.weight, dense.bias), layer, pair)
            moved.append(layer)
        return ntk.Chain(tuple(moved))

    for _ in range(10):
        one, two = step(one), step(two)
    assert_allclose(one(X), two(X), rtol=1e-4, atol=1e-5)


def test_networks_of_one_sample_or_of_batches_alone_are_taken_alike():
    """Equinox's own networks take one sample; eqx.filter_vmap makes one that takes batches alone."""
    one = eqx.nn.MLP(5, 2, 6, 1, key=KEY)
    full = empirical_ntk(one, X, kind="full")
    assert_allclose(empirical_ntk(eqx.filter_vmap(one), X, kind="full"), full, rtol=1e-5)
    v = jnp.asarray(RNG.normal(size=(3, 2)), jnp.float32)
    assert_allclose(ntk_product(one, X, None, v), jnp.einsum("abij,bj->ai", full, v), rtol=1e-4, atol=1e-5)
    assert_allclose(linearize(one)(X), jax.vmap(one)(X), rtol=1e-5, atol=1e-6)
    assert_allclose(linearize(one)(X[0]), one(X[0]), rtol=1e-5, atol=1e-6)


def test_what_has_no_tangent_kernel_or_no_product_is_refused():
    one = eqx.nn.MLP(5, 2, 6, 1, key=KEY)
    for bare in (jax.vmap(one), ntk.Chain((ntk.ReLU(),))):
        for call in (lambda m: empirical_ntk(m, X), lambda m: ntk_product(m, X, None, X), linearize):
            with pytest.raises(UsageError, match="no floating-point arrays.*Remedy"):
                call(bare)
    v = jnp.ones((3, 2))
    for x, vector, words in (
        (X, v[:2], "v has shape \\(2, 2\\) for outputs of shape \\(3, 2\\)"), (X, v * jnp.nan, "v holds NaN"),
        (X * jnp.nan, v, "x1 holds NaN"), (X[:, :4], v, "neither a batch"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            ntk_product(one, x, None, vector)


def test_no_sample_gives_an_empty_kernel():
    model, x = MODELS["perceptron"]
    for kind, more in (("trace", ()), ("diagonal", (2,)), ("full", (2, 2))):
        assert empirical_ntk(model, x[:0], x, kind).shape == (0, 3, *more)
        assert empirical_ntk(model, x, x[:0], kind).shape == (3, 0, *more)
    found = monte_carlo_kernel(lambda key: MLP.init(key, 5, 2, (6,)), x[:0], key=KEY, networks=2)
    assert found.nngp.shape == found.ntk_error.shape == (0, 0)
    images = kernel(MODELS["convolution"][0])
    for x1, x2, shape in ((IMAGES[:0], None, (0, 0)), (IMAGES[:0], IMAGES, (0, 3)), (IMAGES, IMAGES[:0], (3, 0))):
        assert images(x1, x2).ntk.shape == shape
    assert images.diagonal(IMAGES[:0]).nngp.shape == (0,)


def test_a_taylor_polynomial_has_an_order_and_an_unknown_kind_is_refused():
    model, x = MODELS["perceptron"]
    with pytest.raises(UsageError, match="at least 1, got 0"):
        linearize(model, 0)
    with pytest.raises(UsageError, match='kind="blocks" is unknown'):
        empirical_ntk(model, x, kind="blocks")  # pyright: ignore[reportArgumentType]


def test_layers_refuse_laws_that_cannot_be():
    for make, words in (
        (lambda: ntk.Dense.init(KEY, 5, 2, w_std=-1.0), "w_std must be a positive"),
        (lambda: ntk.Dense.init(KEY, 0, 2), "at least 1"),
        (lambda: ntk.Conv.init(KEY, 1, 1, padding="FULL"), "Unknown padding"),  # pyright: ignore[reportArgumentType]
        (lambda: ntk.Dropout(1.0), "in \\[0, 1\\)"),
        (lambda: ntk.LayerNorm(0.0), "must be positive"),
        (lambda: ntk.Polynomial((1.0,)), "two or more"),
    ):
        with pytest.raises(UsageError, match=words):
            make()
