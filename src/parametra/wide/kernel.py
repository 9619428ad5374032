"""The infinite-width kernels of a network: `kernel(model)` is a function of inputs."""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.networks import Linear, ntk
from parametra.wide.offsets import global_mean, split
from parametra.wide.rules import needs_pixel_pairs, no_rule, parts, refuse_other_law, rule
from parametra.wide.start import start, start_pair
from parametra.wide.state import State

SMALL = 2**20  # numbers that are looked at sooner than a compiled program is started


class Kernel(eqx.Module):
    """The two kernels between inputs, as arrays (or as a `Gram` each, from `gram`).

    Attributes:
        nngp: covariance of the outputs over random weights (Neal 1996), of each output.
        ntk: inner product of the outputs' gradients (Jacot et al. 2018), of each output.
    """

    nngp: Any
    ntk: Any


class KernelFunction(eqx.Module):
    """Maps inputs to the kernels of a network in the limit of infinite width.

    Attributes:
        model: the network with shapes in the place of its arrays: no weight is ever read, and networks of one law share their
            compiled kernel.
    """

    model: Any

    def __call__(self, x1: Float[Array, "n1 ..."], x2: Float[Array, "n2 ..."] | None = None) -> Kernel:
        """Kernels of shape (n1, n2); of x1 with itself, diagonal exact, where `x2` is None.

        Raises:
            UsageError: shapes that do not fit, inputs that are not float32 or float64, NaN or infinity.
        """
        check_inputs(x1, x2)
        return _kernel(self, x1, x2)

    def diagonal(self, x: Float[Array, "n ..."]) -> Kernel:
        """Kernels of each input with itself, shape (n,), exact to rounding."""
        check_inputs(x, None)
        return _diagonal(self, x)


def kernel(model: Any) -> KernelFunction:
    """The infinite-width kernels of `model` as a function of inputs.

    Raises:
        UsageError: a layer without a rule, or a residual sum that shares weights; `monte_carlo_kernel` estimates its kernel then.
            A network of shapes without arrays does not show what it shares.
    """
    refuse_without_rule(model)
    refuse_shared_weights(model)
    return KernelFunction(skeleton(model))


