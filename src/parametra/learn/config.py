"""How a network is fitted."""

from typing import Literal

from pydantic import Field

from parametra.core.config import Config


class FitConfig(Config):
    """Adam on shuffled batches."""

    epochs: int = Field(default=6, ge=1, description="passes over the training data")
    batch_size: int = Field(default=1024, ge=1, description="samples per step of the optimiser")
    learning_rate: float = Field(default=1e-3, gt=0, description="learning rate at the start")
    schedule: Literal["step", "cosine", "constant"] = Field(default="cosine", description="how the learning rate falls")
    chunk: int = Field(default=50, ge=1, description="optimiser steps in one compiled call, about; progress is told after each")
