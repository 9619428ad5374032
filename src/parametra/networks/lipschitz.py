r"""How much a network can stretch a difference of two inputs: |f(x) - f(y)| <= L |x - y|.

A bound, in closed form: the product over layers of the largest singular value and the steepest slope of the nonlinearity. It is
exact for one layer and generous for many; with a normalisation it says hardly more than that there is one, since that alone can
stretch a signal of no variance by 1/sqrt(1e-5). LSTM and GRU have none: what their gates let through is not bounded in the state.
"""

from functools import singledispatch
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.networks.conv import Conv
from parametra.networks.linear import Linear
from parametra.networks.mlp import MLP
from parametra.networks.norm import SMALL, GroupNorm
from parametra.networks.recurrent import RNNCell
from parametra.networks.resnet import Bottleneck, ResNet
from parametra.networks.wide_resnet import PreActivation, WideResNet
from parametra.weights import AbstractWeight, SpectralKernel

SLOPES = {"leaky_relu": 1.0, "relu": 1.0, "tanh": 1.0, "identity": 1.0, "modrelu": 1.0, "gelu": 1.1290}  # of jax's tanh form
"""The steepest slope of each nonlinearity."""


@singledispatch
def lipschitz_bound(network: Any) -> Float[Array, ""]:
    """L of a network whose weights know their singular values.

    Register a rule for a layer of your own with `lipschitz_bound.register`.

    Raises:
        UsageError: a layer without a rule, or a weight without singular values in closed form.
    """
    known = ", ".join(sorted(kind.__name__ for kind in lipschitz_bound.registry if kind is not object))
    raise UsageError(
        f"No Lipschitz bound is known for {type(network).__name__}. Likely cause: a layer without a bound, such as a division by "
        f"a norm. Remedy: register a rule with lipschitz_bound.register; there are rules for {known}."
    )


@lipschitz_bound.register
def _weight(weight: AbstractWeight) -> Float[Array, ""]:
    return weight.singular_values()[0]


@lipschitz_bound.register
def _kernel(kernel: SpectralKernel) -> Float[Array, ""]:
    return kernel.norm_bound()


@lipschitz_bound.register
def _linear(layer: Linear) -> Float[Array, ""]:
    return lipschitz_bound(layer.weight)


@lipschitz_bound.register
def _conv(layer: Conv) -> Float[Array, ""]:
    return lipschitz_bound(layer.weight)


@lipschitz_bound.register
def _mlp(network: MLP) -> Float[Array, ""]:
    return sequence_bound([lipschitz_bound(layer) for layer in network.layers], SLOPES[network.activation])


@lipschitz_bound.register
def _cell(cell: RNNCell) -> Float[Array, ""]:
    """Of one step, as a map of the state: over T steps it to the power T. modReLU jumps at zero where its bias is positive."""
    bound = SLOPES[cell.activation] * lipschitz_bound(cell.hidden)
    return jnp.where(jnp.any(cell.bias > 0), jnp.inf, bound) if cell.activation == "modrelu" else bound


@lipschitz_bound.register
def _norm(layer: GroupNorm) -> Float[Array, ""]:
    """The Jacobian is a projection over the standard deviation, which is at least sqrt(SMALL)."""
    return jnp.max(jnp.abs(layer.scale)) / SMALL**0.5


@lipschitz_bound.register
def _pre_activation(block: PreActivation) -> Float[Array, ""]:
    first, *rest = [lipschitz_bound(norm) for norm in block.norms]
    branch = first * sequence_bound([lipschitz_bound(layer) for layer in block.convs]) * jnp.prod(jnp.stack([*rest]))
    return branch + (1.0 if block.shortcut is None else first * lipschitz_bound(block.shortcut))


@lipschitz_bound.register
def _wide_resnet(network: WideResNet) -> Float[Array, ""]:
    """The mean over space shortens."""
    blocks = [block for group in network.groups for block in group]
    return sequence_bound([lipschitz_bound(layer) for layer in (network.stem, *blocks, network.norm, network.head)])


@lipschitz_bound.register
def _bottleneck(block: Bottleneck) -> Float[Array, ""]:
    branch = sequence_bound([lipschitz_bound(layer) for layer in (*block.convs, *block.norms)])
    kept = 1.0 if block.shortcut is None else sequence_bound([lipschitz_bound(layer) for layer in block.shortcut])
    return branch + kept


@lipschitz_bound.register
def _resnet(network: ResNet) -> Float[Array, ""]:
    """A pixel is in at most four of the windows that the maximum is taken over."""
    blocks = [block for stage in network.stages for block in stage]
    layers = (network.stem, network.norm, *blocks, network.head)
    return 2.0 * sequence_bound([lipschitz_bound(layer) for layer in layers])


def sequence_bound(bounds: list[Float[Array, ""]], slope: float | int = 1.0) -> Float[Array, ""]:
    """Of layers one after another with a nonlinearity of `slope` between them."""
    return jnp.prod(jnp.stack(bounds)) * slope ** (len(bounds) - 1)


def residual_bound(branch: Float[Array, ""]) -> Float[Array, ""]:
    """Of x + branch(x)."""
    return 1 + branch
