"""SearchStore on SQLite: chunks with their text, ranked by BM25 (FTS5) or by sparse terms; a file per tenant.

Comes in: chunks under an intent, and what a person typed. Leaves: candidates that `visible` lets through.
An external-content table over a view, since contentless deletes need SQLite 3.43: the view makes the words
of each chunk (`orchestration.formats.words`), so FTS5 only splits and stems. The title path is a second,
lighter column. Statistics are those of one tenant's file; superseded rows are removed soon after their
commit. Source: https://www.sqlite.org/fts5.html (bm25(), external content tables, integrity-check).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from orchestration.contracts import (
    Candidate,
    ChunkRef,
    Filters,
    Holding,
    SparseVectors,
    Visible,
    chunk_facets,
    chunk_identifiers,
)
from orchestration.errors import StoreCorruptError
from orchestration.formats.match_expression import TOKENIZER, match_expression
from orchestration.formats.words import indexed_words
from orchestration.records import Chunk, DocumentKey
from orchestration.stores.entry_limits import check_entries
from orchestration.stores.file_names import file_name
from orchestration.stores.sqlite import due_words, facets, identifiers, sparse_postings
from orchestration.stores.sqlite.file import SqliteFile
from orchestration.stores.sqlite.identifiers import IDENTIFIED

__all__ = ["SqliteSearch"]

SCHEMA_VERSION: Final = 5
"""Also changes with ANALYSIS_VERSION: the upgrade makes the word index again (see `due_words`)."""

SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS chunks (
        number INTEGER PRIMARY KEY,
        intent_id TEXT NOT NULL,
        source TEXT NOT NULL,
        doc_id TEXT NOT NULL,
        chunk_id TEXT NOT NULL,
        ordinal INTEGER NOT NULL,
        section TEXT NOT NULL,
        body TEXT NOT NULL,
        titles TEXT NOT NULL,
        record TEXT NOT NULL,
        UNIQUE (intent_id, source, doc_id, chunk_id)
    )
    """,
    """
    CREATE VIEW IF NOT EXISTS words_of_chunks AS
    SELECT number, medkg_words(body) AS body, medkg_words(titles) AS titles FROM chunks
    """,
    f"""
    CREATE VIRTUAL TABLE IF NOT EXISTS chunk_words USING fts5(
        body, titles, content='words_of_chunks', content_rowid='number', tokenize='{TOKENIZER}'
    )
    """,
    *sparse_postings.SCHEMA,
    *facets.SCHEMA,
    *identifiers.SCHEMA,
    *due_words.SCHEMA,
)
INSERT_CHUNK: Final = """
INSERT INTO chunks (intent_id, source, doc_id, chunk_id, ordinal, section, body, titles, record)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INDEX_NEW: Final = """
INSERT INTO chunk_words (rowid, body, titles)
SELECT number, body, titles FROM words_of_chunks WHERE number > ? AND number <= ?
"""
NUMBERS_OF_INTENT: Final = "SELECT number FROM chunks WHERE intent_id = ?"
NUMBERS_OF_DOCUMENT: Final = "SELECT number FROM chunks WHERE intent_id = ? AND source = ? AND doc_id = ?"
CHUNKS_OF_INTENT: Final = """
SELECT number, intent_id, source, doc_id, chunk_id FROM chunks WHERE intent_id = ? ORDER BY number
"""
UNINDEX: Final = """
INSERT INTO chunk_words (chunk_words, rowid, body, titles)
SELECT 'delete', number, body, titles FROM words_of_chunks WHERE number = ?
"""
DELETE_CHUNK: Final = "DELETE FROM chunks WHERE number = ?"
BM25: Final = """
SELECT c.intent_id, c.source, c.doc_id, c.chunk_id, -chunk_words.rank AS score
FROM chunk_words CROSS JOIN chunks c ON c.number = chunk_words.rowid
WHERE chunk_words MATCH ? AND chunk_words.rank MATCH 'bm25(1.0, 0.5)'
  {condition}
