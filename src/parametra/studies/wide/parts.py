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

Numbers = np.ndarray


def subset(config: WideConfig, kind: str) -> tuple[Array, Numbers, Array]:
    """(training images, one-hot labels, test images) for a kind of network: flat rows but for convolutions."""
    x, labels, x_test, _ = data.load(config.data, config.seed)
    flat = (lambda x: x) if kind == "convolution" else (lambda x: x.reshape(len(x), -1))
    count, points = config.data.samples, config.data.points
    return jnp.asarray(flat(x[:count])), data.one_hot(labels[:count], config.data.classes), jnp.asarray(flat(x_test[:points]))


def maker(network: NetworkConfig, width: int, shape: tuple[int, ...], outputs: int) -> Callable[[PRNGKeyArray], Any]:
    """A function that draws one network with erf from a key, for inputs of `shape`."""
    phi = ntk.Erf()
    law: dict[str, Any] = {"w_std": network.w_std, "b_std": network.b_std}
    if network.kind == "convolution":
        return lambda key: ntk.conv_network(key, shape[-1], outputs, (width,) * network.depth, phi, **law)
    if network.kind == "residual":
        return lambda key: ntk.residual_network(key, shape[-1], outputs, width, network.depth, phi, **law)
    return lambda key: ntk.dense_network(key, shape[-1], outputs, (width,) * network.depth, phi, **law)


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
    models: Any, x: Array, y: Numbers, x_test: Array, loss: str, rate: float, momentum: float, stride: int, records: int
) -> tuple[Any, Numbers, Numbers]:
    """Full-batch heavy ball, all networks at once.

    Returns:
        the trained networks, and their outputs (network, records + 1, n, k) at the training and the test inputs every `stride`
        steps.
    """
    labels = jnp.asarray(y, x.dtype)
    numbers = (jnp.asarray(rate, x.dtype), jnp.asarray(momentum, x.dtype))
    trained, on, off = [], [], []
    for number in range(jax.tree.leaves(eqx.filter(models, eqx.is_inexact_array))[0].shape[0]):
        model = member(models, number)
        velocity = jax.tree.map(jnp.zeros_like, eqx.filter(model, eqx.is_inexact_array))
        outputs = [_outputs(model, x, x_test)]
        for _ in range(records):
            for _ in range(stride):
                model, velocity = _step(model, velocity, x, labels, LOSSES[loss], *numbers)
            outputs.append(_outputs(model, x, x_test))
        trained.append(model)
        on.append(np.stack([one for one, _ in outputs]))
        off.append(np.stack([other for _, other in outputs]))
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0], *trained)
    return together, np.stack(on).astype(np.float64), np.stack(off).astype(np.float64)


# Each step is a call of its own: on a CPU, XLA runs a convolution inside a compiled loop ten times slower than outside.
@eqx.filter_jit
def _step(
    model: Any, velocity: Any, x: Array, y: Array, loss: Callable[..., Any], rate: Array, momentum: Array
) -> tuple[Any, Any]:  # fmt: skip
    gradient = eqx.filter_grad(lambda model: loss(model(x), y))(model)
    velocity = jax.tree.map(lambda v, g: momentum * v - rate * g, velocity, gradient)
    return eqx.apply_updates(model, velocity), velocity


@eqx.filter_jit
def _outputs(model: Any, x: Array, x_test: Array) -> tuple[Array, Array]:
    return model(x), model(x_test)


def slope(x: Any, y: Numbers, seed: int = 0, draws: int = 400) -> tuple[float, float, float]:
    """Exponent of y ~ x^s by least squares in logarithms, with a 95 % interval from resampled columns of y (x, repetition)."""
    logs, generator = np.log(np.asarray(x, np.float64)), np.random.default_rng(seed)
    fit = partial(np.polyfit, logs, deg=1)
    values = np.log(y)
    picks = generator.integers(0, y.shape[1], (draws, *y.shape))
    sampled = np.take_along_axis(np.broadcast_to(values, (draws, *y.shape)), picks, 2).mean(2)
    slopes = [fit(row)[0] for row in sampled]
    low, high = np.quantile(slopes, [0.025, 0.975])
    return float(fit(values.mean(1))[0]), float(low), float(high)
