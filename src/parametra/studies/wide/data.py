"""Images as the kernels want them: scaled as a whole, the first so many classes."""

import numpy as np

from parametra.learn.datasets import load_images
from parametra.studies.wide.config import DataConfig


def load(config: DataConfig, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(training images, labels, test images, labels): images (n, height, width, channels) float32, mean 0 and mean square 1.

    Raises:
        UsageError, DataError: as `parametra.learn.datasets.load_images`.
    """
    found = load_images(config.name, config.folder, seed=seed)
    kept, kept_test = found.labels < config.classes, found.test_labels < config.classes
    x, x_test = found.train[kept].astype(np.float32), found.test[kept_test].astype(np.float32)
    mean, deviation = x.mean(), x.std()
    return (x - mean) / deviation, found.labels[kept], (x_test - mean) / deviation, found.test_labels[kept_test]


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(n, classes) of zeros and ones."""
    return np.eye(classes)[labels]
