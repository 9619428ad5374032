import threading

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from parametra.core.errors import DataError, UsageError
from parametra.coupling import Closure, ColumnBlocks, Host, Watch, coupled_run, start
from parametra.dynamics.lorenz96 import SlowTendency


class Collect:
    """The chunks of a run, as a file on disk would hold them."""

    def __init__(self):
        self.steps, self.records, self.begins = [], [], []

    def on_chunk(self, step, records, state):
        self.steps.append(step)
        self.records.append(records)

    def on_start(self, step):
        self.begins.append(step)
        kept = sum(done <= step for done in self.steps)
        del self.steps[kept:], self.records[kept:]


def heat_and_sum(resolved, forcing, tendency, fluxes, carry):
    return {"heat": tendency.heat, "memory": carry, "rain": fluxes.rain}


class TenLines:
    """What a user writes: no base class, no arrays, no memory."""

    def init(self, resolved, forcing, key):
        return ()

    def __call__(self, resolved, forcing, carry, key):
        return SlowTendency(-0.5 - 0.6 * resolved.x), {}, carry


class FromPython:
    """Any closure, called from Python: as one that brings its own threads or calls another program."""

    traceable = False

    def __init__(self, closure):
        self.closure = closure

    def init(self, resolved, forcing, key):
        return self.closure.init(resolved, forcing, key)

    def __call__(self, resolved, forcing, carry, key):
        return self.closure(resolved, forcing, carry, key)


def run(host, closure, steps, chunk, start_step=0, begin=None, **options):
    collected = Collect()
    state, carry = begin or start(host, closure, 3)
    result = coupled_run(
        host, closure, state, carry, 5, steps, chunk=chunk, start_step=start_step, on_chunk=collected.on_chunk, **options
    )
    return result, collected


def assert_same(a, b):
    for left, right in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert_array_equal(left, right)


def test_both_protocols_are_met(slab, noise):
    assert isinstance(slab, Host)
    assert isinstance(noise, Closure)
    assert isinstance(TenLines(), Closure)
    assert isinstance(ColumnBlocks(noise, 2), Closure)


def test_mean_is_the_mean_of_all_steps(slab, noise):
    end, every = run(slab, noise, 10, 4, record=heat_and_sum, reduce="none")
    same_end, mean = run(slab, noise, 10, 4, record=heat_and_sum)
    assert every.steps == mean.steps == [4, 8, 10]
    assert [len(chunk["heat"]) for chunk in every.records] == [4, 4, 2]
    for all_steps, average in zip(every.records, mean.records, strict=True):
        for name, value in average.items():
            assert_allclose(value, all_steps[name].mean(axis=0), rtol=1e-5, atol=1e-8)
    assert_same(end, same_end)


@pytest.mark.parametrize("wrap", [lambda closure: closure, FromPython, lambda closure: ColumnBlocks(closure, 2)])
def test_result_does_not_depend_on_the_chunk_nor_on_a_break(slab, noise, wrap):
    closure = wrap(noise)
    end, whole = run(slab, closure, 10, 10, record=heat_and_sum, reduce="none")
    again, pieces = run(slab, closure, 10, 3, record=heat_and_sum, reduce="none")
    assert_same(end, again)
    for name in ("heat", "memory", "rain"):
        assert_array_equal(whole.records[0][name], np.concatenate([chunk[name] for chunk in pieces.records]))
    middle, _ = run(slab, closure, 4, 4)
    continued, _ = run(slab, closure, 6, 5, start_step=middle.step, begin=(middle.state, middle.carry))
    assert_same(end, continued)


def test_called_from_python_equals_compiled(slab, noise):
    compiled, a = run(slab, noise, 10, 4, record=heat_and_sum)
    stepped, b = run(slab, FromPython(noise), 10, 4, record=heat_and_sum)
    for left, right in zip(jax.tree.leaves((compiled, a.records)), jax.tree.leaves((stepped, b.records)), strict=True):
        assert_allclose(left, right, rtol=0, atol=1e-6 * np.abs(left).max())  # one program or three: round-off


