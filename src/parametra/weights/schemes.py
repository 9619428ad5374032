"""The schemes by name: what to hand to `parametrize`."""

from collections.abc import Callable

from jaxtyping import Array

from parametra.weights.butterflies import AbstractTransform, Fourier, Reversal, Walsh
from parametra.weights.dense import Dense
from parametra.weights.group import GroupWeight
from parametra.weights.scheme import Scheme

Block = Callable[[Array], object]


def hadamard(order: int, block: Block = Dense.from_dense) -> Scheme:
    """Hadamard-k: W = H diag(P) H; `block` is the scheme of the blocks P."""
    return _group(f"hadamard({order})", Walsh(order), block)


def block_symmetric(block: Block = Dense.from_dense) -> Scheme:
    """[[A, B], [B, A]], held as (A + B)/2 and (A - B)/2."""
    return _group("block_symmetric", Walsh(2), block)


def centrosymmetric(block: Block = Dense.from_dense) -> Scheme:
    """J W J = W, J the reversal of all channels."""
    return _group("centrosymmetric", Reversal(), block)


def circulant(order: int, block: Block = Dense.from_dense) -> Scheme:
    """Circulant over k chunks of channels."""
    return _group(f"circulant({order})", Fourier(order), block)


def _group(name: str, transform: AbstractTransform, block: Block) -> Scheme:
    return Scheme(name, lambda matrix: GroupWeight.from_dense(matrix, transform, block))
