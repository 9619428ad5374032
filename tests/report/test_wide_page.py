"""The page of the study of wide networks: its sections stand or say what is missing, and hold no figure without its line."""

import re

import numpy as np
import pytest
import xarray as xr

from parametra.report import build
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.store.runfolder import RunFolder

KINDS, OPTIMISERS, LOSSES = ["dense", "residual"], ["flow", "steps", "momentum"], ["squared", "entropy"]
ONE = {"units": "1"}


def made_up_fields():
    generator, width = np.random.default_rng(0), np.array([64.0, 256.0, 1024.0])
    fall = width[:, None] ** -0.5 * np.exp(0.1 * generator.normal(size=(3, 2)))
    quantities = ["first weight", "inner weights", "last weight", "empirical kernel"]
    deep = np.stack([fall, fall**2, fall, fall**1.5])
    shallow = np.where(np.arange(4)[:, None, None] == 1, np.nan, deep)  # no inner weights
    yield (
        "width",
        xr.Dataset(
            {"change": (("network", "quantity", "width", "seed"), np.stack([deep, shallow]), ONE)},
            {"network": ["relu, 3 hidden", "relu, 1 hidden"], "quantity": quantities, "width": width, "seed": [0, 1]},
        ),
    )
    losses = np.broadcast_to(np.exp(-0.2 * np.arange(21)), (3, 4, 21))
    yield (
        "parameterization",
        xr.Dataset(
            {
                "curve": (("width", "curve_of", "record"), losses, ONE),
                "apart": (("width", "seed"), 1e-15 + 0 * fall, ONE),
                "gap": (("width", "seed"), fall, ONE),
            },
            {
                "width": width, "curve_of": ["ntk", "standard, rates by layer", "standard, one rate", "its kernel"],
                "record": np.arange(21.0), "seed": [0, 1],
            },
        ),
    )  # fmt: skip
    decay = np.exp(-0.2 * np.arange(21))
    cells = (2, 3, 2)
    curve = np.broadcast_to(np.stack([decay, 1.02 * decay, 1.1 * decay]), (*cells, 3, 21))
    gap = np.broadcast_to(np.stack([0.3 * fall, fall]), (*cells, 2, 3, 2))
    yield "curves", xr.Dataset(
        {
            "curve": (("architecture", "optimiser", "loss", "curve_of", "record"), curve, ONE),
            "gap": (("architecture", "optimiser", "loss", "kernel", "width_number", "seed"), gap, ONE),
            "exponent": (
                ("architecture", "optimiser", "loss", "kernel", "end"), np.broadcast_to([-0.5, -0.7, -0.3], (*cells, 2, 3)), ONE,
            ),
            "width": (("architecture", "width_number"), np.stack([width, width]), ONE),
        },
        {
            "architecture": KINDS, "optimiser": OPTIMISERS, "loss": LOSSES, "curve_of": ["network", "empirical", "infinite"],
            "kernel": ["empirical", "infinite"], "record": np.arange(21.0), "end": ["fit", "low", "high"],
        },
    )  # fmt: skip
    scores = {
        name: (("network", "kernel", "width_number", "seed"), np.broadcast_to(0.3 * fall, (2, 2, 3, 2)), ONE)
        for name in ("loss_gap", "rms", "accuracy", "accuracy_gap")
    }
    yield "batches", xr.Dataset(
        {
            "curve": (("network", "curve_of", "record"), np.broadcast_to(decay, (2, 3, 21)), ONE),
            "width": (("network", "width_number"), np.stack([width, width]), ONE),
            **scores,
        },
        {
            "network": ["wide residual", "dense"], "curve_of": ["network", "empirical", "infinite"],
            "kernel": ["empirical", "infinite"], "record": np.arange(21),
        },
    )  # fmt: skip
    mean = np.linspace(0, 1, 4)[:, None] * np.sin(np.arange(8.0))
    values = {}
    for name, shift in (("networks", 0.02), ("ensemble", 0.0), ("posterior", 0.2)):
        values[f"{name}_mean"] = (("activation", "record", "point"), (mean * (1 - shift))[None], ONE)
        values[f"{name}_deviation"] = (("activation", "record", "point"), np.full((1, 4, 8), 0.3 + shift), ONE)
    ends = np.broadcast_to([1.0, 0.9, 1.1], (1, 2, 4, 3))
    values["variance_ratio"] = (("activation", "law", "record", "end"), ends, ONE)
    values["likelihood_ratio"] = (("activation", "record", "end"), ends[:, 0], ONE)
    places = {"record": np.arange(4.0) * 25, "point": np.arange(8), "law": ["ensemble", "posterior"], "activation": ["relu"]}
    yield "distribution", xr.Dataset(values, places)
    samples = np.stack([np.outer(np.ones(len(width)), [40, 160]), np.outer(width, [4, 16])])
    sampled = ("kernel", "width", "networks")
    yield (
        "montecarlo",
        xr.Dataset(
            {"distance": (sampled, samples**-0.5, ONE), "samples": (sampled, samples, ONE)},
            {"kernel": ["nngp", "ntk"], "width": width, "networks": [4, 16]},
        ),
    )
    yield "critical", xr.Dataset({"growth": ("factor", [0.7, 0.9, 30.0], ONE)}, {"factor": [0.7, 0.95, 1.15]})


@pytest.fixture
def run(tmp_path):
    return RunFolder.open(tmp_path / "run", "wide", "mini", {"seed": 0})


def sections(text):
    return re.findall(r'<section id="(\w+)"', text)


def test_a_whole_run_shows_every_cell(run):
    for name, dataset in made_up_fields():
        write_fields(run.fields(name), dataset)
    run.write_metrics(
        [
            Metric(
                "dense, steps, squared: gap of the loss to the empirical kernel at width 2048", 0.004, "1", 0.01, "lower", "skill"
            ),
            Metric("ensemble, relu: variance over predicted (95 % 0.98 to 1.08)", 1.03, "1", (0.8, 1.2), "inside", "skill"),
        ]
    )
    text = build(run.path).read_text(encoding="utf-8")
    assert sections(text) == [
        "figures",
        "curves",
        "batches",
        "width",
        "parameterization",
        "distribution",
        "montecarlo",
        "speed",
        "configuration",
    ]
    assert "no stage has written" not in text
    assert text.count("<svg") == 12 + 2 + 4 + 2 + 3 + 3
    assert text.count("dense, momentum, cross-entropy") == 2  # a figure's title and a row of the table
    assert "-0.50 (-0.70 to -0.30)" in text
    head = text.split("</header>")[0]
    assert "loss against its own kernel" in head
    assert "variance of the ensemble over predicted" in head


def test_an_empty_run_says_what_is_not_there(run):
    text = build(run.path).read_text(encoding="utf-8")
    assert text.count("no stage has written fields/") == 6
