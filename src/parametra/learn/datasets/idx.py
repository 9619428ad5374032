"""MNIST and Fashion-MNIST: the idx files of LeCun, compressed or not."""

import math
from pathlib import Path

import numpy as np

from parametra.core.errors import DataError
from parametra.learn.datasets.files import COPY, checksum, find, read_bytes

UNSIGNED_BYTE = 8
# sha256 of the decompressed files of MNIST: Fashion-MNIST has the same names, so nothing else tells one from the other.
PUBLISHED = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def read_sets(folder: Path, name: str) -> tuple[list[np.ndarray], bool]:
    """[training images (n, h, w, 1), labels, test images, labels], and whether they are the published files of MNIST.

    Raises:
        DataError: absent, truncated or with another header than idx; images and labels of different numbers, images of two sizes.
    """
    found, published = [], True
    for part in ("train", "t10k"):
        arrays = []
        for kind, dims in (("images-idx3", 3), ("labels-idx1", 1)):
            file = f"{part}-{kind}-ubyte"
            path = find(folder, name, file)
            data = read_bytes(path)
            published = published and checksum(data) == PUBLISHED[file]
            arrays.append(parse(data, dims, path))
        images, labels = arrays
        if len(images) != len(labels):
            raise DataError(f"{path} has {len(labels)} labels for {len(images)} images. Likely cause: files of two sets. {COPY}")
        found += [images[..., None], labels]
    if found[0].shape[1:] != found[2].shape[1:]:
        raise DataError(
            f"{folder} holds training images of {found[0].shape[1:3]} pixels and test images of {found[2].shape[1:3]}. "
            f"Likely cause: files of two sets. {COPY}"
        )
    return found, published


def parse(data: bytes, dims: int, path: Path) -> np.ndarray:
    """The array of an idx file with `dims` axes; DataError if it is something else, or truncated."""
    expected = bytes([0, 0, UNSIGNED_BYTE, dims])
    if data[:4] != expected:
        raise DataError(
            f"{path} starts with {data[:4].hex()}, an idx file of this kind with {expected.hex()}. Likely cause: images and "
            f"labels exchanged, or another format. {COPY}"
        )
    start = 4 + 4 * dims
    shape = tuple(int(size) for size in np.frombuffer(data[4:start], ">i4")) if len(data) >= start else ()
    if len(shape) != dims or min(shape) < 1 or len(data) - start != math.prod(shape):
        raise DataError(
            f"{path} holds {max(0, len(data) - start)} bytes where its header says {shape}. Likely cause: a copy that broke off. "
            f"{COPY}"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
