"""A network as a linear function of its parameters, and products with its Jacobian that never form it."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from parametra.core.errors import UsageError
from parametra.wide.apply import apply, refuse_no_parameters
from parametra.wide.kernel import all_finite, check_inputs


class Linearized(eqx.Module):
    r"""Taylor polynomial $\sum_j \frac{1}{j!} \partial^j_\epsilon f(x; \theta_0 + \epsilon \delta)|_0$ up to j = order.

    Attributes:
        model: the network at theta_0, which stays.
        delta: theta - theta_0 in the shape of the network's floating-point arrays: train this.
        order: of the Taylor polynomial.
    """

    model: Any
    delta: PyTree
    order: int = eqx.field(static=True, default=1)

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The Taylor polynomial at `x`."""
        free, fixed = eqx.partition(self.model, eqx.is_inexact_array)
        free = jax.lax.stop_gradient(free)

        def along(epsilon: Array) -> Array:
            moved = jax.tree.map(lambda leaf, step: leaf + epsilon.astype(leaf.dtype) * step, free, self.delta)
            return apply(eqx.combine(moved, fixed), x)

        total, term = along(jnp.zeros(())), along
        for degree in range(1, self.order + 1):
            term = _derivative(term)
            total = total + term(jnp.zeros(())) / math.factorial(degree)
        return total

    def at(self, other: Any) -> "Linearized":
        """The same polynomial at the parameters of `other`, a network of the same structure."""
        free = eqx.filter(self.model, eqx.is_inexact_array)
        delta = jax.tree.map(jnp.subtract, eqx.filter(other, eqx.is_inexact_array), free)
        return Linearized(self.model, delta, self.order)


def linearize(model: Any, order: int = 1) -> Linearized:
    """The Taylor polynomial of `model` about its present parameters, with delta = 0.

    UsageError for an order below one, or a network without parameters.
    """
    refuse_no_parameters(model)
    if order < 1:
        raise UsageError(f"The order of a Taylor polynomial must be at least 1, got {order}.")
    free = jax.lax.stop_gradient(eqx.filter(model, eqx.is_inexact_array))
    return Linearized(model, jax.tree.map(jnp.zeros_like, free), order)


@eqx.filter_jit
def jacobian_product(model: Any, x: Float[Array, "n ..."], direction: PyTree) -> Float[Array, "n outputs"]:
    """J(x) delta: the change of the outputs along `direction`, in the shape of the network's floating-point arrays."""
    free, fixed = eqx.partition(model, eqx.is_inexact_array)
    return jax.jvp(lambda free: apply(eqx.combine(free, fixed), x), (free,), (direction,))[1]


@eqx.filter_jit
def transpose_product(model: Any, x: Float[Array, "n ..."], v: Float[Array, "rows outputs"]) -> PyTree:
    """J(x)^T v, in the shape of the network's floating-point arrays; with `predict.SquaredLoss.dual` the trained parameters.

    UsageError for `v` of another shape than the outputs.
    """
    free, fixed = eqx.partition(model, eqx.is_inexact_array)
    outputs, back = jax.vjp(lambda free: apply(eqx.combine(free, fixed), x), free)
    if v.shape != outputs.shape:
        raise UsageError(f"v has shape {v.shape} for outputs of shape {outputs.shape}. Remedy: one number for each output.")
    return back(v)[0]


def ntk_product(
    model: Any, x1: Float[Array, "n1 ..."], x2: Float[Array, "n2 ..."] | None, v: Float[Array, "n2 outputs"]
) -> Float[Array, "n1 outputs"]:
    """Theta(x1, x2) v, all outputs coupled, at the cost of a few passes; x2 is x1 where None.

    UsageError for inputs as in `empirical_ntk`, or `v` of another shape than the outputs at x2, or not finite.
    """
    check_inputs(x1, x2)
    refuse_no_parameters(model)
    v = jnp.asarray(v)
    if not all_finite(v):
        raise UsageError("v holds NaN or infinity. Remedy: finite numbers.")
    return jacobian_product(model, x1, transpose_product(model, x1 if x2 is None else x2, v))


def _derivative(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda epsilon: jax.jvp(function, (epsilon,), (jnp.ones_like(epsilon),))[1]
