"""Laws of infinite-width kernels: the networks' own average, exact diagonals, own layers, and refusals where a formula fails."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.networks import MLP, Linear, ntk
from parametra.weights import AbstractWeight
from parametra.wide import empirical_ntk, kernel, monte_carlo_kernel, rule
from parametra.wide.rules import window_sum

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)


def shape_of(make, *arguments, **options):
    """A network without numbers: kernels need none."""
    return eqx.filter_eval_shape(lambda key: make(key, *arguments, **options), KEY)


@pytest.mark.x64
def test_the_diagonal_of_relu_is_exact_also_for_duplicates():
    x = np.concatenate([X, X[:1] * (1 + 1e-9)]).astype(np.float64)
    with jax.enable_x64(True):
        function = kernel(shape_of(ntk.dense_network, 6, 1, (4, 4, 4), w_std=2**0.5, b_std=0.1**0.5))
        found, on = function(jnp.asarray(x)), function.diagonal(jnp.asarray(x))
    variance, tangent = 2 * (x**2).mean(1) + 0.1, 2 * (x**2).mean(1) + 0.1
    for _ in range(3):
        variance = variance + 0.1  # 2 a/2 + sb2
        tangent = variance + tangent  # + 2 Theta 1/2
    for value in (np.diag(found.nngp), on.nngp):
        assert_allclose(value, variance, rtol=1e-14)
    for value in (np.diag(found.ntk), on.ntk):
        assert_allclose(value, tangent, rtol=1e-14)


def test_chain_of_the_textbook():
    """Two unit vectors at cos 0.6, three hidden layers, sw2 = 2, sb2 = 0.1: values from a float64 recursion, 8 digits."""
    function = kernel(shape_of(ntk.dense_network, 4, 1, (4, 4, 4), w_std=2**0.5, b_std=0.1**0.5))
    found = function(jnp.asarray([[1.0, 0, 0, 0], [0.6, 0.8, 0, 0]]))
    assert_allclose(found.nngp, [[0.9, 0.77736314], [0.77736314, 0.9]], rtol=3e-7)
    assert_allclose(found.ntk, [[3.0, 1.83093204], [1.83093204, 3.0]], rtol=1e-6)


CLOSED = [
    ntk.ReLU(), ntk.LeakyReLU(0.1), ntk.Abs(), ntk.ABReLU(-0.5, 1.3), ntk.Erf(1.2, 0.7, 0.3), ntk.GELU(), ntk.Sine(1.1, 0.8, 0.3),
    ntk.Gaussian(), ntk.Exponential(), ntk.Polynomial((0.5, -1.0, 0.3, 0.2)), ntk.Identity(),
]  # fmt: skip


@pytest.mark.x64
@pytest.mark.parametrize("activation", CLOSED, ids=lambda activation: type(activation).__name__)
def test_float32_agrees_with_float64(activation):
    """To 1e-5 of sqrt(K_ii K_jj), opposite inputs and the diagonal included."""
    x = np.concatenate([X, -X[:1]])
    function = kernel(shape_of(ntk.dense_network, 6, 1, (4, 4), activation, w_std=1.0, b_std=0.1))
    few = function(jnp.asarray(x))
    with jax.enable_x64(True):
        exact = function(jnp.asarray(x, jnp.float64))
    for which in ("nngp", "ntk"):
        found, true = np.asarray(getattr(few, which), np.float64), np.asarray(getattr(exact, which))
        scale = np.sqrt(np.diag(true))
        assert (np.abs(found - true) / np.outer(scale, scale)).max() < 1e-5


@pytest.mark.parametrize("parameterization", ["ntk", "standard"])
def test_wide_networks_average_to_the_kernel(parameterization):
    """64 networks of width 256: sampling error, and a bias of order 1/width."""

    def make(key):
        return ntk.dense_network(key, 6, 1, (256, 256), ntk.Erf(), w_std=1.5, b_std=0.3, parameterization=parameterization)

    exact = kernel(shape_of(lambda key: make(key)))(jnp.asarray(X))
    found = monte_carlo_kernel(make, jnp.asarray(X), key=KEY, networks=64)
    assert (np.abs(found.nngp - exact.nngp) < 5 * found.nngp_error + 0.02 * exact.nngp.max()).all()
    assert (np.abs(found.ntk - exact.ntk) < 5 * found.ntk_error + 0.02 * exact.ntk.max()).all()


def test_our_own_perceptron_has_a_kernel_until_it_is_trained_or_structured():
    model = MLP.init(KEY, 6, 1, (512, 512))
    exact = kernel(model)(jnp.asarray(X))
    found = empirical_ntk(model, jnp.asarray(X))
    assert_allclose(found, exact.ntk, rtol=0, atol=0.25 * float(exact.ntk.max()))
    trained = eqx.tree_at(lambda m: m.layers[1].weight.matrix, model, 1.2 * model.layers[1].weight.unwrap())
    with pytest.raises(UsageError, match="trained already.*monte_carlo_kernel"):
        kernel(trained)

    class Tied(AbstractWeight):
        inner: jax.Array

        @property
        def shape(self):
            return (self.inner.shape[0], self.inner.shape[1])

        def unwrap(self):
            return self.inner + self.inner.T

    tied = Linear(Tied(jnp.ones((6, 6))), None)
    with pytest.raises(UsageError, match="No analytic kernel for Linear.*Tied.*Remedy"):
        kernel(ntk.Chain((tied,)))


def test_a_layer_of_ones_own_takes_a_rule_in_a_few_lines():
    class Double(eqx.Module):
        def __call__(self, x):
            return 2.0 * x

    dense = shape_of(ntk.Dense.init, 6, 1)
    with pytest.raises(UsageError, match="No analytic kernel for Double.*rule.register"):
        kernel(ntk.Chain((dense, Double())))

    @rule.register
    def _(layer: Double, state):
        return state.replace(nngp=4 * state.nngp, ntk=4 * state.ntk, first=4 * state.first, second=4 * state.second)

    once, twice = kernel(dense)(jnp.asarray(X)), kernel(ntk.Chain((dense, Double())))(jnp.asarray(X))
    assert_allclose(twice.ntk, 4 * once.ntk, rtol=1e-6)


def test_layers_refuse_where_their_formula_does_not_hold():
    x, dense, relu = jnp.asarray(X), shape_of(ntk.Dense.init, 6, 6), ntk.ReLU()
    wrong = {
        "not Gaussian": ntk.Chain((relu, dense)),
        "is not Gaussian.*Remedy": ntk.Chain((dense, relu, relu)),
        "LayerNorm has a kernel only": ntk.Chain((dense, relu, ntk.LayerNorm())),
        "one of its branches ends in an affine layer": ntk.Chain((dense, ntk.ResidualSum(relu))),
        "needs images": ntk.Chain((ntk.Flatten(), dense)),
        "of 7 inputs meets 6 features": shape_of(ntk.Dense.init, 7, 1),
    }
    for words, model in wrong.items():
        with pytest.raises(UsageError, match=words):
            kernel(model)(x)


def test_a_residual_sum_of_shared_weights_is_refused():
    one, two = (ntk.Dense.init(jax.random.fold_in(KEY, number), 6, 6) for number in (0, 1))
    block = lambda dense: ntk.ResidualSum(ntk.Chain((ntk.ReLU(), dense)))
    for shared in (ntk.ResidualSum(one, one), ntk.Chain((two, block(one), block(one)))):
        with pytest.raises(UsageError, match="same weights twice.*a layer of its own"):
            kernel(shared)
    assert_allclose(kernel(ntk.ResidualSum(one, two))(jnp.asarray(X)).nngp, 2 * kernel(one)(jnp.asarray(X)).nngp, rtol=1e-6)


def test_bad_inputs_are_refused():
    function = kernel(shape_of(ntk.Dense.init, 6, 1))
    for bad, words in (
        (X.astype(np.float16), "float16"), (np.where(X > 1, np.nan, X), "NaN"), (X[0], "shape \\(6,\\)"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            function(jnp.asarray(bad))
    with pytest.raises(UsageError, match="alike but for the first axis"):
        function(jnp.asarray(X), jnp.asarray(X[:, :5]))
    assert function(jnp.asarray(X[:0])).ntk.shape == (0, 0)
    assert function(jnp.asarray(X[:1])).ntk.shape == (1, 1)


@pytest.mark.parametrize(("padding", "stride"), [("SAME", 1), ("SAME", 2), ("VALID", 2), ("CIRCULAR", 1)])
def test_window_sums_are_those_of_the_network(padding, stride):
    """The variance of one convolution's output is the window mean of the image's squares: also at edges and with strides."""
    image = jnp.asarray(np.random.default_rng(1).normal(size=(1, 5, 6, 1)), jnp.float32)
    conv = ntk.Conv(jnp.ones((3, 3, 1, 1)), None, (stride, stride), padding, 3.0, None)
    sums = conv(image**2)[0, ..., 0]
    square = image[0, ..., 0] ** 2
    assert_allclose(window_sum(window_sum(square, (-2,), 3, stride, padding), (-1,), 3, stride, padding), sums, rtol=1e-5)
