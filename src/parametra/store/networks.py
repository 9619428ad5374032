"""A network on disk: one safetensors file, its JSON header enough to use it elsewhere.

The header is one JSON string under the key "parametra" of the file's metadata; it can be read without the weights, without jax.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from parametra.core.errors import DataError, UsageError
from parametra.core.files import atomic_path

KEY = "parametra"


def save_network(path: str | Path, arrays: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    """Write named arrays and a JSON-able header atomically.

    Raises:
        UsageError: a header that JSON cannot hold.
        DataError: no space or no permission.
    """
    from safetensors.numpy import save_file

    try:
        text = json.dumps(dict(header), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The header of {path} is not JSON: {error}. Remedy: plain numbers, text, lists and dicts.") from None
    plain = {name: np.array(array, order="C") for name, array in arrays.items()}  # safetensors ignores strides
    with atomic_path(path) as temporary:
        save_file(plain, temporary, metadata={KEY: text})


def load_network(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the header of a network file; DataError if it is absent, truncated or damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    header = load_header(path)
    try:
        return load_file(path), header
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _damaged(path, str(error)) from None


def load_header(path: str | Path) -> dict[str, Any]:
    """The header alone, without reading the weights; DataError as in `load_network`."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist. Likely cause: no network was trained yet. Remedy: `parametra run` first.")
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > path.stat().st_size:
                raise ValueError("it is shorter than its own header")
            metadata = json.loads(stream.read(length)).get("__metadata__", {})
        return json.loads(metadata[KEY])
    except KeyError:
        raise DataError(f'{path} is not a network of ours: its metadata have no "{KEY}". Remedy: another file.') from None
    except (struct.error, ValueError, AttributeError, TypeError) as error:
        raise _damaged(path, str(error)) from None


def flatten_module(module: Any) -> dict[str, Any]:
    """The arrays of a pytree, keyed by their path in it, "layers.0.weight.matrix"."""
    import jax

    leaves, _ = jax.tree_util.tree_flatten_with_path(module)
    named = [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in leaves if _is_array(leaf)]
    arrays = dict(named)
    if len(arrays) != len(named):
        raise UsageError(
            "Two leaves of the module have the same path. Likely cause: a dictionary key with a dot. Remedy: rename it."
        )
    return arrays


def fill_module(skeleton: Any, arrays: Mapping[str, Any]) -> Any:
    """The pytree `skeleton` (arrays, or `eqx.filter_eval_shape` of its builder) with `arrays` in the place of its own.

    Raises:
        DataError: an array is missing, extra, or of another shape or type.
    """
    import jax
    import jax.numpy as jnp

    expected = flatten_module(skeleton)
    for name in [*expected, *arrays]:
        if name not in arrays or name not in expected:
            state = "missing from the file" if name not in arrays else "not part of this network"
            raise DataError(f"{name} is {state}. Likely cause: the header describes another network. Remedy: the matching file.")
    for name, leaf in expected.items():
        given = arrays[name]
        if tuple(given.shape) != tuple(leaf.shape) or given.dtype != leaf.dtype:
            raise DataError(
                f"{name} is {given.dtype}{tuple(given.shape)} in the file, the network needs {leaf.dtype}{tuple(leaf.shape)}. "
                "Likely cause: the header describes another size. Remedy: the matching file."
            )
    filled = iter([arrays[name] for name in expected])
    return jax.tree.map(lambda leaf: jnp.asarray(next(filled)) if _is_array(leaf) else leaf, skeleton)


def _is_array(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def _damaged(path: str | Path, what: str) -> DataError:
    return DataError(
        f"{path} is damaged: {what}. Likely cause: a copy that broke off. Remedy: restore it, or train again with --fresh."
    )
