"""One coupled step, and a chunk of them: as one compiled loop, or from Python where the closure brings its own threads.

Host, closure and arrays are arguments of the compiled functions, never constants in them: networks of equal structure share one
program, whatever their weights.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from parametra.coupling.protocols import Closure, Host
from parametra.coupling.records import Recorder, add_record, empty_record, finish_record
from parametra.coupling.trees import columns_of, named_leaves, require_same, strongly_typed
from parametra.coupling.watch import Watch


class Seen(NamedTuple):
    """What a closure saw in one step, and what it answered."""

    resolved: PyTree
    forcing: PyTree
    tendency: PyTree
    fluxes: PyTree

    def named(self, carry: PyTree = ()) -> dict[str, Any]:
        """All floating-point leaves by name, with those of `carry`."""
        return named_leaves(**self._asdict(), carry=carry)


class Chunk(NamedTuple):
    """Outcome of some coupled steps; `named` holds the variables of the last one if it was unhealthy, otherwise None."""

    state: PyTree
    carry: PyTree
    step: int
    records: dict[str, np.ndarray]
    named: dict[str, Array] | None


def coupled_step(host: Host, closure: Closure, state: PyTree, carry: PyTree, key: PRNGKeyArray) -> tuple[PyTree, PyTree, Seen]:
    """One step of `host` under `closure`: the new state, the closure's new memory, and what the two said to each other."""
    resolved, forcing = host.resolved(state)
    tendency, fluxes, carry = closure(resolved, forcing, carry, key)
    return host.step(state, tendency), carry, Seen(resolved, forcing, tendency, fluxes)


@eqx.filter_jit
def look(host: Host, state: PyTree, watch: Watch | None) -> tuple[Any, dict[str, Array], Array]:
    """What the closure would see of `state`: (resolved, forcing), the same by name, and whether it is healthy."""
    resolved, forcing = host.resolved(state)
    named = named_leaves(resolved=resolved, forcing=forcing)
    return (resolved, forcing), named, jnp.array(True) if watch is None else watch.healthy(named)


def run_compiled(
    host: Host, closure: Closure, state: PyTree, carry: PyTree, key: PRNGKeyArray, first: int, steps: int,
    rows: int | None, record: Recorder, watch: Watch | None,
) -> Chunk:  # fmt: skip
    """`steps` coupled steps in one compiled loop, that ends early at an unhealthy step."""
    start, end = jnp.int32(first), jnp.int32(first + steps)
    state, carry, step, records, seen, healthy = _compiled_loop(host, closure, state, carry, key, start, end, rows, record, watch)
    named = None if bool(healthy) else seen.named(carry)
    return Chunk(state, carry, int(step), finish_record(records, int(step) - first, rows), named)


@eqx.filter_jit
def _compiled_loop(
    host: Host, closure: Closure, state: PyTree, carry: PyTree, key: PRNGKeyArray, start: Int[Array, ""], end: Int[Array, ""],
    rows: int | None, record: Recorder, watch: Watch | None,
) -> Any:  # fmt: skip
    def advance(state, carry, step):
        state, carry, seen = strongly_typed(coupled_step(host, closure, state, carry, jax.random.fold_in(key, step)))
        values = _record(record, seen, carry, _as_it_is)
        healthy = jnp.array(True) if watch is None else watch.healthy(seen.named(carry))
        return state, carry, values, seen if watch is not None else (), healthy

    def body(loop):
        state, carry, step, records, _, _ = loop
        state, carry, values, seen, healthy = advance(state, carry, step)
        return state, carry, step + 1, add_record(records, values, step - start, rows), seen, healthy

    new_state, new_carry, values, seen, _ = jax.eval_shape(advance, state, carry, start)
    require_same(state, new_state, "state")
    require_same(carry, new_carry, "carry")
    if watch is not None:
        watch.require_known(seen.named(new_carry))
    unseen = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), seen)
    # The number of steps is an argument: a last, shorter chunk runs the same program, so its bits do not depend on the chunk.
    return jax.lax.while_loop(
        lambda loop: (loop[2] < end) & loop[-1],
        body,
        (state, carry, start, empty_record(values, rows), unseen, jnp.array(True)),
    )


def run_stepwise(
    host: Host, closure: Closure, state: PyTree, carry: PyTree, key: PRNGKeyArray, first: int, steps: int,
    rows: int | None, record: Recorder, watch: Watch | None,
) -> Chunk:  # fmt: skip
    """`steps` coupled steps with the closure called from Python: two compiled parts of the host, the closure between them."""
    (resolved, forcing), _, _ = look(host, state, None)
    whole = getattr(closure, "whole", _as_it_is)
    records: dict[str, Array] = {}
    for row in range(steps):
        given = carry
        tendency, fluxes, carry = strongly_typed(closure(resolved, forcing, carry, jax.random.fold_in(key, first + row)))
        seen = Seen(resolved, forcing, tendency, fluxes)
        if row == 0:
            require_same(given, carry, "carry")
            records = empty_record(eqx.filter_eval_shape(_record, record, seen, carry, whole), rows)
        state, (resolved, forcing), records, healthy = _finish_step(
            host, state, seen, carry, records, jnp.int32(row), rows, record, watch, whole
        )
        if not bool(healthy):
            named = seen.named(whole(carry, columns_of(seen.resolved)))
            return Chunk(state, carry, first + row + 1, finish_record(records, row + 1, rows), named)
    return Chunk(state, carry, first + steps, finish_record(records, steps, rows), None)


@eqx.filter_jit
def _finish_step(
    host: Host, state: PyTree, seen: Seen, carry: PyTree, records: dict[str, Array], row: Int[Array, ""],
    rows: int | None, record: Recorder, watch: Watch | None, whole: Any,
) -> Any:  # fmt: skip
    new_state = strongly_typed(host.step(state, seen.tendency))
    require_same(state, new_state, "state")
    healthy = jnp.array(True)
    if watch is not None:
        named = seen.named(whole(carry, columns_of(seen.resolved)))
        watch.require_known(named)
        healthy = watch.healthy(named)
    records = add_record(records, _record(record, seen, carry, whole), row, rows)
    return new_state, host.resolved(new_state), records, healthy


def _record(record: Recorder, seen: Seen, carry: PyTree, whole: Any) -> dict[str, Array]:
    carry = whole(carry, columns_of(seen.resolved))
    return strongly_typed(dict(record(seen.resolved, seen.forcing, seen.tendency, seen.fluxes, carry)))


def _as_it_is(carry: PyTree, columns: int) -> PyTree:
    return carry
