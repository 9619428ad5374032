"""Names, types and columns of the pytrees that a host and a closure exchange."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from parametra.core.errors import UsageError


def named_leaves(**trees: PyTree) -> dict[str, Any]:
    """Floating-point leaves by name: `temperature` for a leaf of `resolved`, `tendency.temperature` for one of any other tree."""
    found: dict[str, Any] = {}
    for prefix, tree in trees.items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact):
                name = jax.tree_util.keystr(path, simple=True, separator=".")
                found[".".join(part for part in ("" if prefix == "resolved" else prefix, name) if part) or prefix] = leaf
    return found


def strongly_typed(tree: PyTree) -> PyTree[Array]:
    """The same tree with every leaf a JAX array of a definite type, so that the second chunk runs the first one's program."""
    return jax.tree.map(_strongly_typed, tree)


def _strongly_typed(leaf: Any) -> Array:
    leaf = jnp.asarray(leaf)
    return leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else jnp.asarray(leaf, leaf.dtype)


def require_same(given: PyTree, returned: PyTree, what: str) -> None:
    """UsageError, naming the leaf, unless `returned` has the structure, shapes and types of `given`."""
    before, after = jax.tree.structure(given), jax.tree.structure(returned)
    if before != after:
        raise UsageError(
            f"A coupled step took {what} as {before} and returned {after}. Likely cause: host.step or the closure changes what "
            "it carries. Remedy: return the structure that init gave."
        )
    pairs = zip(jax.tree_util.tree_leaves_with_path(given), jax.tree.leaves(returned), strict=True)
    for (path, old), new in pairs:
        if old.shape != new.shape or old.dtype != new.dtype:
            raise UsageError(
                f"A coupled step took {what}{jax.tree_util.keystr(path)} as {old.dtype}{list(old.shape)} and returned "
                f"{new.dtype}{list(new.shape)}. Likely cause: a tendency or memory of another shape or precision. "
                "Remedy: keep shape and type through the step."
            )


def columns_of(tree: PyTree) -> int:
    """Number of columns: the length of axis 0 of the first leaf that has one."""
    return next(np.shape(leaf)[0] for leaf in jax.tree.leaves(tree) if np.ndim(leaf))
