"""The coupled run: a host, a closure and a clock, with output streamed out, checkpoints, and a watch."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, PyTree

from parametra.core.errors import UsageError
from parametra.coupling.blocks import regroup, regrouped_shapes
from parametra.coupling.protocols import Carry, Closure, Host, State
from parametra.coupling.records import Recorder, Reduce, record_nothing
from parametra.coupling.step import look, run_compiled, run_stepwise
from parametra.coupling.trees import columns_of, strongly_typed
from parametra.coupling.watch import Watch
from parametra.store.checkpoints import newest_checkpoint, restore_checkpoint, save_checkpoint

OnChunk = Callable[[int, dict[str, np.ndarray], State], None]


class CoupledResult(NamedTuple):
    """Where a coupled run ended.

    Attributes:
        state: the host's state, before the physics of step `step`.
        carry: the closure's memory at that moment.
        step: number of the coming step; give it as `start_step` to go on.
    """

    state: PyTree[Array]
    carry: PyTree[Array]
    step: int


def start(host: Host, closure: Closure, seed: int) -> tuple[State, Carry]:
    """A start state of the host and the closure's first memory, both from `seed`."""
    host_key, closure_key = jax.random.split(jax.random.key(seed))
    state = host.init(host_key)
    return state, closure.init(*host.resolved(state), closure_key)


def coupled_run(
    host: Host, closure: Closure, state: PyTree, carry: PyTree, key_seed: int, steps: int, *, chunk: int,
    record: Recorder | None = None, reduce: str = "mean", on_chunk: OnChunk | None = None, watch: Watch | None = None,
    checkpoint: Path | None = None, checkpoint_every: int = 1, start_step: int = 0, on_start: Callable[[int], None] | None = None,
) -> CoupledResult:  # fmt: skip
    """Run `host` under `closure` for `steps` steps, in chunks of `chunk`.

    A closure that can be traced runs a whole chunk as one compiled loop. One with `traceable = False` (`ColumnBlocks`, or
    anything that calls other programs) is called from Python, step by step. The random key of step n is
    `fold_in(key(key_seed), n)`.

    Args:
        host: the resolved part.
        closure: whatever stands for the unresolved.
        state: start state of the host.
        carry: the closure's memory at the start.
        key_seed: seed of the closure's random numbers.
        steps: number of steps from `start_step` on.
        chunk: steps between outputs; the last chunk is shorter where `chunk` does not divide `steps`.
        record: `record(resolved, forcing, tendency, fluxes, carry)` gives named arrays of one step; for a blocked closure `carry`
            is already put together. Give the same function object to every run: a new one means a new compilation.
        reduce: "mean" averages every record over its chunk, "none" keeps all steps, `(step, ...)`.
        on_chunk: `on_chunk(step, records, state)` after every healthy chunk; `step` is the number of the coming step.
        watch: ends the run at the first value that is not finite or leaves its limits.
        checkpoint: folder of checkpoints. If it holds one, the run goes on from there, bit for bit; a closure in another number
            of blocks than then goes on too, see `restore`.
        checkpoint_every: chunks between checkpoints; the end is always one.
        start_step: number of the first step.
        on_start: `on_start(step)` once before the first step, with where the run really starts: what was written for later
            steps, before a kill, will come again and should be cut off.

    Raises:
        PhysicalStopError: the watch saw something; the error names variable, day, column, level and the last checkpoint.
        UsageError: an argument that makes no sense, a limit on an unknown variable, or a checkpoint outside this run.
    """
    _require_sane(steps, chunk, reduce, checkpoint_every)
    record, rows = record or record_nothing, chunk if reduce == "none" else None
    state, carry = strongly_typed((state, carry))
    step, end, healthy_checkpoint = start_step, start_step + steps, None
    if checkpoint is not None and (restored := restore(checkpoint, host, closure, state, carry)) is not None:
        state, carry, step = restored
        _require_within(checkpoint, step, start_step, end)
        healthy_checkpoint = newest_checkpoint(checkpoint)
    if on_start is not None:
        on_start(step)
    _require_healthy(host, state, step, watch, healthy_checkpoint)
    advance = run_compiled if getattr(closure, "traceable", True) else run_stepwise
    key, since_checkpoint = jax.random.key(key_seed), 0
    while step < end:
        done = advance(host, closure, state, carry, key, step, min(chunk, end - step), rows, record, watch)
        if watch is not None and done.named is not None:
            raise watch.stop(done.named, done.step - 1, host.time_step, healthy_checkpoint)
        _require_healthy(host, done.state, done.step, watch, healthy_checkpoint)
        state, carry, step = done.state, done.carry, done.step
        if on_chunk is not None:
            on_chunk(step, done.records, state)
        since_checkpoint += 1
        if checkpoint is not None and (since_checkpoint == checkpoint_every or step == end):
            healthy_checkpoint, since_checkpoint = _save(checkpoint, state, carry, step), 0
    return CoupledResult(state, carry, step)


