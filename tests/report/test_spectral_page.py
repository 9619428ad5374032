"""The page of the study of spectral networks: its sections stand or say what is missing."""

import re

import numpy as np
import pytest
import xarray as xr

from parametra.report import build
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.store.runfolder import RunFolder

ONE = {"units": "1"}
NAMES = ["spectral", "lstm"]
SECTIONS = ["figures", "memory", "pixels", "words", "depth", "spectra", "margins", "speed", "configuration"]


def records(shape, dims):
    """Loss, score, step and seconds of trainings with four records, the last one's cut short."""
    step = np.broadcast_to(np.arange(4.0) * 10, (*shape, 4)).copy()
    step.reshape(-1, 4)[-1, 3] = np.nan
    values = {"step": step, "seconds": 0.3 * step, "score": 1 - np.exp(-step / 10), "loss": np.exp(-step / 10)}
    return {name: ((*dims, "record"), array, ONE) for name, array in values.items()}


def made_up_fields():
    for stage in ("copying", "addition"):
        more = {"parameters": (("length", "network", "seed"), np.full((1, 2, 2), 500.0), ONE), "trivial": ("length", [0.17], ONE)}
        dims = ("length", "network", "seed")
        yield stage, xr.Dataset(records((1, 2, 2), dims) | more, {"length": [100], "network": NAMES, "seed": [0, 1]})
    dims = ("order", "network", "seed")
    sizes = {name: (dims, np.full((2, 2, 2), 64.0), ONE) for name in ("width", "parameters")}
    coords = {"order": ["in order", "permuted"], "network": NAMES, "seed": [0, 1]}
    yield "pixels", xr.Dataset(records((2, 2, 2), dims) | sizes, coords)
    language = records((2, 1), ("network", "seed"))
    yield "language", xr.Dataset(language, {"network": NAMES, "seed": [0]})
    dims, generator = ("activation", "depth", "network", "seed"), np.random.default_rng(0)
    gradient = np.exp(generator.normal(size=(2, 2, 2, 1, 4, 6)))
    gradient[:, 0, ..., 3:] = np.nan  # the shallower network
    gradient[-1, -1, -1, -1, 3] = np.nan  # what blew up
    spectrum = np.sort(generator.uniform(0.5, 1.5, (2, 2, 2, 1, 4, 5, 6)), axis=-2)
    inner = {
        "gradient": ((*dims, "record", "layer"), gradient, ONE),
        "spectrum": ((*dims, "record", "quantile", "layer"), spectrum, ONE),
    }
    coords = {"activation": ["relu", "leaky_relu"], "depth": [3, 6], "network": NAMES, "seed": [0], "layer": np.arange(1, 7)}
    yield "depth", xr.Dataset(records((2, 2, 2, 1), dims) | inner, coords)
    gap = np.exp(generator.normal(size=(3, 4)))
    values = {
        name: (("radius", "network"), gap * k, ONE) for k, name in enumerate(("spectral_margin", "score_margin", "gap_loss"), 1)
    }
    yield "margin", xr.Dataset(values, {"radius": [0.1, 0.3, 0.9], "network": np.arange(4)})


@pytest.fixture
def run(tmp_path):
    return RunFolder.open(tmp_path / "run", "spectral", "mini", {"seed": 0})


def test_a_whole_run_shows_every_part(run):
    for name, dataset in made_up_fields():
        write_fields(run.fields(name), dataset)
    gap = Metric("generalization gap against the spectral margin: rank correlation (95 % 0.70 to 0.90)", 0.8, "1", kind="skill")
    time = Metric("copying, T = 100: spectral, time to the goal", 9.0, "s", 30.0, "lower", "cost")
    run.write_metrics([gap, time])
    text = build(run.path).read_text(encoding="utf-8")
    assert re.findall(r'<section id="(\w+)"', text) == SECTIONS
    assert "no stage has written" not in text
    assert text.count("<svg") == 4 + 4 + 2 + 8 + 2 + 2
    assert "6 layers, leaky relu" in text
    assert "rank correlation (95 % 0.70 to 0.90): 0.80" in text
    assert "copy task, time to the goal" in text.split("</header>")[0]


def test_an_empty_run_says_what_is_not_there(run):
    text = build(run.path).read_text(encoding="utf-8")
    assert re.findall(r'<section id="(\w+)"', text) == SECTIONS[1:]
    assert text.count("no stage has written fields/") == 6
