import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from parametra.core.errors import UsageError
from parametra.coupling import ColumnBlocks, coupled_run, start
from parametra.coupling.blocks import call_closure, split_columns, whole_columns


@given(st.integers(1, 6), st.integers(1, 4))
def test_whole_undoes_split_and_all_blocks_are_equal_in_size(columns, blocks):
    tree = {"a": np.arange(columns * 2.0).reshape(columns, 2), "b": np.arange(columns), "c": np.float32(3.0)}
    parts = split_columns(tree, blocks)
    assert len({part["a"].shape for part in parts}) == 1
    again = whole_columns(parts, columns)
    for name, leaf in tree.items():
        assert_array_equal(again[name], leaf)


@pytest.mark.parametrize("blocks", [1, 2, 3, 5])
def test_blocks_equal_the_closure_itself_exactly(slab, relax, blocks):
    blocked = ColumnBlocks(relax, blocks)
    state, _ = start(slab, relax, 0)
    resolved, forcing = slab.resolved(state)
    key = jax.random.key(0)
    plain = call_closure(relax, resolved, forcing, (), key)
    split = blocked(resolved, forcing, blocked.split(()), key)
    for left, right in zip(jax.tree.leaves(plain[:2]), jax.tree.leaves(split[:2]), strict=True):
        assert_array_equal(left, right)
    assert blocked.whole(split[2], 5) == ()


def record_memory(resolved, forcing, tendency, fluxes, carry):
    return {"x": resolved.x, "y": carry}


@pytest.mark.parametrize("blocks", [2, 3])  # 32 columns: 16 + 16, and 11 + 11 + 10
def test_a_closure_with_memory_runs_in_blocks_as_it_does_whole(lorenz, fast_scale, blocks):
    state, carry = start(lorenz, fast_scale, 0)
    blocked = ColumnBlocks(fast_scale, blocks)
    same_state, split = start(lorenz, blocked, 0)
    assert_array_equal(state.x, same_state.x)
    assert_allclose(blocked.whole(split, 32), carry, rtol=1e-6)
    plain, pieces = [], []
    a = coupled_run(
        lorenz, fast_scale, state, carry, 0, 30, chunk=20, record=record_memory, on_chunk=lambda n, r, s: plain.append(r)
    )
    b = coupled_run(
        lorenz, blocked, state, split, 0, 30, chunk=20, record=record_memory, on_chunk=lambda n, r, s: pieces.append(r)
    )
    # the sum over the fast variables may be added in another order for another number of columns: round-off of 30 steps
    assert_allclose(a.state.x, b.state.x, rtol=1e-5, atol=1e-5)
    assert_allclose(a.carry, blocked.whole(b.carry, 32), rtol=1e-3, atol=1e-4)
    for left, right in zip(plain, pieces, strict=True):
        assert_allclose(left["y"], right["y"], rtol=1e-3, atol=1e-4)


def test_blocks_run_at_the_same_time(slab, relax, monkeypatch):
    both = threading.Barrier(2, timeout=60)

    def meet(closure, *arguments):
        both.wait()  # passes only if the other block is in here too
        return closure(*arguments)

    monkeypatch.setattr("parametra.coupling.blocks.call_closure", meet)
    blocked = ColumnBlocks(relax, 2)
    resolved, forcing = slab.resolved(slab.init(jax.random.key(0)))
    _, fluxes, _ = blocked(resolved, forcing, blocked.split(()), jax.random.key(0))
    assert_array_equal(fluxes.rain, forcing.light)


def test_random_closures_draw_other_numbers_in_every_block(slab, noise):
    blocked = ColumnBlocks(noise, 5)
    resolved, forcing = slab.resolved(slab.init(jax.random.key(0)))
    carry = blocked.init(resolved, forcing, jax.random.key(0))
    _, fluxes, _ = blocked(resolved, forcing, carry, jax.random.key(1))
    assert len(set(np.asarray(fluxes.rain).tolist())) == 5


def test_no_blocks_are_refused(relax):
    with pytest.raises(UsageError, match="at least one block"):
        ColumnBlocks(relax, 0)


def test_a_leaf_without_columns_goes_to_every_block():
    parts = split_columns({"f": jnp.float32(8.0), "x": jnp.arange(4.0)}, 2)
    assert [float(part["f"]) for part in parts] == [8.0, 8.0]
