"""Gram matrices at half the work and half the memory: square tiles of the upper triangle, the lower one never exists."""

import functools
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from threadpoolctl import threadpool_limits

from parametra.core import machine
from parametra.core.errors import UsageError
from parametra.wide.collapse import Collapsed, collapse
from parametra.wide.kernel import Kernel, check_inputs, kernel
from parametra.wide.kernel import evaluate as evaluate_kernel


class Gram(eqx.Module):
    """A symmetric matrix as tiles: first those on the diagonal, then those above it, row by row.

    Rows that fill up the last tile are there but belong to no sample: products and `dense` leave them out.

    Attributes:
        diagonal_tiles: (blocks, tile, tile).
        upper_tiles: (blocks (blocks - 1) / 2, tile, tile).
        size: number of samples n.
    """

    diagonal_tiles: Float[Array, "blocks tile tile"]
    upper_tiles: Float[Array, "pairs tile tile"]
    size: int = eqx.field(static=True)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return self.size, self.size

    @property
    def dtype(self) -> np.dtype:
        """Of the tiles."""
        return np.dtype(self.diagonal_tiles.dtype)

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Block rows and block columns of the tiles above the diagonal."""
        return np.triu_indices(self.diagonal_tiles.shape[0], 1)

    def diagonal(self) -> Float[Array, " n"]:
        """The diagonal."""
        return jnp.diagonal(self.diagonal_tiles, axis1=1, axis2=2).reshape(-1)[: self.size]

    def dense(self) -> Float[Array, "n n"]:
        """The whole matrix."""
        blocks, tile, _ = self.diagonal_tiles.shape
        rows, columns = self.pairs
        full = jnp.zeros((blocks, blocks, tile, tile), self.diagonal_tiles.dtype)
        full = full.at[np.arange(blocks), np.arange(blocks)].set(self.diagonal_tiles)
        full = full.at[rows, columns].set(self.upper_tiles).at[columns, rows].set(self.upper_tiles.swapaxes(1, 2))
        return full.transpose(0, 2, 1, 3).reshape(blocks * tile, -1)[: self.size, : self.size]

    def __matmul__(self, v: Any) -> Float[Array, "n ..."]:
        """The product with a vector (n,) or a matrix (n, k): each tile is read once; with float64 ones it is taken in float64.

        UsageError for another number of rows.
        """
        v = jnp.asarray(v)
        check_rows(v, self.size)
        return _product(self, v if v.ndim == 2 else v[:, None]).reshape(v.shape)

    def times(self, v: np.ndarray) -> np.ndarray:
        """The product with (n, k) in float64, by NumPy where the tiles are in the host's memory and all of them on one device.

        UsageError for another number of rows.
        """
        check_rows(v, self.size)
        devices = self.diagonal_tiles.devices()
        if len(devices) > 1 or next(iter(devices)).platform != "cpu":
            with jax.enable_x64(True):
                return np.asarray(self @ jnp.asarray(v, jnp.float64))
        blocks, tile, _ = self.diagonal_tiles.shape
        on, above = np.asarray(self.diagonal_tiles), np.asarray(self.upper_tiles)
        diagonal = zip(range(blocks), range(blocks), on, strict=True)
        rows, columns = (numbers.tolist() for numbers in self.pairs)
        return multiply([*diagonal, *zip(rows, columns, above, strict=True)], v, blocks, tile)

    def columns(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Columns (n, m), gathered on the host; UsageError for numbers that are none of the n."""
        check_columns(indices, self.size)
        blocks, tile, _ = self.diagonal_tiles.shape
        on, above = np.asarray(self.diagonal_tiles), np.asarray(self.upper_tiles)
        place = {pair: number for number, pair in enumerate(zip(*map(np.ndarray.tolist, self.pairs), strict=True))}
        found = np.empty((blocks * tile, len(indices)), on.dtype)
        for column, index in enumerate(indices):
            block, inner = divmod(int(index), tile)
            for other in range(blocks):
                if other == block:
                    values = on[block][:, inner]
                else:
                    values = above[place[other, block]][:, inner] if other < block else above[place[block, other]][inner]
                found[other * tile : (other + 1) * tile, column] = values
        return found[: self.size]


def gram(
    model: Any,
    x: Float[Array, "n ..."],
    *,
    tile: int | None = None,
    collapsed: bool = True,
    mesh: jax.sharding.Mesh | None = None,
) -> Kernel:
    """Both kernels of `x` with itself as a `Kernel` of two `Gram`s, diagonal exact.

    Args:
        model: a network all of whose layers have a rule.
        x: inputs.
        tile: rows of a tile; an eighth of n where None, at most 2000.
        collapsed: use the closed form in the angle where the network allows it.
        mesh: share the tiles out over the devices of a mesh with one axis.

    Raises:
        UsageError: a layer without a rule, inputs as in `kernel`, no sample, or a tile below one.
    """
    function = tile_function(model, x, collapsed)
    rows = check_tile(len(x), tile)
    return Kernel(*_gram(function, x, rows, mesh))


