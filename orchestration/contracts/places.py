"""Places: where documents were listed, so that moved files keep their document and gone ones go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from orchestration.records import DocumentKey


class Place(NamedTuple):
    """A document at one of its places: the file that holds it, or the listing of a service."""

    key: DocumentKey
    place: str


class PlaceLedger(Protocol):
    """Places of documents. A file whose record has no id is the document that was last listed there, else the
    document of the same content; its id stays when the file moves.

    Guarantees. Every call is one transaction, durable when it returns. Idempotent.
    """

    def of(self, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, tuple[str, ...]]:
        """Return the places of each document, sorted; documents without any are left out."""
        ...

    def listed_at(self, job_id: str, origin: str) -> bool:
        """Return whether the job listed a document at the origin, or beneath it if it is a folder.

        Only for a job whose request is a mirror: other jobs record new places alone.
        """
        ...

    def unlisted(self, job_id: str, origins: Sequence[str]) -> list[Place]:
        """Return the places at or beneath these origins that the job, whose request is a mirror, did not
        list."""
        ...

    def unread(self, job_id: str) -> set[str]:
        """Return the places that the job could not read: files and folders."""
        ...

    def moved_from(self, job_id: str) -> list[Place]:
        """Return the places of documents that the job listed at new places, without those places.

        The documents are still there, too, or have moved: only their source knows.
        """
        ...

    def only_at(self, places: Sequence[Place]) -> list[DocumentKey]:
        """Return the documents that have no place beside these, each once, sorted."""
        ...

    def forget(self, places: Sequence[Place]) -> None:
        """Remove these places; a document whose bytes were at one is fetched from another of its places."""
        ...
