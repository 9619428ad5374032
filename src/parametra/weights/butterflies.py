r"""Transforms that turn a symmetry among blocks of channels into independent blocks.

A weight that commutes with a group acting on k chunks of its inputs and outputs is W = S diag(P_0, ..., P_{k-1}) A, with A and S
sums and differences of chunks: a product costs 1/k of the dense one, has 1/k of its numbers, and loses no rank. The numbers P are
learnt themselves, so nothing has to be formed before a product.

| transform | group | W |
| --- | --- | --- |
| `Walsh(k)` | Z₂ᵐ, k = 2ᵐ | block (a, b) = A_{a xor b}; k = 2 is [[A, B], [B, A]] |
| `Reversal` | the flip J of all channels | J W J = W |
| `Fourier(k)` | cyclic | block (a, b) = C_{(b-a) mod k} |

Source: `Walsh` and `Fourier` are the real Fourier transforms of their groups. Block (a, b) stands in rows a (outputs), columns b
(inputs). H is the Sylvester matrix, not normalised: H H = k I.
"""

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from parametra.core.errors import UsageError
from parametra.weights.checks import check_axes, check_whole

Chunks = Sequence[Inexact[Array, "*batch chunk"]]
Blocks = Sequence[Float[Array, "*taps rows columns"]]


@dataclasses.dataclass(frozen=True)
class AbstractTransform(ABC):
    """Sums and differences of `order` chunks.

    Attributes:
        order: k, the number of chunks and of blocks.
    """

    order: int

    @property
    def gain(self) -> float:
        """Singular values of W are this times those of the blocks."""
        return float(self.order)

    @property
    def frequencies(self) -> tuple[tuple[int, ...], ...]:
        """Which blocks act on each transformed chunk: one, or the real and the imaginary part."""
        return tuple((block,) for block in range(self.order))

    @property
    def additions(self) -> int:
        """Real additions per channel of one transform."""
        return self.order - 1

    @abstractmethod
    def analyse(self, chunks: Chunks) -> list[Inexact[Array, "*batch chunk"]]:
        """A: from chunks of the inputs to what each block acts on."""

    @abstractmethod
    def synthesise(self, chunks: Chunks) -> list[Inexact[Array, "*batch chunk"]]:
        """S: from what each block gave to chunks of the outputs."""

    @abstractmethod
    def expand(self, blocks: Blocks) -> Float[Array, "*taps outputs inputs"]:
        """The dense matrix of given blocks P."""

    @abstractmethod
    def project(self, matrix: Float[Array, "*taps outputs inputs"]) -> list[Float[Array, "*taps rows columns"]]:
        """The blocks P of the nearest matrix with the symmetry, in the Frobenius norm: the mean over the group."""


@dataclasses.dataclass(frozen=True)
class Walsh(AbstractTransform):
    """Hadamard-k: W = H diag(P) H, k a power of two."""

    def __post_init__(self):
        if check_whole("The order of a Hadamard weight", self.order, 1) & (self.order - 1):
            raise UsageError(
                f"A Hadamard weight needs a power of two of blocks, got {self.order}. Likely cause: a group of another size. "
                "Remedy: 2, 4, 8, ..., or circulant(k) for any k."
            )

    @property
    def additions(self) -> int:
        """log₂ k."""
        return self.order.bit_length() - 1

    def analyse(self, chunks: Chunks) -> list[Inexact[Array, "*batch chunk"]]:
        """The butterfly: log₂ k rounds of sums and differences."""
        chunks, half = list(chunks), 1
        while half < len(chunks):
            for start in range(0, len(chunks), 2 * half):
                for low in range(start, start + half):
                    a, b = chunks[low], chunks[low + half]
                    chunks[low], chunks[low + half] = a + b, a - b
            half *= 2
        return chunks

    def synthesise(self, chunks: Chunks) -> list[Inexact[Array, "*batch chunk"]]:
        """The same butterfly: H is symmetric."""
        return self.analyse(chunks)

    def expand(self, blocks: Blocks) -> Float[Array, "*taps outputs inputs"]:
        """Block (a, b) = A_{a xor b}, with A_j = sum over i of H_ij P_i."""
        bands = self.analyse(blocks)
        return _assemble(self.order, lambda a, b: bands[a ^ b])

    def project(self, matrix: Float[Array, "*taps outputs inputs"]) -> list[Float[Array, "*taps rows columns"]]:
        """A_j = mean over a of block (a, a xor j); P = H A / k."""
        grid = _grid(matrix, self.order)
        bands = [_mean([grid[a][a ^ j] for a in range(self.order)]) for j in range(self.order)]
        return [block / self.order for block in self.analyse(bands)]


