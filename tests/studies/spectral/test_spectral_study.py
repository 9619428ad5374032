"""The study of spectral networks: presets, its training loop, laws of deep networks, and the whole road at its smallest size."""

import io
import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import spearmanr

from parametra.core.errors import UsageError
from parametra.core.progress import Progress
from parametra.store.runfolder import RunFolder
from parametra.studies import runner
from parametra.studies.spectral import STUDY, deep, images, margin, memory, networks, parts, pixels
from parametra.studies.spectral.config import CellConfig, DataConfig, MarginConfig, TaskConfig
from parametra.studies.spectral.tasks import CopyTask
from parametra.studies.spectral.training import Record, Trainer

KEY = jax.random.key(0)


@pytest.mark.parametrize("preset", ["smoke", "mini", "full"])
def test_presets_resolve(preset):
    config = STUDY.resolve(preset)
    assert config.copying.networks[0] == "spectral"  # pyright: ignore[reportAttributeAccessIssue]
    assert STUDY.about(preset).minutes > 0


def test_what_cannot_be_is_refused_in_one_sentence():
    for override, words in {
        "copying.networks=['lstm']": "must begin with spectral",
        "depth.networks=['spectral', 'he', 'he']": "name each only once",
        "copying.lengths=[1]": "at least 2",
        "addition.lessons=2": "those of the lessons too",
        "copying.goal=1.5": "copying.goal",
        "addition.cell.radius=1.0": "addition.cell.radius",
        "data.images='imagenet'": "data.images",
        "pixels.samples=-1": "pixels.samples",
    }.items():
        with pytest.raises(UsageError, match=words):
            STUDY.resolve("smoke", [override])


def test_images_that_do_not_divide_or_suffice_are_refused():
    with pytest.raises(UsageError, match="a pool that divides 8"):
        images.load(DataConfig(), 0, pool=3)
    with pytest.raises(UsageError, match="fewer samples"):
        images.load(DataConfig(), 0, samples=5000)


def test_images_are_standardised_and_averaged():
    whole, small = (images.load(DataConfig(), 0, pool=pool, samples=100) for pool in (1, 2))
    assert whole.train[0].shape == (100, 64)
    assert small.train[0].shape == (100, 16)
    every = np.asarray(images.load(DataConfig(), 0).train[0])
    assert (every.mean(), every.var()) == (pytest.approx(0, abs=1e-4), pytest.approx(1, rel=1e-4))
    squares = np.asarray(whole.train[0]).reshape(100, 4, 2, 4, 2).mean((2, 4)).reshape(100, 16)
    correlation = np.corrcoef(squares.ravel(), np.asarray(small.train[0]).ravel())[0, 1]
    assert correlation == pytest.approx(1.0, abs=1e-5)


class Slope(eqx.Module):
    """y = a x."""

    a: jax.Array


def slope_trainer(rate=0.1):
    def draw(data, key):
        x = data * jax.random.normal(key, (8,))
        return x, 3.0 * x

    loss = lambda model, batch: jnp.mean((model.a * batch[0] - batch[1]) ** 2)
    test = jnp.ones(2), 3.0 * jnp.ones(2)
    return Trainer(Slope(jnp.zeros(())), draw, loss, lambda m, b: 1 - loss(m, b), optax.sgd(rate), 5, jnp.ones(()), test)


def test_training_stops_at_its_goal_and_gives_the_same_from_the_same_key():
    trainer = slope_trainer()
    runs = [trainer.run(Slope(jnp.zeros(())), KEY, 200, lambda record: record.score[-1] > 0.999) for _ in range(2)]
    (model, record), (again, _) = runs
    assert float(model.a) == float(again.a) == pytest.approx(3.0, abs=0.04)
    assert record.step == list(range(0, 5 * len(record.step), 5))
    assert len(record.loss) == record.step[-1] < 200
    assert record.seconds == sorted(record.seconds)
    assert record.reached(0.999) == len(record.step) - 1


