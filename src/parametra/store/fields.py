"""Fields on disk: zarr version 3 with CF attributes, written whole or appended block by block, safe against a kill.

Chunks are stored uncompressed, so each chunk file has a known size and a truncated store is found by looking at sizes alone
(turbulent float32 fields would shrink by a tenth only). Appending has one commit point: the group attribute `committed_length`,
replaced atomically after all data is on disk. Whatever lies beyond it was left by a kill and does not count.
"""

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr

from parametra.core.errors import DataError, UsageError
from parametra.core.files import atomic_path, explain_disk, remove
from parametra.store.variables import attributes

CHUNK_BYTES = 2**24


def write_fields(path: str | Path, dataset: xr.Dataset) -> None:
    """Write the whole dataset to the zarr store `path`, atomically, replacing what was there.

    Data become float32 and get the CF attributes of `variables`; coordinates keep their precision.

    Raises:
        DataError: no space or no permission.
    """
    with atomic_path(path) as temporary:
        _create(temporary, dataset, {})


def append_fields(path: str | Path, dataset: xr.Dataset, dim: str = "time") -> None:
    """Append the dataset along `dim`, creating the store at first; the first block's length becomes the chunk length.

    A kill at any moment leaves the store at the length before or after this block.

    Raises:
        UsageError: variables or sizes that differ from the store's.
        DataError: the store is damaged, or there is no space.
    """
    path = Path(path)
    if not path.exists():
        with atomic_path(path) as temporary:
            _create(temporary, dataset, {"append_dimension": dim, "committed_length": dataset.sizes[dim]})
        return
    with explain_disk(path), zarr.config.set({"array.write_empty_chunks": True}):
        group = _open_group(path, "r+")
        start = _committed(path, group, dim)
        _trim(group, dim, start)
        encoded = _encodable(dataset)
        _refuse_other_variables(path, group, encoded)
        for name, variable in encoded.variables.items():
            if dim in variable.dims:
                _append_variable(path, group[str(name)], variable, variable.dims.index(dim), start)
        group.attrs["committed_length"] = start + dataset.sizes[dim]


def truncate_fields(path: str | Path, length: int, dim: str = "time") -> None:
    """Cut an appended store back to its first `length` entries, as a resumed run needs it; 0 removes it, if it is there.

    Raises:
        DataError: the store is absent, damaged, or shorter than `length`.
    """
    path = Path(path)
    if length == 0:
        remove(path)
        return
    if not path.exists():
        raise DataError(
            f"{path} is absent where {length} entries along {dim} are needed. Likely cause: it was deleted, or not restored with "
            "the checkpoints. Remedy: --fresh, or restore both together."
        )
    with explain_disk(path):
        group = _open_group(path, "r+")
        found = _committed(path, group, dim)
        if found < length:
            raise DataError(
                f"{path} holds {found} entries along {dim} where {length} are needed. Likely cause: the store was restored from "
                "an older copy than the checkpoints. Remedy: --fresh, or restore both together."
            )
        group.attrs["committed_length"] = length
        _trim(group, dim, length)


def open_fields(path: str | Path) -> xr.Dataset:
    """The dataset in the store `path`, read lazily; times stay numbers (days), text becomes plain text.

    Raises:
        DataError: the store is absent, truncated or damaged.
    """
    path = Path(path)
    group = _open_group(path, "r")
    dim = group.attrs.get("append_dimension")
    length = int(group.attrs["committed_length"]) if dim is not None else None
    for name in _variable_names(path, group):
        _check_chunks(path, group[name], dim, length)
    try:
        dataset = _open_even(path, group, dim, length)
    except Exception as error:
        raise _damaged(path, str(error)) from error
    for name in [name for name, variable in dataset.variables.items() if variable.dtype.kind in "TO"]:
        dataset[name] = dataset[name].copy(data=np.array(dataset[name].values.tolist(), dtype=str))
    dataset.attrs = {key: value for key, value in dataset.attrs.items() if key not in ("append_dimension", "committed_length")}
    return dataset


def _create(path: Path, dataset: xr.Dataset, attrs: dict[str, Any]) -> None:
    encoded = _encodable(dataset)
    encoded.attrs |= {"Conventions": "CF-1.11", "variables": sorted(map(str, encoded.variables)), **attrs}
    encoding = {
        name: {"compressors": (), "filters": (), "chunks": _chunks(variable)} if variable.ndim else {"compressors": ()}
        for name, variable in encoded.variables.items()
    }
    encoded.to_zarr(path, mode="w", consolidated=False, zarr_format=3, encoding=encoding, write_empty_chunks=True)


