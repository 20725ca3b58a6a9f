"""Objects as files of a folder: read by obstore, written here.

obstore's local store flushes nothing to disk and has no conditional write. So a file is written beside its
place, flushed, put in its place, and the folder flushed; a process locks a folder before it changes it.
Files that are not in their place yet end in #NUMBER, which obstore leaves out of listings.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import obstore
from obstore.store import LocalStore

from orchestration.stores.flushing import flush
from orchestration.stores.objects.failures import ANY_FAILURE, is_absent, of_folder
from orchestration.stores.objects.keys import check_key
from orchestration.stores.objects.reading import ReadableObjects

__all__ = ["FolderObjects"]

STAGED: Final = "#"
"""Followed by a number: a file that is not in its place yet."""


class FolderObjects(ReadableObjects):
    """Objects below a folder, which is made if need be; thread-safe."""

    def __init__(self, folder: Path) -> None:
        try:
            store = LocalStore(folder, mkdir=True)
        except ANY_FAILURE as error:
            raise of_folder(str(folder), error) from error
        super().__init__(store, str(folder), of_folder)
        self._folder = folder

    def put(self, key: str, content: bytes) -> None:
        """Write the object, replacing one that is there. Durable when it returns."""
        with self._changing(key) as path, _staged(path, content) as staged:
            staged.replace(path)

    def create(self, key: str, content: bytes) -> bool:
        """Write the object unless there is one; whether it was written. Durable."""
        with self._changing(key) as path, _staged(path, content) as staged:
            if path.exists():
                return False
            staged.replace(path)
        return True

    def replace(self, key: str, content: bytes, version: str) -> bool:
        """Write the object if it still is of this version; whether it was written. Durable."""
        with self._changing(key) as path, _staged(path, content) as staged:
            if self._version(key) != version:
                return False
            staged.replace(path)
        return True

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, those that are there. Idempotent."""
        for key in keys:
            if self._path(key).exists():
                with self._changing(key) as path:
                    path.unlink(missing_ok=True)

    def delete_all(self, prefix: str) -> None:
        """Remove every object below the prefix, with its folders. Idempotent."""
        path = self._path(prefix)
        with self._errors_named_of_files(), suppress(FileNotFoundError):
            shutil.rmtree(path)
            flush(path.parent)

    def sweep(self, prefix: str) -> None:
        """Remove what writers that were killed left below the prefix; those at work hold their folder."""
        with self._errors_named_of_files():
            for path in self._path(prefix).rglob(f"*{STAGED}*"):
                with suppress(FileNotFoundError), _alone_in(path.parent):
                    path.unlink()

    def _version(self, key: str) -> str | None:
        try:
            return obstore.head(self._store, key)["e_tag"]
        except FileNotFoundError as error:
            if is_absent(error):
                return None
            raise

    def _path(self, key: str) -> Path:
        return self._folder / check_key(key)

    @contextmanager
    def _changing(self, key: str) -> Iterator[Path]:
        """The object's place; only one process at a time changes its folder, which is flushed in the end."""
        path = self._path(key)
        with self._errors_named_of_files():
            _make(path.parent)
            with _alone_in(path.parent) as descriptor:
                yield path
                os.fsync(descriptor)

    @contextmanager
    def _errors_named_of_files(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise of_folder(self._name, error) from error


@contextmanager
def _alone_in(folder: Path) -> Iterator[int]:
    """The folder's descriptor, while no other process changes the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _staged(path: Path, content: bytes) -> Iterator[Path]:
    """The content on disk beside its place; what is still there in the end is removed."""
    staged = path.with_name(f"{path.name}{STAGED}{uuid.uuid4().int}")
    try:
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield staged
    finally:
        staged.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    """The folder and those above it, each on disk before what is in it."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        flush(folder.parent)
