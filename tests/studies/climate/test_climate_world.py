"""The stage world looks at the truth as it was before each step, without reading all of it."""

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from parametra.climate.diagnostics.budgets import CONDENSATE
from parametra.core.progress import Progress
from parametra.store.runfolder import RunFolder
from parametra.studies.base import Run
from parametra.studies.climate import world


class Unread(BackendArray):
    """An array on a disk, with a note of how much of it was read."""

    def __init__(self, values: np.ndarray):
        self.values, self.shape, self.dtype, self.read = values, values.shape, values.dtype, 0

    def __getitem__(self, key: Any) -> Any:
        basic = indexing.IndexingSupport.BASIC
        found = indexing.explicit_indexing_adapter(key, self.shape, basic, lambda index: self.values[index])
        self.read += found.size
        return found


def test_condensate_is_that_before_the_step_and_stays_on_disk(monkeypatch, tmp_path):
    steps = np.arange(10.0, 20.0)
    stores = {name: Unread(np.tile(steps[:, None], (1, 3))) for name in (CONDENSATE[0], "specific_humidity")}
    lazy = {name: (("time", "latitude"), indexing.LazilyIndexedArray(store)) for name, store in stores.items()}
    record = xr.Dataset(lazy, {"time": steps})
    monkeypatch.setattr(world, "truth_fields", lambda run, first, last: record)
    config = SimpleNamespace(truth=SimpleNamespace(spin_up_days=1.0, days=2.0), host=SimpleNamespace(time_step=8640.0))
    folder = RunFolder.open(tmp_path / "run", "climate", "smoke", {})
    fields = world._with_condensate_before(Run(folder, config, Progress(io.StringIO())))
    assert all(store.read == 0 for store in stores.values())
    np.testing.assert_array_equal(fields.time, steps[1:])
    np.testing.assert_array_equal(fields.specific_humidity[:, 0], steps[1:])
    np.testing.assert_array_equal(fields[CONDENSATE[0]][:, 0], steps[:-1])
