"""Finding and reading the user's files: every way in which they can be wrong is a sentence with cause and remedy."""

import gzip
import hashlib
import os
import zlib
from pathlib import Path

from parametra.core.errors import DataError, UsageError
from parametra.learn.datasets.names import SUBFOLDERS, TITLES

ENVIRONMENT = "PARAMETRA_DATA"


def data_folder(name: str, folder: str = "") -> Path:
    """The folder that `folder` or the environment names, UsageError if none does; DataError if it cannot be looked into."""
    chosen = folder or os.environ.get(ENVIRONMENT, "")
    if not chosen:
        raise UsageError(
            f"{name} is not embedded. Remedy: --set data.folder=DIR, or {ENVIRONMENT}=DIR, with its files; or another data set."
        )
    path = Path(chosen).expanduser()
    try:
        if path.is_file() and name == "text":
            return path
        next(path.iterdir(), None)  # asks for the right to look
    except OSError as error:
        raise DataError(unreadable(path, error)) from None
    return path


def find(folder: Path, name: str, file: str, *others: str) -> Path:
    """`file` or `file`.gz in `folder` or in the usual subfolder of the set `name`, or one of its `others`; else a DataError."""
    for place in (folder, *(folder / inner for inner in SUBFOLDERS.get(name, ()))):
        for candidate in (place / form for known in (file, *others) for form in (known, f"{known}.gz")):
            if exists(candidate):
                return candidate
    inside = " or ".join(SUBFOLDERS.get(name, ()))
    raise DataError(
        f"{folder / file} is absent. Likely cause: another folder, or {TITLES[name]} is not there in full. Remedy: the folder "
        f"that holds {file} or {file}.gz, or its parent with a subfolder {inside}."
    )


def exists(path: Path) -> bool:
    """Whether the file is there; DataError if one may not look."""
    try:
        return path.is_file()
    except OSError as error:
        raise DataError(unreadable(path, error)) from None


def read_bytes(path: Path) -> bytes:
    """The contents, decompressed where the name ends in .gz; DataError if unreadable, damaged or empty."""
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} cannot be decompressed ({error}). Likely cause: a copy that broke off. {COPY}") from None
    except OSError as error:
        raise DataError(unreadable(path, error)) from None
    if not data:
        raise DataError(f"{path} is empty. Likely cause: a copy that broke off. {COPY}")
    return data


COPY = "Remedy: copy the file again."


def checksum(data: bytes) -> str:
    """The sha256 of decompressed contents."""
    return hashlib.sha256(data).hexdigest()


def unreadable(path: Path, error: OSError) -> str:
    """The sentence for a file or folder that the system does not give."""
    reason = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        return f"{path} is absent. Likely cause: a mistyped name. Remedy: --set data.folder=DIR or {ENVIRONMENT}=DIR that exists."
    if isinstance(error, PermissionError):
        return (
            f"{path} may not be read: {reason.lower()}. Likely cause: it belongs to another user. Remedy: give yourself the "
            "right to read it, or copy it to a folder of yours."
        )
    return f"{path} cannot be read: {reason.lower()}. Remedy: --set data.folder=DIR with the folder that holds the files."