def _encodable(dataset: xr.Dataset) -> xr.Dataset:
    """In memory, float32, text without a fixed width (zarr 3 has no specification for that), CF attributes, fresh encoding."""
    encoded = dataset.drop_encoding().copy()
    for name, variable in encoded.variables.items():
        data = np.asarray(variable.values)
        if data.dtype.kind == "U":
            data = data.astype(object)
        elif data.dtype == np.float64 and name not in encoded.coords:
            data = data.astype(np.float32)
        encoded[name] = (variable.dims, data, attributes(str(name)) | variable.attrs)
    return encoded


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    """Whole in all dimensions but the first, which is cut so that a chunk stays within CHUNK_BYTES."""
    row = max(1, variable.dtype.itemsize * math.prod(variable.shape[1:]))
    return (max(1, min(variable.shape[0], CHUNK_BYTES // row)), *(max(1, size) for size in variable.shape[1:]))


def _append_variable(path: Path, array: Any, variable: xr.Variable, axis: int, start: int) -> None:
    shape = list(variable.shape)
    expected = [*array.shape[:axis], shape[axis], *array.shape[axis + 1 :]]
    if shape != expected:
        raise UsageError(f"Cannot append to {array.path} in {path}: shape {tuple(shape)}, the store needs {tuple(expected)}.")
    shape[axis] = start + variable.shape[axis]
    array.resize(tuple(shape))
    array[(slice(None),) * axis + (slice(start, shape[axis]),)] = variable.values.astype(array.dtype)


def _trim(group: Any, dim: str, length: int) -> None:
    for _, array in group.arrays():
        names = array.metadata.dimension_names
        if dim in names and array.shape[names.index(dim)] > length:
            array.resize(tuple(length if name == dim else size for name, size in zip(names, array.shape, strict=True)))


def _open_group(path: Path, mode: Literal["r", "r+"]) -> Any:
    if not path.exists():
        raise DataError(
            f"{path} does not exist. Likely cause: the stage that writes it has not run. Remedy: `parametra run` again."
        )
    try:
        return zarr.open_group(path, mode=mode, zarr_format=3, use_consolidated=False)
    except PermissionError:
        raise
    except Exception as error:
        raise _damaged(path, str(error)) from error


def _committed(path: Path, group: Any, dim: str) -> int:
    found = group.attrs.get("append_dimension")
    if found != dim:
        raise UsageError(
            f"{path} grows along {found}, not along {dim}. Remedy: write it with append_fields from its first block."
        )
    length = int(group.attrs["committed_length"])
    for name in _variable_names(path, group):
        _check_chunks(path, group[name], dim, length)
    return length


def _variable_names(path: Path, group: Any) -> list[str]:
    try:
        present = {name for name, _ in group.arrays()}
    except Exception as error:
        raise _damaged(path, str(error)) from error
    names = list(group.attrs.get("variables", present))
    if missing := sorted(set(names) - present):
        raise _damaged(path, f"{missing[0]} is missing")
    return names


def _refuse_other_variables(path: Path, group: Any, dataset: xr.Dataset) -> None:
    stored, given = set(group.attrs["variables"]), set(map(str, dataset.variables))
    if stored != given:
        odd = sorted(stored ^ given)[0]
        place = "only in the store" if odd in stored else "not in the store"
        raise UsageError(f"Cannot append to {path}: {odd} is {place}. Remedy: give each block the same variables.")


def _check_chunks(path: Path, array: Any, dim: str | None, length: int | None) -> None:
    """Every chunk file that should be there is there, at its full size (where the size is known: no codec, no text)."""
    names, shape = array.metadata.dimension_names or (), list(array.shape)
    if dim in names:
        axis = names.index(dim)
        if length is not None and shape[axis] < length:
            raise _damaged(path, f"{array.path} has {shape[axis]} of {length} entries along {dim}")
        shape[axis] = length
    plain = not array.compressors and not array.filters and array.shards is None and array.dtype.kind in "biuf"
    size = array.dtype.itemsize * math.prod(array.chunks) if plain else 1
    counts = [math.ceil(n / chunk) for n, chunk in zip(shape, array.chunks, strict=True)]
    for index in np.ndindex(*counts):
        file = path / array.path / "c" / "/".join(map(str, index))
        found = file.stat().st_size if file.is_file() else None
        if found is None or found < size:
            state = "missing" if found is None else f"{found} bytes long instead of {size}"
            raise _damaged(path, f"chunk {'/'.join(map(str, index)) or '0'} of {array.path} is {state}")


def _open_even(path: Path, group: Any, dim: str | None, length: int | None) -> xr.Dataset:
    """All variables at the committed length, also while a writer, alive or killed, has made some of them longer."""
    if dim is None:
        return _open(path, [])
    lengths: dict[int, list[str]] = {}
    for name, array in group.arrays():
        dims = array.metadata.dimension_names
        lengths.setdefault(array.shape[dims.index(dim)] if dim in dims else -1, []).append(name)
    every = {name for names in lengths.values() for name in names}
    if len(set(lengths) - {-1}) == 1:
        return _open(path, []).isel({dim: slice(0, length)})
    parts = [_open(path, sorted(every - set(names))) for names in lengths.values()]
    parts = [part.isel({dim: slice(0, length)}) if dim in part.dims else part for part in parts]
    return xr.merge(parts, join="exact", compat="equals", combine_attrs="override")


def _open(path: Path, without: list[str]) -> xr.Dataset:
    return xr.open_dataset(
        path, engine="zarr", chunks=None, drop_variables=without, decode_times=False, decode_timedelta=False,
        backend_kwargs={"consolidated": False, "zarr_format": 3},
    )  # fmt: skip


def _damaged(path: Path, what: str) -> DataError:
    return DataError(
        f"{path} is damaged: {what}. Likely cause: a copy that broke off or a full disk. Remedy: restore the folder, "
        "or run again with --fresh."
    )
