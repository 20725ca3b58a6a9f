"""Object stores: whole objects under plain keys, with the same guarantees in a folder and on S3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

RUN_OUTPUT: Final = "compute_logs"
"""Prefix of the output of runs, and the name of its folder in DAGSTER_HOME."""

LANDED: Final = "raw"
"""Prefix of answers of web services: raw/TENANT/SOURCE/SHA256."""

READERS: Final = "_readers"
"""In place of a tenant (no tenant name starts with `_`): what commands read without ingesting it."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a listing."""

    key: str
    size: int
    """Bytes."""
    changed: float
    """Time of its last write, seconds since the epoch; whole seconds on S3."""
    version: str
    """Differs after any write of other content."""


@dataclass(frozen=True, slots=True)
class Content:
    """An object's bytes, and the version they are."""

    data: bytes
    version: str


class ObjectStore(Protocol):
    """Objects under keys: parts of letters, digits and `_.~@%=+, -`, joined by '/'.

    Guarantees. Atomic: a reader sees all of an object or none of it, as written before the read started.
    Durable when a write returns. Errors: RequestRejectedError for an invalid key or prefix,
    DagsterResourceUnavailableError for a server that is unavailable or overloaded (nothing is retried here),
    ConfigurationError for one that refuses access or has no such bucket, StoreUnwritableError for a full
    disk. Thread-safe.
    """

    @property
    def name(self) -> str:
        """Location of the objects for messages: a folder, or s3://BUCKET/PREFIX."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Write the object, replacing a previous one. Durable when it returns; idempotent."""
        ...

    def create(self, key: str, content: bytes) -> bool:
        """Write the object unless it exists; returns whether it was written. One of many writers wins."""
        ...

    def replace(self, key: str, content: bytes, version: str) -> bool:
        """Write the object if it still has this version; returns whether it was written."""
        ...

    def get(self, key: str) -> Content | None:
        """Return the object; None if it does not exist."""
        ...

    def fetch(self, key: str, path: Path) -> str | None:
        """Copy the object to a local file, whole but not flushed; returns its version, or None without one.

        Raises StoreUnwritableError when the file cannot be written.
        """
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Iterate over objects below a prefix of whole key parts: 'a' has 'a/b', not 'ab'. Unordered."""
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the key parts that directly follow the prefix in longer keys, sorted.

        A folder may still return one whose last object was deleted.
        """
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; missing ones are skipped. Idempotent."""
        ...

    def delete_all(self, prefix: str) -> None:
        """Remove every object below the prefix. Idempotent."""
        ...

    def sweep(self, prefix: str) -> None:
        """Remove leftovers of killed writers below the prefix; running writers continue. Idempotent."""
        ...
