"""What a folder and S3 have in common: objects are read and listed by obstore.

Comes in: keys. Leaves: contents, listings, or one of our errors; obstore's stay here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import obstore
from obstore.store import LocalStore, S3Store

from orchestration.contracts.objects import Content, StoredObject
from orchestration.disk_space import unwritable_disk
from orchestration.errors import MedkgError, StoreUnwritableError
from orchestration.stores.objects.failures import ANY_FAILURE, is_absent
from orchestration.stores.objects.keys import check_key

__all__ = ["ReadableObjects"]

LISTED_AT_ONCE = 1_000


class ReadableObjects:
    """The half of ObjectStore that reads; thread-safe."""

    def __init__(
        self, store: LocalStore | S3Store, name: str, named: Callable[[str, Exception], MedkgError]
    ) -> None:
        self._store = store
        self._name = name
        self._named = named

    @property
    def name(self) -> str:
        """Where the objects are, for messages."""
        return self._name

    def get(self, key: str) -> Content | None:
        """The object; None when there is none."""
        with self._absent_is_none():
            answer = obstore.get(self._store, check_key(key))
            return Content(bytes(answer.bytes()), _version(answer.meta["e_tag"]))
        return None

    def fetch(self, key: str, path: Path) -> str | None:
        """Copy the object to a local file, all or nothing; its version, None without one."""
        partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        with self._absent_is_none():
            answer = obstore.get(self._store, check_key(key))
            try:
                with partial.open("wb") as file:
                    for part in answer.stream():
                        file.write(part)
                partial.replace(path)
            except OSError as error:
                raise unwritable_disk(error, path) or StoreUnwritableError(
                    f"{path}, a copy of {key} in {self._name}, cannot be written: {error.strerror}. Free "
                    "space, or choose another --data-dir."
                ) from error
            finally:
                partial.unlink(missing_ok=True)
            return _version(answer.meta["e_tag"])
        return None

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below the prefix. Unordered."""
        with self._errors_named():
            for page in obstore.list(self._store, check_key(prefix), chunk_size=LISTED_AT_ONCE):
                for entry in page:
                    changed = entry["last_modified"].timestamp()
                    yield StoredObject(entry["path"], entry["size"], changed, _version(entry["e_tag"]))

    def folders(self, prefix: str) -> Sequence[str]:
        """The parts that come right after the prefix in keys of several more, sorted."""
        with self._errors_named():
            answer = obstore.list_with_delimiter(self._store, check_key(prefix))
            return sorted(folder.rsplit("/", 1)[-1] for folder in answer["common_prefixes"])

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except ANY_FAILURE as error:
            raise self._named(self._name, error) from error

    @contextmanager
    def _absent_is_none(self) -> Iterator[None]:
        """Leaves the block when the object is not there."""
        try:
            yield
        except ANY_FAILURE as error:
            if not is_absent(error):
                raise self._named(self._name, error) from error


def _version(tag: str | None) -> str:
    return tag or ""
