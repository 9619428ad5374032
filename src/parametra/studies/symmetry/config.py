"""Configuration of the study of symmetric weights."""

from typing import Literal

from pydantic import Field

from parametra.core.config import Config
from parametra.learn.config import RecipeConfig
from parametra.learn.datasets.names import ImageSet, Source, TextSet

ImageScheme = Literal[
    "symmetric", "soft", "quarter", "eighth", "block4", "chunk-2", "spatial", "dihedral", "circulant-4", "hadamard-2",
    "hadamard-4", "hadamard-8",
]  # fmt: skip
GateScheme = Literal["symmetric, hidden", "symmetric, all", "hadamard-4, hidden", "hadamard-4, all"]


class DataConfig(Config):
    """Which images and which text; whatever is not embedded is read from a folder of yours or refused."""

    images: ImageSet = Field(default="digits", description="digits is embedded, the others need a folder")
    text: TextSet = Field(default="war-and-peace", description="war-and-peace is embedded, the others need a folder")
    folder: str = Field(default="", description="folder of the files; PARAMETRA_DATA where empty")
    source: Source = Field(default="folder", description="huggingface: read by the datasets package, which may download")
    digits_share: float = Field(default=0.3, gt=0, lt=1, description="share of the digits that is trained on")
    train_images: int = Field(default=0, ge=0, description="training images, the first so many; 0 for all")
    test_images: int = Field(default=0, ge=0, description="test images, the first so many; 0 for all")
    pool: int = Field(default=1, ge=1, description="pixels a side that are averaged into one")
    train_words: int = Field(default=0, ge=0, description="training words, the first so many; 0 for all")
    unit: Literal["word", "character"] = Field(default="word", description="what a language model predicts")
    least: int = Field(default=1, ge=1, description="words that occur less often in the training text are unknown")
    vocabulary: int = Field(default=50_000, ge=2, description="largest vocabulary that is accepted")


class ImagesConfig(Config):
    """Residual networks on images."""

    widths: tuple[int, ...] = Field(default=(), description="channels of the first group; 16 k is a widening factor of k")
    depth: int = Field(default=10, ge=10, description="6 n + 4 layers")
    block: Literal["basic", "bottleneck"] = Field(default="basic", description="residual block")
    schemes: tuple[ImageScheme, ...] = Field(default=("symmetric", "hadamard-4"), description="symmetries of the 3 x 3 kernels")
    seeds: int = Field(default=3, ge=2, description="networks of each kind")
    recipe: RecipeConfig = RecipeConfig()
    augment: tuple[Literal["flip", "crop"], ...] = Field(default=(), description="random changes of training images")
    margin: int = Field(default=4, ge=1, description="pixels of the shifted crop")
    checkpoints: bool = Field(default=False, description="checkpoint every epoch; else a kill loses the network in training")


class LanguageConfig(Config):
    """LSTM language models."""

    widths: tuple[int, ...] = Field(default=(), description="units of embedding and hidden layers")
    layers: int = Field(default=2, ge=1, description="recurrent layers")
    schemes: tuple[GateScheme, ...] = Field(default=("symmetric, hidden",), description="symmetries of the gate matrices")
    seeds: int = Field(default=2, ge=2, description="networks of each kind")
    recipe: RecipeConfig = RecipeConfig(batch_size=35)
    columns: int = Field(default=20, ge=1, description="stretches of text read side by side; batch_size is their length")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="probability of dropping an activation between layers")
    tied: bool = Field(default=False, description="whether the decoder is the embedding")
    checkpoints: bool = Field(default=False, description="checkpoint every epoch; else a kill loses the network in training")


class ThroughputConfig(Config):
    """Images a second in training."""

    widths: tuple[int, ...] = Field(default=(16, 64), description="channels of the first group")
    side: int = Field(default=32, ge=4, description="pixels of a side")
    batch: int = Field(default=16, ge=1, description="images of a step")
    repeats: int = Field(default=5, ge=1, description="steps of each network, in turn")
    scheme: ImageScheme = Field(default="hadamard-4", description="symmetry beside the free network")


CountedNetwork = Literal[
    "ResNet-50", "ResNet-101", "WRN-28-10, bottleneck", "WRN-40-10, bottleneck", "LSTM-650 x 2, 10 000 words"
]


class UniversalConfig(Config):
    """Networks of one hidden layer."""

    widths: tuple[int, ...] = Field(default=(8, 32, 128), description="hidden units")
    samples: int = Field(default=4096, ge=16, description="points of the square that are fitted")
    steps: int = Field(default=3000, ge=10, description="steps of Adam")
    learning_rate: float = Field(default=1e-2, gt=0, description="at the start; falls like a cosine")
    seeds: int = Field(default=3, ge=2, description="networks of each kind")


class SymmetryConfig(Config):
    """Everything that makes a run."""

    seed: int = Field(default=0, ge=0, description="of every random number")
    judged: bool = Field(default=True, description="whether figures have targets; too small a run should not be judged")
    data: DataConfig = DataConfig()
    counted: tuple[CountedNetwork, ...] = Field(
        default=(
            "ResNet-50", "ResNet-101", "WRN-28-10, bottleneck", "WRN-40-10, bottleneck", "LSTM-650 x 2, 10 000 words",
        ),
        min_length=1, description="networks of practice whose parameters and FLOPs are counted",
    )  # fmt: skip
    universal: UniversalConfig = UniversalConfig()
    throughput: ThroughputConfig = ThroughputConfig()
    images: ImagesConfig = ImagesConfig()
    language: LanguageConfig = LanguageConfig()
