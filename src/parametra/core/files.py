"""Writing to disk so that a kill at any moment leaves either the old file or the new one, never half of it."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parametra.core.errors import DataError
from parametra.core.machine import free_disk

TEMPORARY = ".partial"
FULL = errno.ENOSPC, errno.EDQUOT
FORBIDDEN = errno.EACCES, errno.EPERM, errno.EROFS
COMPILED = "compiled"  # the folder in a run where jax keeps its programs, the first before there is a run


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary neighbour of `path`, a file or a folder as the body likes, that becomes `path` when the body ends well.

    An exception in the body removes the temporary and leaves an existing `path` alone. A file is replaced in one rename; a
    folder in two (a kill between them leaves no `path`, never a mixture). A file does not replace a folder.

    Raises:
        DataError: no space, no permission, a read-only disk, a file in the place of the folder above, or a folder in the place of
            the file.
    """
    path = Path(path)
    if not path.name:  # "." or "/"
        raise DataError(_folder_sentence(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    make_folder(path.parent)
    with explain_disk(path, path.parent):
        remove(temporary)
        try:
            yield temporary
            if temporary.is_file():
                if path.is_dir():
                    raise DataError(_folder_sentence(path))
                with temporary.open("rb") as stream:
                    os.fsync(stream.fileno())
            if path.is_dir():
                old = path.with_name(f".{path.name}.{os.getpid()}.replaced{TEMPORARY}")
                remove(old)
                path.rename(old)
                temporary.rename(path)
                remove(old)
            else:
                temporary.replace(path)
        except BaseException:
            remove(temporary)
            raise


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically; DataError as in `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def make_folder(path: Path) -> None:
    """Make the folder `path` and those above it, where they are absent; DataError if that cannot be."""
    with explain_disk(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise DataError(f"{path} cannot be made: {error.strerror}. Remedy: --out with a folder that you may write.") from None


def remove(path: Path) -> None:
    """Remove a file or a whole folder; nothing happens if it is absent."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def clean_temporaries(folder: Path) -> None:
    """Remove what killed writers left below `folder`; only the one process that owns the folder may call it."""
    for leftover in sorted(folder.rglob(f"*{TEMPORARY}")):
        remove(leftover)


@contextmanager
def explain_disk(path: Path, within: Path | None = None) -> Iterator[None]:
    """Turn the disk errors that a user can mend (full, forbidden, read-only) into a DataError that names `path`.

    A forbidden file counts where it lies in `within`, by default in `path`: another one is no matter of writing here.
    """
    try:
        yield
    except Exception as error:
        sentence = disk_sentence(error, path, within)
        if sentence is None:
            raise
        raise DataError(sentence) from error


def disk_sentence(error: BaseException, path: Path, within: Path | None = None) -> str | None:
    """One sentence for a full, forbidden or read-only disk, as in `explain_disk`; None for any other error.

    Libraries below wrap the system's error in their own, so the chain of causes and the text are searched too.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, DataError):
            return None
        code, text = getattr(seen, "errno", None), str(seen).lower()
        if code in FULL or "no space left on device" in text or "disk quota exceeded" in text:
            free = round(1000 * free_disk(path))
            return (
                f"Could not write {path}: no space left on the disk ({free} MB free). Likely cause: the run's fields and "
                "checkpoints need more. Remedy: free some space and give the same command again, it goes on where it was."
            )
        if code in FORBIDDEN and _names_a_file_in(seen, within or path):
            return (
                f"Could not write {path}: {os.strerror(code)}. Likely cause: the folder belongs to another user or a read-only "
                "disk. Remedy: --out with a folder that you may write."
            )
        seen = seen.__cause__
    return None


def _names_a_file_in(error: BaseException, folder: Path) -> bool:
    name = getattr(error, "filename", None)
    if not isinstance(name, str | bytes | os.PathLike):
        return False
    return Path(os.path.realpath(os.fsdecode(name))).is_relative_to(os.path.realpath(folder))


def _folder_sentence(path: Path) -> str:
    return f"{path} is a folder. Remedy: a file name."
