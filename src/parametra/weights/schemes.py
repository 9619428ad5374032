"""The schemes by name: what to hand to `parametrize`.

Each makes weights of matrices and, tap by tap, of convolution kernels. `block` is the scheme of the blocks inside a group weight.
"""

from collections.abc import Callable
from typing import Any

from jaxtyping import Array

from parametra.core.errors import UsageError
from parametra.weights.butterflies import AbstractTransform, Fourier, Reversal, Walsh
from parametra.weights.checks import check_whole
from parametra.weights.dense import Dense
from parametra.weights.eigen import LDL, Eigen
from parametra.weights.free_kernel import FreeKernel
from parametra.weights.group import GroupWeight
from parametra.weights.group_kernel import GroupKernel
from parametra.weights.scheme import Scheme
from parametra.weights.soft import SoftSymmetric
from parametra.weights.stacked import Stacked
from parametra.weights.symmetric import PackedSymmetric, check_square
from parametra.weights.tap_kernel import TapKernel, dihedral, spatial
from parametra.weights.tied import Chunked, Mirrored
from parametra.weights.weight import AbstractWeight


def channelwise(name: str, matrix: Callable[[Array], AbstractWeight]) -> Scheme:
    """A scheme of matrices, and of each tap of a kernel."""
    return Scheme(name, matrix, lambda kernel: TapKernel.from_dense(kernel, matrix))


def dense() -> Scheme:
    """Free numbers: what every other scheme is compared with."""
    return Scheme("dense", Dense.from_dense, FreeKernel.from_dense)


def symmetric() -> Scheme:
    """W = Wᵀ, n(n+1)/2 numbers ("triangular" and "average" of the paper)."""
    return channelwise("symmetric", PackedSymmetric.from_dense)


def eigen(rank: int | None = None) -> Scheme:
    """W = V diag(e) Vᵀ with free V."""
    return channelwise("eigen", lambda matrix: Eigen.from_dense(matrix, rank))


def ldl() -> Scheme:
    """W = L diag(d) Lᵀ."""
    return channelwise("ldl", LDL.from_dense)


def soft(strength: float = 1e-2) -> Scheme:
    """A free matrix, drawn to symmetry by `penalty(model)`."""
    return channelwise("soft", lambda matrix: SoftSymmetric.from_dense(matrix, strength))


def quarter() -> Scheme:
    """Symmetric and persymmetric, W = Wᵀ = J W J: n(n+2)/4 numbers, half of the multiplications."""

    def matrix(array: Array) -> GroupWeight:
        check_square(tuple(array.shape), "symmetric and persymmetric")
        return GroupWeight.from_dense(array, Reversal(), PackedSymmetric.from_dense)

    return _grouped("quarter", matrix, Reversal(), symmetric())


def block4() -> Scheme:
    """[[Q, Q J], [J Q, J Q J]] with Q free, rank n/2."""
    return channelwise("block4", Mirrored.from_dense)


def eighth() -> Scheme:
    """[[Q, Q J], [J Q, J Q J]] with Q = Qᵀ, rank n/2."""
    return channelwise("eighth", lambda matrix: Mirrored.from_dense(matrix, PackedSymmetric.from_dense))


def chunk(outputs_times: int = 1, inputs_times: int = 1) -> Scheme:
    """A block repeated along outputs and inputs, with the rank of the block; at least one of the two 2 or more."""
    if max(check_whole("Repetitions", times, 1) for times in (outputs_times, inputs_times)) == 1:
        raise UsageError("chunk(1, 1) repeats nothing: a free weight. Remedy: dense(), or 2 or more repetitions along an axis.")
    return channelwise(
        f"chunk({outputs_times}, {inputs_times})", lambda matrix: Chunked.from_dense(matrix, outputs_times, inputs_times)
    )


def spatially_symmetric(block: Callable[[Array], Any] = Dense.from_dense) -> Scheme:
    """K_ab = K_ba for every pair of channels: six free taps of nine; convolutions only."""
    return Scheme("spatially_symmetric", None, lambda kernel: TapKernel.from_dense(kernel, block, spatial))


def dihedrally_symmetric(block: Callable[[Array], Any] = Dense.from_dense) -> Scheme:
    """Taps shared under all rotations and reflections: three of nine; convolutions only."""
    return Scheme("dihedrally_symmetric", None, lambda kernel: TapKernel.from_dense(kernel, block, dihedral))


def hadamard(order: int, block: Scheme | None = None) -> Scheme:
    """Hadamard-k: W = H diag(P) H, k a power of two, at least 2."""
    if check_whole("The order of a Hadamard weight", order, 1) == 1:
        raise UsageError("hadamard(1) ties nothing: a free weight. Remedy: dense(), or hadamard(2), 4, 8, ...")
    return _group(f"hadamard({order})", Walsh(order), block)


def block_symmetric(block: Scheme | None = None) -> Scheme:
    """[[A, B], [B, A]], held as (A + B)/2 and (A - B)/2."""
    return _group("block_symmetric", Walsh(2), block)


def centrosymmetric(block: Scheme | None = None) -> Scheme:
    """J W J = W, J the reversal of all channels."""
    return _group("centrosymmetric", Reversal(), block)


def circulant(order: int, block: Scheme | None = None) -> Scheme:
    """Circulant over k chunks of channels."""
    return _group(f"circulant({order})", Fourier(order), block)


def stacked(number: int, block: Callable[[Array], AbstractWeight]) -> Scheme:
    """Matrices above one another, each by `block`: the gates of a recurrent cell that holds them in one array (LSTM 4, GRU 3)."""
    check_whole("The number of gates", number, 1)
    _check_block(block)
    return Scheme(f"stacked({number})", lambda matrix: Stacked.from_dense(matrix, (block,) * number))


def gates(*blocks: Callable[[Array], AbstractWeight]) -> Scheme:
    """A scheme of its own for each gate, in the order of the cell (LSTM: input, forget, cell, output)."""
    if not blocks:
        raise UsageError("gates() needs a scheme for each gate. Remedy: gates(symmetric(), dense(), dense(), dense()).")
    for block in blocks:
        _check_block(block)
    return Scheme(f"gates of {len(blocks)}", lambda matrix: Stacked.from_dense(matrix, blocks))


def _check_block(block: object) -> None:
    if not callable(block):
        raise UsageError(f"Blocks are made by a scheme, got {block!r}. Remedy: symmetric(), as in hadamard(4, symmetric()).")


def _group(name: str, transform: AbstractTransform, block: Scheme | None) -> Scheme:
    block = dense() if block is None else block
    _check_block(block)
    return _grouped(name, lambda matrix: GroupWeight.from_dense(matrix, transform, block), transform, block)


def _grouped(name: str, matrix: Callable[[Array], AbstractWeight], transform: AbstractTransform, block: Scheme) -> Scheme:
    return Scheme(name, matrix, lambda kernel: GroupKernel.from_dense(kernel, transform, block))
