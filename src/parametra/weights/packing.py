r"""Half of a symmetric matrix, tile by tile, in coordinates that are an isometry.

The matrix is halved L times: level l holds its $2^l$ tiles above the diagonal as one array; the $2^L$ triangles on the diagonal
share rectangles in pairs, one above and one below; up to $2^L - 1$ rows that do not divide are a border. In all exactly
n(n+1)/2 numbers.

An entry off the diagonal is held as $q = \sqrt 2\, W_{ij}$, so that the numbers and the matrix have one norm: packing is the
adjoint of unpacking and its inverse on symmetric matrices, and a gradient step here is the dense step, projected. (To copy a
triangle moves an entry off the diagonal twice as far, to average V with its transpose exactly as far.)
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from parametra.weights.linear_map import linear_map

SMALLEST_TILE = 32
ROOT_HALF = float(np.sqrt(0.5))


@dataclasses.dataclass(frozen=True)
class Layout:
    """How n rows fall into tiles.

    Attributes:
        size: n, at least 1.
    """

    size: int

    @property
    def levels(self) -> int:
        """L, at least 1: halvings until a tile would be smaller than 32."""
        return max((self.size // SMALLEST_TILE).bit_length() - 1, 1)

    @property
    def tile(self) -> int:
        """Side of a tile on the diagonal."""
        return self.size >> self.levels

    @property
    def inner(self) -> int:
        """Rows that are tiled, the first ones."""
        return self.tile << self.levels

    @property
    def border(self) -> int:
        """Rows that do not divide, the last ones."""
        return self.size - self.inner


class Parts(NamedTuple):
    """The n(n+1)/2 numbers.

    Attributes:
        tiles: level l, the tiles above the diagonal: (2**l, side, side).
        triangles: pairs of tiles on the diagonal: (2**(L-1), tile, tile + 1); the first right of the diagonal, the second left.
        border: (border, inner).
        corner: upper triangle of the border with itself, row by row.
    """

    tiles: tuple[Float[Array, "_ side side"], ...]
    triangles: Float[Array, "pairs tile width"]
    border: Float[Array, "border inner"]
    corner: Float[Array, " corner"]


def unpack(parts: Parts, layout: Layout) -> Float[Array, "n n"]:
    """The dense symmetric matrix; its gradient is `pack`."""
    return _unpack(tuple(jax.tree.leaves(parts)), layout)


def _joined(arrays: tuple[Array, ...], layout: Layout) -> Float[Array, "n n"]:
    *tiles, triangles, last, corner = arrays
    parts = Parts(tuple(tiles), triangles, last, corner)
    inner = diagonal_blocks(parts, 0)[0]
    if layout.border == 0:
        return inner
    border, m = ROOT_HALF * parts.border, layout.inner
    matrix = jnp.pad(inner, ((0, layout.border), (0, layout.border)))  # written into, not concatenated: 1.3 times faster
    for place, part in (((m, 0), border), ((0, m), border.T), ((m, m), open_corner(parts.corner, layout.border))):
        matrix = jax.lax.dynamic_update_slice(matrix, part, place)
    return matrix


@functools.partial(jax.jit, static_argnums=1)
def pack(matrix: Float[Array, "n n"], layout: Layout) -> Parts:
    """The adjoint of `unpack`, and its inverse on symmetric matrices: of any other, the nearest symmetric one."""
    m = layout.inner
    below, aside = matrix[m:, :m], matrix[:m, m:]
    tiles, triangles = split_blocks(matrix[None, :m, :m], layout.levels)
    corner = close_corner(matrix[m:, m:])
    return Parts(tuple(tiles), triangles, ROOT_HALF * (below + aside.T), corner)


_unpack = linear_map("unpack_symmetric", _joined, lambda matrix, layout: tuple(jax.tree.leaves(pack(matrix, layout))))


def diagonal_blocks(parts: Parts, level: int) -> Float[Array, "blocks side side"]:
    """The 2**level blocks on the diagonal, put together from the levels below."""
    blocks = _open_triangles(parts.triangles)
    for tiles in parts.tiles[level:][::-1]:
        # Without the barrier XLA fuses the levels into one loop that looks up its source for every entry: 10 times slower.
        blocks = jax.lax.optimization_barrier(_join(blocks, ROOT_HALF * tiles))
    return blocks


def split_blocks(
    blocks: Float[Array, "blocks side side"], levels: int
) -> tuple[list[Float[Array, "_ part part"]], Float[Array, "pairs tile width"]]:
    """The adjoint of putting blocks together from `levels` levels: their tiles and triangles."""
    tiles = []
    for _ in range(levels):
        count, side, _ = blocks.shape
        parts = blocks.reshape(count, 2, side // 2, 2, side // 2)
        tiles.append(ROOT_HALF * (parts[:, 0, :, 1] + jnp.swapaxes(parts[:, 1, :, 0], 1, 2)))
        blocks = jnp.stack([parts[:, 0, :, 0], parts[:, 1, :, 1]], 1).reshape(2 * count, side // 2, side // 2)
        blocks = jax.lax.optimization_barrier(blocks)
    return tiles, _close_triangles(blocks)


def open_corner(packed: Float[Array, " corner"], size: int) -> Float[Array, "{size} {size}"]:
    """The small symmetric matrix in the corner."""
    full = packed[_places(size)]
    return jnp.where(np.eye(size, dtype=bool), full, ROOT_HALF * full)


def close_corner(full: Float[Array, "size size"]) -> Float[Array, " corner"]:
    """The adjoint of `open_corner`."""
    i, j = np.triu_indices(full.shape[0])
    return jnp.where(i == j, full[i, j], ROOT_HALF * (full[i, j] + full[j, i]))


@functools.lru_cache
def _places(size: int) -> np.ndarray:
    i, j = np.triu_indices(size)
    place = np.zeros((size, size), np.int32)
    place[i, j] = place[j, i] = np.arange(i.size)
    return place


def _join(blocks: Float[Array, "twice half half"], tiles: Float[Array, "count half half"]) -> Float[Array, "count side side"]:
    count, half, _ = tiles.shape
    pairs = blocks.reshape(count, 2, half, half)
    upper = jnp.stack([pairs[:, 0], tiles], 2)
    lower = jnp.stack([jnp.swapaxes(tiles, 1, 2), pairs[:, 1]], 2)
    return jnp.stack([upper, lower], 1).reshape(count, 2 * half, 2 * half)


def _open_triangles(triangles: Float[Array, "pairs tile width"]) -> Float[Array, "tiles tile tile"]:
    size = triangles.shape[1]
    upper, lower = triangles[:, :, 1:], triangles[:, :, :-1]
    i, j = np.arange(size)[:, None], np.arange(size)
    first = jnp.where(i <= j, upper, jnp.swapaxes(upper, 1, 2))
    second = jnp.where(i >= j, lower, jnp.swapaxes(lower, 1, 2))
    both = jnp.stack([first, second], 1)
    opened = jnp.where(i == j, both, ROOT_HALF * both).reshape(2 * triangles.shape[0], size, size)
    return jax.lax.optimization_barrier(opened)


def _close_triangles(blocks: Float[Array, "tiles tile tile"]) -> Float[Array, "pairs tile width"]:
    size = blocks.shape[-1]
    i, j = np.arange(size)[:, None], np.arange(size + 1)
    halves = ROOT_HALF * (blocks + jnp.swapaxes(blocks, 1, 2))
    pairs = jnp.where(i == j[:-1], blocks, halves).reshape(blocks.shape[0] // 2, 2, size, size)
    column = jnp.zeros((pairs.shape[0], size, 1), blocks.dtype)
    return jnp.where(j > i, jnp.concatenate([column, pairs[:, 0]], -1), jnp.concatenate([pairs[:, 1], column], -1))
