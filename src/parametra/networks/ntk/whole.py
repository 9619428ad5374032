"""The networks of the wide-network literature, whole."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jaxtyping import PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.networks.ntk.activations import ReLU
from parametra.networks.ntk.chain import Chain, ResidualSum
from parametra.networks.ntk.conv import Conv
from parametra.networks.ntk.dense import Dense
from parametra.networks.ntk.pool import Flatten, GlobalAveragePool


def dense_network(
    key: PRNGKeyArray, inputs: int, outputs: int, hidden: Sequence[int], activation: Callable[..., Any] | None = None, *,
    w_std: float = 2.0**0.5, b_std: float | None = None, parameterization: str = "ntk",
) -> Chain:  # fmt: skip
    """Dense layers of widths `hidden` with `activation` (ReLU) after each, then a dense layer to `outputs`."""
    sizes = (inputs, *hidden, outputs)
    layers: list[Callable[..., Any]] = []
    for number, (columns, rows) in enumerate(zip(sizes, sizes[1:], strict=False)):
        layers += [activation or ReLU()] if number else []
        layers.append(Dense.init(jax.random.fold_in(key, number), columns, rows, w_std, b_std, parameterization))
    return Chain(tuple(layers))


def conv_network(
    key: PRNGKeyArray, channels: int, outputs: int, hidden: Sequence[int], activation: Callable[..., Any] | None = None, *,
    pixels: tuple[int, int] | None = None, window: tuple[int, int] = (3, 3), w_std: float = 2.0**0.5, b_std: float | None = None,
    padding: str = "SAME", head: str = "pool",
) -> Chain:  # fmt: skip
    """Convolutions of `hidden` channels with `activation` (ReLU), then `head`, then a dense layer.

    Args:
        key: for the weights.
        channels: of the images.
        outputs: of the network.
        hidden: channels after each convolution.
        activation: after each convolution.
        pixels: rows and columns that reach the head; needed for "flatten", whose dense layer must know its inputs.
        window: rows and columns of each filter.
        w_std: of every layer.
        b_std: of every layer, None without biases.
        padding: of every convolution.
        head: "pool" is the mean over all pixels.
    """
    sizes = (channels, *hidden)
    layers: list[Callable[..., Any]] = []
    for number, (before, after) in enumerate(zip(sizes, sizes[1:], strict=False)):
        key_of_layer = jax.random.fold_in(key, number)
        layers.append(Conv.init(key_of_layer, before, after, window, w_std=w_std, b_std=b_std, padding=padding))
        layers.append(activation or ReLU())
    if head not in ("pool", "flatten"):
        raise UsageError(f'head="{head}" is unknown. Known: pool, flatten.')
    if head == "flatten" and pixels is None:
        raise UsageError('head="flatten" needs the image size that reaches it. Remedy: pixels=(rows, columns).')
    features = sizes[-1] if pixels is None or head == "pool" else sizes[-1] * pixels[0] * pixels[1]
    layers.append(GlobalAveragePool() if head == "pool" else Flatten())
    return Chain((*layers, Dense.init(jax.random.fold_in(key, len(hidden)), features, outputs, w_std, b_std)))


def wide_residual_network(
    key: PRNGKeyArray, channels: int, outputs: int, width: int, blocks: int, activation: Callable[..., Any] | None = None, *,
    window: tuple[int, int] = (3, 3), w_std: float = 1.0, b_std: float | None = None,
) -> Chain:  # fmt: skip
    """Convolution, then `blocks` x [h + Conv(phi(Conv(phi(h))))], phi, mean over pixels, Dense: Zagoruyko & Komodakis (2016).

    One resolution and no batch norm, whose statistics have no law of their own; phi is ReLU where None.
    """
    phi, keys = activation or ReLU(), jax.random.split(key, 2 * blocks + 2)

    def conv(number: int, before: int) -> Conv:
        return Conv.init(keys[number], before, width, window, w_std=w_std, b_std=b_std)

    layers: list[Callable[..., Any]] = [conv(0, channels)]
    for block in range(blocks):
        layers.append(ResidualSum(Chain((phi, conv(2 * block + 1, width), phi, conv(2 * block + 2, width)))))
    return Chain((*layers, phi, GlobalAveragePool(), Dense.init(keys[-1], width, outputs, w_std, b_std)))


def residual_network(
    key: PRNGKeyArray, inputs: int, outputs: int, width: int, blocks: int, activation: Callable[..., Any] | None = None, *,
    w_std: float = 1.0, b_std: float | None = None,
) -> Chain:  # fmt: skip
    """Dense, then `blocks` x [h + Dense(phi(Dense(phi(h))))], phi, Dense: the dense form of a pre-activation residual network."""
    phi, keys = activation or ReLU(), jax.random.split(key, 2 * blocks + 2)
    layers: list[Callable[..., Any]] = [Dense.init(keys[0], inputs, width, w_std, b_std)]
    for block in range(blocks):
        first = Dense.init(keys[2 * block + 1], width, width, w_std, b_std)
        second = Dense.init(keys[2 * block + 2], width, width, w_std, b_std)
        layers.append(ResidualSum(Chain((phi, first, phi, second))))
    return Chain((*layers, phi, Dense.init(keys[-1], width, outputs, w_std, b_std)))
