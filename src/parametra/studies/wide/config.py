"""Configuration of the study of wide networks."""

from typing import Literal

from pydantic import Field

from parametra.core.config import Config
from parametra.learn.datasets.names import ImageSet

Activation = Literal["erf", "relu", "tanh"]


class DataConfig(Config):
    """Which images, and how many of them are trained on in the studies of training."""

    name: ImageSet = Field(default="digits", description="digits is embedded, the others need a folder")
    folder: str = Field(default="", description="folder of the files of the set; PARAMETRA_DATA where empty")
    classes: int = Field(default=3, ge=2, le=10, description="the first so many classes")
    samples: int = Field(default=48, ge=4, description="training images of the studies of training")
    points: int = Field(default=16, ge=2, description="test images of the studies of training")


class NetworkConfig(Config):
    """One kind of network, at several widths."""

    kind: Literal["dense", "convolution", "residual"] = Field(description="architecture")
    widths: tuple[int, ...] = Field(min_length=2, description="widths of the hidden layers, or channels")
    activation: Activation = Field(default="erf", description="pointwise layer")
    depth: int = Field(default=2, ge=1, description="hidden layers, or residual blocks")
    w_std: float = Field(default=1.5, gt=0, description="standard deviation of weights times root of fan-in")
    b_std: float = Field(default=0.1, ge=0, description="standard deviation of biases")


class ShapeConfig(Config):
    """A dense network of any width."""

    activation: Activation = Field(description="pointwise layer")
    depth: int = Field(ge=1, description="hidden layers")


class ChangeConfig(Config):
    """Dense networks whose change in training is measured against their width; those of Lee et al. (2019) by default."""

    widths: tuple[int, ...] = Field(default=(128, 512, 2048), min_length=2, description="of the hidden layers")
    networks: tuple[ShapeConfig, ...] = Field(
        default=(
            ShapeConfig(activation="relu", depth=3),
            ShapeConfig(activation="tanh", depth=3),
            ShapeConfig(activation="relu", depth=1),
        ),
        min_length=1,
        description="what is trained at each width",
    )
    w_std: float = Field(default=1.5, gt=0, description="standard deviation of weights times root of fan-in")
    b_std: float = Field(default=0.1, ge=0, description="standard deviation of biases")
    twins: tuple[int, ...] = Field(
        default=(128, 256, 512), min_length=2, description="widths at which both parameterizations are trained, in float64"
    )


class TrainingConfig(Config):
    """How long the networks are trained; learning rates count in units of the critical one, 2 / lambda_max."""

    records: int = Field(default=20, ge=2, description="points of a training curve")
    steps: int = Field(default=100, ge=2, description="steps of gradient descent")
    rate: float = Field(default=0.5, gt=0, lt=1, description="learning rate over the critical one")
    momentum: float = Field(
        default=0.9, gt=0, lt=1, description="of the heavy ball, whose rate is (1 - momentum) times the above"
    )
    flow_rate: float = Field(default=0.02, gt=0, lt=0.5, description="learning rate over the critical one where flow is meant")
    seeds: int = Field(default=6, ge=2, description="networks of each kind and width")


class EnsembleConfig(Config):
    """Ensembles of dense networks without bias beside their Gaussian processes, trained by steps until they fit."""

    activations: tuple[Activation, ...] = Field(
        default=("relu", "tanh"), min_length=1, description="one ensemble each; tanh is that of Lee et al. (2019)"
    )
    width: int = Field(default=512, ge=2, description="width of its networks")
    depth: int = Field(default=3, ge=1, description="hidden layers")
    w_std: float = Field(default=1.5**0.5, gt=0, description="standard deviation of weights times root of fan-in")
    networks: int = Field(default=150, ge=8, description="members")
    samples: int = Field(default=24, ge=4, description="training images")
    steps: int = Field(default=240, ge=2, description="steps of gradient descent")
    records: int = Field(default=6, ge=2, description="moments of training that are compared")


class BatchesConfig(Config):
    """Mini-batches with momentum: a wide residual network under squared loss, a dense one under cross-entropy."""

    samples: int = Field(default=256, ge=4, description="training images")
    points: int = Field(default=128, ge=2, description="test images")
    size: int = Field(default=32, ge=1, description="images of a batch")
    steps: int = Field(default=200, ge=2, description="steps")
    records: int = Field(default=20, ge=2, description="points of a training curve")
    rate: float = Field(
        default=0.25, gt=0, lt=1, description="learning rate over (1 - momentum) times the critical one of all images"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of the heavy ball")
    channels: tuple[int, ...] = Field(default=(8, 16, 32), min_length=2, description="of the residual network of convolutions")
    blocks: int = Field(default=1, ge=1, description="residual blocks of it")
    widths: tuple[int, ...] = Field(default=(64, 256, 1024), min_length=2, description="of the dense network's two hidden layers")
    seeds: int = Field(default=2, ge=2, description="networks of each width")


class MonteCarloConfig(Config):
    """Convergence of the Monte-Carlo kernel."""

    widths: tuple[int, ...] = Field(default=(32, 128, 512), min_length=2, description="widths")
    networks: tuple[int, ...] = Field(default=(4, 16, 64), min_length=2, description="networks averaged")
    points: int = Field(default=12, ge=2, description="images between which the kernel is estimated")


class WideConfig(Config):
    """Everything that makes a run."""

    seed: int = Field(default=0, ge=0, description="of every random number")
    data: DataConfig = DataConfig()
    networks: tuple[NetworkConfig, ...] = Field(
        min_length=1, description="architectures; the first one is that of the other stages"
    )
    training: TrainingConfig = TrainingConfig()
    change: ChangeConfig = ChangeConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    batches: BatchesConfig = BatchesConfig()
    monte_carlo: MonteCarloConfig = MonteCarloConfig()
    ridge: float = Field(default=1e-3, gt=0, description="regulariser of the regression over the mean diagonal of the kernel")
    landmarks: int = Field(default=2000, ge=1, description="columns of the preconditioner of large regressions")
    cholesky_limit: int = Field(default=5000, ge=1, description="samples up to which a regression is solved by a factor")