@dataclasses.dataclass(frozen=True)
class Reversal(AbstractTransform):
    """Centrosymmetric: J W J = W with J the reversal of all channels."""

    order: int = 2

    def __post_init__(self):
        if self.order != 2:
            raise UsageError(f"A centrosymmetric weight has two blocks, got {self.order}. Remedy: leave the order out.")

    def analyse(self, chunks: Chunks) -> list[Inexact[Array, "*batch chunk"]]:
        """(x1 + J x2, x1 - J x2)."""
        first, second = chunks[0], jnp.flip(chunks[1], -1)
        return [first + second, first - second]

    def synthesise(self, chunks: Chunks) -> list[Inexact[Array, "*batch chunk"]]:
        """(u + v, J (u - v))."""
        u, v = chunks
        return [u + v, jnp.flip(u - v, -1)]

    def expand(self, blocks: Blocks) -> Float[Array, "*taps outputs inputs"]:
        """[[P0 + P1, (P0 - P1) J], [J (P0 - P1), J (P0 + P1) J]]."""
        total, difference = blocks[0] + blocks[1], blocks[0] - blocks[1]
        rows = [[total, jnp.flip(difference, -1)], [jnp.flip(difference, -2), jnp.flip(total, (-2, -1))]]
        return _assemble(2, lambda a, b: rows[a][b])

    def project(self, matrix: Float[Array, "*taps outputs inputs"]) -> list[Float[Array, "*taps rows columns"]]:
        """From the mean of W and J W J."""
        mean = (matrix + jnp.flip(matrix, (-2, -1))) / 2
        first, second = _grid(mean, 2)[0]
        second = jnp.flip(second, -1)
        return [(first + second) / 2, (first - second) / 2]