def skeleton(model: Any) -> Any:
    """The model with the shape of each array in its place."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) if eqx.is_array(leaf) else leaf, model)


def refuse_without_rule(model: Any) -> None:
    """UsageError if some layer of `model` has no rule."""
    layers = parts(model)
    if isinstance(model, ntk.ResidualSum):
        layers = (model.branch, model.shortcut)
    if layers is None:
        if rule.dispatch(type(model)) is rule.dispatch(object):
            raise no_rule(model)
        if isinstance(model, Linear):
            refuse_other_law(model)
        return
    for layer in layers:
        refuse_without_rule(layer)


def refuse_shared_weights(model: Any) -> None:
    """UsageError if an array stands twice in a network with a residual sum: correlated terms, whose kernels do not add."""
    is_sum = lambda node: isinstance(node, ntk.ResidualSum)
    if not any(map(is_sum, jax.tree.leaves(model, is_leaf=is_sum))):
        return
    arrays = [id(leaf) for leaf in jax.tree.leaves(model) if eqx.is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)]
    if len(set(arrays)) < len(arrays):
        raise UsageError(
            "A network with a residual sum uses the same weights twice, so that the terms of the sum are correlated. Likely "
            "cause: one layer object in two places. Remedy: a layer of its own for each place, or wide.monte_carlo_kernel."
        )


def check_inputs(x1: Any, x2: Any) -> None:
    """UsageError for inputs that no kernel can take; values are looked at outside of jit only."""
    for name, x in (("x1", x1), ("x2", x2)):
        if x is None:
            continue
        if not hasattr(x, "dtype"):
            raise UsageError(f"{name} is a {type(x).__name__}. Remedy: an array, jnp.asarray({name}, 'float32').")
        if x.dtype not in (jnp.float32, jnp.float64):
            raise UsageError(
                f"{name} is {x.dtype}; kernels need float32 or float64. Likely cause: half precision or whole numbers. Remedy: "
                f"{name}.astype('float32')."
            )
        if x.ndim not in (2, 4):
            raise UsageError(f"{name} has shape {x.shape}. Remedy: (n, features), or (n, height, width, channels) for images.")
        if not all_finite(x):
            raise UsageError(f"{name} holds NaN or infinity. Likely cause: missing values. Remedy: leave those rows out.")
    if x2 is not None and (x1.shape[1:] != x2.shape[1:] or x1.dtype != x2.dtype):
        raise UsageError(f"x1 is {x1.dtype}{x1.shape} and x2 {x2.dtype}{x2.shape}. Remedy: alike but for the first axis.")


def all_finite(x: Array) -> bool:
    """Whether all values are finite; True inside of jit, where nobody knows."""
    try:
        return bool(np.isfinite(np.asarray(x)).all() if x.size <= SMALL else _all_finite(x))
    except (jax.errors.TracerBoolConversionError, jax.errors.TracerArrayConversionError):
        return True


@jax.jit
def _all_finite(x: Array) -> Array:
    return jnp.isfinite(x).all()


@eqx.filter_jit
def _kernel(function: KernelFunction, x1: Array, x2: Array | None) -> Kernel:
    return evaluate(function.model, x1, x2)


def evaluate(model: Any, x1: Array, x2: Array | None) -> Kernel:
    """The kernels of checked inputs, for use inside of jit."""
    if x1.ndim == 4 and needs_pixel_pairs(model):
        return _image_pairs(model, x1, x2)
    return Kernel(*_matrix(rule(model, start(x1, x2))))


@eqx.filter_jit
def _diagonal(function: KernelFunction, x: Array) -> Kernel:
    if x.ndim == 4 and needs_pixel_pairs(function.model):
        (nngp, tangent), _ = _self_pairs(function.model, x)
        return Kernel(nngp, tangent)
    state = rule(function.model, start(x, None, paired=True))
    return Kernel(*_matrix(state))


def _matrix(state: State) -> tuple[Array, Array]:
    if state.pixels != "none":
        raise UsageError("The network's output is an image. Remedy: end it with Flatten or GlobalAveragePool, then ntk.Dense.")
    return state.nngp, state.ntk


def _pair(
    model: Any, x1: Float[Array, "h w c"], x2: Float[Array, "h w c"] | None, variances: tuple[tuple[Array, Array], ...] = ()
) -> State:
    """The state after `model` of one image with another (with itself where None)."""
    parted = split(model)
    if parted is None:
        return rule(model, start_pair(x1, x2).replace(pooled=variances))
    before, after = parted
    return rule(ntk.Chain(after), global_mean(before, x1, x2, variances))


def _self_pairs(model: Callable[..., Any], x: Array) -> tuple[tuple[Array, Array], tuple[tuple[Array, Array], ...]]:
    """K and Theta of each image with itself, and its variances after each pooling layer."""

    def one(image: Array) -> tuple[tuple[Array, Array], tuple[tuple[Array, Array], ...]]:
        state = _pair(model, image, None)
        nngp, tangent = _matrix(state)
        return (nngp[0], tangent[0]), state.pooled

    return jax.lax.map(one, x)


def _image_pairs(model: Callable[..., Any], x1: Array, x2: Array | None) -> Kernel:
    """Pair by pair, so that the numbers of a pair stay near the processor; half of the pairs where x2 is x1."""
    if len(x1) == 0 or (x2 is not None and len(x2) == 0):
        none = jnp.zeros((len(x1), len(x1 if x2 is None else x2)), x1.dtype)
        return Kernel(none, none)
    own, pooled1 = _self_pairs(model, x1)
    other = x1 if x2 is None else x2
    pooled2 = pooled1 if x2 is None else _self_pairs(model, x2)[1]
    if x2 is None:
        rows, columns = np.triu_indices(len(x1), 1)
    else:
        rows, columns = (grid.ravel() for grid in np.indices((len(x1), len(other))))

    def one(pair: tuple[Array, Array]) -> tuple[Array, Array]:
        i, j = pair
        variances = tuple((one[i], two[j]) for (one, _), (_, two) in zip(pooled1, pooled2, strict=True))
        nngp, tangent = _matrix(_pair(model, x1[i], other[j], variances))
        return nngp[0], tangent[0]

    values = jax.lax.map(one, (jnp.asarray(rows), jnp.asarray(columns)))

    def place(diagonal: Array, upper: Array) -> Array:
        if x2 is not None:
            return upper.reshape(len(x1), len(x2))
        return jnp.diag(diagonal).at[rows, columns].set(upper).at[columns, rows].set(upper)

    return Kernel(*map(place, own, values))


@functools.singledispatch
def outputs(model: Any) -> int | None:
    """Number of outputs of the network where its last layer tells; None otherwise."""
    layers = parts(model)
    return outputs(layers[-1]) if layers else None


@outputs.register
def _(model: ntk.Dense) -> int:
    return model.weight.shape[0]
