"""Checkpoints: restored bit for bit, kept few, and a broken one never mistaken for a whole one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.core.errors import DataError, UsageError
from parametra.store.checkpoints import newest_checkpoint, restore_checkpoint, save_checkpoint


class State(eqx.Module):
    field: jax.Array
    books: np.ndarray
    count: int
    function: object = eqx.field(static=True, default=None)


def state(seed):
    field = jax.random.normal(jax.random.key(seed), (3, 5))
    return {"host": State(field, np.array([1 / 3, seed / 7]), seed), "carry": (jnp.arange(4), ()), "act": jnp.tanh}


def assert_equal(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if x is not y:
            assert type(x) is type(y)
            assert np.asarray(x).dtype == np.asarray(y).dtype
            assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def test_restored_bit_for_bit_with_float64_numpy_leaves_and_integers(tmp_path):
    save_checkpoint(tmp_path / "run", state(7), step=12)
    restored = restore_checkpoint(tmp_path / "run", state(0))
    assert restored is not None
    tree, step = restored
    assert step == 12
    assert_equal(tree, state(7))


def test_a_state_without_numbers_is_a_state_too(tmp_path):
    save_checkpoint(tmp_path / "run", ((), None), step=3)
    assert restore_checkpoint(tmp_path / "run", ((), None)) == (((), None), 3)


def test_none_where_nothing_was_saved(tmp_path):
    assert restore_checkpoint(tmp_path / "run", state(0)) is None
    assert newest_checkpoint(tmp_path / "run") is None


def test_only_the_newest_are_kept_and_a_step_can_be_saved_again(tmp_path):
    for step, seed in ((1, 1), (2, 2), (30, 3), (30, 4)):
        save_checkpoint(tmp_path / "run", state(seed), step)
    assert [entry.name[-2:] for entry in sorted((tmp_path / "run").iterdir())] == ["02", "30"]
    tree, step = restore_checkpoint(tmp_path / "run", state(0)) or (None, 0)
    assert step == 30
    assert_equal(tree, state(4))


def break_by_truncation(folder):
    largest = max((file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-3])


def break_by_loss(folder):
    next(file for file in folder.rglob("manifest.ocdbt")).unlink()


def break_by_bit_rot(folder):
    for file in (folder / "state").rglob("d/*"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)


def break_the_manifest(folder):
    (folder / "manifest.json").write_text('{"step": 2')


BREAKS = [break_by_truncation, break_by_loss, break_by_bit_rot, break_the_manifest]


@pytest.mark.parametrize("damage", BREAKS)
def test_a_broken_one_is_left_out_and_the_one_before_is_taken(tmp_path, damage, caplog):
    save_checkpoint(tmp_path / "run", state(1), 1)
    save_checkpoint(tmp_path / "run", state(2), 2)
    damage(tmp_path / "run" / "step_000000000002")
    tree, step = restore_checkpoint(tmp_path / "run", state(0)) or (None, 0)
    assert step == 1
    assert_equal(tree, state(1))
    assert "damaged" in caplog.text
    damage(tmp_path / "run" / "step_000000000001")
    with pytest.raises(DataError, match="none is whole.*Likely cause.*Remedy"):
        restore_checkpoint(tmp_path / "run", state(0))


def test_another_state_is_refused_and_the_leaf_named(tmp_path):
    save_checkpoint(tmp_path / "run", {"a": jnp.zeros(3)}, 1)
    with pytest.raises(DataError, match=r"\['a'\] is .*3.* there and .*4.* here"):
        restore_checkpoint(tmp_path / "run", {"a": jnp.zeros(4)})
    with pytest.raises(DataError, match=r"\['b'\] is absent there"):
        restore_checkpoint(tmp_path / "run", {"a": jnp.zeros(3), "b": jnp.zeros(3)})


def test_other_skeletons_are_tried_where_the_first_does_not_fit_and_only_there(tmp_path):
    save_checkpoint(tmp_path / "run", [jnp.arange(3)], 1)
    asked = []

    def others(count):
        asked.append(count)
        yield [jnp.zeros(4, int)]
        yield [jax.ShapeDtypeStruct((3,), jnp.int32)]

    for skeleton, calls in (([jnp.zeros(3, int)], 0), ([jnp.zeros(2)], 1)):
        tree, _ = restore_checkpoint(tmp_path / "run", skeleton, others) or (None, 0)
        assert_equal(tree, [jnp.arange(3)])
        assert asked == [1] * calls
    with pytest.raises(DataError, match=r"float32', \(2,\)\) here"):
        restore_checkpoint(tmp_path / "run", [jnp.zeros(2)], lambda count: [])


def test_random_keys_are_refused(tmp_path):
    with pytest.raises(UsageError, match="integer seed"):
        save_checkpoint(tmp_path / "run", {"key": jax.random.key(0)}, 1)
