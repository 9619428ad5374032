"""A record walked through in blocks of time, so that its length costs no memory: every block is read, used and let go."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import xarray as xr

BLOCK_BYTES = 2**28  # of one block as it is stored; what is computed from it takes a few times as much


def time_slices(dataset: xr.Dataset, multiple: int = 1, overlap: int = 0) -> Iterator[slice]:
    """Slices along time that cover the record, each within `BLOCK_BYTES` where `multiple` steps are.

    Args:
        dataset: with a dimension time; its size per step decides the length of a block.
        multiple: a block is a multiple of so many steps, the last one excepted.
        overlap: so many steps at the end of a block are the first of the next one as well.
    """
    steps = dataset.sizes["time"]
    per_step = sum(field.nbytes for field in dataset.data_vars.values() if "time" in field.dims) / max(steps, 1)
    length = max(int(BLOCK_BYTES / max(per_step, 1.0)) // multiple, 1) * multiple
    for start in range(0, max(steps - overlap, 1), length):  # an empty record is one empty block
        yield slice(start, min(start + length + overlap, steps))


def time_blocks(dataset: xr.Dataset, multiple: int = 1, overlap: int = 0) -> Iterator[xr.Dataset]:
    """The blocks of `time_slices`, in memory; give it only the variables that are needed."""
    for part in time_slices(dataset, multiple, overlap):
        yield dataset.isel(time=part).load()


class RunningMean:
    """Mean over time, and other dimensions of a record, of its blocks added one after the other, in float64.

    A value that is not a number makes the mean that it belongs to no number.
    """

    def __init__(self, over: Sequence[str]):
        self.over, self.steps, self.total = list(over), 0, xr.Dataset()

    def add(self, block: xr.Dataset) -> None:
        """Take in the steps of a block; every block has the same variables."""
        steps = block.sizes["time"]
        over = [name for name in self.over if name in block.dims]
        here = block.mean(over, skipna=False, dtype=np.float64).astype(np.float64) * steps  # also what has neither
        self.total = self.total + here if self.steps else here
        self.steps += steps

    def mean(self) -> xr.Dataset:
        """What the steps so far give."""
        return self.total / self.steps


def mean_in_blocks(
    dataset: xr.Dataset, over: Sequence[str], derive: Callable[[xr.Dataset], xr.Dataset] = lambda block: block
) -> xr.Dataset:
    """Mean in float64 over time and the other dimensions `over` of what `derive` makes of the record's blocks."""
    running = RunningMean(over)
    for block in time_blocks(dataset):
        running.add(derive(block))
    return running.mean()
