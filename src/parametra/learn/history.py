"""What a training did, and what its callbacks are told."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class History:
    """Losses by epoch.

    Attributes:
        loss: (epoch,) mean of the training loss while the epoch ran.
        selection_loss: (epoch,) loss on the selection data at the end of each epoch; NaN where none were given.
    """

    loss: np.ndarray
    selection_loss: np.ndarray


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
    """One finished epoch; `loss` and `selection_loss` as in `History`, means over members."""

    epoch: int
    loss: float
    selection_loss: float
    seconds: float
    samples_per_second: float
