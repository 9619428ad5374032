"""Labelled images by the name of the set."""

from dataclasses import dataclass

import numpy as np

from parametra.core.errors import DataError
from parametra.learn.datasets import cifar, hub, idx
from parametra.learn.datasets.files import data_folder
from parametra.learn.datasets.names import TITLES, ImageSet, Source

DIGITS_TRAINED = 0.72  # share of scikit-learn's digits that is trained on: 1,293 of 1,797
CLASSES = {"cifar100": 100}


@dataclass(frozen=True)
class Images:
    """A training and a test set.

    Attributes:
        title: how results must call it, for instance "CIFAR-10 (JPEG copy)".
        train: (n, height, width, channels) unsigned bytes, 0 to `white`.
        labels: (n,) integers, 0 to `classes` - 1.
        test: (m, height, width, channels).
        test_labels: (m,).
        classes: how many there are.
        white: the largest grey value of the format.
    """

    title: str
    train: np.ndarray
    labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: int
    white: int = 255

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each channel over the training images, float32, for normalisation."""
        count = self.train[..., 0].size
        first = self.train.sum((0, 1, 2), dtype=np.int64) / count
        second = np.square(self.train, dtype=np.uint16).sum((0, 1, 2), dtype=np.int64)  # 255² fits
        return first.astype(np.float32), np.sqrt(second / count - first**2).astype(np.float32)


def load_images(
    name: ImageSet, folder: str = "", *, source: Source = "folder", seed: int = 0, share: float = DIGITS_TRAINED
) -> Images:
    """The images of the set `name`.

    Args:
        name: "digits" is embedded.
        folder: folder of the files, or its parent; the environment variable PARAMETRA_DATA where empty.
        source: "huggingface" reads by the `datasets` package instead, which may download.
        seed: of the split of the digits into training and test images; the other sets come with one.
        share: of the digits that is trained on.

    Raises:
        UsageError: no folder for a set that is not embedded, or the `datasets` package is asked for and not there.
        DataError: files that are absent, damaged, truncated or forbidden; labels out of range.
    """
    title, white = TITLES[name], 255
    if name == "digits":
        (train, labels, test, test_labels), white = _digits(seed, share), 16
    elif source == "huggingface":
        train, labels, test, test_labels = hub.read_images(name)
    elif name in ("mnist", "fashion-mnist"):
        (train, labels, test, test_labels), published = idx.read_sets(data_folder(name, folder), name)
        if name == "mnist" and not published:
            title += " (other files than the published ones)"
        if name == "fashion-mnist" and published:
            raise DataError(
                "The folder of Fashion-MNIST holds MNIST: both have the same file names. Remedy: another data.folder."
            )
    elif name == "cifar10-jpeg":
        train, labels, test, test_labels = cifar.read_packed(data_folder(name, folder))
    else:
        train, labels, test, test_labels = cifar.read_binary(data_folder(name, folder), name)
    classes = CLASSES.get(name, 10)
    for values in (labels, test_labels):
        low, high = int(values.min()), int(values.max())
        if low < 0 or high >= classes:
            raise DataError(
                f"{title} has labels from {low} to {high}, expected 0 to {classes - 1}. Likely cause: damaged files, or those of "
                "another set. Remedy: copy them again."
            )
    return Images(title, train, labels.astype(np.int64), test, test_labels.astype(np.int64), classes, white)


def _digits(seed: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))
    images = images.reshape(-1, 8, 8, 1).astype(np.uint8)[order]
    cut, labels = int(share * len(images)), np.asarray(labels)[order]
    return images[:cut], labels[:cut], images[cut:], labels[cut:]
