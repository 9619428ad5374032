"""The section on the lottery, from a made-up table."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from parametra.report.reader import RunReader
from parametra.report.sections.lottery import section
from parametra.store.fields import write_fields
from parametra.store.runfolder import RunFolder


@pytest.fixture
def folder(tmp_path):
    return RunFolder.open(tmp_path / "run", "climate", "lottery", {})


def table() -> xr.Dataset:
    kinds, lost = np.repeat(["a", "unseen"], 4), np.array([True, True, False, False] * 2)
    areas = np.full((2, 2, 3), 0.75) + np.array([0.0, -0.1, 0.1])
    areas[:, 1] = np.nan
    return xr.Dataset(
        {
            "days": ("network", np.where(lost, 20.0, 180.0)),
            "lost": ("network", lost),
            "crashed": ("network", lost & (np.arange(8) % 2 == 0)),
            "lost_day": ("network", np.where(lost, 20.0, np.nan)),
            "late_rain": ("network", np.where(lost, np.nan, 0.97)),
            "replay_departure": ("network", np.where(lost, 9.0, 1.0), {"units": "K", "long_name": "rms departure"}),
            "area_lost": (("predictor", "of", "bound"), areas),
        },
        {
            "network": [f"{kind}-{seed}" for kind in "ab" for seed in range(4)],
            "kind": ("network", kinds),
            "predictor": ["replay_departure", "all known before"],
            "of": ["a", "unseen"],
            "bound": ["value", "low", "high"],
        },
    )


def test_no_lottery_no_section(folder):
    assert section(RunReader(folder.path)) is None


def test_it_counts_and_says_what_it_cannot(folder):
    write_fields(folder.fields("lottery"), table())
    made: Any = section(RunReader(folder.path))
    panels, shares, areas, note = made.parts
    assert shares.rows[0] == ("a", "4", "2", "1", "1", "20")
    assert areas.rows[0] == ("rms departure [K]", "0.75 (0.65 to 0.85)", "–")
    assert "unseen: fewer than three" in note.text
    assert all("<svg" in figure.svg for figure in panels.figures)
