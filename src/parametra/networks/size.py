"""How large a network is."""

import equinox as eqx
import jax
from jaxtyping import PyTree


def count_parameters(network: PyTree) -> int:
    """Number of floating-point numbers in a network: its free parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array)))
