"""A stretch of truth goes on as it was: with all that was written, and in as many blocks as the machine has cores."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from numpy.testing import assert_array_equal

from parametra.core import machine
from parametra.core.errors import DataError
from parametra.core.progress import Progress
from parametra.coupling import ColumnBlocks, coupled_run, start
from parametra.coupling.records import record_nothing
from parametra.store.runfolder import RunFolder
from parametra.studies.base import Run
from parametra.studies.climate import STUDY, parts
from parametra.studies.climate.drive import Drive, _Writer
from parametra.studies.climate.truth import _Recorder, chunk_steps, last_state, segment_ends, segment_folder


@pytest.fixture
def run(tmp_path):
    return Run(RunFolder.open(tmp_path / "run", "climate", "smoke", {}), STUDY.resolve("smoke"), Progress())


def test_a_store_that_is_gone_beside_its_checkpoint_is_a_sentence(run):
    host = parts.host_of(run.config)
    recorder = _Recorder(run, host, 96, "truth", lambda *_: None)
    recorder.cut(0)
    with pytest.raises(DataError, match="truth.zarr is absent where .*Likely cause.*Remedy"):
        recorder.cut(chunk_steps(run.config))
    drive = Drive(run, "coupled", "coupled", host, (), lambda name: Swing(), record_nothing, 2.0)
    writer = _Writer(drive, "plain", 1, 96)
    writer.cut(0)  # as of a run that stopped on its first day
    with pytest.raises(DataError, match="coupled-plain.zarr is absent where 2 entries"):
        writer.cut(2 * host.config.steps_per_day)


def test_blocks_are_as_many_as_the_cores_that_one_may_use(run, monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 3)
    blocked = parts.in_blocks(run.config, Swing())
    assert isinstance(blocked, ColumnBlocks)
    assert blocked.blocks == 3
    monkeypatch.setattr(machine, "cores", lambda: 1)
    assert isinstance(parts.in_blocks(run.config, Swing()), Swing)


class Push(eqx.Module):
    push: jax.Array


class Row(eqx.Module):
    """A host of 7 columns."""

    time_step: float = eqx.field(static=True, default=1800.0)

    def init(self, key):
        return Push(jnp.arange(7.0))

    def resolved(self, state):
        return state, Push(jnp.ones(7))

    def step(self, state, tendency):
        return Push(state.push + tendency.push)

    def budget(self, state):
        return {}


class Swing(eqx.Module):
    """A closure with one number of memory in every column."""

    def init(self, resolved, forcing, key):
        return Push(jnp.zeros(7))

    def __call__(self, resolved, forcing, carry, key):
        memory = 0.5 * carry.push - resolved.push
        return Push(0.25 * memory), {}, Push(memory)


@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 3), (3, 2), (3, 1), (1, 2)])
def test_the_last_state_is_read_in_the_blocks_of_this_machine(run, monkeypatch, before, after):
    host = Row()
    monkeypatch.setattr(parts, "host_of", lambda config: host)
    monkeypatch.setattr(parts, "multiscale", lambda config: Swing())
    monkeypatch.setattr(machine, "cores", lambda: before)
    closure = parts.in_blocks(run.config, Swing())
    last = len(segment_ends(run.config)) - 1
    end = coupled_run(host, closure, *start(host, closure, 0), 0, 3, chunk=3, checkpoint=segment_folder(run, last))
    monkeypatch.setattr(machine, "cores", lambda: after)
    state, carry = last_state(run)
    assert_array_equal(state.push, end.state.push)
    whole = ColumnBlocks.whole(end.carry, 7) if before > 1 else end.carry
    expected = ColumnBlocks(Swing(), after).split(whole) if after > 1 else whole
    if before == after:
        expected = end.carry
    assert jax.tree.structure(carry) == jax.tree.structure(expected)
    for left, right in zip(jax.tree.leaves(carry), jax.tree.leaves(expected), strict=True):
        assert_array_equal(left, right)
