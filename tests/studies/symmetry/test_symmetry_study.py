"""The study of symmetric weights: presets, counts, choice of rivals, universality, and the whole road at its smallest size."""

import io
import re
from functools import partial

import equinox as eqx
import jax
import numpy as np
import pytest
import scipy.stats

from parametra.core.errors import ParametraError, UsageError
from parametra.core.progress import Progress
from parametra.learn import EpochRecord
from parametra.store.fields import open_fields
from parametra.store.runfolder import RunFolder
from parametra.studies import runner
from parametra.studies.base import Run
from parametra.studies.symmetry import STUDY
from parametra.studies.symmetry.config import ImagesConfig, LanguageConfig
from parametra.studies.symmetry.contest import PARAMETERS, TIME, WIDTH, Cell, Contest, crossing, interval
from parametra.studies.symmetry.counting import image_flops, parameters, word_flops
from parametra.studies.symmetry.images import pooled
from parametra.studies.symmetry.schemes import image_network, language_model
from parametra.studies.symmetry.universal import embedded


@pytest.mark.parametrize("preset", ["smoke", "mini", "desk", "cifar", "text"])
def test_presets_resolve(preset):
    config = STUDY.resolve(preset)
    assert STUDY.about(preset).minutes > 0
    for stage in (config.images, config.language):  # pyright: ignore[reportAttributeAccessIssue]
        assert not stage.widths or stage.schemes


def test_what_cannot_be_is_refused_in_one_sentence():
    for override, words in {
        "images.seeds=1": "images.seeds",
        "images.schemes=['cubic']": "images.schemes",
        "data.images='imagenet'": "data.images",
        "language.recipe.momentum=1.5": "language.recipe.momentum",
        "counted=[]": "counted",
    }.items():
        with pytest.raises(UsageError, match=words):
            STUDY.resolve("smoke", [override])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.images='cifar10'"], "data_batch_1.bin is absent"),
        (["data.text='ptb'"], "ptb.train.txt is absent"),
        (["data.text='text'"], "empty.txt is empty"),
        (["data.vocabulary=20"], "more than the limit of 20"),
        (["data.pool=3"], "squares of 3 x 3"),
        (["language.columns=5000"], "has no 5000 columns"),
    ],
)
def test_data_that_cannot_be_had_are_refused_before_a_folder_is_made(tmp_path, overrides, words):
    (tmp_path / "empty.txt").touch()
    with pytest.raises(ParametraError, match=f"{words}.*Remedy"):
        runner.run_study(
            STUDY, "smoke", tmp_path / "run", [f"data.folder={tmp_path}", *overrides], progress=Progress(io.StringIO())
        )
    assert not (tmp_path / "run").exists()


def test_squares_of_pixels_are_averaged():
    images = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    small = pooled(images, 2)
    assert small.shape == (2, 2, 3, 3)
    assert small.dtype == np.uint8
    assert small[1, 1, 2, 0] == np.rint(np.mean([images[1, 2, 4, 0], images[1, 2, 5, 0], images[1, 3, 4, 0], images[1, 3, 5, 0]]))
    assert pooled(images, 1) is images


def wide_network(width, scheme="dense"):
    make = partial(image_network, ImagesConfig(), width, scheme, 3, 10)
    return eqx.filter_eval_shape(make, jax.random.key(0))


def by_hand(width, side):
    """(parameters, FLOPs) of a basic WRN-10 layer by layer: kernels, scale and shift before each, shortcuts, classifier."""
    count, flops, inputs = 9 * 3 * 16, 2 * 9 * 3 * 16 * side**2, 16
    for group in range(3):
        outputs, side = width * 2**group, side // (2 if group else 1)
        weights = 9 * outputs * (inputs + outputs) + inputs * outputs
        count, flops = count + weights + 2 * (inputs + outputs), flops + 2 * weights * side**2
        inputs = outputs
    return count + 2 * inputs + 10 * inputs + 10, flops + 2 * 10 * inputs


