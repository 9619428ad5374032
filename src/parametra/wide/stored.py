"""Gram matrices larger than memory: tiles on disk, one commit each, resumed where they stopped, never read half-written."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from parametra.core.errors import DataError, UsageError
from parametra.store.fields import append_fields, open_fields
from parametra.wide.gram import Gram, blocks_of, check_columns, check_rows, check_tile, evaluate, multiply, tile_function
from parametra.wide.kernel import Kernel, check_inputs, skeleton


class StoredGram:
    """One kernel matrix on disk, in float32; products read each tile once.

    Attributes:
        path: the store.
        which: "nngp" or "ntk".
        size: number of samples n.
    """

    def __init__(self, path: str | Path, which: str):
        """Open a finished store; DataError if it is absent, damaged or not finished, UsageError for another kernel."""
        if which not in ("nngp", "ntk"):
            raise UsageError(f'which="{which}" is unknown. Known: nngp, ntk.')
        self.path, self.which = Path(path), which
        data = open_fields(self.path)
        if "size" not in data.attrs or "tile_rows" not in data.attrs or which not in data:
            raise DataError(f"{self.path} is no Gram matrix. Likely cause: another store. Remedy: a path that stream_gram wrote.")
        self.size, self.tile = int(data.attrs["size"]), int(data.attrs["tile_rows"])
        self.blocks = -(-self.size // self.tile)
        found, needed = data.sizes["tile"], self.blocks * (self.blocks + 1) // 2
        if found < needed:
            raise DataError(
                f"{self.path} holds {found} of {needed} tiles. Likely cause: the run that writes it was interrupted. "
                "Remedy: give the "
                "same call of stream_gram again, it goes on where it was."
            )
        self.tiles = data[which]

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return self.size, self.size

    def __matmul__(self, v: Any) -> np.ndarray:
        """The product with (n,) or (n, k) in float64; each tile is read once."""
        given = np.asarray(v)
        check_rows(given, self.size)
        return self.times(given.reshape(self.size, -1)).reshape(given.shape)

    def times(self, v: np.ndarray) -> np.ndarray:
        """The product with (n, k) in float64; UsageError for another number of rows."""
        check_rows(v, self.size)
        order = tile_order(self.blocks)
        tiles = (_Tile(self.tiles, number) for number in range(len(order)))
        return multiply([(*place, tile) for place, tile in zip(order, tiles, strict=True)], v, self.blocks, self.tile)

    def columns(self, indices: Any) -> np.ndarray:
        """Columns (n, m); UsageError for numbers that are none of the n."""
        check_columns(indices, self.size)
        indices = np.asarray(indices)
        found = np.empty((self.blocks * self.tile, len(indices)), np.float32)
        block = indices // self.tile
        for number, (row, column) in enumerate(tile_order(self.blocks)):
            for here, other, flip in ((column, row, False), (row, column, True))[: 1 if row == column else 2]:
                mine = np.flatnonzero(block == here)
                if mine.size:
                    values = self.tiles[number].values
                    values = values.T if flip else values
                    found[other * self.tile : (other + 1) * self.tile, mine] = values[:, indices[mine] - here * self.tile]
        return found[: self.size]

    def load(self) -> Gram:
        """The matrix in memory."""
        values = self.tiles.values
        on = np.array([row == column for row, column in tile_order(self.blocks)])
        return Gram(jnp.asarray(values[on]), jnp.asarray(values[~on]), self.size)


class _Tile:
    """A tile that is read when NumPy asks for its values."""

    def __init__(self, tiles: xr.DataArray, number: int):
        self.tiles, self.number = tiles, number

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.tiles[self.number].values, dtype)


def stream_gram(
    model: Any, x: Float[Array, "n ..."], path: str | Path, *, tile: int | None = None, collapsed: bool = True,
    on_tile: Callable[[float], None] | None = None,
) -> tuple[StoredGram, StoredGram]:  # fmt: skip
    """Write both kernels of `x` with itself to the zarr store `path`, tile by tile; goes on where an earlier call was cut.

    Args:
        model: a network all of whose layers have a rule.
        x: inputs, float32.
        path: the store.
        tile: rows of a tile, as in `gram`.
        collapsed: as in `gram`.
        on_tile: told the share done after each tile.

    Returns:
        the NNGP and the tangent kernel.

    Raises:
        UsageError: as in `gram`, or a store of another network, data set or tile.
        DataError: the store is damaged, or there is no space.
    """
    check_inputs(x, None)
    if x.dtype != jnp.float32:
        raise UsageError(f"A stored Gram matrix holds float32, got inputs of {x.dtype}. Remedy: x.astype('float32').")
    function, rows, path = tile_function(model, x, collapsed), check_tile(len(x), tile), Path(path)
    attrs = {"size": len(x), "tile_rows": rows, "fingerprint": fingerprint(model, x)}
    order = tile_order(-(-len(x) // rows))
    done = _done(path, attrs)
    if done:
        _refuse_other_values(path, function, x[: min(rows, PROBE)])
    parted = blocks_of(x, rows)
    for number in range(done, len(order)):
        row, column = order[number]
        values = _tile(function, parted[row], None if row == column else parted[column])
        dims = ("tile", "row", "column")
        arrays = {name: (dims, np.asarray(getattr(values, name))[None], UNITS) for name in ("nngp", "ntk")}
        append_fields(path, xr.Dataset(arrays, attrs=attrs), "tile")
        if on_tile is not None:
            on_tile((number + 1) / len(order))
    return StoredGram(path, "nngp"), StoredGram(path, "ntk")


UNITS = {"units": "1"}


def tile_order(blocks: int) -> list[tuple[int, int]]:
    """Block row and column of each tile, row by row."""
    return [(row, column) for row in range(blocks) for column in range(row, blocks)]


def fingerprint(model: Any, x: Array) -> str:
    """A digest of the network's layers and of the data; a function in it counts by its name only."""
    digest = hashlib.sha256(repr(skeleton(model)).encode())
    digest.update(np.ascontiguousarray(x).tobytes())
    return digest.hexdigest()


PROBE = 4  # rows of the first tile that are found anew


def _refuse_other_values(path: Path, function: Any, rows: Array) -> None:
    """UsageError if the first rows of the store are not of this network: two functions may bear one name, as lambdas do."""
    new, first = _tile(function, rows, None), open_fields(path).isel(tile=0)
    for name in ("nngp", "ntk"):
        value = np.asarray(getattr(new, name))
        old = first[name].values[: len(rows), : len(rows)]
        if not np.allclose(old, value, rtol=0, atol=1e-3 * np.abs(value).max()):  # kinked functions lose half the digits
            raise UsageError(_other(path, "network or data set"))


def _other(path: Path, word: str) -> str:
    return f"{path} holds the Gram matrix of another {word}. Remedy: another path, or delete the store."


@eqx.filter_jit
def _tile(function: Any, x1: Array, x2: Array | None) -> Kernel:
    return evaluate(function, x1, x2)


def _done(path: Path, attrs: dict[str, Any]) -> int:
    """Tiles that the store holds; UsageError if they are of something else."""
    if not path.exists():
        return 0
    data = open_fields(path)
    for name, word in (("fingerprint", "network or data set"), ("tile_rows", "tile"), ("size", "number of samples")):
        if data.attrs.get(name) != attrs[name]:
            raise UsageError(_other(path, word))
    return data.sizes["tile"]
