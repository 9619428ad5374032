"""The kernel of a network that has no rule, estimated: many finite networks, averaged, with the standard error of the mean."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.wide.apply import apply
from parametra.wide.empirical import empirical_ntk
from parametra.wide.kernel import Kernel, check_inputs


class MonteCarloKernel(Kernel):
    """A kernel and how well it is known.

    Attributes:
        nngp_error, ntk_error: standard errors of the means over networks; the bias of finite width is not in them.
    """

    nngp_error: Float[Array, "n1 n2"]
    ntk_error: Float[Array, "n1 n2"]


def monte_carlo_kernel(
    make: Callable[[PRNGKeyArray], Any], x1: Float[Array, "n1 ..."], x2: Float[Array, "n2 ..."] | None = None, *,
    key: PRNGKeyArray, networks: int = 64,
) -> MonteCarloKernel:  # fmt: skip
    """Means over `networks` networks `make(key)` of f(x1) f(x2)^T / outputs and of the empirical tangent kernel.

    The error falls as (networks x width)^(-1/2), the bias as 1/width.

    Raises:
        UsageError: fewer than two networks, or inputs as in `kernel`.
    """
    check_inputs(x1, x2)
    if networks < 2:
        raise UsageError(f"An error needs at least two networks, got {networks}.")
    found = [_one(make, x1, x2, each) for each in jax.random.split(key, networks)]
    nngp, tangent = (np.stack([np.asarray(getattr(one, name), np.float64) for one in found]) for name in ("nngp", "ntk"))
    means = (jnp.asarray(values.mean(0), x1.dtype) for values in (nngp, tangent))
    errors = (jnp.asarray(values.std(0, ddof=1) / np.sqrt(networks), x1.dtype) for values in (nngp, tangent))
    return MonteCarloKernel(*means, *errors)


@eqx.filter_jit
def _one(make: Callable[[PRNGKeyArray], Any], x1: Array, x2: Array | None, key: PRNGKeyArray) -> Kernel:
    model = make(key)
    one = apply(model, x1)
    two = one if x2 is None else apply(model, x2)
    return Kernel(jnp.matmul(one, two.T, precision="highest") / one.shape[-1], empirical_ntk(model, x1, x2))
