"""What the stages share: the networks, the subset of images they are trained on, one training loop, slopes with intervals."""

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from parametra.networks import ntk
from parametra.studies.wide import data
from parametra.studies.wide.config import NetworkConfig, WideConfig
from parametra.wide import kernel
from parametra.wide.kernel import KernelFunction

Numbers = np.ndarray
ACTIVATIONS: dict[str, ntk.AbstractActivation] = {"erf": ntk.Erf(), "relu": ntk.ReLU(), "tanh": ntk.Pointwise(jnp.tanh)}


def subset(config: WideConfig, kind: str, samples: int | None = None) -> tuple[Array, Numbers, Array]:
    """(`samples` training images, one-hot labels, test images) for a kind of network: flat rows but for convolutions."""
    x, labels, x_test, _ = data.load(config.data, config.seed)
    flat = (lambda x: x) if kind == "convolution" else (lambda x: x.reshape(len(x), -1))
    count, points = samples or config.data.samples, config.data.points
    return jnp.asarray(flat(x[:count])), data.one_hot(labels[:count], config.data.classes), jnp.asarray(flat(x_test[:points]))


def maker(network: NetworkConfig, width: int, shape: tuple[int, ...], outputs: int) -> Callable[[PRNGKeyArray], Any]:
    """A function that draws one network from a key, for inputs of `shape`."""
    phi = ACTIVATIONS[network.activation]
    law: dict[str, Any] = {"w_std": network.w_std, "b_std": network.b_std}
    if network.kind == "convolution":
        return lambda key: ntk.conv_network(key, shape[-1], outputs, (width,) * network.depth, phi, **law)
    if network.kind == "residual":
        return lambda key: ntk.residual_network(key, shape[-1], outputs, width, network.depth, phi, **law)
    return lambda key: ntk.dense_network(key, shape[-1], outputs, (width,) * network.depth, phi, **law)


def limit(network: NetworkConfig, shape: tuple[int, ...], outputs: int) -> KernelFunction:
    """The kernels that all widths of `network` tend to."""
    return kernel(eqx.filter_eval_shape(maker(network, network.widths[0], shape, outputs), jax.random.key(0)))


def draw(make: Callable[[PRNGKeyArray], Any], key: PRNGKeyArray, count: int) -> Any:
    """`count` networks side by side: each array has a leading axis."""
    return eqx.filter_vmap(make)(jax.random.split(key, count))


def member(models: Any, number: int) -> Any:
    """One of the networks of `draw`."""
    return jax.tree.map(lambda leaf: leaf[number] if eqx.is_array(leaf) else leaf, models)


def squared(outputs: Any, y: Any) -> Any:
    """Half the mean square over samples and outputs."""
    return 0.5 * ((outputs - y) ** 2).mean((-2, -1))


def entropy(outputs: Any, y: Any) -> Any:
    """Cross-entropy with softmax, divided by samples and outputs."""
    return -(jax.nn.log_softmax(outputs) * y).mean((-2, -1))


LOSSES: dict[str, Callable[[Any, Any], Any]] = {"squared": squared, "entropy": entropy}


def train(
    models: Any, x: Array, y: Numbers, x_test: Array, loss: str, rate: Any, momentum: float, stride: int, records: int,
    batches: Numbers | None = None,
) -> tuple[Any, Numbers, Numbers]:  # fmt: skip
    """Heavy ball, all networks at once, on all images or, of each step, on those that `batches` (records, stride, size) names.

    `rate` is one number, or a model that holds the number of each array in its place.

    Returns:
        the trained networks, and their outputs (network, records + 1, n, k) at the training and the test inputs every `stride`
        steps.
    """
    free = eqx.filter(models, eqx.is_inexact_array)
    rates = jax.tree.map(lambda _: rate, free) if isinstance(rate, float) else eqx.filter(rate, eqx.is_inexact_array)
    rates = jax.tree.map(lambda rate: jnp.asarray(rate, x.dtype), rates)
    numbers = (rates, jnp.asarray(momentum, x.dtype), jnp.asarray(stride))
    rows = None if batches is None else jnp.asarray(batches)
    trained, (on, off) = _train(models, x, jnp.asarray(y, x.dtype), x_test, LOSSES[loss], *numbers, records, rows)
    return trained, np.asarray(on, np.float64), np.asarray(off, np.float64)


@eqx.filter_jit
def _train(
    models: Any, x: Array, y: Array, x_test: Array, loss: Callable[..., Any], rates: Any, momentum: Array, stride: Array,
    records: int, batches: Array | None,
) -> tuple[Any, tuple[Array, Array]]:  # fmt: skip
    free, fixed = eqx.partition(models, eqx.is_inexact_array)

    def one(free: Any) -> tuple[Any, tuple[Array, Array]]:
        gradient = jax.grad(lambda free, x, y: loss(eqx.combine(free, fixed)(x), y))

        def step(number: Any, state: tuple[Any, Any], rows: Array | None) -> tuple[Any, Any]:
            free, v = state
            seen = (x, y) if rows is None else (x[rows[number]], y[rows[number]])
            v = jax.tree.map(lambda v, g, rate: momentum * v - rate * g, v, gradient(free, *seen), rates)
            return jax.tree.map(jnp.add, free, v), v

        def record(state: tuple[Any, Any], rows: Array | None) -> tuple[tuple[Any, Any], tuple[Array, Array]]:
            state = jax.lax.fori_loop(0, stride, partial(step, rows=rows), state)
            return state, (eqx.combine(state[0], fixed)(x), eqx.combine(state[0], fixed)(x_test))

        start = (eqx.combine(free, fixed)(x), eqx.combine(free, fixed)(x_test))
        (free, _), found = jax.lax.scan(record, (free, jax.tree.map(jnp.zeros_like, free)), batches, records)
        return free, jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), start, found)

    trained, found = jax.lax.map(one, free)
    return eqx.combine(trained, fixed), found


def rms(values: Numbers) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(values**2)))


def slope(x: Any, y: Numbers, seed: int = 0, draws: int = 1000) -> tuple[float, float, float]:
    """Exponent of mean(y) ~ x^s, y (x, repetition), by least squares in logarithms; 95 % of it over resampled repetitions."""
    logs, generator = np.log(np.asarray(x, np.float64)), np.random.default_rng(seed)
    picks = generator.integers(0, y.shape[1], (draws, *y.shape))
    sampled = np.take_along_axis(np.broadcast_to(y, (draws, *y.shape)), picks, 2).mean(2)
    centred = logs - logs.mean()
    fit = lambda means: np.log(means) @ centred / (centred @ centred)
    low, high = np.quantile(fit(sampled), [0.025, 0.975])
    return float(fit(y.mean(1))), float(low), float(high)
