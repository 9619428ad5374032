"""What a training did, and what its callbacks are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class History:
    """What was recorded, by epoch; NaN after an early stop.

    Attributes:
        loss: (epoch,) mean of the training loss while the epoch ran.
        selection_loss: (epoch,) loss on the selection data at the end of each epoch; NaN where none were given.
        gradient_norm: (epoch,) mean Euclidean norm of the whole gradient, before clipping.
        watched: name -> (chunk, ...) what `watch` gave at the last step of each compiled call.
    """

    loss: np.ndarray
    selection_loss: np.ndarray
    gradient_norm: np.ndarray
    watched: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class FitProgress:
    """Where training is.

    Attributes:
        fraction: share of the whole training that is done, 0 to 1.
        epoch: the running epoch, from 0.
        loss: mean loss of the last chunk, and over members.
        samples_per_second: of the last chunk, summed over members.
    """

    fraction: float
    epoch: int
    loss: float
    samples_per_second: float


@dataclass(frozen=True)
class EpochRecord:
    """One finished epoch; `loss`, `selection_loss` and `gradient_norm` as in `History`, means over members."""

    epoch: int
    loss: float
    selection_loss: float
    seconds: float
    samples_per_second: float
    gradient_norm: float = float("nan")
