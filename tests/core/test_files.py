"""Writing is all or nothing, and a full or forbidden disk is one sentence."""

import errno
import os
from pathlib import Path

import pytest

from parametra.core.errors import DataError
from parametra.core.files import atomic_path, clean_temporaries, explain_disk, write_text


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_whole_and_replaces_the_old_one(tmp_path):
    for text in ("one", "two"):
        write_text(tmp_path / "deep" / "a.txt", text)
        assert (tmp_path / "deep" / "a.txt").read_text() == text
    assert names(tmp_path / "deep") == ["a.txt"]


def test_a_folder_is_replaced_whole(tmp_path):
    for name in ("one", "two"):
        with atomic_path(tmp_path / "a") as temporary:
            temporary.mkdir()
            (temporary / name).touch()
        assert names(tmp_path / "a") == [name]
    assert names(tmp_path) == ["a"]


def test_an_error_in_the_middle_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a", "old")

    def half():
        with atomic_path(tmp_path / "a") as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_file_does_not_replace_a_folder(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "precious").write_text("years of work")
    monkeypatch.chdir(tmp_path)
    for path in ("models", ".", "/", tmp_path / "models" / ".."):
        with pytest.raises(DataError, match="is a folder. Remedy: a file name"):
            write_text(path, "text")
    assert (tmp_path / "models" / "precious").read_text() == "years of work"
    assert names(tmp_path) == ["models"]


def test_a_file_where_a_folder_is_needed_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    for path in ("file/a.txt", "file/deep/a.txt"):
        with pytest.raises(DataError, match="cannot be made: .*Remedy"):
            write_text(tmp_path / path, "text")


def test_leftovers_of_killed_writers_are_cleaned(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".a.123.partial").write_text("half")
    (tmp_path / ".b.123.partial").mkdir()
    (tmp_path / "keep").touch()
    clean_temporaries(tmp_path)
    assert names(tmp_path) == ["deep", "keep"]
    assert names(tmp_path / "deep") == []


def wrapped_enospc():
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError as error:
        raise RuntimeError("a library failed") from error


def test_a_full_disk_is_a_sentence_also_when_a_library_wraps_it(tmp_path):
    for fail in (wrapped_enospc, lambda: (_ for _ in ()).throw(ValueError("RESOURCE_EXHAUSTED: No space left on device"))):
        with pytest.raises(DataError, match=r"no space left on the disk \(.* MB free\).*Remedy"), explain_disk(tmp_path):
            list(fail() or ())


def test_other_errors_stay_themselves(tmp_path):
    with pytest.raises(KeyError), explain_disk(tmp_path):
        raise KeyError("bug")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_real_full_disk(tmp_path):
    with pytest.raises(DataError, match="no space left"), explain_disk(tmp_path):
        Path("/dev/full").write_bytes(b"x" * 100000)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_forbidden_folder_is_a_sentence(tmp_path, code, monkeypatch):
    words = f"Could not write {tmp_path}: {os.strerror(code)}.*--out"
    with pytest.raises(DataError, match=words), explain_disk(tmp_path):
        raise OSError(code, "denied", str(tmp_path / "fields" / "a"))
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(DataError, match=words), explain_disk(tmp_path):
        raise OSError(code, "denied", os.fsencode(tmp_path.name))


def test_a_forbidden_neighbour_is_a_sentence_about_the_file_beside_it(tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(errno.EACCES, "denied", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(DataError, match=f"Could not write {tmp_path / 'a'}: Permission denied"):
        write_text(tmp_path / "a", "text")


def test_a_forbidden_file_elsewhere_is_not_blamed_on_the_folder(tmp_path):
    for name in (str(tmp_path / "data" / "a"), str(tmp_path / "run2"), None):
        with pytest.raises(PermissionError), explain_disk(tmp_path / "run"):
            raise PermissionError(errno.EACCES, "denied", name)


def test_an_error_met_while_another_is_handled_is_not_blamed_on_the_disk(tmp_path):
    def forgotten():
        try:
            raise PermissionError(errno.EACCES, "denied", str(tmp_path / "a"))
        except PermissionError:
            raise KeyError("bug") from None

    with pytest.raises(KeyError), explain_disk(tmp_path):
        forgotten()
