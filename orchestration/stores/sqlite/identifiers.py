"""Identifiers of chunks' documents in SQLite: chunk numbers by identifier.

Comes in: chunk numbers with their identifiers. Leaves: SQL that finds them. Written and removed in the
transaction that writes and removes the chunks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["IDENTIFIED", "SCHEMA", "remove", "write"]

SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS identifiers (
        identifier TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (identifier, number)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS identifiers_by_number ON identifiers (number)",
)
INSERT: Final = "INSERT OR IGNORE INTO identifiers (identifier, number) VALUES (?, ?)"
DELETE: Final = "DELETE FROM identifiers WHERE number = ?"
IDENTIFIED: Final = """
SELECT c.intent_id, c.source, c.doc_id, c.chunk_id
FROM identifiers i CROSS JOIN chunks c ON c.number = i.number
WHERE i.identifier = ? {condition} ORDER BY c.source, c.doc_id, c.ordinal
"""


def write(connection: sqlite3.Connection, identifiers: Iterable[tuple[int, Sequence[str]]]) -> None:
    """Identifiers of chunks, by chunk number."""
    rows = ((identifier, number) for number, of_chunk in identifiers for identifier in of_chunk)
    connection.executemany(INSERT, rows)


def remove(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Forget the identifiers of these chunks."""
    connection.executemany(DELETE, [(number,) for number in numbers])
