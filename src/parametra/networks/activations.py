"""Pointwise nonlinearities by name, so that a network's architecture can be written into a file's header."""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
from jaxtyping import Array

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "leaky_relu": functools.partial(jax.nn.leaky_relu, negative_slope=0.3),  # slope of Rasp, Pritchard & Gentine (2018)
        "relu": jax.nn.relu,
        "tanh": jnp.tanh,
        "gelu": jax.nn.gelu,
        "identity": lambda x: x,
    }
)
