r"""One rule per layer type: how the layer changes K and Theta in the limit of infinite width.

Sources: Neal (1996) and Lee et al. (2018, arXiv 1711.00165) for K; Jacot, Gabriel & Hongler (2018, arXiv 1806.07572) for Theta;
Arora et al. (2019, arXiv 1904.11955) and Garriga-Alonso et al. (2019, arXiv 1808.05587) for convolutions and pooling.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from parametra.core.errors import UsageError
from parametra.networks import ACTIVATIONS, MLP, Linear, ntk
from parametra.networks.ntk.conv import pad, pads
from parametra.weights import Dense as FreeMatrix
from parametra.wide.duals import dual, dual_diagonal
from parametra.wide.state import State

Layer = Callable[..., Any]


@functools.singledispatch
def rule(layer: Any, state: State) -> State:
    """The state after `layer`. Register a rule for an own layer type with `rule.register`.

    Raises:
        UsageError: the type has no rule, or the layer stands where its formula does not hold.
    """
    raise no_rule(layer)


@functools.singledispatch
def parts(model: Any) -> tuple[Layer, ...] | None:
    """The layers that `model` applies one after the other; None for a single layer. Register for an own container."""
    return None


@functools.singledispatch
def needs_pixel_pairs(layer: Any) -> bool:
    """Whether the layer mixes pixels, so that covariances of different pixels matter."""
    return any(needs_pixel_pairs(part) for part in parts(layer) or ())


def no_rule(layer: Any, why: str = "the layer has no closed form in infinite width, or is an own one") -> UsageError:
    """The refusal of a layer without a kernel."""
    return UsageError(
        f"No analytic kernel for {type(layer).__name__}. Likely cause: {why}. Remedy: wide.monte_carlo_kernel(make_network, "
        "x1, x2, "
        "key=...), or register a rule with wide.rule.register."
    )


@parts.register
def _(model: ntk.Chain) -> tuple[Layer, ...]:
    return model.layers


@rule.register
def _(chain: ntk.Chain, state: State) -> State:
    return functools.reduce(lambda state, layer: rule(layer, state), chain.layers, state)


@parts.register
def _(model: MLP) -> tuple[Layer, ...]:
    phi = NAMED.get(model.activation) or ntk.Pointwise(ACTIVATIONS[model.activation])
    between = [part for layer in model.layers[:-1] for part in (layer, phi)]
    return (*between, model.layers[-1])


NAMED: dict[str, ntk.AbstractActivation] = {
    "relu": ntk.ReLU(), "leaky_relu": ntk.LeakyReLU(0.3), "identity": ntk.Identity(),
}  # fmt: skip


@rule.register
def _(mlp: MLP, state: State) -> State:
    return functools.reduce(lambda state, layer: rule(layer, state), parts(mlp) or (), state)


@rule.register
def _(layer: Linear, state: State) -> State:
    """The law of `Linear.init`: Glorot-uniform weights, zero bias, no factor in the forward pass."""
    outputs, inputs = layer.weight.shape  # shapes only: `refuse_other_law` has seen the weight
    refuse_other_size(state.channels, inputs)
    variance = 2.0 * inputs / (inputs + outputs)
    return affine(state, inputs, outputs, variance, None if layer.bias is None else 0.0, "standard")


@rule.register
def _(layer: ntk.Dense, state: State) -> State:
    refuse_other_size(state.channels, layer.fan_in)
    bias = None if layer.b_std is None else layer.b_std**2
    return affine(state, layer.fan_in, layer.weight.shape[0], layer.w_std**2, bias, layer.parameterization)


def affine(
    state: State, fan_in: int, outputs: int, weight_variance: float, bias_variance: float | None, parameterization: str
) -> State:
    """Independent zero-mean weights on the features (or window means) in hand: K -> sw² K + sb², Theta -> K_new + sw² Theta.

    In the standard parameterization Theta -> fan_in K + 1 (with bias) + sw² Theta: the weights' gradients have no factor.
    """
    bias = bias_variance or 0.0
    nngp = weight_variance * state.nngp + bias
    own = nngp if parameterization == "ntk" else fan_in * state.nngp + (0.0 if bias_variance is None else 1.0)
    return state.replace(
        nngp=nngp,
        ntk=own + weight_variance * state.ntk,
        first=weight_variance * state.first + bias,
        second=weight_variance * state.second + bias,
        channels=outputs,
        gaussian=True,
        fresh=True,
    )


@rule.register
def _(layer: ntk.Conv, state: State) -> State:
    _refuse_no_pixels(layer, state)
    rows, columns, inputs, outputs = layer.weight.shape
    refuse_other_size(state.channels, inputs)
    bias = None if layer.b_std is None else layer.b_std**2
    means = window_means(state, layer.window, layer.strides, layer.padding)
    return affine(means, layer.fan_in, outputs, layer.w_std**2, bias, layer.parameterization)


@rule.register
def _(layer: ntk.AbstractActivation, state: State) -> State:
    if not state.gaussian:
        raise UsageError(
            f"{type(layer).__name__} stands where its input is not Gaussian, so that its kernel is unknown. Likely cause: "
            "it comes first, or after another activation, a pooled one or Flatten. Remedy: an affine layer between (or, before "
            "Flatten, the activation there: it is the same network), or wide.monte_carlo_kernel."
        )
    a, b = state.variances
    value, slope = dual(layer, a, b, state.nngp)
    first, slope_first = dual_diagonal(layer, state.first)
    second = first if state.same else dual_diagonal(layer, state.second)[0]
    if state.same:  # the general formula loses half of the digits at a correlation of one
        exact = state.replace(nngp=value, first=first, second=slope_first).variances
        transposed = state.replace(first=slope_first).variances[0]
        value = jnp.where(state.diagonal, exact[0], value)
        slope = jnp.where(state.diagonal, transposed, slope)
    return state.replace(nngp=value, ntk=state.ntk * slope, first=first, second=second, gaussian=False, fresh=False)


@rule.register
def _(layer: ntk.LayerNorm, state: State) -> State:
    if not state.gaussian:
        raise UsageError(
            "LayerNorm has a kernel only where its input is Gaussian with zero mean. Likely cause: it stands after an "
            "activation, or "
            "before the first layer. Remedy: put it directly after an affine layer, or wide.monte_carlo_kernel."
        )
    a, b = state.variances
    scale = jax.lax.rsqrt(a + layer.epsilon) * jax.lax.rsqrt(b + layer.epsilon)
    first, second = (variance / (variance + layer.epsilon) for variance in (state.first, state.second))
    return state.replace(nngp=state.nngp * scale, ntk=state.ntk * scale, first=first, second=second, fresh=False)


@rule.register
def _(layer: ntk.Dropout, state: State) -> State:
    return state  # test time


@rule.register
def _(layer: ntk.ResidualSum, state: State) -> State:
    start = state.replace(fresh=False)
    branch, shortcut = rule(layer.branch, start), rule(layer.shortcut, start)
    if not (branch.fresh or shortcut.fresh):
        raise UsageError(
            "A residual sum has a kernel only if one of its branches ends in an affine layer with weights of its own: "
            "otherwise the "
            "branches are correlated and their kernels do not add. Remedy: end the branch with ntk.Dense or ntk.Conv."
        )
    if branch.nngp.shape != shortcut.nngp.shape or branch.channels != shortcut.channels:
        raise UsageError(
            f"The branches of a residual sum give {branch.channels} and {shortcut.channels} channels, or images of "
            "different size. "
            "Remedy: make their outputs alike."
        )
    if branch.pooled != state.pooled or shortcut.pooled != state.pooled:
        raise UsageError("Pooling inside a residual branch has no rule. Remedy: pool after the sum.")
    return branch.replace(
        nngp=branch.nngp + shortcut.nngp,
        ntk=branch.ntk + shortcut.ntk,
        first=branch.first + shortcut.first,
        second=branch.second + shortcut.second,
        gaussian=branch.gaussian and shortcut.gaussian,
        fresh=branch.fresh and shortcut.fresh,
    )


@needs_pixel_pairs.register(ntk.ResidualSum)
def _(layer: ntk.ResidualSum) -> bool:
    return needs_pixel_pairs(layer.branch) or needs_pixel_pairs(layer.shortcut)


@needs_pixel_pairs.register(ntk.AveragePool)
@needs_pixel_pairs.register(ntk.GlobalAveragePool)
def _(layer: Any) -> bool:
    return True


@rule.register
def _(layer: ntk.AveragePool, state: State) -> State:
    _refuse_no_pixels(layer, state)

    def mean(x: Array) -> Array:
        for axis in (-4, -3, -2, -1):
            side = 0 if axis < -2 else 1
            x = window_sum(x, (axis,), layer.window[side], layer.steps[side], "VALID") / layer.window[side]
        return x

    return pooled(state.replace(nngp=mean(state.nngp), ntk=mean(state.ntk)))


@rule.register
def _(layer: ntk.GlobalAveragePool, state: State) -> State:
    _refuse_no_pixels(layer, state)
    means = state.replace(nngp=jnp.mean(state.nngp, (-4, -3, -2, -1)), ntk=jnp.mean(state.ntk, (-4, -3, -2, -1)), pixels="none")
    return pooled(means)


def pooled(state: State) -> State:
    """The variances after pooling: off the full covariance where x1 is x2, else those found before for each image."""
    if state.same:
        first = state.nngp
        if state.pixels == "pairs":
            first = jnp.diagonal(jnp.diagonal(first, axis1=-4, axis2=-3), axis1=-3, axis2=-2)
        return state.replace(first=first, second=first, pooled=(*state.pooled, (first, first)), fresh=False)
    (first, second), *rest = state.pooled
    return state.replace(first=first, second=second, pooled=tuple(rest), fresh=False)


@rule.register
def _(layer: ntk.Flatten, state: State) -> State:
    _refuse_no_pixels(layer, state)

    def mean(x: Array) -> Array:
        if state.pixels == "pairs":
            x = jnp.diagonal(jnp.diagonal(x, axis1=-4, axis2=-3), axis1=-3, axis2=-2)
        return jnp.mean(x, (-2, -1))

    count = state.first.shape[-2] * state.first.shape[-1]
    # Pixels of unlike variance side by side are a mixture of normal laws, not one of their mean variance.
    return state.replace(
        gaussian=state.gaussian and count == 1,
        nngp=mean(state.nngp), ntk=mean(state.ntk), first=jnp.mean(state.first, (-2, -1)),
        second=jnp.mean(state.second, (-2, -1)), pixels="none", channels=state.channels * count,
    )  # fmt: skip


def window_means(state: State, window: tuple[int, int], strides: tuple[int, int], padding: str) -> State:
    """Every covariance as the mean over the window, both pixels shifted alike; zero beyond an edge unless circular.

    The window is a product, so the sum goes over rows first and columns then: 3 + 3 shifts for a 3 x 3 filter, not 9.
    """
    one: Axes = ((-2,), (-1,))
    joint: Axes = {"pairs": ((-4, -3), (-2, -1)), "offsets": ((-3,), (-2, -1))}.get(state.pixels, one)
    count = window[0] * window[1]

    def mean(x: Array, axes: Axes, offsets: Array | None = None) -> Array:
        x = window_sum(x, axes[0], window[0], strides[0], padding, offsets)
        return window_sum(x, axes[1], window[1], strides[1], padding) / count

    nngp, tangent = (mean(x, joint, state.offsets) for x in (state.nngp, state.ntk))
    return state.replace(nngp=nngp, ntk=tangent, first=mean(state.first, one), second=mean(state.second, one))


Axes = tuple[tuple[int, ...], tuple[int, ...]]


def window_sum(
    x: Float[Array, "..."], axes: Sequence[int], window: int, stride: int, padding: str, offsets: Int[Array, " n"] | None = None
) -> Float[Array, "..."]:
    """Sum over a window along `axes` shifted together; `offsets` of p' from p along the axis, whose sum wraps around."""
    height, ends = x.shape[axes[0]], tuple(pads(padding, x.shape[axis], window, stride) for axis in axes)
    if offsets is None and padding == "SAME" and axes[-1] == -1 and len(axes) == 2:
        x = _between_zeros(x, axes, ends)
    else:
        for axis in axes:
            x = pad(x, (axis % x.ndim, axis % x.ndim - 1), padding, (window, 1), (stride, 1))
    # A barrier: the compiler would otherwise repeat the layer before for each shift, rather than keep its result.
    x = jax.lax.optimization_barrier(x)
    total = None
    for shift in range(window):
        part = x
        for axis in axes:
            stop = shift + (x.shape[axis] - window) // stride * stride + 1
            part = jax.lax.slice_in_dim(part, shift, stop, stride, axis % x.ndim)
        if offsets is not None and padding != "CIRCULAR":
            part = jnp.where(_uncut(height, shift - ends[0][0], offsets), part, 0.0)
        total = part if total is None else total + part
    assert total is not None
    return total