def restore(checkpoint: Path, host: Host, closure: Closure, state: PyTree, carry: PyTree) -> CoupledResult | None:
    """Where the newest healthy checkpoint of a coupled run is; None if there is none.

    The memory of a closure in blocks (`ColumnBlocks`) may be stored in another number of blocks, or whole: it is put together and
    split anew.

    Args:
        checkpoint: folder of checkpoints.
        host: the host.
        closure: the closure that shall go on.
        state: a state of the host, or its shapes.
        carry: the closure's memory as its `init` gives it, or its shapes.

    Raises:
        DataError: checkpoints exist but none is whole, or they hold another state.
    """

    def regrouped(leaves: int) -> Iterator[dict[str, PyTree]]:
        count = leaves - len(jax.tree.leaves(state))
        for other in regrouped_shapes(closure, carry, eqx.filter_eval_shape(host.resolved, state), count):
            yield {"state": state, "carry": other}

    restored = restore_checkpoint(checkpoint, {"state": state, "carry": carry}, regrouped)
    if restored is None:
        return None
    tree, step = restored
    memory = tree["carry"]
    if jax.tree.structure(memory) != jax.tree.structure(carry):
        memory = regroup(closure, memory, carry, columns_of(eqx.filter_eval_shape(host.resolved, state)))
    restored_state, memory = strongly_typed((tree["state"], memory))
    return CoupledResult(restored_state, memory, step)


def _require_sane(steps: int, chunk: int, reduce: str, checkpoint_every: int) -> None:
    if steps < 0 or chunk < 1 or checkpoint_every < 1:
        raise UsageError(
            f"A coupled run needs steps >= 0, chunk >= 1 and checkpoint_every >= 1, got {steps}, {chunk} and {checkpoint_every}."
        )
    if reduce not in get_args(Reduce):
        raise UsageError(f"reduce={reduce!r} is unknown. Remedy: one of {', '.join(map(repr, get_args(Reduce)))}.")


def _require_healthy(host: Host, state: State, step: int, watch: Watch | None, checkpoint: Path | None) -> None:
    if watch is None:
        return
    _, named, healthy = look(host, state, watch)
    if not bool(healthy):
        raise watch.stop(named, step, host.time_step, checkpoint)


def _save(checkpoint: Path, state: State, carry: Carry, step: int) -> Path | None:
    save_checkpoint(checkpoint, {"state": state, "carry": carry}, step)
    return newest_checkpoint(checkpoint)


def _require_within(checkpoint: Path, step: int, first: int, end: int) -> None:
    if not first <= step <= end:
        raise UsageError(
            f"The checkpoint in {checkpoint} is at step {step}, outside this run of steps {first} to {end}. Likely cause: "
            "another run's folder, or a shortened run. Remedy: another folder, or as many steps as before."
        )
