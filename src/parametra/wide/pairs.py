"""Kernels of images whose network needs all pairs of pixels: pair by pair of images, on a CPU one core each."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from parametra.core import machine
from parametra.core.errors import UsageError
from parametra.networks import ntk
from parametra.wide.offsets import global_mean, split
from parametra.wide.rules import rule
from parametra.wide.start import start_pair
from parametra.wide.state import State

Pair = tuple[Array, Array]  # K and Theta
Variances = tuple[Pair, ...]  # of x1 and of x2 after each pooling layer


def matrix(state: State) -> Pair:
    """K and Theta; UsageError for a network that ends in an image."""
    if state.pixels != "none":
        raise UsageError("The network's output is an image. Remedy: end it with Flatten or GlobalAveragePool, then ntk.Dense.")
    return state.nngp, state.ntk


def self_pairs(model: Callable[..., Any], x: Float[Array, "n h w c"]) -> tuple[Pair, Variances]:
    """K and Theta (n,) of each image with itself, and its variances after each pooling layer."""

    def one(image: Array) -> tuple[Pair, Variances]:
        state = _pair(model, image, None)
        nngp, tangent = matrix(state)
        return (nngp[0], tangent[0]), state.pooled

    return jax.lax.map(one, x)


def image_pairs(model: Any, x1: Float[Array, "n1 h w c"], x2: Float[Array, "n2 h w c"] | None) -> Pair:
    """K and Theta (n1, n2); half of the pairs where `x2` is None.

    Outside of jit on a CPU the pairs are dealt out to its cores, a thread each, where there are at least two for each: XLA runs
    the loop over pairs on one core, and its own division of such short operations among cores costs more than it gains.
    """
    x1, x2 = jnp.asarray(x1), None if x2 is None else jnp.asarray(x2)
    if len(x1) == 0 or (x2 is not None and len(x2) == 0):
        none = jnp.zeros((len(x1), len(x1 if x2 is None else x2)), x1.dtype)
        return none, none
    cores = machine.cores() if _on_cpu(x1, x2) else 1
    own, pooled1 = _dealt(_selves, model, (), (x1,), cores)
    other = x1 if x2 is None else x2
    pooled2 = pooled1 if x2 is None else _dealt(_selves, model, (), (x2,), cores)[1]
    if x2 is None:
        rows, columns = np.triu_indices(len(x1), 1)
    else:
        rows, columns = (grid.ravel() for grid in np.indices((len(x1), len(other))))
    shared = (x1, other, pooled1, pooled2)
    values = _dealt(_others, model, shared, (rows.astype(np.int32), columns.astype(np.int32)), cores)

    def place(diagonal: Array, upper: Array) -> Array:
        if x2 is not None:
            return upper.reshape(len(x1), len(x2))
        return jnp.diag(diagonal).at[rows, columns].set(upper).at[columns, rows].set(upper)

    return place(own[0], values[0]), place(own[1], values[1])


def _selves(model: Any, shared: tuple[()], items: tuple[Array]) -> tuple[Pair, Variances]:
    return self_pairs(model, items[0])


def _others(
    model: Any, shared: tuple[Array, Array, Variances, Variances], items: tuple[Int[Array, " m"], Int[Array, " m"]]
) -> Pair:
    x1, x2, pooled1, pooled2 = shared

    def one(pair: tuple[Array, Array]) -> Pair:
        i, j = pair
        variances = tuple((one[i], two[j]) for (one, _), (_, two) in zip(pooled1, pooled2, strict=True))
        nngp, tangent = matrix(_pair(model, x1[i], x2[j], variances))
        return nngp[0], tangent[0]

    return jax.lax.map(one, items)


def _pair(model: Any, x1: Float[Array, "h w c"], x2: Float[Array, "h w c"] | None, variances: Variances = ()) -> State:
    """The state after `model` of one image with another (with itself where None)."""
    parted = split(model)
    if parted is None:
        return rule(model, start_pair(x1, x2).replace(pooled=variances))
    before, after = parted
    return rule(ntk.Chain(after), global_mean(before, x1, x2, variances))


def _dealt(run: Callable[..., Any], model: Any, shared: Any, items: tuple[Any, ...], cores: int) -> Any:
    """`run(model, shared, items)`, the items in one equal part for each core, the last one filled up."""
    count = len(items[0])
    parts = min(cores, count // 2)
    if parts < 2 or not _hashable(model):
        return _together(run, model, shared, items)
    each = -(-count // parts)
    filled = [np.pad(item, [(0, parts * each - count)] + [(0, 0)] * (np.ndim(item) - 1), "edge") for item in items]
    pieces = [tuple(item[number * each : (number + 1) * each] for item in filled) for number in range(parts)]
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (shared, pieces[0]))
    leaves, structure = jax.tree.flatten(shapes)
    double = bool(jax.config.read("jax_enable_x64"))  # the caller's, which a thread does not inherit
    compiled = _compiled(run, model, tuple(leaves), structure, double)

    def call(piece: tuple[np.ndarray, ...]) -> Any:
        with jax.enable_x64(double):
            return jax.tree.map(np.asarray, compiled(shared, piece))

    with ThreadPoolExecutor(parts, thread_name_prefix="image-pairs") as pool:
        answers = list(pool.map(call, pieces))
    return jax.tree.map(lambda *answer: jnp.asarray(np.concatenate(answer)[:count]), *answers)


@eqx.filter_jit
def _together(run: Callable[..., Any], model: Any, shared: Any, items: tuple[Array, ...]) -> Any:
    return run(model, shared, items)


@functools.lru_cache(maxsize=64)
def _compiled(run: Callable[..., Any], model: Any, leaves: tuple[Any, ...], structure: Any, double: bool) -> Any:
    """One program for all threads, which would otherwise compile one each; with float64 enabled it is another one."""
    return jax.jit(functools.partial(run, model)).lower(*jax.tree.unflatten(structure, leaves)).compile()


def _hashable(model: Any) -> bool:
    try:
        hash(model)
    except TypeError:
        return False
    return True


def _on_cpu(*arrays: Array | None) -> bool:
    """Whether all are values, not tracers, on the device that programs are compiled for, and that is a CPU."""
    if jax.default_backend() != "cpu" or getattr(jax.config, "jax_default_device", None) is not None:
        return False
    try:
        return all(x.devices() == {jax.local_devices()[0]} for x in arrays if x is not None)
    except (AttributeError, jax.errors.ConcretizationTypeError):  # a tracer
        return False
