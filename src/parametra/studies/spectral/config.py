"""Configuration of the study of spectral networks. No jax here."""

from typing import Literal

from pydantic import Field, model_validator

from parametra.core.config import Config
from parametra.learn.datasets.names import Source, TextSet

CellName = Literal["spectral", "rnn", "irnn", "lstm", "gru", "cayley", "exponential"]
DeepName = Literal["spectral", "orthogonal", "he", "glorot", "edge of chaos", "residual", "spectral residual"]


class DataConfig(Config):
    """Which images and which text; what is not embedded comes from a folder."""

    images: Literal["digits", "mnist", "fashion-mnist"] = Field(default="digits", description="digits are embedded")
    text: TextSet = Field(default="war-and-peace", description="war-and-peace is embedded, the others need a folder")
    folder: str = Field(default="", description="folder of the files; PARAMETRA_DATA where empty")
    source: Source = Field(default="folder", description="huggingface: read by the datasets package, which may download")


class CellConfig(Config):
    """The recurrent cells; all but the width is for the spectral one, the activation for the orthogonal ones too."""

    width: int = Field(default=128, ge=2, description="size of the state")
    reflectors: int = Field(default=128, ge=1, description="reflectors a side; as many as the width are all orthogonal matrices")
    radius: float = Field(default=0.01, ge=0, lt=1, description="half-width r of the interval [1 - r, 1 + r] of singular values")
    activation: Literal["modrelu", "relu", "leaky_relu", "tanh"] = Field(default="modrelu", description="of the state")
    start: Literal["random", "identity"] = Field(
        default="random", description="U and V of random reflectors, or equal, so that W is the identity as in IRNN"
    )


class TaskConfig(Config):
    """Copy or addition: the spectral network first, then its rivals with a multiple of its time."""

    lengths: tuple[int, ...] = Field(min_length=1, description="delay of the copy task, length of the addition task [steps]")
    lessons: int = Field(default=0, ge=0, le=8, description="shorter lengths before it, each half the next, at twice its rate")
    networks: tuple[CellName, ...] = Field(default=("spectral", "lstm"), min_length=1, description="the spectral one first")
    seeds: int = Field(default=1, ge=1, description="networks of each kind")
    cell: CellConfig = CellConfig()
    batch: int = Field(default=64, ge=1, description="sequences a step")
    rate: float = Field(default=2e-3, gt=0, description="learning rate of Adam at the start")
    halving: int = Field(default=0, ge=0, description="steps after which the learning rate is halved, smoothly; 0 for never")
    reach: float = Field(
        default=30,
        gt=0,
        description="T beyond which W and b of networks without gates learn more slowly, as reach / T [steps]",
    )
    clip: float = Field(default=1.0, gt=0, description="bound on the norm of the gradient")
    steps: int = Field(default=600, ge=1, description="steps of the optimiser at most, of any network, at any length")
    every: int = Field(default=20, ge=1, description="steps between two scores")
    goal: float = Field(gt=0, le=1, description="score that counts as solved: share of symbols recalled, or R2 of the sum")
    hold: int = Field(default=0, ge=0, description="scores after the first at the goal that must not fall below it again")
    patience: float = Field(default=4.0, gt=0, description="time of a rival over that of the spectral network, at most")
    test: int = Field(default=256, ge=1, description="sequences of the score")

    @model_validator(mode="after")
    def _comparable(self) -> "TaskConfig":
        _spectral_first(self.networks)
        if any(length < 2 << self.lessons for length in self.lengths):
            raise ValueError("lengths must be at least 2, and those of the lessons too")
        return self


class PixelConfig(Config):
    """Images read pixel by pixel."""

    samples: int = Field(default=0, ge=0, description="training images; 0 for all")
    pool: int = Field(default=1, ge=1, description="pixels a side that are averaged into one before reading")
    permuted: tuple[bool, ...] = Field(
        default=(False, True), min_length=1, description="whether pixels come in a fixed random order"
    )
    networks: tuple[CellName, ...] = Field(default=("spectral", "rnn", "lstm"), min_length=1, description="kinds of network")
    equal_size: bool = Field(default=True, description="all networks as large as the spectral one, in free numbers")
    seeds: int = Field(default=1, ge=1, description="networks of each kind")
    cell: CellConfig = CellConfig()
    batch: int = Field(default=64, ge=1, description="images a step")
    rate: float = Field(default=2e-3, gt=0, description="learning rate of Adam at the start, falling to zero as a cosine")
    clip: float = Field(default=1.0, gt=0, description="bound on the norm of the gradient")
    epochs: int = Field(default=20, ge=1, description="passes over the images of the spectral network")
    records: int = Field(default=10, ge=2, description="scores during the training")

    @model_validator(mode="after")
    def _comparable(self) -> "PixelConfig":
        _spectral_first(self.networks)
        return self


