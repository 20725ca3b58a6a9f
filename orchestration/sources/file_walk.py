"""Files of paths: walks folders in a stable order, omits hidden files, stops at loops and data folders.

Comes in: the paths that a user named. Leaves: one entry per regular file; one with its error per path that
cannot be read. Reads names and file types only; opens no file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from orchestration.errors import InputUnreadableError, MedkgError, ServiceError

_TRANSIENT = frozenset(
    {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.EHOSTDOWN}
)
"""Errors of network file systems and busy machines that pass."""

_DATA_FOLDER_FILES = frozenset({"ledger.sqlite", "stores.json"})
"""Files that a data folder of medkg has: its own records are no documents."""


@dataclass(frozen=True, slots=True)
class WalkedFile:
    """One file of the request; `error` is set if it cannot be read."""

    path: Path
    error: MedkgError | None = None


def walk(path: Path) -> Iterator[WalkedFile]:
    """The file `path`, or all files below the folder `path`, sorted by name; one folder is read at a time."""
    yield from _walk(path, set())


def _walk(path: Path, visited: set[tuple[int, int]]) -> Iterator[WalkedFile]:
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            yield WalkedFile(path)
            return
        if not stat.S_ISDIR(status.st_mode):
            yield WalkedFile(path, _not_a_file(path))
            return
        identity = (status.st_dev, status.st_ino)
        if identity in visited:
            return
        visited.add(identity)
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))  # noqa: PTH208
    except OSError as error:
        yield WalkedFile(path, unreadable(path, error))
        return
    if mark := next((name for name in names if name in _DATA_FOLDER_FILES), None):
        yield WalkedFile(path, _data_folder(path, mark))
        return
    for name in names:
        yield from _walk(path / name, visited)


def unreadable(path: Path, error: OSError) -> MedkgError:
    """The error of a file that cannot be read; a transient one where another attempt may succeed."""
    cause = error.strerror or str(error)
    if error.errno in _TRANSIENT:
        return ServiceError(f"{file_uri(path)}: {cause}. The file system may be busy; the read is repeated.")
    return InputUnreadableError(
        f"{file_uri(path)}: cannot be read: {cause}. Check that it exists and may be read, then run again."
    )


def _not_a_file(path: Path) -> InputUnreadableError:
    return InputUnreadableError(
        f"{file_uri(path)}: neither a file nor a folder (a pipe, socket or device). Name a regular file."
    )


def _data_folder(path: Path, mark: str) -> InputUnreadableError:
    return InputUnreadableError(
        f"{file_uri(path)}: a data folder of medkg, since it holds {mark}. Keep it outside of the folders "
        "that are ingested; if it is not one, name its files with --path."
    )


def file_uri(path: Path) -> str:
    """The path as text; a file: URL where its name is not valid text."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return path.as_uri()
    return text


def path_of(uri: str) -> Path:
    """The path of a URI from `file_uri`."""
    if uri.startswith("file://"):
        return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))
    return Path(uri)


def is_path(place: str) -> bool:
    """Return whether a place is a file or folder, not the listing of a service."""
    return place.startswith(("/", "file://"))
