"""Grey images as rows of standardised numbers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from parametra.core.errors import UsageError
from parametra.learn.datasets import load_images
from parametra.studies.spectral.config import DataConfig, SpectralConfig

Batch = tuple[Array, Array]


class Rows(NamedTuple):
    """A training and a test set, (n, pixels) float32 of mean 0 and variance 1 over the training images, with labels.

    Attributes:
        title: how results must call the images.
        train: training images and labels.
        test: test images and labels.
        classes: how many labels there are.
    """

    title: str
    train: Batch
    test: Batch
    classes: int


def load(config: DataConfig, seed: int, pool: int = 1, samples: int = 0) -> Rows:
    """The images that the configuration names, `pool` x `pool` pixels averaged into one; the first `samples`, or all at 0.

    Raises:
        UsageError: images whose sides `pool` does not divide, more samples than there are, or no folder for their files.
        DataError: files that are absent or damaged.
    """
    images = load_images(config.images, config.folder, source=config.source, seed=seed)
    side, count = images.train.shape[1], len(images.train)
    if side % pool or samples > count:
        raise UsageError(
            f"{images.title} has {count} training images of {side} x {side} pixels, asked for {samples} of them averaged over "
            f"{pool} x {pool}. Remedy: fewer samples (0 for all), and a pool that divides {side}."
        )
    rows = [
        part.mean(-1).reshape(-1, side // pool, pool, side // pool, pool).mean((2, 4)) for part in (images.train, images.test)
    ]
    mean, deviation = rows[0].mean(), rows[0].std()
    train, test = (((part.reshape(len(part), -1) - mean) / deviation).astype(np.float32) for part in rows)
    kept = slice(0, samples or None)
    labels, test_labels = (jnp.asarray(part, jnp.int32) for part in (images.labels, images.test_labels))
    title = images.title if not samples else f"{images.title}, {samples} of {count} training images"
    return Rows(title, (jnp.asarray(train[kept]), labels[kept]), (jnp.asarray(test), test_labels), images.classes)


def check(config: SpectralConfig) -> None:
    """Raises as `load` does for what the stages will ask of it."""
    for pool, samples in {(config.pixels.pool, config.pixels.samples), (1, config.margin.samples)}:
        load(config.data, config.seed, pool, samples)


def draw(data: Batch, key: PRNGKeyArray, batch: int) -> Batch:
    """Images with labels at random."""
    chosen = jax.random.randint(key, (batch,), 0, len(data[0]))
    return data[0][chosen], data[1][chosen]


def entropy(scores: Array, labels: Array) -> Array:
    """Mean cross-entropy [nats]."""
    chosen = jnp.take_along_axis(scores, labels[..., None], axis=-1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(scores, axis=-1) - chosen)


def accuracy(scores: Array, labels: Array) -> Array:
    """Share of labels that have the largest score."""
    return jnp.mean(jnp.argmax(scores, axis=-1) == labels)
