"""Indexing the words of all chunks again in short transactions, beside writers: by an upgrade or a repair.

Input: a file whose word index is to be made again. Output: the same index, step by step. While it is made,
chunks up to a number are indexed and no others: writes and removals keep to that, and a killed process leaves
a state that the next one continues. Facets and identifiers of the chunks are written along, since older files
lack them.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from typing import Final

import structlog

from orchestration.contracts import chunk_facets, chunk_identifiers
from orchestration.records import Chunk, DocumentKey
from orchestration.stores.sqlite import facets, identifiers
from orchestration.stores.sqlite.file import SqliteFile

__all__ = ["SCHEMA", "begin", "index_due_words", "indexed_up_to", "is_due"]

AT_ONCE: Final = 2_000
"""Chunks of one transaction: a second or two."""

PAUSE_SECONDS: Final = 0.15
"""Between transactions: longer than SQLite lets a waiting writer sleep (100 ms), so that it gets its turn."""

SCHEMA: Final = ("CREATE TABLE IF NOT EXISTS words_due (indexed_up_to INTEGER NOT NULL)",)
"""One row while words are due."""

FORGET_WORDS: Final = "INSERT INTO chunk_words (chunk_words) VALUES ('delete-all')"
FORGET_DUE: Final = "DELETE FROM words_due"
MAKE_DUE: Final = "INSERT INTO words_due (indexed_up_to) SELECT 0 WHERE EXISTS (SELECT 1 FROM chunks)"
DUE: Final = "SELECT indexed_up_to FROM words_due"
COUNT: Final = "SELECT count(*) FROM chunks WHERE number > (SELECT indexed_up_to FROM words_due)"
NEXT_CHUNKS: Final = """
SELECT number, source, doc_id, body, record FROM chunks WHERE number > ? ORDER BY number LIMIT ?
"""
INDEX: Final = """
INSERT INTO chunk_words (rowid, body, titles)
SELECT number, body, titles FROM words_of_chunks WHERE number > ? AND number <= ?
"""
ADVANCE: Final = "UPDATE words_due SET indexed_up_to = ?"

logger = structlog.get_logger(__name__)


def begin(connection: sqlite3.Connection) -> None:
    """Empty the word index; the words of all chunks are due from now on."""
    connection.execute(FORGET_WORDS)
    connection.execute(FORGET_DUE)
    connection.execute(MAKE_DUE)


def is_due(connection: sqlite3.Connection) -> bool:
    """Return whether the words of some chunks are not indexed yet."""
    return connection.execute(DUE).fetchone() is not None


def indexed_up_to(connection: sqlite3.Connection) -> int:
    """Return the number of the last chunk whose words are indexed; sys.maxsize where none are due."""
    row = connection.execute(DUE).fetchone()
    return sys.maxsize if row is None else int(row[0])


def index_due_words(tenant_id: str, file: SqliteFile) -> None:
    """Index all words that are due; other processes may do the same at the same time. Idempotent."""
    with file.reading() as connection:
        (count,) = connection.execute(COUNT).fetchone()
    logger.info("search_words_are_indexed_again", tenant=tenant_id, file=str(file.path), chunks=count)
    started = time.monotonic()
    while _step(tenant_id, file):
        time.sleep(PAUSE_SECONDS)
    seconds = round(time.monotonic() - started, 1)
    logger.info("search_words_are_indexed", tenant=tenant_id, chunks=count, seconds=seconds)


def _step(tenant_id: str, file: SqliteFile) -> bool:
    """Index the words of the next chunks; returns whether any were due."""
    with file.writing() as connection:
        row = connection.execute(DUE).fetchone()
        if row is None:  # another process was faster
            return False
        rows = connection.execute(NEXT_CHUNKS, (row[0], AT_ONCE)).fetchall()
        if not rows:
            connection.execute(FORGET_DUE)
            return False
        last = rows[-1]["number"]
        connection.execute(INDEX, (row[0], last))
        for number, source, doc_id, body, record in rows:
            key = DocumentKey(tenant_id=tenant_id, source=source, doc_id=doc_id)
            chunk = Chunk(**json.loads(record), body=body)
            identifiers.write(connection, [(number, chunk_identifiers(key, chunk))])
            facets.write(connection, [(number, chunk_facets(key, chunk))])
        connection.execute(ADVANCE, (last,))
        return True
