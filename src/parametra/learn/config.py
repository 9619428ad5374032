"""How a network is fitted."""

from typing import Literal

from pydantic import Field

from parametra.core.config import Config


class FitConfig(Config):
    """Adam or Muon on shuffled batches."""

    epochs: int = Field(default=6, ge=1, description="passes over the training data")
    batch_size: int = Field(default=1024, ge=1, description="samples per step of the optimiser")
    optimiser: Literal["adam", "muon"] = Field(default="adam", description="Adam, or Muon for matrices and Adam for the rest")
    learning_rate: float = Field(default=1e-3, gt=0, description="the largest learning rate; 1e-3 suits Adam, 5e-3 Muon")
    schedule: Literal["step", "cosine", "warm", "constant"] = Field(default="cosine", description="how the learning rate falls")
    chunk: int = Field(default=50, ge=1, description="optimiser steps in one compiled call, about; progress is told after each")


class RecipeConfig(FitConfig):
    """The same with everything else that a recipe may name."""

    schedule: Literal["step", "cosine", "warm", "constant", "drops"] = Field(
        default="cosine", description="how the learning rate falls"
    )
    optimiser: Literal["adam", "muon", "sgd"] = Field(
        default="adam", description="Adam, Muon for matrices and Adam for the rest, or gradient descent with momentum"
    )
    momentum: float = Field(default=0.0, ge=0, lt=1, description="of gradient descent")
    weight_decay: float = Field(
        default=0.0, ge=0, description="added to the gradient (sgd) or to the step (adam, muon); never of reflectors"
    )
    clip: float = Field(default=0.0, ge=0, description="largest norm of the whole gradient; 0 for any")
    patience: int = Field(
        default=0, ge=0, description="epochs without a better selection loss after which training ends; 0: never"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="arithmetic inside the loss; parameters and optimiser stay in float32"
    )
