"""Paths to files: folders walked in a stable order, hidden files left out, loops of links cut.

Comes in: the paths a user named. Leaves: one entry a regular file, or with the error that keeps it from
being read. Nothing but names and file types is looked at; no file is opened.
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

_PASSING = frozenset(
    {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.EHOSTDOWN}
)
"""What network file systems and busy machines answer now and then."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file of the request, with the reason if it cannot be read."""

    path: Path
    error: MedkgError | None = None


def walk(path: Path) -> Iterator[FoundFile]:
    """The file `path`, or all files below the folder `path`, sorted by name; one folder is read at a time."""
    yield from _walk(path, set())


def _walk(path: Path, seen: set[tuple[int, int]]) -> Iterator[FoundFile]:
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            yield FoundFile(path)
            return
        if not stat.S_ISDIR(status.st_mode):
            yield FoundFile(path, _not_a_file(path))
            return
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            return
        seen.add(identity)
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))  # noqa: PTH208
    except OSError as error:
        yield FoundFile(path, unreadable(path, error))
        return
    for name in names:
        yield from _walk(path / name, seen)


def unreadable(path: Path, error: OSError) -> MedkgError:
    """The error of a file that the system does not give us: passing ones are repeated."""
    cause = error.strerror or str(error)
    if error.errno in _PASSING:
        return ServiceError(f"{file_uri(path)}: {cause}. The file system may be busy; it is tried again.")
    return InputUnreadableError(
        f"{file_uri(path)}: cannot be read: {cause}. Check that it exists and may be read, then run again."
    )


def _not_a_file(path: Path) -> InputUnreadableError:
    return InputUnreadableError(
        f"{file_uri(path)}: neither a file nor a folder (a pipe, socket or device). Name a regular file."
    )


def file_uri(path: Path) -> str:
    """The path as it is written; a file: URL where its name is not valid text."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return path.as_uri()
    return text


def path_of(uri: str) -> Path:
    """The path that `file_uri` named."""
    if uri.startswith("file://"):
        return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))
    return Path(uri)