class TextConfig(Config):
    """A word-level language model."""

    least: int = Field(default=1, ge=1, description="words that occur less often are one word, unknown")
    words: int = Field(default=20_000, ge=2, description="the largest vocabulary that is accepted")
    tokens: int = Field(default=0, ge=0, description="words of the text that are trained on; 0 for all")
    networks: tuple[CellName, ...] = Field(default=("spectral", "rnn", "lstm"), min_length=1, description="kinds of network")
    seeds: int = Field(default=1, ge=1, description="networks of each kind")
    cell: CellConfig = CellConfig(activation="tanh")
    length: int = Field(default=35, ge=1, description="steps through which a gradient goes")
    batch: int = Field(default=32, ge=1, description="streams side by side")
    rate: float = Field(default=2e-3, gt=0, description="learning rate of Adam at the start, falling to zero as a cosine")
    clip: float = Field(default=1.0, gt=0, description="bound on the norm of the gradient")
    epochs: float = Field(default=2.0, gt=0, description="passes over the text")
    records: int = Field(default=6, ge=2, description="scores during the training")

    @model_validator(mode="after")
    def _comparable(self) -> "TextConfig":
        _spectral_first(self.networks)
        return self


class DepthConfig(Config):
    """Very deep networks on images."""

    depths: tuple[int, ...] = Field(default=(100,), min_length=1, description="layers")
    networks: tuple[DeepName, ...] = Field(default=("spectral", "orthogonal", "he"), min_length=1, description="kinds of network")
    activations: tuple[Literal["relu", "mirrored_relu", "leaky_relu", "tanh"], ...] = Field(
        default=("relu",), min_length=1, description="nonlinearities; mirrored_relu: pairs relu(z), relu(-z)"
    )
    width: int = Field(default=64, ge=2, description="of every layer")
    radius: float = Field(default=0.05, ge=0, lt=1, description="half-width of the interval of singular values over the gain")
    seeds: int = Field(default=1, ge=1, description="networks of each kind")
    batch: int = Field(default=64, ge=1, description="images a step")
    rate: float = Field(default=1e-3, gt=0, description="learning rate of Adam")
    mirrored_rate: float = Field(default=3e-4, gt=0, description="the same where rectifiers are mirrored")
    clip: float = Field(default=1.0, gt=0, description="bound on the norm of the gradient")
    steps: int = Field(default=400, ge=1, description="steps of the optimiser")
    every: int = Field(default=50, ge=1, description="steps between two records of gradients and singular values")

    @model_validator(mode="after")
    def _comparable(self) -> "DepthConfig":
        _spectral_first(self.networks)
        return self


class MarginConfig(Config):
    """Many small networks: how far their singular values may go, and how well they generalise."""

    radii: tuple[float, ...] = Field(default=(0.02, 0.1, 0.3, 0.6, 0.9), min_length=2, description="half-widths of the interval")
    networks: int = Field(default=5, ge=2, description="networks of each half-width")
    samples: int = Field(default=200, ge=10, description="training images")
    width: int = Field(default=32, ge=2, description="of every layer")
    depth: int = Field(default=4, ge=1, description="layers")
    rate: float = Field(default=3e-3, gt=0, description="learning rate of Adam")
    steps: int = Field(default=1500, ge=1, description="steps of the optimiser, full batch")


def _spectral_first(networks: tuple[str, ...]) -> None:
    if networks[0] != "spectral" or len(set(networks)) < len(networks):
        raise ValueError("networks must begin with spectral, the measure of the others, and name each only once")


class SpectralConfig(Config):
    """Everything that makes a run."""

    seed: int = Field(default=0, ge=0, description="of every random number")
    data: DataConfig = DataConfig()
    copying: TaskConfig
    addition: TaskConfig
    pixels: PixelConfig = PixelConfig()
    language: TextConfig = TextConfig()
    depth: DepthConfig = DepthConfig()
    margin: MarginConfig = MarginConfig()
