"""The section on the lottery, from a made-up table."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from parametra.report.reader import RunReader
from parametra.report.sections.drift import section as drift_section
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
        {"unseen": "unseen"},
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


def test_the_unseen_kind_may_stand_anywhere(folder):
    other = table()
    areas = other.area_lost.copy()
    areas.loc[{"of": "unseen"}] = areas.sel(of="a").values
    write_fields(folder.fields("lottery"), other.assign(area_lost=areas).isel(of=[1, 0]))
    made: Any = section(RunReader(folder.path))
    assert [row[0] for row in made.parts[1].rows] == ["unseen", "a"]


def test_a_page_of_many_networks_draws_a_dozen(folder):
    names = [f"{kind}-{seed}" for kind in ("plain", "unseen") for seed in range(80)]
    drift = xr.Dataset(
        {"mean_temperature": (("run", "day"), np.full((161, 5), 250.0))}, {"run": ["truth", *names], "day": np.arange(1.0, 6.0)}
    )
    write_fields(folder.fields("drift"), drift)
    folder.log("selected", network="plain-70")
    reader = RunReader(folder.path)
    shown, left_out = reader.drawn("drift", "run")
    assert shown is not None
    assert {"truth", "plain-70", "plain-0", "unseen-0"} <= set(shown.run.values.tolist())
    assert shown.sizes["run"] == 13
    assert "148 more networks" in left_out
    assert len(set(reader.palette.colours)) == 13
    assert any("148 more" in getattr(part, "text", "") for part in drift_section(reader).parts)  # pyright: ignore
