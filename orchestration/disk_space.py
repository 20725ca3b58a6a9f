"""A full or read-only disk, named as that wherever it strikes: the path, the disk and the next step.

Input: an error of the operating system, SQLite or a library, and the paths that were written. Output: the
StoreUnwritableError that names the disk, or None if that is not the cause. The cause is often further
down: a library raises its own error from the OSError, or quotes its text; SQLite reports a file that it
cannot extend as an input/output error, and tempfile finds "no usable temporary directory".
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orchestration.errors import StoreUnwritableError

__all__ = ["full_disk_of", "is_full", "quotes_full_disk", "unwritable_disk", "unwritable_named"]

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
TEXTS: Final = ("No space left on device", "Disk quota exceeded", "database or disk is full")
NO_TEMPORARY_FOLDER: Final = "No usable temporary directory found"
AMBIGUOUS: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
"""SQLite's primary result codes for a file that could not be written, for this or another reason."""

READ_ONLY: Final = os.strerror(errno.EROFS)

NEXT_TO_NOTHING: Final = 1 << 20
"""Free bytes with which SQLite and others fail to extend a file."""

TEMPORARY: Final = ("/tmp", "/dev/shm")
"""Where Ray and temporary files are, unless the environment says otherwise."""


def unwritable_disk(error: BaseException, *paths: Path | str) -> StoreUnwritableError | None:
    """The error that names the disk which is full or read-only, if that is why `error` was raised; else None.

    `paths`: what may have been written, if the error names no file itself.
    """
    for cause in _causes(error):
        if _is_of_full_disk(cause, paths):
            filename = getattr(cause, "filename", None)
            path = Path(os.fsdecode(filename)) if isinstance(filename, str | bytes) else _fullest(paths)
            return StoreUnwritableError(_message(path))
    for cause in _causes(error):
        read_only = next(_read_only(cause, paths), None)
        if read_only is not None:
            return StoreUnwritableError(
                f"{read_only} is on a read-only file system ({_mount(read_only)}), and medkg writes to its "
                "data folder also while it reads. Mount it writable, or name another folder: of the data "
                "folder a copy, with --data-dir."
            )
    return None


@contextmanager
def unwritable_named(path: Path) -> Iterator[None]:
    """Name the file or folder that the disk did not take, for any OSError meanwhile."""
    try:
        yield
    except OSError as error:
        raise unwritable_disk(error, path) or StoreUnwritableError(
            f"{path} cannot be written: {error.strerror or error}. Free disk space or choose another folder; "
            "the same command starts again."
        ) from error


def full_disk_of(*paths: Path | str) -> StoreUnwritableError | None:
    """The error that names the fullest of these paths' disks, if one of them is full; else None."""
    full = tuple(path for path in paths if is_full(path))
    return StoreUnwritableError(_message(_fullest(full))) if full else None


def quotes_full_disk(text: str) -> bool:
    """Whether a message quotes the operating system or SQLite about a full disk."""
    return any(part in text for part in TEXTS)


def is_full(path: Path | str) -> bool:
    """Whether the path's disk has next to no free bytes, or no free inodes."""
    status = os.statvfs(_existing(Path(path)))
    return status.f_bavail * status.f_frsize < NEXT_TO_NOTHING or (status.f_files > 0 and not status.f_favail)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it was raised from or wraps (SQLAlchemy's `orig`)."""
    visited: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        cause = pending.pop(0)
        if cause is None or id(cause) in visited:
            continue
        visited.add(id(cause))
        yield cause
        pending += [getattr(cause, "orig", None), cause.__cause__, cause.__context__]


def _is_of_full_disk(error: BaseException, paths: tuple[Path | str, ...]) -> bool:
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    if quotes_full_disk(str(error)):
        return True
    if isinstance(error, FileNotFoundError) and NO_TEMPORARY_FOLDER in str(error):
        return any(map(is_full, TEMPORARY))
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in AMBIGUOUS and any(map(is_full, paths))


def _read_only(error: BaseException, paths: tuple[Path | str, ...]) -> Iterator[Path]:
    """Paths on read-only file systems that an error is about."""
    filename = getattr(error, "filename", None)
    named = [os.fsdecode(filename)] if isinstance(filename, str | bytes) else []
    code = getattr(error, "sqlite_errorcode", None)
    of_system = isinstance(error, OSError) and error.errno == errno.EROFS
    of_sqlite = code is not None and code & 0xFF in (*AMBIGUOUS, sqlite3.SQLITE_READONLY)
    if of_system or of_sqlite or READ_ONLY in str(error):
        for path in map(Path, (*named, *paths)):
            if os.statvfs(_existing(path)).f_flag & os.ST_RDONLY:
                yield path


def _mount(path: Path) -> Path:
    """The folder where the path's file system is mounted."""
    folder = _existing(path).resolve()
    return next((parent for parent in (folder, *folder.parents) if parent.is_mount()), Path("/"))


def _fullest(paths: tuple[Path | str, ...]) -> Path:
    """The path whose disk has the fewest free bytes; of the temporary folders if there are no paths."""
    return min(map(Path, paths or TEMPORARY), key=_free_bytes)


def _free_bytes(path: Path) -> int:
    status = os.statvfs(_existing(path))
    return status.f_bavail * status.f_frsize if status.f_favail or not status.f_files else 0


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next((folder for folder in (path, *path.parents) if folder.exists()), Path("/"))


def _message(path: Path) -> str:
    folder = _existing(path)
    status = os.statvfs(folder)
    free = f"{status.f_bavail * status.f_frsize / 1e6:.1f} MB"
    total = f"{status.f_blocks * status.f_frsize / 1e9:.2f} GB"
    inodes = ", no inodes" if status.f_files and not status.f_favail else ""
    return (
        f"{path} cannot be written: No space left on device, the disk of {folder} is full "
        f"({free} of {total} free now{inodes}). Free space there, or raise the user's quota, or name a "
        "folder on another disk (--data-dir; TMPDIR for temporary files); then run the same command again. "
        "Nothing that was committed is lost."
    )
