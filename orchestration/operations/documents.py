"""Documents of one tenant: their titles, text and chunks, and their removal.

Comes in: the parts of a data folder, and ids as a user writes them. Leaves: records of ledger and stores, or
UsageError for an id that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestration.contracts import Commit, LedgerDocument
from orchestration.errors import StoreCorruptError, UsageError
from orchestration.operations.erasure import erase
from orchestration.operations.parts import Parts
from orchestration.records import Chunk, Document, DocumentKey
from orchestration.stores.deletion import delete_documents

__all__ = ["Documents"]


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

    def delete(self, doc_id: str, source: str | None) -> list[DocumentKey]:
        """Delete a document from ledger and stores; returns its keys, one per source. Idempotent.

        Raises UsageError if there is no such document.
        """
        keys = sorted({row.key for row in self._rows(doc_id, source)}, key=lambda key: key.source)
        parts = self._parts
        delete_documents(parts.ledger.documents, parts.index, parts.stores.documents, keys)
        return keys

    def erase(self, doc_id: str, source: str | None, notify: Callable[[str], None]) -> list[DocumentKey]:
        """Delete a document and every trace of it on disk, also if it is deleted already; returns its keys.

        Raises UsageError if there is no such document, and what `erasure.erase` raises.
        """
        return erase(self._parts, self._rows(doc_id, source, with_deleted=True), notify)

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
