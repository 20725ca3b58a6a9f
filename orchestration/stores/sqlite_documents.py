"""DocumentStore on SQLite: parsed documents, compressed, so that a citation can be shown in its context."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestration.records import Document, DocumentKey, StageContext
from orchestration.stores.sqlite_file import SqliteFile

__all__ = ["SqliteDocuments"]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS documents (
    tenant_id TEXT NOT NULL,
    source TEXT NOT NULL,
    doc_id TEXT NOT NULL,
    version TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    title TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (tenant_id, source, doc_id, version, fingerprint)
) WITHOUT ROWID;
"""
PUT: Final = "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)"
GET: Final = """
SELECT document FROM documents
WHERE tenant_id = ? AND source = ? AND doc_id = ? AND version = ? AND fingerprint = ?
"""
TITLE: Final = """
SELECT title FROM documents WHERE tenant_id = ? AND source = ? AND doc_id = ? AND version = ? LIMIT 1
"""
DISCARD: Final = """
DELETE FROM documents
WHERE tenant_id = ? AND source = ? AND doc_id = ? AND NOT (version = ? AND fingerprint = ?)
"""


class SqliteDocuments:
    """Every parsed document under its version and fingerprint."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def put(self, documents: Sequence[tuple[StageContext, Document]]) -> None:
        """Durable when it returns; idempotent."""
        rows = [
            (
                ctx.tenant_id,
                ctx.source,
                ctx.doc_id,
                ctx.version,
                ctx.fingerprint,
                document.title,
                zlib.compress(document.model_dump_json().encode("utf-8", "surrogatepass"), 1),
            )
            for ctx, document in documents
        ]
        with self._file.writing() as connection:
            connection.executemany(PUT, rows)

    def get(self, key: DocumentKey, version: str, fingerprint: str) -> Document | None:
        """The document as it was parsed; None if the store does not have it."""
        with self._file.reading() as connection:
            row = connection.execute(
                GET, (key.tenant_id, key.source, key.doc_id, version, fingerprint)
            ).fetchone()
        return Document.model_validate_json(zlib.decompress(row["document"])) if row is not None else None

    def titles(self, documents: Sequence[tuple[DocumentKey, str]]) -> list[str | None]:
        """Titles of (document, version) pairs, same order; None where the store has none."""
        with self._file.reading() as connection:
            rows = [
                connection.execute(TITLE, (key.tenant_id, key.source, key.doc_id, version)).fetchone()
                for key, version in documents
            ]
        return [row["title"] if row is not None else None for row in rows]

    def discard(self, key: DocumentKey, keep: tuple[str, str] | None) -> None:
        """Forget a document, or all but one (version, fingerprint) of it. Idempotent."""
        version, fingerprint = keep or ("", "")
        with self._file.writing() as connection:
            connection.execute(DISCARD, (key.tenant_id, key.source, key.doc_id, version, fingerprint))