@dataclasses.dataclass(frozen=True)
class Fourier(AbstractTransform):
    r"""Circulant over chunks: $y_a = \sum_b C_{(b-a) \bmod k}\, x_b$, for any k.

    The blocks are those of the real spectrum, F_0, Re F_1, Im F_1, ..., (F_{k/2}), with F_f = sum over j of C_j exp(2 pi i f j
    / k).
    """

    def __post_init__(self):
        check_whole("The order of a circulant weight", self.order, 2)

    @property
    def gain(self) -> float:
        """1: the transform and its inverse."""
        return 1.0

    @property
    def frequencies(self) -> tuple[tuple[int, ...], ...]:
        """F_0 alone, pairs, and F_{k/2} alone when k is even."""
        pairs = tuple((2 * f - 1, 2 * f) for f in range(1, (self.order + 1) // 2))
        return ((0,), *pairs, *(((self.order - 1),) for _ in range(self.order % 2 == 0)))

    def analyse(self, chunks: Chunks) -> list[Inexact[Array, "*batch chunk"]]:
        """X_f = sum over b of x_b exp(-2 pi i f b / k); real where the sine vanishes."""
        out: list[Inexact[Array, "*batch chunk"]] = []
        for frequency, blocks in enumerate(self.frequencies):
            cosine, sine = self._waves(frequency)
            real = _combine(cosine, chunks)
            out.append(real if len(blocks) == 1 else real - 1j * _combine(sine, chunks))
        return out

    def synthesise(self, chunks: Chunks) -> list[Inexact[Array, "*batch chunk"]]:
        """y_a = 1/k sum over all f of Y_f exp(2 pi i f a / k); a pair stands for its two conjugate frequencies."""
        parts: list[Array] = []
        weights: list[np.ndarray] = []
        for frequency, (chunk, blocks) in enumerate(zip(chunks, self.frequencies, strict=True)):
            cosine, sine = self._waves(frequency)
            if len(blocks) == 1:
                parts, weights = [*parts, chunk.real], [*weights, cosine / self.order]
            else:
                parts, weights = [*parts, chunk.real, chunk.imag], [*weights, 2 * cosine / self.order, -2 * sine / self.order]
        return [_combine(np.array([w[a] for w in weights]), parts) for a in range(self.order)]

    def expand(self, blocks: Blocks) -> Float[Array, "*taps outputs inputs"]:
        """C_j = 1/k sum over all f of F_f exp(-2 pi i f j / k), put where they belong."""
        spectrum = [blocks[own[0]] if len(own) == 1 else blocks[own[0]] - 1j * blocks[own[1]] for own in self.frequencies]
        bands = self.synthesise(spectrum)
        return _assemble(self.order, lambda a, b: bands[(b - a) % self.order])

    def project(self, matrix: Float[Array, "*taps outputs inputs"]) -> list[Float[Array, "*taps rows columns"]]:
        """C_j = mean over a of block (a, a + j)."""
        if matrix.dtype not in (jnp.float32, jnp.float64):
            raise UsageError(
                f"A circulant weight needs float32 or float64, got {matrix.dtype}: complex numbers have no half precision. "
                "Remedy: parametrize in float32, or hadamard(k)."
            )
        k, grid = self.order, _grid(matrix, self.order)
        bands = [_mean([grid[a][(a + j) % k] for a in range(k)]) for j in range(k)]
        spectrum = zip(self.analyse(bands), self.frequencies, strict=True)
        return [part for f, own in spectrum for part in ([f.real] if len(own) == 1 else [f.real, -f.imag])]

    def _waves(self, frequency: int) -> tuple[np.ndarray, np.ndarray]:
        angle = 2 * np.pi * frequency * np.arange(self.order) / self.order
        return np.cos(angle).round(15), np.sin(angle).round(15)  # exact zeros and ones cost nothing


def _combine(factors: np.ndarray, chunks: Chunks) -> Array:
    """Sum of factor times chunk, leaving out zeros and multiplications by ±1."""
    total: Array | None = None
    for factor, chunk in zip(factors.tolist(), chunks, strict=True):
        if factor:
            term = chunk if abs(factor) == 1.0 else abs(factor) * chunk
            signed = term if factor > 0 else -term
            total = signed if total is None else (total + term if factor > 0 else total - term)
    return jnp.zeros_like(chunks[0]) if total is None else total


def _mean(parts: list[Array]) -> Array:
    return functools.reduce(jnp.add, parts) / len(parts)


def _grid(matrix: Float[Array, "*taps outputs inputs"], order: int) -> list[list[Array]]:
    if matrix.ndim < 2:
        check_axes(matrix, 2, "A group weight")
    check_divisible((matrix.shape[-2], matrix.shape[-1]), order)
    return [jnp.split(rows, order, axis=-1) for rows in jnp.split(matrix, order, axis=-2)]


def _assemble(order: int, block) -> Array:
    return jnp.concatenate([jnp.concatenate([block(a, b) for b in range(order)], -1) for a in range(order)], -2)


def check_divisible(shape: tuple[int, int], order: int) -> None:
    """UsageError unless outputs and inputs fall into `order` equal chunks."""
    if shape[0] % order or shape[1] % order:
        raise UsageError(
            f"A weight of {shape[0]} outputs and {shape[1]} inputs does not fall into {order} equal chunks. Likely cause: a "
            f"stem or classifier of another width. Remedy: leave this layer out, or widths divisible by {order}."
        )