def test_seed_decides(slab, noise):
    state, carry = start(slab, noise, 3)
    ends = [coupled_run(slab, noise, state, carry, seed, 4, chunk=4) for seed in (1, 1, 2)]
    assert_same(ends[0], ends[1])
    assert not np.array_equal(ends[0].carry, ends[2].carry)


@pytest.mark.parametrize("wrap", [lambda closure: closure, lambda closure: ColumnBlocks(closure, 2)])
@pytest.mark.parametrize("every", [1, 2])
def test_killed_and_resumed_equals_unbroken(slab, noise, wrap, every, tmp_path):
    closure = wrap(noise)
    end, whole = run(slab, closure, 14, 3, record=heat_and_sum)
    broken = Collect()

    def killed_at_nine(step, records, state):
        broken.on_chunk(step, records, state)
        if step == 9:
            raise KeyboardInterrupt

    begin = start(slab, closure, 3)
    options = {"chunk": 3, "record": heat_and_sum, "checkpoint": tmp_path, "checkpoint_every": every, "on_start": broken.on_start}
    with pytest.raises(KeyboardInterrupt):
        coupled_run(slab, closure, *begin, 5, 14, on_chunk=killed_at_nine, **options)
    resumed = coupled_run(slab, closure, *begin, 5, 14, on_chunk=broken.on_chunk, **options)
    assert broken.begins == [0, 6]
    assert_same(end, resumed)
    assert broken.steps == whole.steps
    assert_same(broken.records, whole.records)
    done = coupled_run(slab, closure, *begin, 5, 14, on_chunk=broken.on_chunk, **options)
    assert broken.begins == [0, 6, 14]
    assert_same(done, end)


def test_ten_lines_of_a_user_run(lorenz):
    closure = TenLines()
    end, collected = run(lorenz, closure, 20, 8, record=lambda *seen: {"x": seen[0].x}, watch=Watch({"x": (-30.0, 30.0)}))
    assert end.step == 20
    assert collected.records[-1]["x"].shape == (32,)
    assert np.isfinite(end.state.x).all()


