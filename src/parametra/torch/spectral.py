"""Weights by their singular values or eigenvalues, for `torch.nn.utils.parametrize.register_parametrization`."""

import math

import torch  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]

from parametra.core.errors import UsageError
from parametra.torch.reflectors import leading_reflectors, multiply, unpack


class Spectral(nn.Module):
    """W = U diag(signs * sigma) Vᵀ, sigma in [lo, hi] or free; a convolution kernel as (outputs, everything else).

    The parameters original0, original1 and original2 of the parametrized layer are `left.packed`, `right.packed` and `free` of a
    `parametra.weights.SpectralWeight`, the buffer `signs` its signs. Free singular values have no third one where lo = hi.

    Args:
        reflectors: m a side, or "full". With fewer than full, the m largest singular values keep their vectors.
        bounds: (lo, hi) or None. Singular values of the weight that is there go to the nearest value a hundredth inside.

    Raises:
        UsageError: bounds that are infinite or exchanged, reflectors that cannot be, a weight with NaN or of fewer than two axes.
    """

    signs: Tensor

    def __init__(self, reflectors: int | str = "full", bounds: tuple[float, float] | None = None):
        super().__init__()
        self.reflectors, self.bounds = reflectors, check_bounds(bounds)
        self.shape: tuple[int, ...] = ()
        self.count = 0
        self.register_buffer("signs", torch.ones(0))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, ...]:
        """The parameters of a given weight."""
        check_weight(weight)
        matrix = weight.detach().flatten(1)
        self.shape, self.count = tuple(weight.shape), number_of(self.reflectors, min(matrix.shape))
        u, sigma, v = torch.linalg.svd(matrix, full_matrices=False)
        left, left_signs = leading_reflectors(u[:, : self.count])
        right, right_signs = leading_reflectors(v[: self.count].T.contiguous())
        self.signs = torch.nn.functional.pad(left_signs * right_signs, (0, len(sigma) - self.count), value=1.0)
        free = release(sigma, self.bounds)
        return (left, right) if free is None else (left, right, free)

    def forward(self, left: Tensor, right: Tensor, free: Tensor | None = None) -> Tensor:
        """The weight of given parameters."""
        outputs, inputs = self.shape[0], math.prod(self.shape[1:])
        diagonal = hold(free, self.bounds, left, min(outputs, inputs)) * self.signs
        u, v = unpack(left, self.count, outputs), unpack(right, self.count, inputs)
        matrix = _dense(v, diagonal, u).T if outputs > inputs else _dense(u, diagonal, v)
        return matrix.reshape(self.shape)

    def singular_values(self, free: Tensor | None = None) -> Tensor:
        """Of the weight whose third parameter is `free`, largest first."""
        return hold(free, self.bounds, self.signs, len(self.signs)).abs().sort(descending=True).values


class SpectralSymmetric(nn.Module):
    """W = Q diag(lambda) Qᵀ, lambda in [lo, hi] or free.

    The parameters original0 and original1 are `vectors.packed` and `free` of the weight of that name in `parametra.weights`.

    Args:
        reflectors: m, or "full".
        bounds: (lo, hi) or None.

    Raises:
        UsageError: as `Spectral`, and for a weight that is not square.
    """

    def __init__(self, reflectors: int | str = "full", bounds: tuple[float, float] | None = None):
        super().__init__()
        self.reflectors, self.bounds = reflectors, check_bounds(bounds)
        self.size, self.count = 0, 0

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, ...]:
        """The parameters of the symmetric part of a weight."""
        check_square(weight)
        matrix = weight.detach()
        self.size, self.count = len(matrix), number_of(self.reflectors, len(matrix))
        values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
        order = values.abs().argsort(descending=True)
        packed, _ = leading_reflectors(vectors[:, order[: self.count]])
        free = release(values[order], self.bounds)
        return (packed,) if free is None else (packed, free)

    def forward(self, packed: Tensor, free: Tensor | None = None) -> Tensor:
        """The weight of given parameters."""
        rows = unpack(packed, self.count, self.size)
        return _dense(rows, hold(free, self.bounds, packed, self.size), rows)


def _dense(u: Tensor, diagonal: Tensor, v: Tensor) -> Tensor:
    """U diag Vᵀ from rows of reflectors, for at most as many outputs as inputs."""
    identity = torch.eye(v.shape[1], dtype=v.dtype, device=v.device)
    return multiply(multiply(identity, v, transposed=True)[:, : len(diagonal)] * diagonal, u).T


def check_weight(weight: Tensor) -> None:
    """UsageError unless a weight is a finite matrix or kernel."""
    if weight.ndim < 2 or not torch.isfinite(weight).all():
        what = f"has {weight.ndim} axes" if weight.ndim < 2 else "holds NaN or infinity"
        raise UsageError(f"A weight of shape {tuple(weight.shape)} {what}. Likely cause: a bias. Remedy: select a finite matrix.")


def check_square(weight: Tensor) -> None:
    """UsageError unless a weight is a finite square matrix."""
    check_weight(weight)
    if weight.ndim != 2 or weight.shape[0] != weight.shape[1]:
        raise UsageError(
            f"A symmetric weight must be square, got shape {tuple(weight.shape)}. Likely cause: this layer changes the width. "
            "Remedy: leave this layer free."
        )


def check_bounds(bounds: tuple[float, float] | None) -> tuple[float, float] | None:
    """UsageError unless the interval is finite and not empty."""
    if bounds is None:
        return None
    try:
        low, high = (float(bound) for bound in bounds)
    except (TypeError, ValueError) as error:
        raise UsageError(f"bounds must be two numbers (lo, hi), or None for free singular values; got {bounds!r}.") from error
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise UsageError(f"Singular values cannot be held in [{low:g}, {high:g}]. Remedy: finite bounds with lo <= hi, or None.")
    return low, high


def number_of(reflectors: int | str, rank: int) -> int:
    """Reflectors a side; UsageError for a number that cannot be."""
    count = rank if reflectors == "full" else reflectors
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= rank:
        raise UsageError(f'reflectors must be "full" or 1 to {rank} for this weight, got {reflectors!r}.')
    return count


def hold(free: Tensor | None, bounds: tuple[float, float] | None, like: Tensor, rank: int) -> Tensor:
    """Values within the bounds."""
    if bounds is None:
        assert free is not None
        return free
    low, high = bounds
    if free is None:
        return torch.full((rank,), low, dtype=like.dtype, device=like.device)
    return torch.clamp(low + (high - low) * torch.sigmoid(free), low, high)


def release(values: Tensor, bounds: tuple[float, float] | None) -> Tensor | None:
    """The free numbers of values, moved into the bounds; None where lo = hi."""
    if bounds is None:
        return values
    low, high = bounds
    if low == high:
        return None
    # as far inside as the JAX weight with clip=True: a value on a bound has next to no gradient
    margin = max(0.01 * (high - low), 4.0 * torch.finfo(values.dtype).eps * max(abs(low), abs(high)))
    if margin > (high - low) / 4.0:
        raise UsageError(f"Bounds {low!r} and {high!r} are hardly apart in {values.dtype}. Remedy: wider bounds, or equal ones.")
    inside = values.clamp(low + margin, high - margin)
    return torch.log(inside - low) - torch.log(high - inside)
