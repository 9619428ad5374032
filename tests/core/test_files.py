"""Writing is all or nothing, and a full or forbidden disk is one sentence."""

import errno
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


def test_a_forbidden_folder_is_a_sentence(tmp_path):
    with pytest.raises(DataError, match="Permission denied.*--out"), explain_disk(tmp_path):
        raise PermissionError(errno.EACCES, "denied")
