"""Which document a file is whose record has no id.

Comes in: enumerated items with ids derived from their paths. Leaves: the same items under the id of the
document that they are. A file is the document that was last listed at its place; at a new place it is the
document of the same content; else it is a new one. So a moved file keeps its document, and identical files
are one document with several places.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping, select

from orchestration.contracts import Place, Submission
from orchestration.ledger.enqueue_batch import EnumeratedItem
from orchestration.ledger.places import place_key
from orchestration.ledger.rows import has_key, key_of
from orchestration.ledger.tables import documents, job_items, places
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey, SourceItem

__all__ = ["Identities"]

Content = tuple[str, str, str | None]
"""Source, format and version: what makes two files the same."""


@dataclass(slots=True)
class _Document:
    """What is known of a document while a batch is identified."""

    key: DocumentKey
    place: str
    """Where its bytes are."""
    content: Content
    listed: Content | None = None
    """What this job listed it with so far."""


class Identities:
    """Identifies the items of one batch, in their order; within the transaction that queues them."""

    def __init__(
        self, connection: Connection, submission: Submission, batch: Sequence[EnumeratedItem]
    ) -> None:
        self._connection = connection
        self._submission = submission
        self._documents: dict[DocumentKey, _Document] = {}
        self._owners: dict[str, DocumentKey] = {}
        self._of_content: dict[Content, DocumentKey] = {}
        self.left: list[Place] = []
        """Places that are another document's now."""
        derived = [listed for listed in batch if _is_derived(listed)]
        if derived:
            self._load(derived)

    def of(self, listed: EnumeratedItem) -> EnumeratedItem:
        """Return the item under the key of the document that it is."""
        item = listed.item
        if not _is_derived(listed) or item.place is None:
            return listed
        key = self._key(listed.key, item, item.place)
        owner = self._owners.get(item.place)
        if owner is not None and owner != key:
            self.left.append(Place(owner, item.place))
        self._owners[item.place] = key
        self._note(key, item, item.place)
        if key == listed.key:
            return listed
        return replace(listed, key=key, item=item.model_copy(update={"doc_id": key.doc_id}))

    def _key(self, derived: DocumentKey, item: SourceItem, place: str) -> DocumentKey:
        content = _content(item)
        owner = self._documents.get(self._owners[place]) if place in self._owners else None
        if owner is not None:
            if owner.content == content:
                return owner.key
            if owner.place == place or _is_same_file(owner.place, place):
                return owner.key  # the file changed
        same = self._of_content.get(content)
        if same is not None:
            return same
        number = 1
        key = derived
        while key in self._documents:  # its first file has moved elsewhere
            number += 1
            key = derived.model_copy(update={"doc_id": f"{derived.doc_id}+{number}"})
            self._load_keys([key])
        return key

    def _note(self, key: DocumentKey, item: SourceItem, place: str) -> None:
        content = _content(item)
        known = self._documents.get(key)
        if known is None:
            self._documents[key] = _Document(key, place, content, content)
        else:
            if known.content != content and self._of_content.get(known.content) == key:
                del self._of_content[known.content]
            if known.listed is None:
                known.place = place
            known.content = known.listed = content
        self._of_content.setdefault(content, key)

    # --- what the ledger knows ----------------------------------------------------------------------

    def _load(self, derived: Sequence[EnumeratedItem]) -> None:
        tenant_id = self._submission.tenant_id
        hashes = [place_key(listed.item.place or "") for listed in derived]
        query = select(places).where(places.c.tenant_id == tenant_id, places.c.place_key.in_(hashes))
        at_place: dict[str, list[DocumentKey]] = {}
        for row in self._connection.execute(query).mappings():
            at_place.setdefault(row["place"], []).append(key_of(row))
        versions = [listed.item.version for listed in derived if listed.item.version is not None]
        same = select(documents).where(
            documents.c.tenant_id == tenant_id,
            documents.c.version.in_(versions),
            documents.c.status != Status.DELETED,
        )
        rows = self._connection.execute(same.order_by(documents.c.id)).mappings().all()
        wanted = {key for keys in at_place.values() for key in keys} | {listed.key for listed in derived}
        self._load_keys(list(wanted | {key_of(row) for row in rows}))
        self._complete_restored(derived)
        for document in self._documents.values():
            self._of_content.setdefault(document.content, document.key)
        for listed in derived:  # where several documents have the content, the file's own id is preferred
            own = self._documents.get(listed.key)
            if own is not None:
                self._of_content[own.content] = own.key
        for place, keys in at_place.items():
            whole = [key for key in keys if key in self._documents]
            if len(whole) == 1:
                self._owners[place] = whole[0]
        for listed in derived:  # rows that have no place: imported, or queued by an older medkg
            own = self._documents.get(listed.key)
            if own is not None and listed.item.place == own.place:
                self._owners.setdefault(own.place, own.key)

    def _complete_restored(self, derived: Sequence[EnumeratedItem]) -> None:
        """Give restored documents, whose place is unknown, the one that has their id, or their content."""
        formats = {(listed.item.source, listed.item.version): _content(listed.item) for listed in derived}
        for document in self._documents.values():
            if not document.place:
                source, _, version = document.content
                document.content = formats.get((source, version), document.content)
        for listed in derived:
            own = self._documents.get(listed.key)
            if own is not None and not own.place:
                own.place = listed.item.place or ""

    def _load_keys(self, keys: Sequence[DocumentKey]) -> None:
        """Add documents that are whole files; of several pipelines the row of this one counts."""
        query = select(documents).where(has_key(documents, keys), documents.c.status != Status.DELETED)
        mine: dict[DocumentKey, RowMapping] = {}
        for row in self._connection.execute(query.order_by(documents.c.id)).mappings():
            if key_of(row) not in mine or row["pipeline_name"] == self._submission.pipeline_name:
                mine[key_of(row)] = row
        listed = self._listed([row["id"] for row in mine.values()])
        for key, row in mine.items():
            locator = json.loads(row["locator"])
            if locator.get("start") is None:
                content = (key.source, locator["format"], row["version"])
                in_job = content if row["id"] in listed else None
                self._documents[key] = _Document(key, locator["uri"], content, in_job)

    def _listed(self, document_ids: Sequence[int]) -> set[int]:
        """Those of the documents that this job has listed so far."""
        query = select(job_items.c.document_id).where(
            job_items.c.job_id == self._submission.job_id, job_items.c.document_id.in_(document_ids)
        )
        return set(self._connection.execute(query).scalars())


def _is_derived(listed: EnumeratedItem) -> bool:
    item = listed.item
    return bool(item.id_of_place and item.place and item.error_code is None and not listed.again)


def _is_same_file(place: str, other: str) -> bool:
    """Return whether two paths lead to one file, as through a symbolic link."""
    paths = (place, other)
    return all(path.startswith("/") for path in paths) and len(set(map(os.path.realpath, paths))) == 1


def _content(item: SourceItem) -> Content:
    return item.source, item.locator.format, item.version
