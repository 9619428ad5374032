"""The state of a run on disk: one folder per step, made by orbax, with a manifest that tells a whole one from a broken one."""

import json
import logging
import zlib
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from parametra.core.errors import DataError, UsageError
from parametra.core.files import atomic_path, remove

MANIFEST = "manifest.json"
logger = logging.getLogger(__name__)


def save_checkpoint(path: Path, tree: Any, step: int, keep: int = 2) -> None:
    """Save the arrays and numbers of a pytree as `path`/step_N, atomically, and drop all but the newest `keep`.

    Leaves that are neither (functions, text) are not saved: the skeleton gives them back.

    Raises:
        UsageError: a random key among the leaves (save its integer seed instead).
        DataError: no space or no permission.
    """
    import orbax.checkpoint as ocp  # 0.9 s

    named = _numeric_leaves(tree)
    arrays = {f"leaf_{index:05d}": np.asarray(leaf) for index, leaf in enumerate(named.values())}
    with atomic_path(path / f"step_{step:012d}") as temporary:
        if arrays:
            with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
                checkpointer.save(temporary.absolute() / "state", args=ocp.args.PyTreeSave(arrays))
        temporary.mkdir(exist_ok=True)
        files = {str(file.relative_to(temporary)): _checksum(file) for file in temporary.rglob("*") if file.is_file()}
        leaves = [[name, str(leaf.dtype), leaf.shape] for name, leaf in zip(named, arrays.values(), strict=True)]
        (temporary / MANIFEST).write_text(json.dumps({"step": step, "leaves": leaves, "files": files}), encoding="utf-8")
    for old in _steps(path)[:-keep]:
        remove(old)


def restore_checkpoint(path: Path, skeleton: Any, others: Callable[[int], Iterable[Any]] | None = None) -> tuple[Any, int] | None:
    """The newest healthy checkpoint below `path`, in the shape of `skeleton`, and its step; None if there is none at all.

    Args:
        path: the folder that `save_checkpoint` was given.
        skeleton: a pytree as it was saved, of arrays or of their shapes.
        others: skeletons for a checkpoint of so many leaves, tried in turn where `skeleton` does not fit.

    Raises:
        DataError: checkpoints exist but none is whole, or they hold another state than `skeleton`.
    """
    steps = _steps(path)
    for folder in reversed(steps):
        manifest = _healthy(folder)
        state = _read(folder, len(manifest["leaves"])) if manifest is not None else None
        if manifest is not None and state is not None:
            candidates = chain([skeleton], others(len(manifest["leaves"])) if others is not None else ())
            fitting = next((one for one in candidates if _difference(one, manifest) is None), skeleton)
            return _fill(folder, fitting, manifest, state), int(manifest["step"])
        logger.warning("%s is damaged and left out.", folder)
    if steps:
        raise DataError(
            f"{path} holds {len(steps)} checkpoints and none is whole. Likely cause: a copy that broke off or a full disk. "
            "Remedy: restore the folder, or run again with --fresh."
        )
    return None


def newest_checkpoint(path: Path) -> Path | None:
    """The folder of the newest checkpoint whose files are all as they were written; None if there is none."""
    return next((folder for folder in reversed(_steps(path)) if _healthy(folder) is not None), None)


def _steps(path: Path) -> list[Path]:
    return sorted(path.glob("step_*")) if path.is_dir() else []


def _healthy(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        whole = all(_checksum(folder / name) == checksum for name, checksum in manifest["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest if whole else None


def _checksum(file: Path) -> list[int]:
    # Checked here, since orbax leaves reads in flight behind when one of them meets a damaged file.
    size = checksum = 0
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            size, checksum = size + len(block), zlib.crc32(block, checksum)
    return [size, checksum]


def _read(folder: Path, count: int) -> list[np.ndarray] | None:
    import orbax.checkpoint as ocp

    names = [f"leaf_{index:05d}" for index in range(count)]
    if not names:
        return []
    arguments = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in names}
    try:
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
            state = checkpointer.restore(folder.absolute() / "state", args=ocp.args.PyTreeRestore(restore_args=arguments))
    except (OSError, ValueError, KeyError) as error:  # tensorstore reports a bad checksum as a ValueError
        logger.warning("%s cannot be read: %s", folder, error)
        return None
    return [state[name] for name in names]


def _fill(folder: Path, skeleton: Any, manifest: dict[str, Any], state: list[np.ndarray]) -> Any:
    difference = _difference(skeleton, manifest)
    if difference is not None:
        raise DataError(
            f"{folder} holds another state: {difference}. Likely cause: it was written under other settings or by another "
            "version. Remedy: --fresh."
        )
    expected = _numeric_leaves(skeleton)
    values = iter([_like(leaf, array) for leaf, array in zip(expected.values(), state, strict=True)])
    return jax.tree.map(lambda leaf: next(values) if _is_numeric(leaf) else leaf, skeleton)


def _difference(skeleton: Any, manifest: dict[str, Any]) -> str | None:
    """In words, the first leaf of which skeleton and checkpoint differ."""
    expected = _numeric_leaves(skeleton)
    stored = {name: (dtype, tuple(shape)) for name, dtype, shape in manifest["leaves"]}
    for name in [*expected, *stored]:
        wanted = _kind(expected[name]) if name in expected else "absent"
        found = stored.get(name, "absent")
        if wanted != found:
            return f"{name or 'the state'} is {found} there and {wanted} here"
    return None


def _numeric_leaves(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    named = {jax.tree_util.keystr(path): leaf for path, leaf in leaves if _is_numeric(leaf)}
    for name, leaf in named.items():
        if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            raise UsageError(f"{name} is a random key. Remedy: keep its integer seed in the state, and make the key from it.")
    return named


def _is_numeric(leaf: Any) -> bool:
    return isinstance(leaf, bool | int | float | complex) or (hasattr(leaf, "shape") and hasattr(leaf, "dtype"))


def _kind(leaf: Any) -> tuple[str, tuple[int, ...]]:
    array = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
    return str(array.dtype), tuple(array.shape)


def _like(leaf: Any, array: np.ndarray) -> Any:
    """The stored array as the kind of leaf that the skeleton has: a number, a numpy array (float64 kept) or a jax array."""
    if isinstance(leaf, bool | int | float | complex):
        return type(leaf)(array.item())
    if isinstance(leaf, np.ndarray | np.generic):
        return array
    return jnp.asarray(array)
