"""Products of reflectors by blocks, in torch.

The numbers lie as in `parametra.weights.reflectors`, the products are those of `parametra.weights.householder`; gradients are
left to autograd.
"""

import torch  # pyright: ignore[reportMissingImports]
from torch import Tensor  # pyright: ignore[reportMissingImports]

BLOCK = 64
TINY = 1e-30


def pack(rows: Tensor) -> Tensor:
    """The free numbers of rows (m, n) with zeros before column i of row i."""
    count = rows.shape[0]
    if count % 2:
        return torch.cat([rows[0], pack(rows[1:, 1:])]) if count > 1 else rows[0]
    top, bottom = rows[: count // 2], rows[count // 2 :].flip(0)
    left = top[:, : count - 1] + bottom[:, : count - 1].flip(1)
    return torch.cat([left, top[:, count - 1 :], bottom[:, count - 1 :]], 1).reshape(-1)


def unpack(packed: Tensor, count: int, size: int) -> Tensor:
    """The inverse of `pack`."""
    if count % 2:
        first = packed[None, :size]
        if count == 1:
            return first
        return torch.cat([first, torch.nn.functional.pad(unpack(packed[size:], count - 1, size - 1), (1, 0))])
    folded = packed.reshape(count // 2, 2 * size - count + 1)
    position = torch.arange(size, device=packed.device)
    own = position >= position[: count // 2, None]
    top = torch.where(own, folded[:, :size], 0)
    bottom = torch.where(own, 0, folded[:, :size])[:, : count - 1].flip(1)
    return torch.cat([top, torch.cat([bottom, folded[:, size:]], 1).flip(0)])


def multiply(x: Tensor, rows: Tensor, transposed: bool = False) -> Tensor:
    """Q x along the last axis of x (batch, n), Q = H_1 ... H_m of rows with zeros before column i of row i; or Qᵀ x."""
    starts = range(0, rows.shape[0], BLOCK)
    for start in starts if transposed else reversed(starts):
        v = rows[start : start + BLOCK, start:]
        inverse = _inverse(v @ v.T)
        part = x[:, start:]
        part = part - ((part @ v.T) @ (inverse if transposed else inverse.T)) @ v
        x = torch.cat([x[:, :start], part], 1) if start else part
    return x


def leading_reflectors(columns: Tensor) -> tuple[Tensor, Tensor]:
    """Packed reflectors of a Q whose first columns, times the signs, are the given orthonormal ones; and the signs."""
    size, count = columns.shape
    factors, tau = torch.geqrf(columns)
    rows = torch.triu(factors.T, 1)[:count] + torch.eye(count, size, dtype=columns.dtype, device=columns.device)
    positive = (factors.diagonal() >= 0) == (tau != 0)  # a column that LAPACK leaves alone is turned round by its reflector
    return pack(rows), torch.where(positive, 1.0, -1.0).to(columns.dtype)


def _inverse(gram: Tensor) -> Tensor:
    square = gram.diagonal()
    zero = square < TINY
    scale = torch.where(zero, 0, torch.where(zero, 1, square).rsqrt())
    outer = scale[:, None] * scale
    identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    triangle = torch.triu(gram * outer, 1) + 0.5 * identity
    return torch.linalg.solve_triangular(triangle, identity, upper=True) * outer
