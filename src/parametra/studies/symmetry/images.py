"""Stage images: residual networks under symmetries, beside free ones as wide, of equal parameters and of equal time."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.learn import EpochRecord, cross_entropy, fit, flip, pad_crop
from parametra.learn.datasets import Images, load_images
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.symmetry.config import ImagesConfig, SymmetryConfig
from parametra.studies.symmetry.contest import PARAMETERS, TIME, WIDTH, Cell, Contest, interval
from parametra.studies.symmetry.counting import image_flops, parameters
from parametra.studies.symmetry.schemes import image_network
from parametra.weights import penalty

BATCH = 500


def run_images(run: Run) -> dict[str, Any]:
    """Trains everything, writes curves and rivals; differences of the test error with intervals over seeds."""
    config: SymmetryConfig = run.config
    if not config.images.widths:
        return {"metrics": []}
    data = images_of(config)
    contest = Contest(
        run, "images", config.images.widths, config.images.schemes, config.images.seeds, config.images.recipe.epochs,
        lru_cache(lambda cell: parameters(_shapes(config.images, data, cell))), trainer(run, data),
    )  # fmt: skip
    rivals = contest.hold()
    contest.write(rivals, lambda cell: image_flops(_shapes(config.images, data, cell), data.train.shape[1:]))
    return {"metrics": _rows(config, contest, rivals, data), "data": _words(data)}


def check_images(config: SymmetryConfig) -> None:
    """UsageError or DataError where the images of the configuration cannot be had."""
    if config.images.widths:
        images_of(config)


def images_of(config: SymmetryConfig) -> Images:
    """The images of the configuration, as many as it says; UsageError for a pool that does not divide their sides."""
    data = config.data
    found = load_images(data.images, data.folder, source=data.source, seed=config.seed, share=data.digits_share)
    train, test = data.train_images or len(found.train), data.test_images or len(found.test)
    if any(side % data.pool for side in found.train.shape[1:3]):
        height, width = found.train.shape[1:3]
        raise UsageError(
            f"Images of {height} x {width} pixels do not fall into squares of {data.pool} x {data.pool}. Remedy: a "
            "data.pool that divides both sides."
        )
    title = found.title + (f", {data.pool} x {data.pool} pixels averaged into one" if data.pool > 1 else "")
    return Images(
        title, pooled(found.train[:train], data.pool), found.labels[:train], pooled(found.test[:test], data.pool),
        found.test_labels[:test], found.classes, found.white,
    )  # fmt: skip


def pooled(images: np.ndarray, side: int) -> np.ndarray:
    """(n, height, width, channels) bytes: means of squares of pixels, rounded."""
    if side == 1:
        return images
    count, height, width, channels = images.shape
    squares = images.reshape(count, height // side, side, width // side, side, channels)
    return np.rint(squares.mean((2, 4))).astype(images.dtype)


def trainer(run: Run, data: Images) -> Callable[[Cell, int, Callable[[EpochRecord, float], None]], None]:
    """A function that trains one network and tells the test error, a share, after every epoch."""
    config: SymmetryConfig = run.config
    settings = config.images
    mean, deviation = data.moments()

    def scaled(images: Array, network: Any) -> Array:
        precision = network.norm.scale.dtype
        return ((images.astype(jnp.float32) - mean) / deviation).astype(precision)

    def loss(network: Any, batch: tuple[Array, Array]) -> Array:
        images, labels = batch
        return cross_entropy(network(scaled(images, network)), labels) + penalty(network)

    @eqx.filter_jit
    def wrong(network: Any, images: Array, labels: Array) -> Array:
        return jnp.sum(jnp.argmax(network(scaled(images, network)), -1) != labels)

    blocks = [slice(start, start + BATCH) for start in range(0, len(data.test), BATCH)]
    change = partial(augmented, settings) if settings.augment else None

    def train(cell: Cell, seed: int, told: Callable[[EpochRecord, float], None]) -> None:
        key = jax.random.fold_in(jax.random.key(config.seed), seed)
        network = _maker(settings, data, cell)(key)

        def on_epoch(record: EpochRecord, network: Any) -> None:
            parts = ((jnp.asarray(data.test[part]), jnp.asarray(data.test_labels[part])) for part in blocks)
            count = sum(int(wrong(network, images, labels)) for images, labels in parts)
            told(record, count / len(data.test))

        path = run.folder.checkpoint(f"images {cell.name} {seed}".replace(" ", "_")) if settings.checkpoints else None
        fit(
            network, loss, (data.train, data.labels.astype(np.int32)), settings.recipe, jax.random.fold_in(key, 1),
            augment=change, on_epoch=on_epoch, resume_path=path,
        )  # fmt: skip

    return train


def augmented(settings: ImagesConfig, batch: tuple[Array, Array], key: PRNGKeyArray) -> tuple[Array, Array]:
    """The batch with images mirrored and shifted as the configuration says."""
    images, labels = batch
    keys = jax.random.split(key)
    if "flip" in settings.augment:
        images = flip(images, keys[0])
    if "crop" in settings.augment:
        images = pad_crop(images, keys[1], settings.margin)
    return images, labels


def _shapes(settings: ImagesConfig, data: Images, cell: Cell) -> Any:
    return eqx.filter_eval_shape(_maker(settings, data, cell), jax.random.key(0))


def _maker(settings: ImagesConfig, data: Images, cell: Cell) -> Callable[[PRNGKeyArray], Any]:
    return partial(image_network, settings, cell.width, cell.scheme, data.train.shape[-1], data.classes)


def _rows(config: SymmetryConfig, contest: Contest, rivals: dict[tuple[Cell, str], Cell], data: Images) -> list[Metric]:
    rows, largest = [], max(config.images.widths)
    source = f"{_words(data)}; {contest.seeds} seeds, 95 % interval of paired differences; last epoch"
    for (cell, kind), rival in sorted(rivals.items(), key=lambda item: (item[0][0].width, item[0][0].scheme)):
        mean, low, high = interval(100 * (contest.scores(cell)[:, -1] - contest.scores(rival)[:, -1]))
        judged = config.judged and cell.width == largest and cell.scheme == "hadamard-4" and kind != WIDTH
        rows.append(
            Metric(
                f"images, {cell.name}: test error less that of dense {rival.width}, {kind} ({low:+.2f} to {high:+.2f})", mean,
                "percent", 0.0 if judged else None, "lower", "skill", source,
            )
        )  # fmt: skip
    for cell in contest.cells():
        error = contest.scores(cell)[:, -1]
        rows.append(Metric(f"images, {cell.name}: test error", 100 * float(error.mean()), "percent", kind="skill", source=source))
    for (cell, kind), rival in rivals.items():
        if kind in (TIME, PARAMETERS):
            name = f"images, {cell.name}: its epoch over that of dense {rival.width}, {kind}: ratio"
            rows.append(Metric(name, contest.seconds(cell) / contest.seconds(rival), "1", kind="cost"))
    return rows


def _words(data: Images) -> str:
    height, width = data.train.shape[1:3]
    return f"{data.title}, {len(data.train)} training and {len(data.test)} test images of {height} x {width}"
