"""CIFAR-10 and CIFAR-100 in the binary version of Krizhevsky (2009), and CIFAR-10 as packed JPEG files."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from parametra.core.errors import DataError
from parametra.learn.datasets.files import COPY, exists, find, read_bytes

SIDE, PIXELS = 32, 3 * 32 * 32
FILES = {
    "cifar10": (tuple(f"data_batch_{number}.bin" for number in range(1, 6)), ("test_batch.bin",)),
    "cifar100": (("train.bin",), ("test.bin",)),
}
PACKED = (("train-20k.npz", "train-rest-30k.npz"), ("test-4k.npz", "test-rest-6k.npz"))
KEYS, ZIP = ("jpeg", "offsets", "labels"), b"PK\x03\x04"


def read_binary(folder: Path, name: str) -> list[np.ndarray]:
    """[training images (n, 32, 32, 3), labels, test images, labels]; a row is one label (CIFAR-100: coarse, fine) and the pixels.

    Raises:
        DataError: a file that is absent, or not a whole number of rows.
    """
    labels = 2 if name == "cifar100" else 1
    found = []
    for files in FILES[name]:
        rows = np.concatenate([_rows(find(folder, name, file), labels) for file in files])
        images = rows[:, labels:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
        found += [np.ascontiguousarray(images), rows[:, labels - 1]]
    return found


def read_packed(folder: Path) -> list[np.ndarray]:
    """The same from .npz files whose `jpeg` holds all JPEG files end to end, cut at `offsets`; the `-rest` files where they are.

    Raises:
        DataError: train-20k.npz or test-4k.npz absent, or a file that is no such archive.
    """
    found = []
    for first, rest in PACKED:
        path = find(folder, "cifar10-jpeg", first)
        parts = [_unpack(file) for file in (path, path.with_name(rest)) if exists(file)]
        found += [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    return found


def _rows(path: Path, labels: int) -> np.ndarray:
    data = read_bytes(path)
    if len(data) % (labels + PIXELS):
        raise DataError(
            f"{path} has {len(data)} bytes, not a whole number of rows of {labels + PIXELS}. Likely cause: a copy that broke "
            "off, or another version than the binary one. Remedy: the binary version, copied again."
        )
    return np.frombuffer(data, np.uint8).reshape(-1, labels + PIXELS)


def _unpack(path: Path) -> tuple[np.ndarray, np.ndarray]:
    from PIL import Image, UnidentifiedImageError

    contents = read_bytes(path)
    try:
        if not contents.startswith(ZIP):
            raise ValueError(f"it starts with {contents[:4].hex()}")  # else numpy would take it for a pickle
        with np.load(io.BytesIO(contents)) as archive:
            data, offsets, labels = (np.asarray(archive[key]) for key in KEYS)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError) as error:
        raise DataError(
            f"{path} is no archive of {', '.join(KEYS)} ({error}). Likely cause: a copy that broke off. {COPY}"
        ) from None
    if any(array.ndim != 1 or array.dtype.kind not in "iu" for array in (data, offsets, labels)) or not len(labels):
        raise DataError(f"{path} must hold three rows of integers, {', '.join(KEYS)}, and one image or more. {COPY}")
    cuts = offsets.astype(np.int64)
    if len(cuts) != len(labels) + 1 or cuts[-1] != len(data) or np.any(np.diff(cuts) <= 0):
        raise DataError(
            f"{path} has {len(labels)} labels, {len(data)} bytes and {len(cuts)} offsets that do not cut them into images. {COPY}"
        )
    raw = data.tobytes()
    images = np.empty((len(labels), SIDE, SIDE, 3), np.uint8)
    for number in range(len(labels)):
        try:
            with Image.open(io.BytesIO(raw[cuts[number] : cuts[number + 1]])) as image:
                pixels = np.asarray(image)
        except UnidentifiedImageError:
            raise DataError(f"Image {number} of {path} is no JPEG. {COPY}") from None
        except OSError as error:
            raise DataError(f"Image {number} of {path} is damaged ({error}). {COPY}") from None
        if pixels.shape != images.shape[1:]:
            raise DataError(
                f"Image {number} of {path} has shape {pixels.shape}, not {images.shape[1:]}. Remedy: the packed CIFAR-10."
            )
        images[number] = pixels
    return images, labels
