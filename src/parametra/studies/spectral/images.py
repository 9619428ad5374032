"""Images for this study: the embedded digits, or the user's MNIST-like files."""

import numpy as np

from parametra.core.errors import UsageError

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def load(name: str, folder: str, seed: int) -> Split:
    """(training images, labels, test images, labels): images (n, height, width) float32 in 0 to 1."""
    if name == "digits":
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        order = np.random.default_rng(seed).permutation(len(images))
        images, labels = (images / 16).astype(np.float32).reshape(-1, 8, 8)[order], np.asarray(labels, np.int32)[order]
        cut = 1297
        return images[:cut], labels[:cut], images[cut:], labels[cut:]
    raise UsageError(name)


def standardised(split: Split) -> Split:
    """Flat rows of mean 0 and variance 1, by the training images."""
    x, labels, x_test, labels_test = split
    mean, deviation = x.mean(), x.std()
    flat = ((part.reshape(len(part), -1) - mean) / deviation for part in (x, x_test))
    return next(flat), labels, next(flat), labels_test