def _between_zeros(x: Array, axes: Sequence[int], ends: Sequence[tuple[int, int]]) -> Array:
    """`x` with `ends` zeros before and after along `axes`.

    Written into zeros behind a barrier: a pad of the last axis would be fused with what comes before, and keep its loop from
    being vectorised.
    """
    shape, start = list(x.shape), [0] * x.ndim
    for axis, (before, after) in zip(axes, ends, strict=True):
        shape[axis] += before + after
        start[axis] = before
    zeros, x = jax.lax.optimization_barrier((jnp.zeros(shape, x.dtype), x))
    return jax.lax.dynamic_update_slice(zeros, x, start)


def _uncut(height: int, shift: int, offsets: Int[Array, " n"]) -> Bool[Array, "n height 1 1"]:
    """Whether p' of a row and of the one `shift` further both are before the image's last row, or both wrapped around."""
    row, cut = jnp.arange(height), height - offsets[:, None]
    return ((row < cut) == (row + shift < cut))[..., None, None]


def _refuse_no_pixels(layer: Layer, state: State) -> None:
    if state.pixels == "none":
        raise UsageError(
            f"{type(layer).__name__} needs images, but its input has no pixels. Likely cause: inputs of shape (n, "
            "features), or a layer "
            "after Flatten or GlobalAveragePool. Remedy: inputs of shape (n, height, width, channels)."
        )