def test_equal_structure_shares_one_compilation_even_between_threads(slab, relax_type):
    traced = []

    class Counted(relax_type):
        def __call__(self, resolved, forcing, carry, key):
            traced.append(threading.current_thread().name)
            return super().__call__(resolved, forcing, carry, key)

    ends = {}

    def job(rate):
        closure = Counted(jnp.float32(rate))
        ends[rate] = coupled_run(slab, closure, *start(slab, closure, 0), 0, 10, chunk=5).state[0].temperature

    threads = [threading.Thread(target=job, args=(rate,)) for rate in (1e-5, 2e-5, 3e-5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = len(traced)
    assert len(set(traced)) == 1  # the others waited for the one that compiled
    job(4e-5)
    assert len(traced) == first
    assert len({float(end.mean()) for end in ends.values()}) == 4


def test_start_state_given_as_numpy_or_weakly_typed_compiles_once(slab, relax_type):
    traced = []

    class Counted(relax_type):
        def __call__(self, resolved, forcing, carry, key):
            traced.append(1)
            return super().__call__(resolved, forcing, carry, key)

    closure = Counted(jnp.float32(1e-5))
    state, carry = start(slab, closure, 0)
    coupled_run(slab, closure, state, carry, 0, 6, chunk=3)
    first = len(traced)
    coupled_run(slab, closure, jax.tree.map(np.asarray, state), carry, 0, 6, chunk=3)
    assert len(traced) == first


class Shrinking(eqx.Module):
    """Forgets a level of its memory, or all of it."""

    everything: bool

    def init(self, resolved, forcing, key):
        return resolved.temperature

    def __call__(self, resolved, forcing, carry, key):
        return jax.tree.map(lambda x: 0 * x, HeatLike(resolved.temperature)), {}, () if self.everything else carry[:, 1:]


class HeatLike(eqx.Module):
    heat: jax.Array


@pytest.mark.parametrize("wrap", [lambda closure: closure, FromPython])
@pytest.mark.parametrize("everything", [True, False])
def test_memory_of_another_shape_is_refused(slab, wrap, everything):
    with pytest.raises(UsageError, match="took carry.*Likely cause.*Remedy"):
        run(slab, wrap(Shrinking(everything)), 2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk": 0}, "chunk >= 1"),
        ({"chunk": 1, "reduce": "sum"}, "'sum' is unknown"),
        ({"chunk": 1, "checkpoint_every": 0}, "checkpoint_every >= 1"),
        ({"chunk": 1, "watch": Watch({"temprature": (0.0, 1.0)})}, 'Did you mean "temperature"'),
    ],
)
@pytest.mark.parametrize("wrap", [lambda closure: closure, FromPython])
def test_bad_arguments_are_refused(slab, relax, wrap, options, message):
    closure = wrap(relax)
    with pytest.raises(UsageError, match=message):
        coupled_run(slab, closure, *start(slab, closure, 0), 0, 1, **options)


def test_checkpoint_of_a_longer_run_is_refused(slab, relax, tmp_path):
    begin = start(slab, relax, 0)
    coupled_run(slab, relax, *begin, 0, 10, chunk=5, checkpoint=tmp_path)
    with pytest.raises(UsageError, match="at step 10, outside this run of steps 0 to 5"):
        coupled_run(slab, relax, *begin, 0, 5, chunk=5, checkpoint=tmp_path)


class Books(eqx.Module):
    """Memory on columns and one number for all of them, without sums."""

    rate: jax.Array

    def init(self, resolved, forcing, key):
        return {"heat": jnp.zeros_like(resolved.temperature), "calls": jnp.float32(0.0)}

    def __call__(self, resolved, forcing, carry, key):
        heat = 0.5 * carry["heat"] + self.rate * (290.0 - resolved.temperature)
        return Heat(heat), {}, {"heat": heat, "calls": carry["calls"] + 1.0}


class Heat(eqx.Module):
    heat: jax.Array


@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 3), (3, 2), (1, 3), (3, 0), (0, 2), (0, 1), (1, 0)])
def test_a_run_goes_on_in_another_number_of_blocks(slab, tmp_path, before, after):
    """5 columns in 2 blocks of 3 or 3 of 2, the last column repeated; 0 is the closure itself."""
    books = Books(jnp.float32(1e-5))
    first, then = (ColumnBlocks(books, blocks) if blocks else books for blocks in (before, after))
    whole, _ = run(slab, then, 8, 2)
    run(slab, first, 4, 2, checkpoint=tmp_path)
    resumed, collected = run(slab, then, 8, 2, checkpoint=tmp_path, on_start=(begins := []).append)
    assert (begins, collected.steps) == ([4], [6, 8])
    if before == after:
        assert_same(resumed, whole)
    assert jax.tree.structure(resumed.carry) == jax.tree.structure(whole.carry)
    for left, right in zip(jax.tree.leaves(resumed), jax.tree.leaves(whole), strict=True):
        assert_allclose(left, right, rtol=1e-6)


def test_an_older_checkpoint_in_other_blocks_is_taken_where_the_newest_is_broken(slab, tmp_path):
    books = Books(jnp.float32(1e-5))
    run(slab, ColumnBlocks(books, 2), 4, 2, checkpoint=tmp_path)
    run(slab, ColumnBlocks(books, 3), 6, 2, checkpoint=tmp_path)
    (tmp_path / "step_000000000006" / "manifest.json").write_text("{")
    resumed, collected = run(slab, ColumnBlocks(books, 3), 8, 2, checkpoint=tmp_path)
    assert collected.steps == [6, 8]
    assert resumed.step == 8


def test_the_memory_of_another_closure_is_no_other_number_of_blocks(slab, noise, tmp_path):
    books = Books(jnp.float32(1e-5))
    run(slab, ColumnBlocks(books, 2), 4, 2, checkpoint=tmp_path)
    for other in (noise, ColumnBlocks(noise, 2)):
        with pytest.raises(DataError, match="holds another state: .*Remedy"):
            run(slab, other, 8, 2, checkpoint=tmp_path)
