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
COMPILED = "compiled"  # the folder in a run where jax keeps its programs, the first before there is a run


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary neighbour of `path`, a file or a folder as the body likes, that becomes `path` when the body ends well.

    An exception in the body removes the temporary and leaves an existing `path` alone. A file is replaced in one rename; a
    folder in two (a kill between them leaves no `path`, never a mixture).

    Raises:
        DataError: no space, no permission, or a read-only disk.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    with explain_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(temporary)
        try:
            yield temporary
            if temporary.is_file():
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
def explain_disk(path: Path) -> Iterator[None]:
    """Turn the disk errors that a user can mend (full, forbidden, read-only) into a DataError that names `path`."""
    try:
        yield
    except Exception as error:
        sentence = disk_sentence(error, path)
        if sentence is None:
            raise
        raise DataError(sentence) from error


def disk_sentence(error: BaseException, path: Path) -> str | None:
    """One sentence for a full, forbidden or read-only disk; None for any other error.

    Libraries below wrap the system's error in their own, so the chain of causes and the text are searched too.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, DataError):
            return None
        code, text = getattr(seen, "errno", None), str(seen).lower()
        if code in (errno.ENOSPC, errno.EDQUOT) or "no space left on device" in text or "disk quota exceeded" in text:
            free = round(1000 * free_disk(path))
            return (
                f"Could not write {path}: no space left on the disk ({free} MB free). Likely cause: the run's fields and "
                "checkpoints need more. Remedy: free some space and give the same command again, it goes on where it was."
            )
        if code in (errno.EACCES, errno.EPERM, errno.EROFS):
            return (
                f"Could not write {path}: {os.strerror(code)}. Likely cause: the folder belongs to another user or a read-only "
                "disk. Remedy: --out with a folder that you may write."
            )
        seen = seen.__cause__ or seen.__context__
    return None
