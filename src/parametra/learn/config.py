"""How a network is fitted. No jax, so that a preset can be checked before anything heavy is imported."""

from typing import Literal

from pydantic import Field

from parametra.core.config import Config


class FitConfig(Config):
    """Adam on shuffled batches."""

    epochs: int = Field(6, ge=1, description="passes over the training data")
    batch_size: int = Field(1024, ge=1, description="samples per step of the optimiser")
    learning_rate: float = Field(1e-3, gt=0, description="learning rate at the start")
    schedule: Literal["step", "cosine", "constant"] = Field("cosine", description="how the learning rate falls")
    chunk: int = Field(50, ge=1, description="optimiser steps in one compiled call, about; progress is told after each")