def test_a_training_that_blows_up_ends_its_record():
    model, record = slope_trainer(rate=1e4).run(Slope(jnp.zeros(())), KEY, 1000)
    assert not np.isfinite(record.loss[-1])
    assert len(record.loss) < 1000
    row = parts.summary(record, 5, model)
    assert len(row["loss"]) == len(row["step"]) == len(row["score"])
    assert row["parameters"] == 1


def test_a_goal_counts_from_where_it_is_kept():
    assert Record(score=[0.2, 0.95, 0.5, 0.93, 0.99]).reached(0.9) == 3
    assert Record(score=[0.95, 0.2]).reached(0.9) is None
    config = TaskConfig(lengths=(5,), goal=0.9, hold=1)
    contest = memory.Contest(config, "spectral", {5: CopyTask(5)})
    assert [contest.solved(Record(score=scores)) for scores in ([0.95], [0.8, 0.95], [0.95, 0.95])] == [False, False, True]


@pytest.mark.parametrize(("name", "slower"), [("spectral", 0.1), ("lstm", 1.0)])
def test_over_long_sequences_what_has_no_gates_changes_its_recurrence_more_slowly(name, slower):
    config = TaskConfig(lengths=(1000,), goal=0.9, reach=100, cell=CellConfig(width=4, reflectors=2))
    optimiser = memory.Contest(config, name, {1000: CopyTask(1000)}).optimiser(1000)
    params = eqx.filter(networks.make(name, KEY, config.cell, 10, 9), eqx.is_inexact_array)
    ones = jax.tree.map(jnp.ones_like, params)
    changes: Any = optimiser.update(ones, optimiser.init(params), params)[0]
    once, always = (float(jax.tree.leaves(part)[0].ravel()[0]) for part in (changes.readout, changes.cell.hidden))
    assert once == pytest.approx(-config.rate, rel=1e-3)
    assert always / once == pytest.approx(slower)
    assert float(jax.tree.leaves(changes.cell.inputs)[0].ravel()[0]) == once


def test_the_score_at_a_time_is_the_last_one_before_it():
    row = {"seconds": [0.0, 1.0, 2.0], "score": [0.1, 0.5, 0.9]}
    assert [pixels.at_time(row, time) for time in (0.0, 1.5, 2.0, 9.0)] == [0.1, 0.5, 0.9, 0.9]


def test_a_network_once_trained_is_kept(tmp_path):
    folder = RunFolder.open(tmp_path / "run", "spectral", "mini", {"seed": 0})
    made = [parts.kept(folder, "one", lambda value=value: {"value": value}) for value in (1, 2)]
    assert made == [{"value": 1}, {"value": 1}]
    (folder.path / "records" / "one.json").write_text("{")  # cut short
    assert parts.kept(folder, "one", lambda: {"value": 3}) == {"value": 3}


def test_means_are_of_the_steps_between_two_scores():
    assert parts.means([4.0, 2.0, 1.0, 1.0], 2) == [4.0, 3.0, 1.0]


@pytest.mark.parametrize("activation", ["identity", "mirrored_relu"])
@pytest.mark.parametrize("kind", ["spectral", "orthogonal"])
def test_one_signal_through_orthogonal_layers_has_equal_gradients_in_all_of_them(kind, activation):
    """|dL/dW| = |backward signal| |forward signal|, and orthogonal layers change neither, nor [Q, -Q] of mirrored rectifiers."""
    network = deep.make(kind, KEY, 5, 3, 8, 12, activation, radius=0.0)
    gradient = np.asarray(deep.layer_gradients(network, jax.random.normal(KEY, (1, 5)), jnp.array([1])))
    np.testing.assert_allclose(gradient, gradient[0], rtol=1e-4)


