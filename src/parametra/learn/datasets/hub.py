"""The sets by the `datasets` package of Hugging Face, an optional extra: only on request, since it may download."""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from parametra.core.errors import DataError, UsageError

IMAGES = {
    "mnist": ("ylecun/mnist", "image", "label"),
    "fashion-mnist": ("zalando-datasets/fashion_mnist", "image", "label"),
    "cifar10": ("uoft-cs/cifar10", "img", "label"),
    "cifar100": ("uoft-cs/cifar100", "img", "fine_label"),
}
TEXTS = {"wikitext-2": ("Salesforce/wikitext", "wikitext-2-v1")}


def read_images(name: str) -> list[np.ndarray]:
    """[training images, labels, test images, labels].

    Raises:
        UsageError: the package is not installed, or the set is not known there.
        DataError: the package could not give it.
    """
    _check(name, IMAGES)
    path, images, labels = IMAGES[name]
    found = []
    for split in ("train", "test"):
        table = _load(path, split=split).with_format("numpy")
        pixels = np.asarray(table[images], np.uint8)
        found += [pixels if pixels.ndim == 4 else pixels[..., None], np.asarray(table[labels], np.uint8)]
    return found


def read_text(name: str) -> list[str]:
    """[train, valid, test] as text with a line break after each line; errors as in `read_images`."""
    _check(name, TEXTS)
    return ["".join(_load(*TEXTS[name], split=split)["text"]) for split in ("train", "validation", "test")]


def _check(name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise UsageError(
            f"{name} is not read by the datasets package. Known there: {', '.join(known)}. Remedy: data.source=folder."
        )


def _load(*arguments: str, split: str) -> Any:
    try:
        package = importlib.import_module("datasets")
    except ImportError:
        raise UsageError('data.source=huggingface needs the extra: pip install "parametra[data]".') from None
    try:
        return package.load_dataset(*arguments, split=split)
    except Exception as error:  # the package has no base class of its errors
        raise DataError(
            f"The datasets package could not give {arguments[0]} ({type(error).__name__}: {error}). Likely cause: no network "
            "and no copy in its cache. Remedy: data.source=folder with files of yours."
        ) from error
