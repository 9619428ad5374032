"""The page of the study of symmetric weights: fronts hold what nothing beats, every rival is in the table, gaps are said."""

import re

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from parametra.report import build
from parametra.report.figures.fronts import pareto
from parametra.report.sections.contests import STUDENT, half_width
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.store.runfolder import RunFolder

ONE = {"units": "1"}
CELLS = [("dense", 16), ("dense", 32), ("hadamard-4", 32), ("dense", 18), ("dense", 20)]
PAIRS = [(2, 1, "equal width"), (2, 3, "equal parameters"), (2, 4, "equal time")]


def contest(level):
    generator = np.random.default_rng(0)
    fall = level * (0.3 + np.exp(-0.4 * np.arange(8)))
    width = np.array([float(w) for _, w in CELLS])
    score = fall * (20 / width[:, None, None]) ** 0.3 * np.exp(0.03 * generator.normal(size=(5, 3, 1)))
    dims = ("cell", "seed", "epoch")
    return xr.Dataset(
        {
            "score": (dims, score, ONE), "loss": (dims, 2 * score, ONE), "gradient_norm": (dims, score, ONE),
            "parameters": ("cell", [2.7e5, 1.1e6, 3.1e5, 3.3e5, 4.2e5], ONE),
            "flops": ("cell", [1e7, 4e7, 1.2e7, 1.3e7, 1.6e7], ONE),
            "epoch_seconds": ("cell", [0.9, 3.1, 1.3, 1.1, 1.35], {"units": "s"}),
            "width": ("cell", width, ONE), "scheme": ("cell", [s for s, _ in CELLS], ONE),
            "pair_cell": ("pair", [a for a, _, _ in PAIRS], ONE), "pair_rival": ("pair", [b for _, b, _ in PAIRS], ONE),
            "pair_kind": ("pair", [kind for _, _, kind in PAIRS], ONE),
        },
        {"cell": [f"{s} {w}" for s, w in CELLS], "seed": np.arange(3), "epoch": np.arange(1.0, 9.0)},
    )  # fmt: skip


def made_up_fields():
    yield "images", contest(0.1)
    yield "language", contest(300.0)
    networks, schemes, dims = ["ResNet-101", "LSTM-650 x 2"], ["dense", "symmetric", "symmetric, all"], ("network", "scheme")
    count = np.array([[44_549_160, 33_913_608, np.nan], [19_780_400, np.nan, 16_405_600]])
    yield "counts", xr.Dataset(
        {
            "parameters": (dims, np.floor(count / 1000), ONE), "parameters_rest": (dims, count % 1000, ONE),
            "flops": (dims, count * 100, ONE),
        },
        {"network": networks, "scheme": schemes},
    )  # fmt: skip
    error = np.array([[0.3, 0.02], [0.35, 0.03], [1.0, 1.0]])[..., None] * np.array([0.9, 1.0, 1.1])
    yield (
        "universal",
        xr.Dataset(
            {"error": (("kind", "width", "seed"), error, ONE)},
            {"kind": ["free", "symmetric", "chunked"], "width": [8.0, 32.0], "seed": np.arange(3)},
        ),
    )
    speed = np.array([[3000.0, 2900.0], [200.0, 500.0]])
    yield (
        "throughput",
        xr.Dataset(
            {"images_per_second": (("width", "scheme"), speed, {"units": "s-1"}), "flops": (("width", "scheme"), speed, ONE)},
            {"width": [16.0, 64.0], "scheme": ["dense", "hadamard-4"]},
        ),
    )


@pytest.fixture
def run(tmp_path):
    return RunFolder.open(tmp_path / "run", "symmetry", "mini", {"seed": 0})


def test_a_whole_run_shows_every_rival(run):
    for name, dataset in made_up_fields():
        write_fields(run.fields(name), dataset)
    run.finish_stage("images", data="scikit-learn's digits, 539 training images")
    run.write_metrics(
        [
            Metric("images, hadamard-4 32: test error less that of dense 20, equal time (-1.0 to +0.2)", -0.4, "percent", 0.0),
            Metric("throughput, hadamard-4 64: times faster in training than its free original", 2.5, "1", 2.0, "higher", "cost"),
        ]
    )
    text = build(run.path).read_text(encoding="utf-8")
    assert re.findall(r'<section id="(\w+)"', text) == [
        "figures", "images", "language", "counts", "universal", "speed", "configuration",
    ]  # fmt: skip
    assert text.count("<svg") == 4 + 4 + 2
    assert "33\u202f913\u202f608" in text
    assert "23.87 %" in text
    assert text.count("equal parameters") >= 3
    assert "scikit-learn&#39;s digits, 539 training images" in text
    assert "over the original" in text.split("</header>")[0]


def test_an_empty_run_and_a_stage_left_out_say_so(run):
    assert build(run.path).read_text(encoding="utf-8").count("no stage has written fields/") == 4
    run.finish_stage("language", metrics=[])
    text = build(run.path).read_text(encoding="utf-8")
    assert "names no widths for language" in text
    for stage in ("universal", "throughput"):
        run.finish_stage(stage, metrics=[])
    assert "names no widths for universal" in build(run.path).read_text(encoding="utf-8")
    write_fields(run.fields("throughput"), dict(made_up_fields())["throughput"])  # one without the other
    assert "2.5 at 64 channels" in build(run.path).read_text(encoding="utf-8")


@given(st.lists(st.tuples(st.floats(0.1, 10.0), st.floats(0.1, 10.0)), min_size=1, max_size=12))
def test_the_front_is_what_nothing_beats(points):
    cost, value = (np.array(column) for column in zip(*points, strict=True))
    best = pareto(cost, value)
    for index in range(len(points)):
        beaten = ((cost <= cost[index]) & (value <= value[index]) & ((cost < cost[index]) | (value < value[index]))).any()
        assert beaten or any(cost[k] == cost[index] and value[k] == value[index] for k in best)
        assert not (beaten and index in best)


def test_intervals_of_the_page_are_students():
    np.testing.assert_allclose(STUDENT, scipy.stats.t.ppf(0.975, np.arange(1, len(STUDENT) + 1)), atol=6e-4)
    values = np.random.default_rng(0).normal(size=(1, 16))
    wanted = scipy.stats.t.ppf(0.975, 15) * values.std(ddof=1) / 4
    np.testing.assert_allclose(half_width(values)[0], wanted, rtol=0.01)
