"""Text as numbers: words or characters, with a vocabulary made from the training part."""

import re
from collections import Counter
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np

from parametra.core.errors import DataError, UsageError
from parametra.learn.datasets import hub
from parametra.learn.datasets.files import checksum, data_folder, exists, find, read_bytes, unreadable
from parametra.learn.datasets.names import TITLES, Source, TextSet

UNKNOWN, LINE_END = "<unk>", "<eos>"
WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")  # words, apostrophes inside, and single marks
START, END = re.compile(r"\*\*\* ?START OF[^\n]*\*\*\*"), re.compile(r"\*\*\* ?END OF")  # licence around Gutenberg's texts
TRAINED, VALID = 0.9, 0.05  # shares of a running text; the rest is the test part
FILES = {
    "ptb": (("ptb.train.txt",), ("ptb.valid.txt",), ("ptb.test.txt",)),
    "wikitext-2": (("wiki.train.tokens", "train.txt"), ("wiki.valid.tokens", "valid.txt"), ("wiki.test.tokens", "test.txt")),
}
PTB_TRAIN = "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"


@dataclass(frozen=True)
class Text:
    """Three parts of a text as numbers of the vocabulary.

    Attributes:
        title: how results must call it.
        train: (n,) 32-bit integers.
        valid: (m,).
        test: (k,).
        vocabulary: the word or character of each number.
        unit: what a number stands for.
    """

    title: str
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    vocabulary: tuple[str, ...]
    unit: Literal["word", "character"]


def load_text(
    name: TextSet,
    folder: str = "",
    *,
    source: Source = "folder",
    unit: Literal["word", "character"] = "word",
    least: int = 1,
    limit: int = 50_000,
) -> Text:
    """The text of the set `name`.

    Penn Treebank and WikiText-2 come in words already, with a split; a line end is the word <eos>. Running text is put into small
    letters and cut into words and marks; its first 90 % are trained on, 5 % validate, 5 % test. Words that the training part
    lacks are <unk>.

    Args:
        name: "war-and-peace" is embedded; "text" is a file, or all .txt files of a folder in the order of their names.
        folder: folder of the files, or its parent; the environment variable PARAMETRA_DATA where empty.
        source: "huggingface" reads by the `datasets` package instead, which may download.
        unit: what is predicted.
        least: words that occur less often in the training part are <unk>.
        limit: the largest vocabulary that is accepted.

    Raises:
        UsageError: no folder for a set that is not embedded, a vocabulary above the limit, or an absent `datasets` package.
        DataError: files that are absent, damaged, forbidden, not UTF-8 or without a word.
    """
    title = TITLES[name]
    if name in FILES:
        if source == "huggingface":
            texts = hub.read_text(name)
        else:
            texts, published = _split_files(data_folder(name, folder), name)
            title += "" if published else " (other files than the published ones)"
        parts = [_characters(text) if unit == "character" else text.replace("\n", f" {LINE_END} ").split() for text in texts]
    else:
        text, where = _embedded() if name == "war-and-peace" else _running(data_folder(name, folder))
        title = title if name == "war-and-peace" else where
        pieces = _characters(text) if unit == "character" else WORD.findall(text.lower())
        first, second = int(TRAINED * len(pieces)), int((TRAINED + VALID) * len(pieces))
        parts = [pieces[:first], pieces[first:second], pieces[second:]]
    if min(map(len, parts)) < 2:
        raise DataError(
            f"{title} holds parts of {', '.join(str(len(part)) for part in parts)} {unit}s: nothing to train or test on. Likely "
            "cause: an empty file. Remedy: a text of at least some thousand words."
        )
    return _numbered(title, parts, unit, least, limit)


def columns(numbers: np.ndarray, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """(words, next words), each (time, batch): the text cut into `batch` columns that are read side by side.

    Raises:
        DataError: fewer than two words for every column.
    """
    steps = (len(numbers) - 1) // batch
    if steps < 1:
        raise DataError(f"A text of {len(numbers)} words has no {batch} columns. Remedy: a smaller batch, or a longer text.")
    cut = [numbers[shift : shift + steps * batch].reshape(batch, steps).T for shift in (0, 1)]
    return np.ascontiguousarray(cut[0]), np.ascontiguousarray(cut[1])


def _numbered(title: str, parts: list[list[str]], unit: Literal["word", "character"], least: int, limit: int) -> Text:
    counts = Counter(parts[0])
    kept = sorted((word for word, count in counts.items() if count >= least and word != UNKNOWN), key=lambda w: (-counts[w], w))
    vocabulary = (UNKNOWN, *kept)
    if len(vocabulary) > limit:
        raise UsageError(
            f"{title} has a vocabulary of {len(vocabulary)} {unit}s, more than the limit of {limit}. Likely cause: a text with "
            f"many rare {unit}s. Remedy: a larger limit, or leave out those that occur less often (least={least + 1} or more)."
        )
    numbers = {word: number for number, word in enumerate(vocabulary)}
    arrays = [np.array([numbers.get(word, 0) for word in part], np.int32) for part in parts]
    return Text(title, arrays[0], arrays[1], arrays[2], vocabulary, unit)


def _characters(text: str) -> list[str]:
    return list(text)


def _split_files(folder: Path, name: str) -> tuple[list[str], bool]:
    """The three parts, and whether they are known to be other files than the published ones."""
    texts, published = [], True
    for number, names in enumerate(FILES[name]):
        path = find(folder, name, *names)
        data = read_bytes(path)
        if name == "ptb" and number == 0:
            published = checksum(data) == PTB_TRAIN
        texts.append(_decoded(data, path))
    return texts, published


def _embedded() -> tuple[str, str]:
    """The beginning of the Maude translation of Tolstoy's War and Peace, in the public domain; its file says more."""
    with resources.as_file(resources.files("parametra.learn.datasets") / "war-and-peace.txt.gz") as path:
        return _decoded(read_bytes(path), path), path.name


def _running(path: Path) -> tuple[str, str]:
    """A file, or all text files of a folder; what stands around a text of Project Gutenberg is left out in memory."""
    files = [path] if exists(path) else _texts(path) or _texts(path / "text")
    if not files:
        raise DataError(
            f"{path} holds no .txt file. Likely cause: another folder. Remedy: data.folder with a text file or its folder."
        )
    texts = []
    for file in files:
        text = _decoded(read_bytes(file), file)
        start, end = START.search(text), END.search(text)
        texts.append(text[start.end() if start else 0 : end.start() if end else None])
    return "\n".join(texts), ", ".join(file.name for file in files[:3]) + (", ..." if len(files) > 3 else "")


def _texts(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.suffix == ".txt")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:  # a glob would find nothing, and not say that it may not look
        raise DataError(unreadable(folder, error)) from None


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start}). Remedy: convert it, for instance by iconv."
        ) from None