def multiply(tiles: Iterable[tuple[int, int, Any]], v: np.ndarray, blocks: int, tile: int) -> np.ndarray:
    """The product with (n, k) in float64 of a matrix given as (block row, block column, values), diagonal and upper tiles.

    One tile a core at a time: the product with few columns is bound by memory, where a BLAS gains nothing from its own threads.
    """
    parted = np.pad(np.asarray(v, np.float64), ((0, blocks * tile - len(v)), (0, 0)))
    parted = np.ascontiguousarray(parted.reshape(blocks, tile, -1).swapaxes(1, 2))

    def both(item: tuple[int, int, Any]) -> tuple[int, int, np.ndarray, np.ndarray]:
        row, column, values = item
        values = np.asarray(values, np.float64)
        return row, column, parted[column] @ values.T, parted[row] @ values

    total = np.zeros_like(parted)
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(machine.cores()) as pool:
        for row, column, across, down in pool.map(both, tiles):
            total[row] += across
            if row != column:
                total[column] += down
    return total.swapaxes(1, 2).reshape(blocks * tile, -1)[: len(v)]


def tile_function(model: Any, x: Array, collapsed: bool) -> Any:
    """A function of two blocks of inputs, or of one and None, that gives the `Kernel` of a tile."""
    check_inputs(x, None)
    function = kernel(model)
    short = collapse(function.model, np.dtype(x.dtype).type) if collapsed and x.ndim == 2 else None
    return short or function


def check_tile(count: int, tile: int | None) -> int:
    """Rows of a tile; UsageError if there is no sample or the tile is below one."""
    if count == 0:
        raise UsageError("A Gram matrix needs at least one sample, got 0.")
    if tile is not None and tile < 1:
        raise UsageError(f"A tile needs at least one row, got {tile}.")
    return min(count, tile or min(2000, max(1, -(-count // 8))))


def check_rows(v: Any, size: int) -> None:
    """UsageError for what a matrix of `size` columns cannot be multiplied with."""
    if np.ndim(v) not in (1, 2) or np.shape(v)[0] != size:
        raise UsageError(f"The product needs ({size},) or ({size}, k), got shape {np.shape(v)}. Remedy: one row per sample.")


def check_columns(indices: Any, size: int) -> None:
    """UsageError for column numbers outside of 0 ... size - 1."""
    numbers = np.asarray(indices)
    if numbers.ndim != 1 or (numbers.size and (numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() >= size)):
        raise UsageError(f"Columns must be whole numbers from 0 to {size - 1} in one list, got {indices}.")


def blocks_of(x: Array, tile: int) -> Array:
    """(blocks, tile, ...), the last block filled up with zeros."""
    blocks = -(-len(x) // tile)
    x = jnp.pad(x, [(0, blocks * tile - len(x))] + [(0, 0)] * (x.ndim - 1))
    return x.reshape(blocks, tile, *x.shape[1:])


def evaluate(function: Any, x1: Array, x2: Array | None) -> Kernel:
    """The tile of two blocks, inside of jit."""
    return function(x1, x2) if isinstance(function, Collapsed) else evaluate_kernel(function.model, x1, x2)


@eqx.filter_jit
def _gram(function: Any, x: Array, tile: int, mesh: jax.sharding.Mesh | None) -> tuple[Gram, Gram]:
    parted = blocks_of(x, tile)
    rows, columns = np.triu_indices(len(parted), 1)
    on = _share(lambda block: evaluate(function, block, None), parted, mesh)
    above = _share(
        lambda pair: evaluate(function, parted[pair[0]], parted[pair[1]]), np.stack([rows, columns], 1), mesh
    )  # fmt: skip
    return Gram(on.nngp, above.nngp, len(x)), Gram(on.ntk, above.ntk, len(x))


def _share(one: Any, items: Any, mesh: jax.sharding.Mesh | None) -> Any:
    """`one` of each item in turn, the items dealt out to the devices of `mesh`."""
    items = jnp.asarray(items)
    run = functools.partial(jax.lax.map, one)
    if mesh is None:
        return run(items)
    (axis,) = mesh.axis_names
    mesh = jax.sharding.Mesh(mesh.devices, mesh.axis_names)  # of automatic axes, whatever those of the caller's are
    spec = jax.sharding.PartitionSpec(axis)
    count = len(items)
    filled = jnp.pad(items, [(0, -count % mesh.size)] + [(0, 0)] * (items.ndim - 1))
    shared = jax.shard_map(run, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)(filled)
    return jax.tree.map(lambda tiles: tiles[:count], shared)


@eqx.filter_jit
def _product(gram: Gram, v: Array) -> Array:
    blocks, tile, _ = gram.diagonal_tiles.shape
    parted = jnp.pad(v, ((0, blocks * tile - len(v)), (0, 0))).reshape(blocks, tile, -1)
    rows, columns = map(jnp.asarray, gram.pairs)

    def times(a: Array, b: Array) -> Array:
        return jnp.matmul(a.astype(v.dtype), b, precision="highest")

    def add(total: Array, item: tuple[Array, Array, Array]) -> tuple[Array, None]:
        matrix, row, column = item
        total = total.at[row].add(times(matrix, parted[column]))
        return total.at[column].add(times(matrix.T, parted[row])), None

    def on(item: tuple[Array, Array]) -> Array:
        return times(*item)

    start = jax.lax.map(on, (gram.diagonal_tiles, parted))
    total, _ = jax.lax.scan(add, start, (gram.upper_tiles, rows, columns))
    return total.reshape(blocks * tile, -1)[: gram.size]
