"""Facets of chunks in SQLite, and filters as SQL over them.

Comes in: chunk numbers with their facets; filters. Leaves: a condition for a WHERE clause. Written and
removed in the transaction that writes and removes the chunks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from orchestration.contracts import Facets, Filters

__all__ = ["SCHEMA", "condition", "remove", "write"]

SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS facets (
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (number, name, value)
    ) WITHOUT ROWID
    """,
)
"""Columns in the key's order: SQLite 3.40's quick_check reports damage where there is none for any other."""

INSERT: Final = "INSERT OR IGNORE INTO facets (number, name, value) VALUES (?, ?, ?)"
DELETE: Final = "DELETE FROM facets WHERE number = ?"


def write(connection: sqlite3.Connection, facets: Iterable[tuple[int, Facets]]) -> None:
    """Facets of chunks that have none yet, by chunk number."""
    rows = (
        (number, name, value)
        for number, of_chunk in facets
        for name, values in of_chunk.items()
        for value in values
    )
    connection.executemany(INSERT, rows)


def remove(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Forget the facets of these chunks."""
    connection.executemany(DELETE, [(number,) for number in numbers])


def condition(filters: Filters, number: str) -> tuple[str, list[str]]:
    """SQL that is true for chunks that match, beginning with AND, and its values; `number` is the column."""
    tests = [
        (verb, name, f"IN ({', '.join('?' * len(values))})", values)
        for verb, facets in (("EXISTS", filters.wanted), ("NOT EXISTS", filters.unwanted))
        for name, values in facets.items()
    ]
    if filters.days is not None:
        tests.append(("EXISTS", "date", "BETWEEN ? AND ?", filters.days))
    conditions = [
        f" AND {verb} (SELECT 1 FROM facets WHERE number = {number} AND name = ? AND value {test})"
        for verb, _, test, _ in tests
    ]
    return "".join(conditions), [text for _, name, _, values in tests for text in (name, *values)]