@pytest.mark.long
def test_held_singular_values_stay_while_free_ones_leave():
    rows = images.load(DataConfig(), 0, samples=64)
    for kind in ("spectral", "orthogonal"):
        network = deep.make(kind, KEY, 64, 10, 8, 6, "relu", radius=0.05)
        np.testing.assert_allclose(np.asarray(network.singular_values()), np.sqrt(2), rtol=1e-4)
        draw, every = (lambda data, key: data), 10
        loss = lambda model, batch: images.entropy(model(batch[0]), batch[1])
        trainer = Trainer(network, draw, loss, loss, optax.adam(0.03), every, rows.train, rows.train)
        network, _ = trainer.run(network, KEY, 30)
        matrices = np.asarray(network.matrices(), np.float64)
        sigma = np.linalg.svd(matrices, compute_uv=False)
        np.testing.assert_allclose(np.asarray(network.singular_values()), sigma, rtol=1e-4)
        inside = (sigma > np.sqrt(2) * 0.9499).all() and (sigma < np.sqrt(2) * 1.0501).all()
        assert inside == (kind == "spectral")


@pytest.mark.parametrize(
    ("kind", "activation"), [("he", "tanh"), ("spectral residual", "mirrored_relu"), ("edge of chaos", "tanh")]
)
def test_a_deep_network_has_the_gradient_of_its_matrices(kind, activation):
    network = deep.make(kind, KEY, 4, 3, 5, 3, activation)
    x, labels = jax.random.normal(KEY, (6, 4)), jnp.array([0, 1, 2, 0, 1, 2])
    assert network(x).shape == (6, 3)
    direction = jax.random.normal(jax.random.key(1), network.matrices().shape)
    shifted = [images.entropy(network(x, network.matrices() + e * direction), labels) for e in (2e-3, -2e-3)]
    gradient = jax.grad(lambda m: images.entropy(network(x, m), labels))(network.matrices())
    assert float(jnp.vdot(gradient, direction)) == pytest.approx(float(shifted[0] - shifted[1]) / 4e-3, abs=2e-3)
    norms = np.asarray(deep.layer_gradients(network, x, labels))
    np.testing.assert_allclose(norms, np.linalg.norm(np.asarray(gradient), axis=(1, 2)), rtol=1e-5)


def test_unknown_deep_networks_are_refused():
    with pytest.raises(UsageError, match="Unknown kind of deep network 'dense'"):
        deep.make("dense", KEY, 4, 3, 5, 3, "tanh")
    with pytest.raises(UsageError, match="No critical gain"):
        deep.make("edge of chaos", KEY, 4, 3, 5, 3, "identity")


def test_margins_are_those_of_the_network_itself():
    rows = images.load(DataConfig(), 0, samples=40)
    config = MarginConfig(radii=(0.1, 0.5), networks=2, samples=40, width=8, depth=2, steps=20)
    found = margin.members(config, rows, 0.5, KEY)
    assert set(found) == set(margin.QUANTITIES)
    assert all(np.isfinite(values).all() and len(values) == 2 for values in found.values())
    assert max(found["spectral_margin"]) <= 0.5 + 1e-4


def test_rank_correlation_lies_in_its_interval():
    x = np.arange(25.0)
    y = x + 8 * np.random.default_rng(0).normal(size=25)
    value, low, high = margin.rank_correlation(x, y, 0)
    assert value == pytest.approx(spearmanr(x, y)[0])
    assert low < value < high


@pytest.mark.long
def test_the_whole_road_leaves_figures_and_a_page(tmp_path):
    folder = runner.run_study(STUDY, "smoke", tmp_path / "run", progress=Progress(io.StringIO()))
    assert folder.metrics()
    text = (folder.path / "report.html").read_text()
    assert re.findall(r'<section id="(\w+)"', text) == [
        "figures", "memory", "pixels", "words", "depth", "spectra", "margins", "speed", "configuration",
    ]  # fmt: skip
    assert "no stage has written" not in text
