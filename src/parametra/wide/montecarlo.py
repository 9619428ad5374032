"""The kernel of a network that has no rule, estimated: many finite networks, averaged, with the standard error of the mean."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.core.errors import UsageError
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
    one, two = _moments(make, x1, x2, jax.random.split(key, networks))
    mean, square = jax.tree.map(lambda sums: sums / networks, (one, two))
    error = jax.tree.map(lambda m, s: jnp.sqrt(jnp.maximum(s - m * m, 0.0) / (networks - 1)), mean, square)
    return MonteCarloKernel(mean.nngp, mean.ntk, error.nngp, error.ntk)


@eqx.filter_jit
def _moments(
    make: Callable[[PRNGKeyArray], Any], x1: Array, x2: Array | None, keys: Array
) -> tuple[Kernel, Kernel]:  # fmt: skip
    """Sums over networks of the kernel and of its square."""

    def add(sums: tuple[Kernel, Kernel], key: PRNGKeyArray) -> tuple[tuple[Kernel, Kernel], None]:
        model = make(key)
        one = model(x1)
        two = one if x2 is None else model(x2)
        found = Kernel(jnp.matmul(one, two.T, precision="highest") / one.shape[-1], empirical_ntk(model, x1, x2))
        return (jax.tree.map(jnp.add, sums[0], found), jax.tree.map(lambda s, v: s + v * v, sums[1], found)), None

    zero = jnp.zeros((x1.shape[0], (x1 if x2 is None else x2).shape[0]), x1.dtype)
    start = Kernel(zero, zero)
    return jax.lax.scan(add, (start, start), keys)[0]