def test_counts_are_those_by_hand_and_group_kernels_save_arithmetic():
    count, flops = by_hand(32, 16)
    dense, tied, group = (wide_network(32, scheme) for scheme in ("dense", "symmetric", "hadamard-4"))
    assert (parameters(dense), image_flops(dense, (16, 16, 3))) == (count, flops)
    square = sum(9 * n * (n - 1) // 2 for n in (32, 64, 128))
    assert parameters(tied) == count - square
    assert image_flops(tied, (16, 16, 3)) == flops
    kernels = 9 * sum(n * (m + n) for m, n in ((16, 32), (32, 64), (64, 128)))
    assert parameters(group) == count - 3 * kernels // 4
    assert image_flops(group, (16, 16, 3)) < 0.4 * flops


def test_a_word_costs_its_matrix_products():
    make = partial(language_model, LanguageConfig(), 40, "dense", 300)
    model = eqx.filter_eval_shape(make, jax.random.key(0))
    assert word_flops(model) == 2 * (2 * 2 * 4 * 40 * 40 + 300 * 40)


def test_intervals_are_students():
    values = np.random.default_rng(0).normal(1.0, 0.2, 5)
    mean, low, high = interval(values)
    wanted = scipy.stats.t.interval(0.95, 4, values.mean(), values.std(ddof=1) / np.sqrt(5))
    np.testing.assert_allclose((mean, low, high), (values.mean(), *wanted))


@pytest.mark.parametrize("kind", ["symmetric", "block-symmetric"])
def test_a_symmetric_layer_holds_any_free_one(kind):
    assert embedded(kind, 3) < 1e-6  # float32 rounding of sums of 8


class Trainer:
    """Pretends: an epoch takes width² ms, or `share` of it with a symmetry, which has a quarter of the parameters."""

    def __init__(self, stop=None, share=1 / 3):
        self.stop, self.share, self.trained = stop, share, []

    def __call__(self, cell, seed, told):
        if len(self.trained) == self.stop:
            raise KeyboardInterrupt
        self.trained.append((cell.name, seed))
        seconds = 1e-3 * cell.width**2 * (1 if cell.scheme == "dense" else self.share)
        for epoch in range(2):
            told(EpochRecord(epoch, 1.0 / (1 + epoch), float("nan"), seconds, 1.0 / seconds, 0.1), 1.0 / cell.width + 0.01 * seed)


def count(cell):
    return cell.width**2 if cell.scheme == "dense" else cell.width**2 // 4


def contest(folder, trainer):
    run = Run(folder, None, Progress(io.StringIO()))
    return Contest(run, "images", (16, 32), ("hadamard-4",), 2, 2, count, trainer)


def test_equal_time_needs_an_epoch_without_compilation(tmp_path):
    held = contest(RunFolder.open(tmp_path / "run", "symmetry", "smoke", {}), Trainer())
    held.epochs = 1
    with pytest.raises(UsageError, match="holds the compilation.*Remedy"):
        held.hold()


def test_rivals_never_have_less_and_a_killed_contest_goes_on(tmp_path):
    folder = RunFolder.open(tmp_path / "run", "symmetry", "smoke", {"seed": 0})
    with pytest.raises(KeyboardInterrupt):
        contest(folder, Trainer(stop=7)).hold()
    second = Trainer()
    held = contest(folder, second)
    rivals = held.hold()
    cell = Cell("hadamard-4", 32)
    assert rivals[cell, WIDTH] == Cell("dense", 32)
    assert rivals[cell, PARAMETERS] == Cell("dense", 16)
    assert rivals[cell, TIME] == Cell("dense", 20)  # the even width above 32 / sqrt 3 = 18.5
    for (own, kind), rival in rivals.items():
        if kind == PARAMETERS:
            assert count(rival) >= count(own)
        if kind == TIME:
            assert held.seconds(rival) >= held.seconds(own)
    assert len(set(second.trained)) == len(second.trained) == 2 * len(held.cells()) - 7
    third = Trainer()
    assert contest(folder, third).hold() == rivals
    assert third.trained == []
    held.write(rivals, lambda cell: 2 * count(cell))
    table = open_fields(folder.fields("images"))
    np.testing.assert_allclose(table.score.sel(cell="dense 32").values[:, -1], [1 / 32, 1 / 32 + 0.01], rtol=1e-6)
    assert list(table.pair_kind.values).count(TIME) == 2


def test_the_rival_of_a_slower_network_is_wider_than_it(tmp_path):
    held = contest(RunFolder.open(tmp_path / "run", "symmetry", "smoke", {}), Trainer(share=1.4))
    rivals = held.hold()
    assert rivals[Cell("hadamard-4", 32), TIME] == Cell("dense", 38)  # the even width above 32 sqrt 1.4 = 37.9
    assert rivals[Cell("hadamard-4", 16), TIME] == Cell("dense", 20)  # above 18.9
    held = contest(RunFolder.open(tmp_path / "far", "symmetry", "smoke", {}), Trainer(share=9.0))
    assert held.hold()[Cell("hadamard-4", 32), TIME] == Cell("dense", 64)  # no wider than twice


def test_widths_of_equal_time_are_read_off_in_logarithms():
    widths, seconds = np.array([8.0, 16.0, 32.0]), np.array([1.0, 4.0, 16.0])
    assert crossing(8.0, widths, seconds) == pytest.approx(16 * 2**0.5)
    assert crossing(64.0, widths, seconds) == pytest.approx(64.0)
    assert crossing(0.1, widths, seconds) == pytest.approx(8.0)
    assert crossing(32.0, widths, np.array([1.0, 16.0, 16.0])) == pytest.approx(64.0)  # noise: in proportion
    assert crossing(3.0, widths[:1], seconds[:1]) == pytest.approx(8.0)


@pytest.mark.long
def test_the_whole_road_leaves_figures_and_a_page(tmp_path):
    folder = runner.run_study(STUDY, "smoke", tmp_path / "run", progress=Progress(io.StringIO()))
    rows = {row.name: row for row in folder.metrics()}
    assert all(np.isfinite(row.value) for row in rows.values())
    assert any("perplexity over that of dense" in name for name in rows)
    text = (folder.path / "report.html").read_text()
    assert re.findall(r'<section id="(\w+)"', text) == [
        "figures", "images", "language", "counts", "universal", "speed", "configuration",
    ]  # fmt: skip
    assert "no stage has written" not in text
    assert text.count("<svg") >= 9
