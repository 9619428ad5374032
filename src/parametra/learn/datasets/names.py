"""What the sets are called, in configurations and in results."""

from types import MappingProxyType
from typing import Literal

ImageSet = Literal["digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "cifar10-jpeg"]
TextSet = Literal["war-and-peace", "ptb", "wikitext-2", "text"]
Source = Literal["folder", "huggingface"]

TITLES = MappingProxyType(
    {
        "digits": "scikit-learn's digits",
        "mnist": "MNIST",
        "fashion-mnist": "Fashion-MNIST",
        "cifar10": "CIFAR-10",
        "cifar100": "CIFAR-100",
        "cifar10-jpeg": "CIFAR-10 (JPEG copy)",
        "war-and-peace": "War and Peace, Books One and Two",
        "ptb": "Penn Treebank",
        "wikitext-2": "WikiText-2",
        "text": "text of the user's",
    }
)
# Subfolders in which the sets stand beside one another, if they do not stand in the folder itself.
SUBFOLDERS = MappingProxyType(
    {
        "mnist": ("mnist", "MNIST/raw"),
        "fashion-mnist": ("fashion-mnist", "FashionMNIST/raw"),
        "cifar10": ("cifar-10-batches-bin", "cifar10"),
        "cifar100": ("cifar-100-binary", "cifar100"),
        "cifar10-jpeg": ("cifar10-jpeg",),
        "ptb": ("ptb", "penn"),
        "wikitext-2": ("wikitext-2",),
        "text": ("text",),
    }
)
EMBEDDED = ("digits", "war-and-peace")
