"""The study of wide networks: presets, readers of the user's files, slopes, and the whole road at its smallest size."""

import io
import re

import jax
import numpy as np
import pytest

from parametra.core.errors import UsageError
from parametra.core.progress import Progress
from parametra.networks import ntk
from parametra.report.sections import width
from parametra.studies import runner
from parametra.studies.wide import STUDY, curves, data, distribution, parameterization, parts
from parametra.studies.wide import width as changes
from parametra.studies.wide.config import WideConfig


@pytest.mark.parametrize("preset", ["smoke", "mini", "full"])
def test_presets_resolve(preset):
    config = STUDY.resolve(preset)
    assert all(len(network.widths) >= 2 for network in config.networks)  # pyright: ignore[reportAttributeAccessIssue]
    assert STUDY.about(preset).minutes > 0


def test_what_cannot_be_is_refused_in_one_sentence():
    for override, words in {
        "training.rate=1.5": "training.rate",
        "data.name='imagenet'": "data.name",
        "data.classes=1": "data.classes",
        "ensemble.width=1": "ensemble.width",
    }.items():
        with pytest.raises(UsageError, match=words):
            STUDY.resolve("smoke", [override])


def test_digits_are_whole_and_scaled():
    x, labels, x_test, labels_test = data.load(data.DataConfig(classes=10), 0)
    assert len(x) + len(x_test) == len(labels) + len(labels_test) == 1797
    assert x.shape[1:] == (8, 8, 1)
    assert (x**2).mean() == pytest.approx(1.0, rel=1e-4)
    assert set(data.load(data.DataConfig(classes=3), 0)[1]) == {0, 1, 2}


def test_a_data_set_that_is_not_embedded_asks_for_its_folder(monkeypatch):
    monkeypatch.delenv("PARAMETRA_DATA", raising=False)
    with pytest.raises(UsageError, match="mnist is not embedded.*data.folder=DIR"):
        data.load(data.DataConfig(name="mnist"), 0)


def test_slopes_are_found_with_an_interval_that_holds_them():
    widths, noise = np.array([32, 128, 512, 2048]), np.random.default_rng(0).normal(size=(4, 8))
    exponent, low, high = parts.slope(widths, 3.0 * widths[:, None] ** -0.5 * np.exp(0.1 * noise))
    assert low < -0.5 < high
    assert exponent == pytest.approx(-0.5, abs=0.05)


def test_one_cell_of_the_table_is_near_its_prediction():
    """A dense network of width 64 under steps and squared loss: within a tenth of the initial loss of both kernels."""
    config = STUDY.resolve("smoke")
    assert isinstance(config, WideConfig)
    setting = curves.prepare(config, config.networks[0])
    curve, gaps = curves.compare(setting, curves.begin(setting, 64), "steps", "squared")
    assert curve.shape == (3, 5)
    assert gaps.shape == (2, config.training.seeds)
    assert (curve[:, -1] < 0.7 * curve[:, 0]).all()
    assert (gaps < 0.1).all()


def test_an_ensemble_is_told_from_another_law_by_its_variance_and_its_likelihood():
    """Draws of a known Gaussian law: its own interval holds 1, that of a law with 1.3 of the variance does not."""
    generator = np.random.default_rng(0)
    factor = generator.normal(size=(6, 6))
    mean, covariance = generator.normal(size=(6, 2)), factor @ factor.T
    values = mean + np.einsum("pq,nqk->npk", factor, generator.normal(size=(200, 6, 2)))
    right, wrong = (distribution.compare(values, mean, share * covariance) for share in (1.0, 1.3))
    _, low, high = distribution.interval(right["variance"])
    assert low < 1.0 < high
    _, low, high = distribution.interval(wrong["variance"])
    assert low < distribution.expected_variance((mean, covariance), (mean, 1.3 * covariance)) < high < 1.0
    _, low, high = distribution.interval(right["likelihood"] - wrong["likelihood"])
    expected = [distribution.expected_likelihood((mean, covariance), (mean, share * covariance)) for share in (1.0, 1.3)]
    assert 0.0 < low < expected[0] - expected[1] < high
    assert np.mean(right["z"] ** 2) == pytest.approx(1.0, abs=3 * np.sqrt(2 / right["z"].size))


def test_points_that_repeat_are_one_direction_of_a_law():
    values = np.random.default_rng(0).normal(size=(50, 1, 1)) * np.ones((1, 2, 1))
    assert distribution.compare(values, np.zeros((2, 1)), np.ones((2, 2)))["z"].shape == (1, 1)


@pytest.mark.x64
def test_rates_by_layer_make_the_standard_parameterization_train_as_the_ntk_one():
    """To rounding at width 8; with one rate for all layers it does not."""
    with jax.enable_x64(True):
        make = lambda key: ntk.dense_network(key, 3, 2, (8, 8), ntk.Erf(), w_std=1.5, b_std=0.1)
        models = parts.draw(make, jax.random.key(0), 2)
        twins = parameterization.to_standard(models)
        by_layer = parameterization.rates_by_layer(twins, 0.5)
        x = jax.random.normal(jax.random.key(1), (6, 3))
        y = np.asarray(jax.random.normal(jax.random.key(2), (6, 2)))
        runs = [
            parts.train(some, x, y, x[:2], "squared", rate, 0.9, 5, 4)[1]
            for some, rate in ((models, 0.5), (twins, by_layer), (twins, 0.5))
        ]
    assert np.abs(runs[0][:, 0] - runs[0][:, -1]).max() > 0.1
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-11, atol=1e-12)
    assert np.abs(runs[2] - runs[0]).max() > 0.1


def test_a_network_with_one_hidden_layer_has_no_inner_weights():
    before, after = (ntk.dense_network(jax.random.key(seed), 3, 2, (8,)) for seed in (0, 1))
    first, inner, last = changes.weight_changes(before, after)
    assert np.isnan(inner)
    assert min(first, last) > 0


@pytest.mark.long
def test_the_whole_road_leaves_figures_and_a_page(tmp_path):
    folder = runner.run_study(STUDY, "smoke", tmp_path / "run", progress=Progress(io.StringIO()))
    rows = {row.name: row for row in folder.metrics()}
    assert all(np.isfinite(row.value) for row in rows.values())
    assert any("gap of the loss to the infinite kernel" in name for name in rows)
    text = (folder.path / "report.html").read_text()
    assert re.findall(r'<section id="(\w+)"', text) == [
        "figures", "curves", "batches", "width", "parameterization", "distribution", "montecarlo", "speed", "configuration",
    ]  # fmt: skip
    assert "no stage has written" not in text
    assert text.count("<svg") >= 12
    assert width.TITLE in text
