"""ObjectStore: whole objects under plain keys, in a folder or on S3, with the same guarantees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

RUN_OUTPUT: Final = "compute_logs"
"""Prefix of the output of runs, and the name of its folder in Dagster's home."""

LANDED: Final = "raw"
"""Prefix of responses of web services: raw/TENANT/SOURCE/SHA256."""

READERS: Final = "_readers"
"""In the place of a tenant, whose names never start with `_`: responses to commands that ingest nothing."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Metadata of one object."""

    key: str
    size: int
    """Bytes."""
    changed: float
    """Time of the last write, in seconds since 1970; whole seconds on S3."""
    version: str
    """Changes with every write of other content."""


@dataclass(frozen=True, slots=True)
class Content:
    """An object's bytes and their version."""

    data: bytes
    version: str


class ObjectStore(Protocol):
    """Objects under keys: parts of letters, digits and `_.~@%=+, -`, joined by '/'.

    Guarantees: a write is durable when it returns, and replaces the whole object at once: a reader gets all
    of one version, at least as new as the last write that returned before the read started. `create` and
    `replace` are atomic among all processes: one of several concurrent writers succeeds. Listings are
    unordered and contain every object that existed throughout. Nothing is retried here. Thread-safe. Raises
    RequestRejectedError for an invalid key or prefix, DagsterResourceUnavailableError if the server is
    unavailable or overloaded, ConfigurationError if it refuses the credentials or has no such bucket, and
    StoreUnwritableError for a full disk.
    """

    @property
    def name(self) -> str:
        """Location of the objects, for messages: a folder, or s3://BUCKET/PREFIX."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Write the object, replacing an existing one. Durable when it returns."""
        ...

    def create(self, key: str, content: bytes) -> bool:
        """Write the object unless it exists; returns whether it was written. Durable."""
        ...

    def replace(self, key: str, content: bytes, version: str) -> bool:
        """Write the object if it still has this version; returns whether it was written. Durable."""
        ...

    def get(self, key: str) -> Content | None:
        """The object; None if it does not exist."""
        ...

    def fetch(self, key: str, path: Path) -> str | None:
        """Copy the object to a local file, whole or not at all, not flushed; returns its version.

        None if the object does not exist.

        Raises StoreUnwritableError when the file cannot be written.
        """
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below the prefix, in no order. 'a' contains 'a/b', not 'ab'."""
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """The parts that follow the prefix in keys that have further parts, sorted.

        On a folder the list may contain a part whose last object was deleted.
        """
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Remove these objects if they exist. Idempotent."""
        ...

    def delete_all(self, prefix: str) -> None:
        """Remove every object below the prefix. Idempotent."""
        ...

    def sweep(self, prefix: str) -> None:
        """Remove partial writes of killed processes below the prefix, not those of live ones. Idempotent."""
        ...
