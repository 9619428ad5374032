r"""Products of Householder reflectors by blocks: a few matrix products instead of one reflection after another.

With rows v_i of any length, H_i = I - 2 v_i v_iᵀ / |v_i|², and V (b, n) holding b of them,

    H_1 H_2 ... H_b = I - Vᵀ T V,    T = S⁻¹,    S = diag(|v_i|²)/2 + striu(V Vᵀ),

the compact WY form; in reversed order Tᵀ. Rows are cut into blocks, the S of all blocks inverted at once, and the blocks applied
in turn. If row i has zeros before column i (a trapezoid, as `Reflectors` stores it), later blocks leave the first columns alone
and are given only the others: half of the work when there are n reflectors.

On the way back each block's input is made again from its output (the block is orthogonal), so that memory does not grow with the
number of reflectors. That rule is one of reverse mode; `multiply_plain` leaves it out.

Sources: Schreiber & Van Loan (1989, SIAM J. Sci. Stat. Comput. 10, 53). Zhang, Lei & Dhillon (2018, arXiv 1803.09327) multiply by
one reflector after another, and the last term of their gradient of a reflector (eq. 15 of the text submitted to ICLR) has the
factor -2 where it must be +4; here the gradient comes from the products above, and the tests compare it with finite differences.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.weights.triangular_inverse import BASE, triangular_inverse

BLOCK = 64  # rows per block: fewer make thin products, more make S costly and, for nearly equal reflectors, ill-conditioned
STRIPS = 8  # how often the width shrinks along a trapezoid; each is a loop of its own to compile
TINY = 1e-30  # a row of squared norm below this counts as zero: its reflector is the identity


class Strip(NamedTuple):
    """Consecutive blocks that act on the same columns, from `start` to the last.

    Attributes:
        first: the first row.
        last: the row after its last.
        start: the first column that they change.
        end: where the next strip starts.
        block: rows per block.
    """

    first: int
    last: int
    start: int
    end: int
    block: int


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def multiply(
    x: Float[Array, "batch size"], rows: Float[Array, "count size"], transposed: bool = False, trapezoid: bool = False
) -> Float[Array, "batch size"]:
    """Q x along the last axis, Q = H_1 H_2 ... H_m; or Qᵀ x.

    Args:
        x: vectors.
        rows: directions of the reflectors; a zero row is the identity, with zero gradient.
        transposed: multiply by Qᵀ = H_m ... H_1.
        trapezoid: row i is known to have zeros before column i.
    """
    return _forward(x, rows, transposed, trapezoid)[0]


def multiply_plain(
    x: Float[Array, "batch size"], rows: Float[Array, "count size"], transposed: bool = False, trapezoid: bool = False
) -> Float[Array, "batch size"]:
    """`multiply` without the rule of its own: forward-mode derivatives too, and memory that grows with the number of blocks."""
    return _forward(x, rows, transposed, trapezoid)[0]


def compact(rows: Float[Array, "count size"]) -> tuple[Float[Array, "padded size"], Float[Array, "padded padded"]]:
    """V, padded with zero rows, and T of all reflectors in one block: Q = I - Vᵀ T V."""
    (v,), (inverse,) = cut(rows, layout(*rows.shape, trapezoid=False, limit=rows.shape[0]))
    return v[0], inverse[0]


def layout(count: int, size: int, trapezoid: bool, limit: int = BLOCK) -> list[Strip]:
    """How `count` rows are cut into strips of blocks; the last block may reach beyond them."""
    block = block_size(min(count, limit))
    blocks = -(-count // block)
    length = -(-blocks // STRIPS) if trapezoid else blocks
    firsts = [first * block for first in range(0, blocks, length)]
    lasts = [*firsts[1:], blocks * block]
    starts = firsts if trapezoid else [0]
    return [Strip(*strip, block) for strip in zip(firsts, lasts, starts, [*starts[1:], size], strict=True)]


def cut(
    rows: Float[Array, "count size"], order: list[Strip]
) -> tuple[list[Float[Array, "_ block _"]], list[Float[Array, "_ block block"]]]:
    """V of the blocks of each strip, padded with zero rows, and their T."""
    (count, size), block = rows.shape, order[0].block
    if order[-1].last > count:
        rows = jnp.pad(rows, ((0, order[-1].last - count), (0, 0)))
    parts = [rows[strip.first : strip.last, strip.start :].reshape(-1, block, size - strip.start) for strip in order]
    inverses = scaled_inverse(jnp.concatenate([jnp.einsum("kin,kjn->kij", part, part) for part in parts]))
    return parts, [inverses[strip.first // block : strip.last // block] for strip in order]


def scaled_inverse(gram: Float[Array, "blocks block block"]) -> Float[Array, "blocks block block"]:
    """T from V Vᵀ: rows are scaled to norm 1 for the inversion; a zero row has zeros there."""
    square = jnp.diagonal(gram, axis1=-2, axis2=-1)
    zero = square < TINY
    scale = jnp.where(zero, 0, jax.lax.rsqrt(jnp.where(zero, 1, square)))
    outer = scale[:, :, None] * scale[:, None, :]
    return triangular_inverse(jnp.triu(gram * outer, 1) + 0.5 * jnp.eye(gram.shape[-1], dtype=gram.dtype)) * outer


def block_size(count: int) -> int:
    """The least size of at least `count` that `triangular_inverse` takes."""
    size = min(count, BASE)
    while size < count:
        size *= 2
    return size


def _forward(x: Array, rows: Array, transposed: bool, trapezoid: bool) -> tuple[Array, tuple]:
    """The product, and what the way back needs: the product itself and the C of every block, y = x - C V."""
    order = layout(rows.shape[0], rows.shape[1], trapezoid)
    parts, inverses = cut(rows, order)

    def reflect(carry: tuple[Array], block: tuple[Array, Array]) -> tuple[tuple[Array], Array]:
        (x,), (v, inverse) = carry, block
        c = (x @ v.T) @ (inverse if transposed else inverse.T)
        return (x - c @ v,), c

    (y,), factors = _walk(reflect, (x,), list(zip(parts, inverses, strict=True)), order, growing=not transposed)
    return y, (y, rows, parts, inverses, factors)


def _backward(transposed: bool, trapezoid: bool, kept: tuple, gradient: Array) -> tuple[Array, Array]:
    """With A = x Vᵀ, C = A T, y = x - C V and upstream g: dA = -g Vᵀ Tᵀ, dx = g + dA V, dV = dAᵀ x - Cᵀ g, and the part of S.

    dS = -Tᵀ dT Tᵀ = -Cᵀ dA comes free, and S = diag/2 + striu of V Vᵀ gives dV = (striu(dS) + its transpose + diagonal) V.
    """
    y, rows, parts, inverses, factors = kept
    order = layout(rows.shape[0], rows.shape[1], trapezoid)

    def undo(carry: tuple[Array, Array], block: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], Array]:
        (y, g), (v, inverse, c) = carry, block
        x = y + c @ v
        da = -(g @ v.T) @ (inverse.T if transposed else inverse)
        ds = c.T @ da if transposed else da.T @ c
        both = jnp.triu(ds, 1) + jnp.triu(ds, 1).T + jnp.diag(jnp.diagonal(ds))
        return (x, g + da @ v), da.T @ x - c.T @ g - both @ v

    blocks = list(zip(parts, inverses, factors, strict=True))
    (_, dx), drows = _walk(undo, (y, gradient), blocks, order, growing=transposed)
    count, size = rows.shape
    flat = [part.reshape(-1, part.shape[-1]) for part in drows]
    return dx, jnp.concatenate([jnp.pad(part, ((0, 0), (size - part.shape[1], 0))) for part in flat])[:count]


multiply.defvjp(_forward, _backward)


def _walk(
    step: Callable, arrays: tuple[Array, ...], blocks: list, order: list[Strip], growing: bool
) -> tuple[tuple, list[Array]]:
    """`step` through all blocks, each strip on its own columns: from the first on, or growing from the last back."""
    outputs: list[Any] = [None] * len(order)
    done: list[tuple[Array, ...]] = []
    inner = tuple(array[:, :0] for array in arrays)
    for k in reversed(range(len(order))) if growing else range(len(order)):
        strip = order[k]
        if growing:
            own = [array[:, strip.start : strip.end] for array in arrays]
            inner, outputs[k] = _loop(step, tuple(map(_beside, own, inner)), blocks[k], reverse=True)
        else:
            arrays, outputs[k] = _loop(step, arrays, blocks[k], reverse=False)
            width = strip.end - strip.start
            done.append(tuple(array[:, :width] for array in arrays))
            arrays = tuple(array[:, width:] for array in arrays)
    return inner if growing else tuple(jnp.concatenate(parts, 1) for parts in zip(*done, strict=True)), outputs


def _loop(step: Callable, carry: tuple[Array, ...], blocks: tuple[Array, ...], reverse: bool) -> tuple[tuple[Array, ...], Array]:
    if len(blocks[0]) > 1:
        return jax.lax.scan(step, carry, blocks, reverse=reverse)
    carry, output = step(carry, tuple(array[0] for array in blocks))
    return carry, output[None]


def _beside(left: Array, right: Array) -> Array:
    return jnp.concatenate([left, right], 1) if right.shape[1] else left
