"""Laws of image kernels: all orders in which pairs of pixels can be gone through give the same numbers, at bounded memory."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.networks import ntk
from parametra.wide import kernel, monte_carlo_kernel, rule
from parametra.wide.offsets import global_mean, split
from parametra.wide.start import start_pair

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
RELU = ntk.ReLU()


def conv(inputs, outputs, window=(3, 3), padding="SAME", strides=(1, 1), w_std=1.4, b_std=0.3):
    make = functools.partial(ntk.Conv.init, window=window, padding=padding, strides=strides, w_std=w_std, b_std=b_std)
    return eqx.filter_eval_shape(lambda key: make(key, inputs, outputs), KEY)


HEAD = (ntk.GlobalAveragePool(), eqx.filter_eval_shape(lambda key: ntk.Dense.init(key, 4, 1, 1.3, 0.2), KEY))


def image(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def all_pairs(layers, x1, x2):
    """K and Theta over all pairs of pixels, by the rules at once."""
    state = functools.reduce(lambda state, layer: rule(layer, state), layers, start_pair(x1, x2))
    return state.nngp.mean(), state.ntk.mean()


def shifted(x, window, padding, axes):
    """Mean over a window of all pixels of `axes`, shift by shift, in numpy."""
    total = np.zeros_like(x)
    for i in range(window[0]):
        for j in range(window[1]):
            moved = x
            for pair in axes:
                for axis, size, shift in zip(pair, window, (i, j), strict=True):
                    moved = one_shift(moved, axis, shift - (size - 1) // 2, padding == "CIRCULAR")
            total = total + moved
    return total / (window[0] * window[1])


def one_shift(x, axis, shift, circular):
    index = np.arange(x.shape[axis]) + shift
    moved = np.take(x, index % x.shape[axis], axis)
    inside = (index >= 0) & (index < x.shape[axis]) | circular
    return moved * inside.reshape([-1 if a == axis else 1 for a in range(x.ndim)])


def plain(x1, x2, settings):
    """Convolution and ReLU in turn, global mean and dense layer, in float64 over (height, width, height', width')."""
    x1, x2 = (np.asarray(x, np.float64) for x in (x1, x2))
    K = np.einsum("hwc,HWc->hwHW", x1, x2) / x1.shape[-1]
    a, b = ((x * x).mean(-1) for x in (x1, x2))
    theta = np.zeros_like(K)
    for window, padding in settings:
        mean = functools.partial(shifted, window=window, padding=padding)
        K, theta = (1.96 * mean(t, axes=((0, 1), (2, 3))) for t in (K, theta))
        K = K + 0.09
        theta = K + theta
        a, b = (1.96 * mean(t, axes=((0, 1),)) + 0.09 for t in (a, b))
        size = np.sqrt(a[:, :, None, None] * b)
        rho = np.clip(K / size, -1, 1)
        angle = np.pi - np.arccos(rho)
        K, theta = size / (2 * np.pi) * (np.sqrt(1 - rho**2) + angle * rho), theta * angle / (2 * np.pi)
        a, b = a / 2, b / 2
    nngp = 1.69 * K.mean() + 0.04
    return nngp, nngp + 1.69 * theta.mean()


@pytest.mark.parametrize(
    ("height", "width", "settings"),
    [
        (5, 3, [((3, 3), "SAME"), ((2, 4), "SAME")]), (3, 6, [((4, 1), "CIRCULAR"), ((3, 2), "SAME")]),
        (1, 5, [((3, 3), "SAME")]), (4, 1, [((5, 3), "SAME"), ((3, 3), "CIRCULAR")]),
    ],
)  # fmt: skip
def test_kernels_of_images_are_those_of_the_plain_recursion(height, width, settings):
    """Also where the window is larger than the image, even, or wraps around; of an image with itself and with another."""
    x = image(2, height, width, 2)
    layers = [part for n, (w, p) in enumerate(settings) for part in (conv(4 if n else 2, 4, w, p), RELU)]
    model = ntk.Chain((*layers, *HEAD))
    assert split(model) is not None
    found = kernel(model)(x)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        assert_allclose((found.nngp[i, j], found.ntk[i, j]), plain(x[i], x[j], settings), rtol=3e-4)


def block():
    return ntk.Chain((RELU, conv(4, 4, (1, 5), "CIRCULAR")))


CHAINS = {
    "residual": (conv(2, 4), ntk.ResidualSum(block()), ntk.ResidualSum(block(), conv(4, 4, (1, 1))), RELU),
    "norm and dropout": (conv(2, 4), ntk.LayerNorm(), RELU, ntk.Dropout(0.5), conv(4, 4), ntk.Erf()),
    "series": (conv(2, 4), ntk.Pointwise(jnp.tanh), conv(4, 4), ntk.GELU()),
    "pixels only": (eqx.filter_eval_shape(lambda key: ntk.Dense.init(key, 2, 4), KEY), ntk.LeakyReLU(0.3)),
    "no layer": (),
}


@pytest.mark.parametrize(
    ("name", "shape"), list(zip(CHAINS, [(4, 6, 2), (5, 3, 2), (4, 3, 2), (3, 2, 2), (1, 4, 2)], strict=True))
)  # fmt: skip
def test_one_offset_after_the_other_is_all_pairs_at_once(name, shape):
    layers, (x1, x2) = CHAINS[name], (image(*shape), image(*shape))
    other = ((jnp.ones(1), jnp.ones(1)),)

    @jax.jit
    def both(x1, x2):
        across, own = global_mean(layers, x1, x2, other), global_mean(layers, x1, None)
        found = across.nngp[0], across.ntk[0], own.nngp[0], own.ntk[0], own.first[0]
        expected, alone = all_pairs(layers, x1, x2), all_pairs(layers, x1, None)
        return found, (*expected, *alone, alone[0])

    assert_allclose(*both(x1, x2), rtol=3e-6, atol=3e-6)


def test_flattened_pixels_are_no_one_gaussian():
    """A pointwise layer after Flatten is the one before it; its kernel is known only there, or of a single pixel."""

    def make(after, height):
        def draw(key):
            first, last = ntk.Conv.init(key, 2, 256), ntk.Dense.init(jax.random.fold_in(key, 1), 256 * height, 1)
            middle = (ntk.Flatten(), ntk.Abs()) if after else (ntk.Abs(), ntk.Flatten())
            return ntk.Chain((first, *middle, last))

        return draw

    x = image(2, 3, 1, 2) * jnp.asarray([0.1, 1.0, 5.0])[:, None, None]
    shapes = lambda *which: eqx.filter_eval_shape(make(*which), KEY)
    with pytest.raises(UsageError, match="or Flatten. Remedy"):
        kernel(shapes(True, 3))(x)
    found, true = monte_carlo_kernel(make(True, 3), x, key=KEY, networks=64), kernel(shapes(False, 3))(x)
    assert (np.abs(found.nngp - true.nngp) < 4 * found.nngp_error).all()
    assert_allclose(kernel(shapes(True, 1))(x[:, :1]).ntk, kernel(shapes(False, 1))(x[:, :1]).ntk, rtol=1e-6)


def test_pooling_of_windows_and_strides_keep_all_pairs():
    for layer in (ntk.AveragePool(), conv(4, 4, strides=(2, 1)), conv(4, 4, padding="VALID")):
        assert split(ntk.Chain((conv(2, 4), RELU, layer, *HEAD))) is None


def test_a_pair_of_images_stays_in_the_cache():
    """All arrays of a program together are smaller than one over all pairs of pixels."""
    layers, x, other = (conv(2, 4), RELU, conv(4, 4), RELU), image(2, 32, 32, 2), ((jnp.ones(1), jnp.ones(1)),)
    program = jax.jit(lambda x1, x2: global_mean(layers, x1, x2, other).ntk).lower(x[0], x[1]).compile()
    memory = program.memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < 4 * 32**4


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_pairs_dealt_out_to_cores_are_those_of_one_loop(monkeypatch, padding):
    """Also where they do not divide evenly, and with pooling; under jit there is one loop."""
    model = ntk.Chain((conv(2, 4, padding=padding), RELU, ntk.AveragePool((2, 2), (2, 2)), conv(4, 4), RELU, *HEAD))
    function, x1, x2 = kernel(model), image(5, 6, 6, 2), image(3, 6, 6, 2)
    answers = []
    for cores in (1, 2, 3):
        monkeypatch.setattr("parametra.core.machine.cores", lambda cores=cores: cores)
        answers.append((function(x1), function(x1, x2)))
    answers.append(eqx.filter_jit(lambda x1, x2: (function(x1), function(x1, x2)))(x1, x2))
    for other in answers[1:]:
        for one, two in zip(jax.tree.leaves(answers[0]), jax.tree.leaves(other), strict=True):
            assert_allclose(two, one, rtol=1e-6)
    assert answers[0][0].ntk.shape == (5, 5)
    assert answers[0][1].ntk.shape == (5, 3)


def test_pairs_are_dealt_out_in_the_precision_of_the_caller_and_on_the_device_of_the_images(monkeypatch):
    monkeypatch.setattr("parametra.core.machine.cores", lambda: 2)
    function = kernel(ntk.Chain((conv(2, 4), RELU, *HEAD)))
    x = np.random.default_rng(0).normal(size=(5, 4, 4, 2))
    single = function(jnp.asarray(x, jnp.float32)).ntk
    with jax.enable_x64(True):
        double = function(jnp.asarray(x, jnp.float64)).ntk
        assert double.dtype == np.float64
    assert_allclose(single, double, rtol=1e-5)


def test_a_layer_that_does_not_hash_is_no_hindrance(monkeypatch):
    class Scaled(eqx.Module):
        by: list

        def __call__(self, x):
            return self.by[0] * x

    @rule.register
    def _(layer: Scaled, state):
        return state

    monkeypatch.setattr("parametra.core.machine.cores", lambda: 2)
    x, layers = image(5, 4, 4, 2), (conv(2, 4), RELU, *HEAD)
    assert_allclose(kernel(ntk.Chain((Scaled([1.0]), *layers)))(x).ntk, kernel(ntk.Chain(layers))(x).ntk, rtol=1e-6)


def test_a_network_that_pools_windows_has_gradients():
    """Jitted, and the same as those of means by hand."""
    pool, x, weight = ntk.AveragePool((2, 2)), image(3, 4, 4, 2), image(3, 2, 2, 2)
    by_hand = lambda x: jnp.vdot(x.reshape(3, 2, 2, 2, 2, 2).mean((2, 4)), weight)
    found = eqx.filter_jit(jax.grad(lambda x: jnp.vdot(pool(x), weight)))(x)
    assert_allclose(found, jax.grad(by_hand)(x), rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 3, 2)])
@pytest.mark.parametrize("phi", [RELU, ntk.LeakyReLU(0.2), ntk.Erf()])
def test_kernels_of_inputs_with_themselves_have_finite_gradients(shape, phi):
    """Where the angle is zero too; that of the trace is that of the diagonal's own formula."""
    x = image(*shape)
    dense = eqx.filter_eval_shape(lambda key: ntk.dense_network(key, 3, 1, (4, 4), phi, b_std=0.2), KEY)
    function = kernel(dense if x.ndim == 2 else ntk.Chain((conv(2, 4), phi, *HEAD)))
    whole = jax.grad(lambda x: jnp.sum(function(x).ntk))(x)
    trace = jax.grad(lambda x: jnp.trace(function(x).ntk))(x)
    own = jax.grad(lambda x: jnp.sum(function.diagonal(x).ntk))(x)
    assert np.isfinite(whole).all()
    assert_allclose(trace, own, rtol=1e-4, atol=1e-4 * float(jnp.abs(own).max()))
