"""Readers of images and text: what they read is what was written, and every bad file is a sentence with a remedy."""

import contextlib
import gzip
import io
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parametra.core.errors import DataError, UsageError
from parametra.learn.datasets import columns, idx, load_images, load_text
from parametra.learn.datasets.files import read_bytes

GENERATOR = np.random.default_rng(0)


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


def write_idx(folder, count=12, classes=10):
    wanted = []
    for part in ("train", "t10k"):
        images = GENERATOR.integers(0, 256, (count, 28, 28), np.uint8)
        labels = GENERATOR.integers(0, classes, count).astype(np.uint8)
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
        wanted += [images, labels]
    return wanted


def write_cifar(folder, files, labels, count=5):
    wanted = []
    for name in files:
        rows = GENERATOR.integers(0, 10, (count, labels + 3072)).astype(np.uint8)
        (folder / name).write_bytes(rows.tobytes())
        wanted.append(rows)
    return np.concatenate(wanted)


def write_packed(path, count=4):
    from PIL import Image

    images = np.full((count, 32, 32, 3), np.arange(count)[:, None, None, None] * 40, np.uint8)
    parts = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=95)
        parts.append(stream.getvalue())
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    np.savez(path, jpeg=np.frombuffer(b"".join(parts), np.uint8), offsets=offsets, labels=np.arange(count, dtype=np.uint8))
    return images


def test_digits_are_whole_and_their_moments_are_numpys():
    found = load_images("digits")
    assert len(found.train) + len(found.test) == 1797
    assert found.white == found.train.max() == 16
    mean, deviation = found.moments()
    np.testing.assert_allclose(mean, found.train.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(deviation, found.train.std((0, 1, 2)), rtol=1e-6)
    assert not np.array_equal(load_images("digits", seed=1).test, found.test)


def test_idx_files_are_read_packed_or_not_from_the_folder_or_below_it(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    wanted = write_idx(tmp_path / "mnist")
    monkeypatch.setenv("PARAMETRA_DATA", str(tmp_path))
    for folder in ("", str(tmp_path / "mnist")):
        found = load_images("mnist", folder)
        np.testing.assert_array_equal(found.train[..., 0], wanted[0])
        np.testing.assert_array_equal(found.test_labels, wanted[3])
    assert found.title == "MNIST (other files than the published ones)"
    assert load_images("fashion-mnist", str(tmp_path / "mnist")).title == "Fashion-MNIST"


def test_cifar_binary_rows_become_images_channels_last(tmp_path):
    names = [f"data_batch_{number}.bin" for number in range(1, 6)]
    rows = write_cifar(tmp_path, names, 1)
    write_cifar(tmp_path, ["test_batch.bin"], 1)
    found = load_images("cifar10", str(tmp_path))
    assert found.train.shape == (25, 32, 32, 3)
    assert found.title == "CIFAR-10"
    np.testing.assert_array_equal(found.train[7, 2, 3], rows[7, [1 + 67, 1 + 1024 + 67, 1 + 2048 + 67]])
    rows = write_cifar(tmp_path, ["train.bin"], 2)
    write_cifar(tmp_path, ["test.bin"], 2)
    found = load_images("cifar100", str(tmp_path))
    assert found.classes == 100
    np.testing.assert_array_equal(found.labels, rows[:, 1])  # fine, not coarse


def test_packed_jpeg_is_read_with_its_rest_and_called_what_it_is(tmp_path):
    images = write_packed(tmp_path / "train-20k.npz")
    write_packed(tmp_path / "test-4k.npz", 3)
    found = load_images("cifar10-jpeg", str(tmp_path))
    assert found.title == "CIFAR-10 (JPEG copy)"
    assert np.abs(found.train.astype(int) - images).max() <= 2  # flat images survive JPEG
    write_packed(tmp_path / "train-rest-30k.npz", 2)
    assert len(load_images("cifar10-jpeg", str(tmp_path)).train) == 6
    (tmp_path / "test-4k.npz").write_bytes((tmp_path / "test-4k.npz").read_bytes()[:200])
    with pytest.raises(DataError, match="test-4k.npz is no archive.*Remedy"):
        load_images("cifar10-jpeg", str(tmp_path))
    (tmp_path / "test-4k.npz").write_bytes(b"\x80\x04K\x03.")  # numpy alone would take it for a pickle
    with pytest.raises(DataError, match="starts with 80044b03.*Remedy"):
        load_images("cifar10-jpeg", str(tmp_path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": lambda old: old["labels"] + np.uint8(7)}, "labels from 7 to 10, expected 0 to 9"),
        ({"labels": lambda old: old["labels"].astype(np.int8) - 2}, "labels from -2 to 1, expected 0 to 9"),
        ({"labels": lambda old: old["labels"] + 0.5}, "three rows of integers"),
        ({"labels": lambda old: old["labels"].astype(object)}, "no archive"),
        ({"labels": lambda old: old["labels"][:0], "offsets": lambda old: old["offsets"][:1]}, "one image or more"),
        ({"offsets": lambda old: old["offsets"][[0, 2, 1, 3, 4]]}, "offsets that do not cut them"),
        ({"offsets": lambda old: old["offsets"] + np.array([0, 3, 0, 0, 0])}, "is no JPEG|is damaged"),
    ],
)
def test_packed_images_that_disagree_are_refused(tmp_path, change, words):
    write_packed(tmp_path / "train-20k.npz")
    write_packed(tmp_path / "test-4k.npz", 3)
    with np.load(tmp_path / "train-20k.npz") as archive:
        old = dict(archive)
    np.savez(tmp_path / "train-20k.npz", **(old | {name: make(old) for name, make in change.items()}))
    with pytest.raises(DataError, match=f"(?s)({words}).*Remedy"):
        load_images("cifar10-jpeg", str(tmp_path))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: b"", "is empty"),
        (lambda data: data[:-1], "bytes where its header says"),
        (lambda data: data[:6], "bytes where its header says"),
        (lambda data: bytes([0, 0, 8, 3]) + data[4:], "starts with 00000803"),
        (lambda data: b"\x89PNG" + data, "starts with 89504e47"),
        (lambda data: data[:-1] + b"\x0a", "to 10, expected 0 to 9"),
        (lambda data: idx_bytes(np.zeros(11, np.uint8)), "11 labels for 12 images"),
    ],
)
def test_damaged_labels_are_refused(tmp_path, damage, words):
    write_idx(tmp_path)
    path = tmp_path / "t10k-labels-idx1-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"{words}.*Remedy"):
        load_images("mnist", str(tmp_path))


