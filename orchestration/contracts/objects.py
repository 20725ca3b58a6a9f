"""What an object store promises: whole objects under plain keys, in a folder or on S3, alike for both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

RUN_OUTPUT: Final = "compute_logs"
"""Prefix of what runs print, and the name of its folder in Dagster's home."""

LANDED: Final = "raw"
"""Prefix of what web services sent: raw/TENANT/SOURCE/SHA256."""

READERS: Final = "_readers"
"""There in the place of a tenant, whose names never begin so: what commands read that ingest nothing."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing tells it."""

    key: str
    size: int
    """Bytes."""
    changed: float
    """When it was written, in seconds since 1970; S3 tells whole seconds."""
    version: str
    """Differs after any write of other content."""


@dataclass(frozen=True, slots=True)
class Content:
    """An object's bytes, and the version they are."""

    data: bytes
    version: str


class ObjectStore(Protocol):
    """Objects under keys: parts of letters, digits and `_.~@%=+, -`, joined by '/'.

    A reader sees all of an object or none of it, and what was written before the read began. A key or prefix
    that is none raises RequestRejectedError. Nothing is repeated here: a server that is away or overloaded is
    a DagsterResourceUnavailableError, one that refuses us or has no such bucket a ConfigurationError, a full
    disk a StoreUnwritableError. Thread-safe.
    """

    @property
    def name(self) -> str:
        """Where the objects are, for messages: a folder, or s3://BUCKET/PREFIX."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Write the object, replacing one that is there. Durable when it returns."""
        ...

    def create(self, key: str, content: bytes) -> bool:
        """Write the object unless there is one; whether it was written. Durable; one of many writers wins."""
        ...

    def replace(self, key: str, content: bytes, version: str) -> bool:
        """Write the object if it still is of this version; whether it was written. Durable."""
        ...

    def get(self, key: str) -> Content | None:
        """The object; None when there is none."""
        ...

    def fetch(self, key: str, path: Path) -> str | None:
        """Copy the object to a local file, all or nothing but not flushed; its version, None without one.

        Raises StoreUnwritableError when the file cannot be written.
        """
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below the prefix, which is whole parts of keys: 'a' has 'a/b', not 'ab'. Unordered."""
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """The parts that come right after the prefix in keys of several more, sorted.

        A folder may go on telling one whose last object is gone.
        """
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, those that are there. Idempotent."""
        ...

    def delete_all(self, prefix: str) -> None:
        """Remove every object below the prefix. Idempotent."""
        ...

    def sweep(self, prefix: str) -> None:
        """Remove what writers that were killed left below the prefix; those at work go on. Idempotent."""
        ...
