"""The infinite-width kernels of a network: `kernel(model)` is a function of inputs."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.core.errors import UsageError
from parametra.networks import Linear, ntk
from parametra.wide.pairs import image_pairs, matrix, self_pairs
from parametra.wide.rules import needs_pixel_pairs, no_rule, parts, refuse_other_law, rule
from parametra.wide.start import start

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
        if x1.ndim == 4 and needs_pixel_pairs(self.model):
            return Kernel(*image_pairs(self.model, x1, x2))
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
        return Kernel(*image_pairs(model, x1, x2))
    return Kernel(*matrix(rule(model, start(x1, x2))))


@eqx.filter_jit
def _diagonal(function: KernelFunction, x: Array) -> Kernel:
    if x.ndim == 4 and needs_pixel_pairs(function.model):
        (nngp, tangent), _ = self_pairs(function.model, x)
        return Kernel(nngp, tangent)
    state = rule(function.model, start(x, None, paired=True))
    return Kernel(*matrix(state))


@functools.singledispatch
def outputs(model: Any) -> int | None:
    """Number of outputs of the network where its last layer tells; None otherwise."""
    layers = parts(model)
    return outputs(layers[-1]) if layers else None


@outputs.register
def _(model: ntk.Dense) -> int:
    return model.weight.shape[0]
