"""What an emulator is made of, and how it is trained."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from parametra.core.config import Config
from parametra.learn.config import FitConfig


class RolloutConfig(Config):
    """Training on columns that see their own errors, after the training on single steps; see emulator/rollout.py."""

    steps: int = Field(default=0, ge=0, le=1000, description="length of a rollout in steps of the host; 0: none")
    epochs: int = Field(default=4, ge=1, description="passes over the training data")
    batch_size: int = Field(default=32, ge=1, description="rollouts per step of the optimiser")
    learning_rate: float = Field(default=3e-4, gt=0, description="the largest learning rate of Adam; it falls as a cosine")
    weight: float = Field(default=0.3, ge=0, description="of what columns have gathered, beside the error of single steps")
    clip: float = Field(default=0.1, ge=0, description="largest norm of the whole gradient; 0 for any")


class EmulatorConfig(Config):
    """One network and its training."""

    depth: int = Field(default=5, ge=0, description="hidden layers")
    width: int = Field(default=128, ge=1, description="units of each hidden layer")
    activation: Literal["leaky_relu", "relu", "tanh", "gelu"] = Field(default="leaky_relu", description="nonlinearity")
    inputs: Literal["plain", "invariant"] = Field(default="plain", description="what the network sees; see emulator/invariant.py")
    outputs: Literal["plain", "scaled"] = Field(default="plain", description="what the network says; see emulator/growth.py")
    norm: Literal["max_rs", "variable", "feature"] = Field(default="variable", description="scale of the inputs")
    mirror: bool = Field(default=True, description="learn every column in its mirror image too, wind reversed")
    dry_levels: int = Field(default=5, ge=0, description="top layers without moistening; 5 of 20: above sigma 0.18")
    cold_trap: bool = Field(default=True, description="vapour above saturation leaves those layers")
    conservation: bool = Field(default=True, description="hard layer that closes column water and energy")
    clip: bool = Field(default=True, description="hold inputs within the training range")
    fit: FitConfig = Field(default=FitConfig(), description="epochs, batch size, learning rate")
    rollout: RolloutConfig = Field(default=RolloutConfig(), description="training on rollouts of single columns, after that")


class StochasticConfig(Config):
    """The noise around a network, and how its amplitude is trained."""

    modes: int = Field(default=20, ge=1, description="leading patterns of the residuals that are drawn")
    depth: int = Field(default=2, ge=0, description="hidden layers of the network of amplitudes")
    width: int = Field(default=64, ge=1, description="units of each of them")
    fit: FitConfig = Field(default=FitConfig(epochs=4), description="epochs, batch size, learning rate")


# "9x256" with epochs=18 and schedule="step" is the network of Rasp, Pritchard & Gentine (2018): 567,361 parameters at 30 levels.
NETWORKS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "9x256": MappingProxyType({"depth": 9, "width": 256}),
        "5x128": MappingProxyType({"depth": 5, "width": 128}),
        "4x64": MappingProxyType({"depth": 4, "width": 64}),
    }
)
