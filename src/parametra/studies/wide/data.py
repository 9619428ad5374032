"""Images and labels: the embedded digits, or MNIST and CIFAR-10 from files that the user has."""

import gzip
import os
from pathlib import Path

import numpy as np

from parametra.core.errors import DataError, UsageError
from parametra.studies.wide.config import DataConfig

TRAIN_SHARE = 0.72  # of the digits: 1,294 of 1,797


def load(config: DataConfig, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(training images, labels, test images, labels): images (n, height, width, channels) float32, mean 0 and mean square 1.

    Raises:
        UsageError: no folder for a data set that is not embedded.
        DataError: files that are absent or of another size.
    """
    readers = {
        "digits": lambda: _digits(seed),
        "mnist": lambda: _mnist(_folder(config)),
        "cifar10": lambda: _cifar(_folder(config)),
    }
    x, labels, x_test, labels_test = readers[config.name]()
    kept, kept_test = labels < config.classes, labels_test < config.classes
    x, labels, x_test, labels_test = x[kept], labels[kept], x_test[kept_test], labels_test[kept_test]
    mean, deviation = x.mean(), x.std()
    return (x - mean) / deviation, labels, (x_test - mean) / deviation, labels_test


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(n, classes) of zeros and ones."""
    return np.eye(classes)[labels]


def _folder(config: DataConfig) -> Path:
    name = config.folder or os.environ.get("PARAMETRA_DATA", "")
    if not name:
        raise UsageError(
            f"{config.name} is not embedded. Remedy: --set data.folder=DIR, or PARAMETRA_DATA=DIR, with its files; or "
            "data.name=digits."
        )
    return Path(name)


def _digits(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(images))
    images = images.reshape(-1, 8, 8, 1).astype(np.float32)[order]
    cut, labels = int(TRAIN_SHARE * len(images)), np.asarray(labels)[order]
    return images[:cut], labels[:cut], images[cut:], labels[cut:]


def _mnist(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The IDX files of LeCun, compressed or not."""
    found = []
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        images = _bytes(folder, f"{part}-images-idx3-ubyte")[16:]
        labels = _bytes(folder, f"{part}-labels-idx1-ubyte")[8:]
        if images.size != count * 784 or labels.size != count:
            raise DataError(f"The {part} files of MNIST in {folder} have another size than they should. Remedy: copy them again.")
        found += [images.reshape(count, 28, 28, 1).astype(np.float32), labels.astype(np.int64)]
    return found[0], found[1], found[2], found[3]


def _cifar(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The binary version of Krizhevsky: 10,000 rows of a label and 3 x 32 x 32 bytes in each file."""
    found = []
    for names in ([f"data_batch_{n}.bin" for n in range(1, 6)], ["test_batch.bin"]):
        rows = np.concatenate([_bytes(folder, name) for name in names])
        if rows.size != len(names) * 10_000 * 3073:
            raise DataError(f"The CIFAR-10 files in {folder} have another size than they should. Remedy: the binary version.")
        rows = rows.reshape(-1, 3073)
        found += [rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype(np.float32), rows[:, 0].astype(np.int64)]
    return found[0], found[1], found[2], found[3]


def _bytes(folder: Path, name: str) -> np.ndarray:
    plain, packed = folder / name, folder / f"{name}.gz"
    if plain.exists():
        return np.frombuffer(plain.read_bytes(), np.uint8)
    if packed.exists():
        return np.frombuffer(gzip.decompress(packed.read_bytes()), np.uint8)
    raise DataError(f"{plain} is absent. Likely cause: another folder. Remedy: the folder that holds {name} or {name}.gz.")
