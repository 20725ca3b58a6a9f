"""DocumentStore on SQLite: parsed documents, compressed, so that a citation can be shown in its context.

Comes in: documents as parsers made them. Leaves: the same, by document, version and fingerprint. One file
for all tenants, since nothing but whole keys is ever asked for.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from orchestration.contracts import Provenance
from orchestration.errors import StoreCorruptError
from orchestration.records import Document, DocumentKey, StageContext
from orchestration.stores.sqlite.file import SqliteFile

__all__ = ["SqliteDocuments"]

SCHEMA_VERSION: Final = 2
SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS documents (
        tenant_id TEXT NOT NULL,
        source TEXT NOT NULL,
        doc_id TEXT NOT NULL,
        version TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        title TEXT NOT NULL,
        document BLOB NOT NULL,
        pipeline TEXT NOT NULL DEFAULT '',
        pipeline_version TEXT NOT NULL DEFAULT '',
        revision TEXT,
        UNIQUE (tenant_id, source, doc_id, version, fingerprint)
    )
    """,
)
PUT: Final = "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
GET: Final = """
SELECT document FROM documents
WHERE tenant_id = ? AND source = ? AND doc_id = ? AND version = ? AND fingerprint = ?
"""
TITLE: Final = """
SELECT title FROM documents WHERE tenant_id = ? AND source = ? AND doc_id = ? AND version = ? LIMIT 1
"""
COPY: Final = """
INSERT OR IGNORE INTO documents
SELECT tenant_id, source, doc_id, version, ?, title, document, pipeline, pipeline_version, revision
FROM documents
WHERE tenant_id = ? AND source = ? AND doc_id = ? AND version = ? AND fingerprint = ?
"""
DISCARD: Final = """
DELETE FROM documents
WHERE tenant_id = ? AND source = ? AND doc_id = ? AND NOT (version = ? AND fingerprint = ?)
"""
FORGET: Final = """
DELETE FROM documents
WHERE tenant_id = ? AND source = ? AND doc_id = ? AND version = ? AND fingerprint = ?
"""
HELD: Final = """
SELECT source, doc_id, version, fingerprint, pipeline, pipeline_version, revision, document FROM documents
WHERE tenant_id = ?
"""
TENANTS: Final = "SELECT DISTINCT tenant_id FROM documents ORDER BY tenant_id"
ADDED_WITH_2: Final = (
    "pipeline TEXT NOT NULL DEFAULT ''",
    "pipeline_version TEXT NOT NULL DEFAULT ''",
    "revision TEXT",
)


class SqliteDocuments:
    """Every parsed document under its version and fingerprint."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, SCHEMA, SCHEMA_VERSION, _upgrade)

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
                zlib.compress(document.model_dump_json().encode(), 1),
                ctx.pipeline_name,
                ctx.pipeline_version,
                ctx.revision,
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
        if row is None:
            return None
        try:
            return Document.model_validate_json(zlib.decompress(row["document"]))
        except (zlib.error, ValidationError) as error:
            raise StoreCorruptError(
                f"{key.doc_id} in {self._file.path} is damaged: {str(error).splitlines()[0]}. "
                "`medkg verify --repair` makes it due again."
            ) from error

    def titles(self, documents: Sequence[tuple[DocumentKey, str]]) -> list[str | None]:
        """Titles of (document, version) pairs, same order; None where the store has none."""
        with self._file.reading() as connection:
            rows = [
                connection.execute(TITLE, (key.tenant_id, key.source, key.doc_id, version)).fetchone()
                for key, version in documents
            ]
        return [row["title"] if row is not None else None for row in rows]

    def copy(self, documents: Sequence[tuple[DocumentKey, str, str, str]]) -> None:
        """Keep each (document, version, fingerprint) under the fourth, another fingerprint, as well."""
        rows = [
            (copied, key.tenant_id, key.source, key.doc_id, version, fingerprint)
            for key, version, fingerprint, copied in documents
        ]
        with self._file.writing() as connection:
            connection.executemany(COPY, rows)

    def discard(self, key: DocumentKey, keep: tuple[str, str] | None) -> None:
        """Forget a document, or all but one (version, fingerprint) of it. Idempotent."""
        version, fingerprint = keep or ("", "")
        with self._file.writing() as connection:
            connection.execute(DISCARD, (key.tenant_id, key.source, key.doc_id, version, fingerprint))

    def forget(self, documents: Sequence[tuple[DocumentKey, str, str]]) -> None:
        """Forget (document, version, fingerprint) triples. Idempotent."""
        with self._file.writing() as connection:
            connection.executemany(
                FORGET,
                [
                    (key.tenant_id, key.source, key.doc_id, version, fingerprint)
                    for key, version, fingerprint in documents
                ],
            )

    def held(self, tenant_id: str) -> Iterator[tuple[DocumentKey, str, str]]:
        """(document, version, fingerprint) of everything held, for verify; damaged ones are left out."""
        for document in self.provenance(tenant_id):
            yield document[:3]

    def provenance(self, tenant_id: str) -> Iterator[Provenance]:
        """The same with the topology that each was parsed for, as far as it is known."""
        with self._file.reading() as connection:
            sound = [
                Provenance(DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id), *parsed)
                for source, doc_id, *parsed, document in connection.execute(HELD, (tenant_id,))
                if _is_whole(document)
            ]
        yield from sound

    def tenants(self) -> list[str]:
        """Tenants that have documents, by name."""
        with self._file.reading() as connection:
            return [tenant_id for (tenant_id,) in connection.execute(TENANTS)]

    def damage(self) -> str | None:
        """What is wrong with the file; None if it is sound. Reads all of it."""
        return self._file.damage()

    def repair(self) -> None:
        """Set a damaged file aside; a new one is made by the next write."""
        if self._file.damage() is not None:
            self._file.set_aside()

    def expunge(self) -> None:
        """Rewrite the file without what was discarded."""
        self._file.rewrite()


def _upgrade(connection: sqlite3.Connection, schema_version: int) -> None:
    """The topology came with schema 2; of earlier documents it is not known here."""
    if schema_version == 1:
        for column in ADDED_WITH_2:
            connection.execute(f"ALTER TABLE documents ADD COLUMN {column}")


def _is_whole(compressed: bytes) -> bool:
    """Whether zlib's own checksum (RFC 1950) holds."""
    try:
        zlib.decompress(compressed)
    except zlib.error:
        return False
    return True
