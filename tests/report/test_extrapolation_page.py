"""The page of the extrapolation study from a made-up folder: what it shows, and that it says what is not there."""

import numpy as np
import pytest
import xarray as xr

from parametra.report import build
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.store.runfolder import RunFolder

LANDMARKS = ["accumulation", "period3", "band_merging", "crisis"]


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder.open(tmp_path / "run", "extrapolation", "mini", {"seed": 0})
    folder.log("start", versions={"parametra": "0.1.0"}, machine="2 cores", device="cpu")
    return folder


def fill(folder, pysindy=True):
    rng = np.random.default_rng(0)
    r = np.linspace(2.8, 4.0, 50)
    states = rng.uniform(0, 1, (2, 50, 20))
    diagram = xr.Dataset(
        {"state": (("system", "r", "sample"), states), "exponent": (("system", "r"), rng.normal(size=(2, 50)))},
        {"system": ["exact", "learned"], "r": r},
        {"low": 2.8, "high": 3.5},
    )
    dims = ("regime", "noise", "seed", "landmark")
    errors = 10.0 ** rng.uniform(-12, -2, (1, 2, 3, 4))
    errors[0, 1, 0, 1] = np.nan
    landmarks = xr.Dataset(
        {
            "error": (dims, errors),
            "error_pysindy": (dims, errors / 2 if pysindy else np.full_like(errors, np.nan)),
            "deviation_bound": (dims, errors),
            "design": (dims[:3], np.full((1, 2, 3), "sparse poly4, 2 terms")),
        },
        {"regime": ["cov"], "noise": [0.0, 0.01], "seed": np.arange(3), "landmark": LANDMARKS},
    )
    networks = xr.Dataset({"error": (("seed", "landmark"), errors[0, 0])}, {"seed": np.arange(3), "landmark": LANDMARKS})
    system = xr.Dataset(
        {"error": (("seed", "figure"), errors[0, 0, :, :2])},
        {"seed": np.arange(3), "figure": ["exponent at 3.4", "exponent at 3.4, plain"]},
    )
    unknown = xr.Dataset({"r": ("series", r), "found_0": ("series", r - 3), "found_1": ("series", r - 3)})
    closure = xr.Dataset(
        {
            "r2": (("closure", "seed", "forcing"), np.ones((2, 3, 2))),
            "density": (("run", "x"), np.ones((2, 9))),
            "tendency": (("law", "x"), np.ones((2, 9))),
        },
        {
            "closure": ["family", "linear"],
            "seed": np.arange(3),
            "forcing": [14.0, 32.0],
            "run": ["truth", "family"],
            "law": ["truth", "family"],
            "x": np.arange(9.0),
        },
        {"low": -1.0, "high": 7.0, "strongest_seen": 10.0},
    )
    for name, dataset in (
        ("diagram", diagram), ("landmarks", landmarks), ("networks", networks), ("system-ricker", system), ("unknown", unknown),
        ("closure", closure),
    ):  # fmt: skip
        write_fields(folder.fields(name), dataset)
    design = {"design": "net 8, affine", "edge": 1e-9, "parameters": 34} | dict.fromkeys(LANDMARKS, 1e-8) | {"crisis": None}
    folder.finish_stage("logistic", ranking=[{"regime": "cov", "noise": 0.0, "rows": [["poly4", 1e-3, 10]], "chosen": "poly4"}])
    folder.finish_stage("networks", designs=[design])
    table = [
        {"design": "poly3, affine", "edge": 1e-3, "parameters": 8},
        {"design": "chosen: poly3, affine", "edge": None, "parameters": None},
    ]
    folder.finish_stage("systems", tables={"ricker": table})
    folder.finish_stage("closure", ranking=[{"design": "net 2, tail 0.5", "forcing": 0.9, "state": 0.8, "score": None}])
    folder.write_metrics([Metric("logistic, networks alone: error of accumulation", 1e-9, "1", 1e-5, kind="skill")])
    folder.log("end")


def test_the_first_figure_is_the_learned_diagram_over_the_true_one(folder):
    fill(folder)
    page = build(folder.path).read_text(encoding="utf-8")
    sections = [text.split('"')[0] for text in page.split('<section id="')[1:]]
    assert sections[1] == "bifurcation"
    first = page[page.index("<figure") : page.index("</figure>")]
    for words in ("learned over exact", "range of the training series", "exact map", "learned family"):
        assert words in first
    assert "poly3, affine (chosen)" in page
    for anchor in ("landmarks", "designs", "others", "subgrid", "reservations"):
        assert anchor in sections


def test_where_the_baseline_wins_the_page_says_so(folder):
    fill(folder)
    assert "PySINDy places the onset better in: " in build(folder.path).read_text(encoding="utf-8")


def test_without_the_baseline_the_page_says_how_to_get_it(folder):
    fill(folder, pysindy=False)
    assert "uv sync --group baselines" in build(folder.path).read_text(encoding="utf-8")


def test_an_unfinished_run_says_what_is_not_there(folder):
    page = build(folder.path).read_text(encoding="utf-8")
    assert page.count("Not there yet") >= 4
