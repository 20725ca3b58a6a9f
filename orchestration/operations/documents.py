"""Documents of one tenant: their titles, text and chunks, and their removal.

Comes in: the parts of a data folder, and ids as a user writes them. Leaves: records of ledger and stores, or
UsageError for an id that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import Field

from orchestration.contracts import Commit, LedgerDocument
from orchestration.errors import StoreCorruptError, UsageError
from orchestration.jobs.mirroring import MirrorPlan, remove_gone
from orchestration.operations.erasure import erase
from orchestration.operations.parts import Parts
from orchestration.records import Chunk, Document, DocumentKey, Record
from orchestration.stores.deletion import delete_documents

__all__ = ["DocumentFilter", "Documents"]


class DocumentFilter(Record):
    """Chooses documents; None chooses all."""

    source: str | None = Field(default=None, description="Source of the record.")
    pipeline: str | None = Field(default=None, description="Topology that ran it.")
    status: str | None = Field(default=None, description="Status in that topology.")
    origin: str | None = Field(default=None, description="Place where it was listed, or a folder above.")


class Documents:
    """Documents of the settings' tenant."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tenant_id = parts.settings.tenant

    def titles(self, rows: Sequence[LedgerDocument]) -> list[str | None]:
        """Titles of ledger rows, in order; None where the document store has none."""
        parsed = [(row.key, row.version) for row in rows if row.version is not None]
        title_of = dict(zip(parsed, self._parts.stores.documents.titles(parsed), strict=True))
        return [title_of.get((row.key, row.version)) if row.version else None for row in rows]

    def show(self, doc_id: str, source: str | None) -> tuple[LedgerDocument, Document, list[Chunk]]:
        """A committed document with its ledger row and its visible chunks, in order.

        Raises UsageError if no such document is committed or several sources have it, StoreCorruptError if
        the document store lost it.
        """
        row, commit = self._committed(doc_id, source)
        document = self._parts.stores.documents.get(commit.key, commit.version, commit.fingerprint)
        if document is None:
            raise StoreCorruptError(
                f"the document store lost {doc_id}. `medkg verify --repair` queues it again; then run "
                "its source."
            )
        return row, document, self._parts.stores.search.document_chunks(commit.key, commit.intent_id)

    def find(self, chosen: DocumentFilter, limit: int | None = None) -> list[LedgerDocument]:
        """Ledger rows that the filter chooses, the last changed first."""
        return self._parts.ledger.documents.find(
            self._tenant_id,
            source=chosen.source,
            status=chosen.status,
            limit=limit,
            pipeline=chosen.pipeline,
            origin=chosen.origin,
        )

    def to_delete(
        self, doc_ids: Sequence[str], chosen: DocumentFilter, *, with_deleted: bool = False
    ) -> list[LedgerDocument]:
        """Rows of the documents of these ids that the filter chooses; without ids, of all that it chooses.

        Raises UsageError for an id without such a document, and without ids for a filter of everything.
        """
        if doc_ids:
            rows = []
            for doc_id in dict.fromkeys(doc_ids):
                of_id = self._rows(doc_id, chosen.source, with_deleted=with_deleted)
                rows += _chosen(of_id, self._at(chosen.origin, of_id), chosen, doc_id)
            return rows
        if chosen == DocumentFilter():
            raise UsageError(
                "name documents by their ids, or choose them with --source, --pipeline, --status or --origin."
            )
        deleted = chosen.model_copy(update={"status": "deleted"})
        also = self.find(deleted) if with_deleted and chosen.status is None else []
        return [*self.find(chosen), *also]

    def names(self, key: DocumentKey) -> tuple[str, ...]:
        """Places where the document was listed, e.g. all files with its content."""
        return self._parts.ledger.places.of([key]).get(key, ())

    def mirror(self, plan: MirrorPlan) -> int:
        """Delete the documents of a plan and forget its places; returns the number of documents."""
        parts = self._parts
        return remove_gone(parts.ledger, parts.index, parts.stores.documents, plan)

    def delete(self, rows: Sequence[LedgerDocument]) -> list[DocumentKey]:
        """Delete the documents of these rows from ledger and stores; returns their keys. Idempotent."""
        keys = _keys(rows)
        parts = self._parts
        delete_documents(parts.ledger.documents, parts.index, parts.stores.documents, keys)
        return keys

    def erase(self, rows: Sequence[LedgerDocument], notify: Callable[[str], None]) -> list[DocumentKey]:
        """Delete documents and every trace of them on disk, also if they are deleted already; returns keys.

        Raises what `erasure.erase` raises.
        """
        return erase(self._parts, rows, notify)

    def _committed(self, doc_id: str, source: str | None) -> tuple[LedgerDocument, Commit]:
        rows = self._rows(doc_id, source)
        sources = sorted({row.key.source for row in rows})
        if len(sources) > 1:
            raise UsageError(f"{doc_id} exists in {', '.join(sources)}; choose one with --source.")
        commit = self._parts.ledger.commits.find(rows[0].key)
        if commit is None:
            row = rows[0]
            reason = f": {row.error_code} {row.error_message}" if row.status == "failed" else ""
            raise UsageError(f"{doc_id} is {row.status}, so there is nothing to show{reason}")
        return next((row for row in rows if row.pipeline_name == commit.pipeline), rows[0]), commit

    def _at(self, origin: str | None, rows: Sequence[LedgerDocument]) -> set[DocumentKey]:
        """The documents of these rows, all of one id, that were listed at the origin."""
        if origin is None:
            return {row.key for row in rows}
        find = self._parts.ledger.documents.find
        return {row.key for row in find(self._tenant_id, rows[0].key.doc_id, origin=origin)}

    def _rows(self, doc_id: str, source: str | None, *, with_deleted: bool = False) -> list[LedgerDocument]:
        """Ledger rows of a document, one per pipeline; raises UsageError if there are none."""
        ledger = self._parts.ledger
        rows = ledger.documents.find(self._tenant_id, doc_id=doc_id, source=source)
        if with_deleted:
            rows += ledger.documents.find(self._tenant_id, doc_id=doc_id, source=source, status="deleted")
        if not rows:
            where = f" of source {source}" if source else ""
            raise UsageError(f"there is no document {doc_id}{where}; `medkg docs list` lists the documents.")
        return rows


def _chosen(
    rows: Sequence[LedgerDocument], at_origin: set[DocumentKey], chosen: DocumentFilter, doc_id: str
) -> list[LedgerDocument]:
    """The rows of one id that the filter chooses; raises UsageError if it chooses none."""
    matching = [
        row
        for row in rows
        if chosen.pipeline in (None, row.pipeline_name)
        and chosen.status in (None, row.status)
        and row.key in at_origin
    ]
    if not matching:
        standing = ", ".join(f"{row.status} in {row.pipeline_name}" for row in rows)
        raise UsageError(f"{doc_id} is {standing}, which the options leave out.")
    return matching


def _keys(rows: Sequence[LedgerDocument]) -> list[DocumentKey]:
    return sorted({row.key for row in rows}, key=lambda key: (key.source, key.doc_id))