ORDER BY chunk_words.rank
"""
BY_NUMBER: Final = """
SELECT intent_id, source, doc_id, chunk_id FROM chunks c WHERE number = ? {condition}
"""
BY_REF: Final = """
SELECT body, record FROM chunks WHERE intent_id = ? AND source = ? AND doc_id = ? AND chunk_id = ?
"""
OF_DOCUMENT: Final = """
SELECT body, record FROM chunks WHERE source = ? AND doc_id = ? AND intent_id = ? ORDER BY ordinal
"""
HOLDINGS: Final = """
SELECT intent_id, source, doc_id, count(*) AS chunks FROM chunks GROUP BY intent_id, source, doc_id
"""
HOLDINGS_OF_INTENT: Final = """
SELECT intent_id, source, doc_id, count(*) AS chunks FROM chunks
WHERE intent_id = ? GROUP BY source, doc_id
"""
CHUNK_COUNTS: Final = "SELECT intent_id, count(*) FROM chunks GROUP BY intent_id"
CHECK_WORDS: Final = "INSERT INTO chunk_words (chunk_words, rank) VALUES ('integrity-check', 1)"
MERGE_WORDS: Final = "INSERT INTO chunk_words (chunk_words) VALUES ('optimize')"
DROP_PREVIOUS_WORDS: Final = "DROP TABLE IF EXISTS chunk_text"


OPEN_TENANTS: Final = 32
"""Tenants whose files are kept open; each costs three descriptors per thread that searches."""


class SqliteSearch:
    """SearchStore in a folder, one file per tenant.

    After an upgrade, or a repair that was interrupted, the first search indexes the words that are due, in
    short transactions beside writers, and other searches of the tenant wait or do the same.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, SqliteFile] = {}
        self._recent: dict[str, SqliteFile] = {}
        """Files that may have open connections, the last one used last."""
        self._guard = threading.Lock()

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()

    def write(
        self,
        tenant_id: str,
        intent_id: str,
        chunks: Sequence[tuple[DocumentKey, Chunk]],
        sparse: SparseVectors | None,
    ) -> None:
        """Durable when it returns; replaces what the intent wrote before; not yet visible."""
        facets_of_chunks = [chunk_facets(*chunk) for chunk in chunks]
        check_entries(
            (key, chunk.chunk_id, of_chunk)
            for (key, chunk), of_chunk in zip(chunks, facets_of_chunks, strict=True)
        )
        rows = [_row(intent_id, key, chunk) for key, chunk in chunks]
        with self._file(tenant_id).writing() as connection:
            _remove(connection, intent_id, None)
            (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM chunks").fetchone()
            connection.executemany(INSERT_CHUNK, rows)
            connection.execute(INDEX_NEW, (last, due_words.indexed_up_to(connection)))
            numbers = range(last + 1, last + 1 + len(rows))
            facets.write(connection, zip(numbers, facets_of_chunks, strict=True))
            named = (chunk_identifiers(*chunk) for chunk in chunks)
            identifiers.write(connection, zip(numbers, named, strict=True))
            if sparse is not None:
                sparse_postings.write(connection, intent_id, numbers, sparse)

    def bm25(
        self, tenant_id: str, query: str, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best visible chunks for any words of the query; [] if it has none. Never a syntax error."""
        expression = match_expression(query)
        if expression is None or limit < 1:
            return []
        condition, values = facets.condition(filters, "c.number")
        candidates: list[Candidate] = []
        with self._searching(tenant_id) as connection:
            for row in connection.execute(BM25.format(condition=condition), (expression, *values)):
                ref = ChunkRef(_key(tenant_id, row), row["intent_id"], row["chunk_id"])
                if visible(ref):
                    candidates.append(Candidate(ref, row["score"]))
                    if len(candidates) >= limit:
                        break
        return candidates

    def sparse(
        self, tenant_id: str, query: SparseVectors, limit: int, filters: Filters, visible: Visible
    ) -> list[Candidate]:
        """The best visible chunks by inner product of term weights; exact up to the weights' fp16."""
        condition, values = facets.condition(filters, "c.number")
        by_number = BY_NUMBER.format(condition=condition)
        candidates: list[Candidate] = []
        with self._searching(tenant_id) as connection:
            numbers, scores = sparse_postings.scored(connection, query)
            for place in np.lexsort((numbers, -scores)):
                if len(candidates) >= limit:
                    break
                row = connection.execute(by_number, (int(numbers[place]), *values)).fetchone()
                if row is None:  # filtered out
                    continue
                ref = ChunkRef(_key(tenant_id, row), row["intent_id"], row["chunk_id"])
                if visible(ref):
                    candidates.append(Candidate(ref, float(scores[place])))
        return candidates

    def identified(
        self, tenant_id: str, identifiers: Sequence[str], limit: int, filters: Filters, visible: Visible
    ) -> list[ChunkRef]:
        """Visible chunks of documents with one of the identifiers, in their order."""
        condition, values = facets.condition(filters, "c.number")
        refs_in_order: dict[ChunkRef, None] = {}
        with self._searching(tenant_id) as connection:
            for identifier in identifiers:
                rows = connection.execute(IDENTIFIED.format(condition=condition), (identifier, *values))
                refs = (ChunkRef(_key(tenant_id, row), row["intent_id"], row["chunk_id"]) for row in rows)
                refs_in_order.update(dict.fromkeys(filter(visible, refs)))
        return list(refs_in_order)[:limit]

    def chunks(self, tenant_id: str, refs: Sequence[ChunkRef]) -> list[Chunk | None]:
        """Stored chunks in the order of refs; None where the store lost one."""
        with self._file(tenant_id).reading() as connection:
            rows = [
                connection.execute(
                    BY_REF, (ref.intent_id, ref.key.source, ref.key.doc_id, ref.chunk_id)
                ).fetchone()
                for ref in refs
            ]
        return [_chunk(row) if row is not None else None for row in rows]

    def document_chunks(self, key: DocumentKey, intent_id: str) -> list[Chunk]:
        """All chunks of a document in order."""
        with self._file(key.tenant_id).reading() as connection:
            rows = connection.execute(OF_DOCUMENT, (key.source, key.doc_id, intent_id)).fetchall()
        return [_chunk(row) for row in rows]

    def sparse_vectors(self, tenant_id: str, intent_id: str) -> tuple[list[ChunkRef], SparseVectors] | None:
        """The term weights of an intent's chunks in the order of their numbers; None if it has none."""
        with self._file(tenant_id).reading() as connection:
            rows = connection.execute(CHUNKS_OF_INTENT, (intent_id,)).fetchall()
            vectors = sparse_postings.read(connection, intent_id, [row["number"] for row in rows])
        if vectors is None:
            return None
        return [ChunkRef(_key(tenant_id, row), intent_id, row["chunk_id"]) for row in rows], vectors

    def sparse_models(self, tenant_id: str) -> dict[str, str]:
        """Model of the term weights by intent."""
        with self._file(tenant_id).reading() as connection:
            return sparse_postings.models(connection)

    def discard(self, tenant_id: str, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
        """Forget what an intent wrote (for some documents, or all). Idempotent."""
        with self._file(tenant_id).writing() as connection:
            _remove(connection, intent_id, keys)

    def holdings(self, tenant_id: str, intent_id: str | None = None) -> Iterator[Holding]:
        """Everything held, or what one intent wrote."""
        with self._file(tenant_id).reading() as connection:
            if intent_id is None:
                rows = connection.execute(HOLDINGS).fetchall()
            else:
                rows = connection.execute(HOLDINGS_OF_INTENT, (intent_id,)).fetchall()
        for row in rows:
            yield Holding(_key(tenant_id, row), row["intent_id"], row["chunks"])

    def chunk_counts(self, tenant_id: str) -> dict[str, int]:
        """Rows by intent, from the index of their key."""
        with self._file(tenant_id).reading() as connection:
            return dict(map(tuple, connection.execute(CHUNK_COUNTS)))

    def is_empty(self, tenant_id: str) -> bool:
        """Whether nothing of the tenant is held."""
        with self._file(tenant_id).reading() as connection:
            return connection.execute("SELECT 1 FROM chunks LIMIT 1").fetchone() is None

    def damage(self, tenant_id: str) -> str | None:
        """What is wrong with the tenant's file or its word index; None if both are sound. Reads all of it."""
        file = self._file(tenant_id)
        problem = file.damage()
        if problem is not None:
            return problem
        try:
            with self._searching(tenant_id):
                pass
            with file.writing() as connection:
                connection.execute(CHECK_WORDS)
        except StoreCorruptError:
            return f"the word index in {file.path} does not fit its chunks"
        return None

    def repair(self, tenant_id: str) -> None:
        """Make the word index again from the chunks; a file that cannot be read is set aside instead."""
        file = self._file(tenant_id)
        if file.damage() is not None:
            file.set_aside()
            return
        with file.writing() as connection:
            due_words.begin(connection)
        due_words.index_due_words(tenant_id, file)

    def repair_deletes(self, tenant_id: str) -> bool:
        """False: a file that cannot be read is set aside."""
        return False

    def expunge(self, tenant_id: str) -> None:
        """Rewrite the file without what was discarded; the word index holds words of it until merged."""
        file = self._file(tenant_id)
        with file.writing() as connection:
            connection.execute(MERGE_WORDS)
        file.rewrite()

    @contextmanager
    def _searching(self, tenant_id: str) -> Iterator[sqlite3.Connection]:
        """A consistent view with the words of all chunks; indexes them first if some are due."""
        file = self._file(tenant_id)
        while True:
            with file.reading() as connection:
                if not due_words.is_due(connection):
                    yield connection
                    return
            due_words.index_due_words(tenant_id, file)

    def _file(self, tenant_id: str) -> SqliteFile:
        with self._guard:
            if tenant_id not in self._files:
                path = self._folder / f"{file_name(tenant_id)}.sqlite"
                self._files[tenant_id] = SqliteFile(
                    path, SCHEMA, SCHEMA_VERSION, _upgrade, {"medkg_words": indexed_words}
                )
            self._recent.pop(tenant_id, None)
            self._recent[tenant_id] = self._files[tenant_id]  # the last one used comes last
            for other in list(self._recent)[:-OPEN_TENANTS]:
                if self._recent[other].close_if_idle():
                    del self._recent[other]
            return self._files[tenant_id]


def _row(intent_id: str, key: DocumentKey, chunk: Chunk) -> tuple[Any, ...]:
    titles = " ".join(chunk.title_path)
    record = chunk.model_dump_json(exclude={"body"})
    return (
        intent_id,
        key.source,
        key.doc_id,
        chunk.chunk_id,
        chunk.ordinal,
        chunk.section,
        chunk.body,
        titles,
        record,
    )


def _remove(connection: sqlite3.Connection, intent_id: str, keys: Sequence[DocumentKey] | None) -> None:
    """Forget an intent's chunks, of some documents or all, with their words and terms."""
    if keys is None:
        numbers = [number for (number,) in connection.execute(NUMBERS_OF_INTENT, (intent_id,))]
    else:
        numbers = [
            number
            for key in keys
            for (number,) in connection.execute(NUMBERS_OF_DOCUMENT, (intent_id, key.source, key.doc_id))
        ]
    if not numbers:
        return
    sparse_postings.remove(connection, intent_id, None if keys is None else numbers)
    facets.remove(connection, numbers)
    identifiers.remove(connection, numbers)
    up_to = due_words.indexed_up_to(connection)
    connection.executemany(UNINDEX, [(number,) for number in numbers if number <= up_to])
    connection.executemany(DELETE_CHUNK, [(number,) for number in numbers])


def _upgrade(connection: sqlite3.Connection, schema_version: int) -> None:
    """Facets came with schema 3, words of `orchestration.formats.words` and identifiers with schema 4.

    The first search writes all of them. Schema 5 notes which words are due.
    """
    if schema_version < 4:
        connection.execute(DROP_PREVIOUS_WORDS)
        due_words.begin(connection)


def _key(tenant_id: str, row: sqlite3.Row) -> DocumentKey:
    return DocumentKey(tenant_id=tenant_id, source=row["source"], doc_id=row["doc_id"])


def _chunk(row: sqlite3.Row) -> Chunk:
    return Chunk(**json.loads(row["record"]), body=row["body"])