@given(st.binary(max_size=64))
def test_any_bytes_are_an_idx_file_or_refused(data):
    with contextlib.suppress(DataError):
        assert idx_bytes(idx.parse(data, 1, Path("labels"))) == data


def test_files_that_are_absent_broken_off_or_forbidden(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="is absent.*mistyped"):
        load_images("mnist", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="train-images-idx3-ubyte is absent.*subfolder mnist"):
        load_images("mnist", str(tmp_path))
    whole = gzip.compress(bytes(range(256)) * 40)
    for name, data in (("half.gz", whole[: len(whole) // 2]), ("none.gz", b"text")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match="cannot be decompressed.*Remedy"):
            read_bytes(tmp_path / name)

    look = Path.iterdir

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "inner" / "text").mkdir(parents=True)
    monkeypatch.setattr(Path, "iterdir", lambda path: refuse() if path.name == "text" else look(path))
    with pytest.raises(DataError, match="text may not be read: permission denied.*Remedy"):
        load_text("text", str(tmp_path / "inner"))
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match="may not be read: permission denied.*Remedy"):
        load_images("cifar10", str(tmp_path))
    monkeypatch.delenv("PARAMETRA_DATA", raising=False)
    with pytest.raises(UsageError, match="cifar10 is not embedded.*PARAMETRA_DATA"):
        load_images("cifar10")


def test_rows_of_another_length_are_refused(tmp_path):
    write_cifar(tmp_path, ["train.bin", "test.bin"], 1)
    with pytest.raises(DataError, match="not a whole number of rows of 3074.*binary"):
        load_images("cifar100", str(tmp_path))


def test_embedded_text_is_words_of_its_own_vocabulary():
    text = load_text("war-and-peace", least=3)
    assert text.train.max() == len(text.vocabulary) - 1
    assert 0.02 < (text.test == 0).mean() < 0.2  # some words of the last part are unknown
    words = [text.vocabulary[number] for number in text.train[:40]]
    assert "prince" in words
    assert len(text.train) > 90_000


def test_split_sets_keep_their_words_and_line_ends(tmp_path):
    for part, words in (("train", "a b <unk>\nc\n"), ("valid", "b d\n"), ("test", "c\n")):
        (tmp_path / f"ptb.{part}.txt").write_text(words)
        (tmp_path / f"{part}.txt").write_text(words)
    for name in ("ptb", "wikitext-2"):
        text = load_text(name, str(tmp_path))
        read = [text.vocabulary[number] for number in text.train]
        assert read == ["a", "b", "<unk>", "<eos>", "c", "<eos>"]
        assert [text.vocabulary[number] for number in text.valid] == ["b", "<unk>", "<eos>"]
    with pytest.raises(UsageError, match="vocabulary of 5 words, more than the limit of 4.*Remedy"):
        load_text("ptb", str(tmp_path), limit=4)
    assert "other files" in load_text("ptb", str(tmp_path)).title


def test_plain_text_loses_what_stands_around_it(tmp_path):
    path = tmp_path / "book.txt"
    story = "One word. " * 60
    path.write_text(f"licence\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n{story}\n*** END OF THIS\nlicence")
    for place in (path, tmp_path):
        text = load_text("text", str(place))
        assert set(text.vocabulary) == {"<unk>", "one", "word", "."}
        assert text.title == "book.txt"
    assert set(load_text("text", str(path), unit="character").vocabulary) == {"<unk>", "\n", *story}
    for data, words in ((b"", "is empty"), (b"\n \n", "nothing to train"), (b"\xff\xfe", "not UTF-8")):
        path.write_bytes(data)
        with pytest.raises(DataError, match=f"{words}.*Remedy"):
            load_text("text", str(path))


@given(st.integers(2, 40), st.integers(1, 12))
def test_columns_hold_each_word_before_the_next_one(length, batch):
    numbers = np.arange(length, dtype=np.int32)
    if length - 1 < batch:
        with pytest.raises(DataError, match="columns.*Remedy"):
            columns(numbers, batch)
        return
    words, following = columns(numbers, batch)
    assert words.shape == (max(1, (length - 1) // batch), batch)
    np.testing.assert_array_equal(following, words + 1)
    np.testing.assert_array_equal(words.T.ravel(), numbers[: words.size])


def test_the_datasets_package_is_asked_only_on_request(monkeypatch):
    class Table(dict):
        def with_format(self, _):
            return self

    def load(path, *_, split):
        if split == "train":
            return Table(image=np.zeros((3, 28, 28), np.uint8), label=[0, 1, 2], text=["a b\n", "\n"])
        return Table(image=np.ones((2, 28, 28), np.uint8), label=[3, 4], text=["b\n", "a\n"])

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load))
    found = load_images("mnist", source="huggingface")
    assert found.train.shape == (3, 28, 28, 1)
    text = load_text("wikitext-2", source="huggingface")
    assert re.sub(r"\d", "", " ".join(text.vocabulary[number] for number in text.train)) == "a b <eos> <eos>"
    with pytest.raises(UsageError, match="ptb is not read by the datasets package"):
        load_text("ptb", source="huggingface")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match=r'pip install "parametra\[data\]"'):
        load_images("mnist", source="huggingface")

    def offline(*_, split):
        raise ConnectionError("no route")

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=offline))
    with pytest.raises(DataError, match="ConnectionError: no route.*Remedy"):
        load_images("cifar10", source="huggingface")


def test_training_and_test_images_of_two_sizes_are_refused(tmp_path):
    write_idx(tmp_path)
    images = np.zeros((12, 20, 20), np.uint8)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images)))
    with pytest.raises(DataError, match=r"\(28, 28\) pixels and test images of \(20, 20\).*files of two sets"):
        load_images("mnist", str(tmp_path))
