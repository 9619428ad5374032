"""The symmetries by the names of the configuration, and the networks that have them."""

from typing import Any

from jaxtyping import PRNGKeyArray

from parametra import weights
from parametra.networks import LanguageModel, WideResNet
from parametra.studies.symmetry.config import ImagesConfig, LanguageConfig
from parametra.weights import Scheme, parametrize, stacked

DENSE = "dense"
SQUARE = {
    "symmetric": weights.symmetric(), "soft": weights.soft(), "quarter": weights.quarter(), "eighth": weights.eighth(),
    "block4": weights.block4(),
}  # fmt: skip
ANY: dict[str, Scheme] = {
    "chunk-2": weights.chunk(1, 2), "spatial": weights.spatially_symmetric(), "dihedral": weights.dihedrally_symmetric(),
    "circulant-4": weights.circulant(4), "hadamard-2": weights.hadamard(2), "hadamard-4": weights.hadamard(4),
    "hadamard-8": weights.hadamard(8),
}  # fmt: skip
GATES: dict[str, tuple[Scheme, bool]] = {
    "symmetric, hidden": (weights.symmetric(), False),
    "symmetric, all": (weights.symmetric(), True),
    "hadamard-4, hidden": (weights.hadamard(4), False),
    "hadamard-4, all": (weights.hadamard(4), True),
}


def image_network(config: ImagesConfig, width: int, scheme: str, channels: int, classes: int, key: PRNGKeyArray) -> WideResNet:
    """A wide residual network whose 3 x 3 kernels have the symmetry: all of them, or the square ones where it needs a square."""
    network = WideResNet.init(key, config.depth, 1, classes, channels, config.block, base=width)
    if scheme == DENSE:
        return network
    where = WideResNet.square_kernels if scheme in SQUARE else WideResNet.block_kernels
    return parametrize(network, where, SQUARE.get(scheme) or ANY[scheme], keep="scale")


def language_model(config: LanguageConfig, width: int, scheme: str, words: int, key: PRNGKeyArray) -> LanguageModel:
    """A language model whose gate matrices have the symmetry: hidden to hidden, or input to hidden too."""
    model = LanguageModel.init(key, words, width, config.layers, config.tied, config.dropout)
    if scheme == DENSE:
        return model
    matrix, everywhere = GATES[scheme]

    def where(model: LanguageModel) -> list[Any]:
        return [weight for cell in model.cells for weight in ((cell.hidden, cell.inputs) if everywhere else (cell.hidden,))]

    return parametrize(model, where, stacked(4, matrix), keep="scale")
