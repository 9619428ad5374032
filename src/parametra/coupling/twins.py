"""Twins: copies of a closure that differ in what the host cannot see, driven by one recorded trajectory of the host."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray, PyTree

from parametra.core.errors import UsageError
from parametra.coupling.blocks import call_closure
from parametra.coupling.protocols import Carry, Closure, Fluxes, Forcing, Resolved, Tendency
from parametra.coupling.trees import columns_of

Perturb = Callable[[Carry, Resolved, PRNGKeyArray], Carry]
Target = Callable[[Tendency, Fluxes], Mapping[str, Any]]


def twin_run(
    closure: Closure, carry: PyTree, trajectory: Iterable[tuple[PyTree, PyTree]], seed: int, perturb: Perturb, *,
    twins: int, target: Target, keep: Iterable[int] | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Run `twins` copies of `closure` from one start state under one host trajectory.

    All copies are perturbed alike, none is the original, so any two of them are exchangeable and their difference has mean zero.

    Args:
        closure: plain, or `ColumnBlocks`.
        carry: the closure's memory of C columns at the start (of all columns together, not in blocks).
        trajectory: (resolved, forcing) of those C columns, step after step; may be a generator.
        seed: of the perturbation, and of the closure's own random numbers.
        perturb: `perturb(carry, resolved, key)` gives the memory of twins x C columns perturbed in the cells, and re-centred:
            what the host sees of it must not change.
        twins: number of copies, at least 2.
        target: `target(tendency, fluxes)` gives the named arrays to compare, axis 0 the column.
        keep: steps of the trajectory whose targets are returned; all if None.

    Returns:
        Per name an array `(twin, step, column, ...)`.
    """
    if twins < 2:
        raise UsageError(f"Twins need at least two copies, got {twins}.")
    wanted = None if keep is None else set(keep)
    perturb_key, closure_key = jax.random.split(jax.random.key(seed))
    kept: list[dict[str, np.ndarray]] = []
    for step, (resolved, forcing) in enumerate(trajectory):
        columns = columns_of(resolved)
        resolved, forcing = _tile((resolved, forcing), twins)
        if step == 0:
            carry = eqx.filter_jit(perturb)(_tile(carry, twins), resolved, perturb_key)
            carry = getattr(closure, "split", _as_it_is)(carry)
        key = jax.random.fold_in(closure_key, step)
        call = call_closure if getattr(closure, "traceable", True) else _call
        tendency, fluxes, carry = call(closure, resolved, forcing, carry, key)
        if wanted is None or step in wanted:
            values = jax.device_get(dict(target(tendency, fluxes)))
            kept.append({name: np.reshape(value, (twins, columns, *np.shape(value)[1:])) for name, value in values.items()})
    if not kept:
        raise UsageError("No step of the twins was kept. Likely cause: an empty trajectory, or `keep` beyond its end.")
    return {name: np.stack([values[name] for values in kept], axis=1) for name in kept[0]}


def _as_it_is(carry: PyTree) -> PyTree:
    return carry


def _call(closure: Closure, resolved: Resolved, forcing: Forcing, carry: Carry, key: PRNGKeyArray) -> Any:
    return closure(resolved, forcing, carry, key)


@eqx.filter_jit
def _tile(tree: PyTree, twins: int) -> PyTree:
    return jax.tree.map(lambda leaf: leaf if jnp.ndim(leaf) == 0 else jnp.tile(leaf, (twins,) + (1,) * (leaf.ndim - 1)), tree)