def refuse_other_size(features: int, inputs: int) -> None:
    """UsageError for features in another number than the layer's inputs."""
    if features != inputs:
        raise UsageError(
            f"A layer of {inputs} inputs meets {features} features. Likely cause: data of another shape than the "
            "network's. "
            "Remedy: inputs whose last axis is what the first layer expects."
        )


def refuse_other_law(layer: Linear) -> None:
    """UsageError for a structured weight, or for a free matrix that is visibly not what `Linear.init` draws."""
    if not isinstance(layer.weight, FreeMatrix):
        raise no_rule(
            layer, f"its weight is a {type(layer.weight).__name__}, whose entries are tied, which changes the law of the layer"
        )
    if not isinstance(layer.weight.matrix, jax.Array):  # a skeleton without values
        return
    matrix = np.asarray(layer.weight.matrix, np.float64)
    expected = 2.0 / (matrix.shape[0] + matrix.shape[1])
    deviation = math.sqrt(0.8 / matrix.size)  # of the mean square of a uniform variable, relative to its square
    found = float(np.mean(matrix**2))
    if abs(found / expected - 1.0) > 6.0 * deviation:
        raise no_rule(
            layer,
            f"its weights have variance {found:.3g} where Linear.init draws {expected:.3g}: trained already, or drawn by another "
            "initialiser (ntk.Dense carries its law along)",
        )
