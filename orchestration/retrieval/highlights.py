"""Highlights: the positions of a query's words in the text of a chunk.

Comes in: a query and texts. Leaves: spans of characters. A word matches as it does in the word index of
SQLite: case and accents are ignored, English endings are removed (Porter 1980), a hyphen separates two words,
and stop words are left out. FTS5 itself computes the spans, on a table in memory.
Source: https://www.sqlite.org/fts5.html (highlight(), the unicode61 and porter tokenizers).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from orchestration.formats.query_words import match_expression

__all__ = ["highlights"]

Spans = tuple[tuple[int, int], ...]
"""[start, end) in characters, sorted and disjoint."""

OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Noncharacters, which no text contains after `CLEAN`; they separate words as a space does."""

CLEAN: Final = {ord(OPEN): " ", ord(CLOSE): " ", 0: " "}

TABLE: Final = "CREATE VIRTUAL TABLE texts USING fts5(body, tokenize='porter unicode61')"
INSERT: Final = "INSERT INTO texts (rowid, body) VALUES (?, ?)"
MARKED: Final = "SELECT rowid, highlight(texts, 0, ?, ?) FROM texts WHERE texts MATCH ?"


def highlights(query: str, texts: Sequence[str]) -> list[Spans]:
    """For each text, the spans of the query's words, sorted and disjoint."""
    spans: list[Spans] = [()] * len(texts)
    expression = match_expression(query)
    if expression is None:
        return spans
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLE)
        connection.executemany(INSERT, [(row, text.translate(CLEAN)) for row, text in enumerate(texts)])
        for row, marked in connection.execute(MARKED, (OPEN, CLOSE, expression)):
            spans[row] = _spans(marked)
    return spans


def _spans(marked: str) -> Spans:
    """Spans between marks, in characters of the text without marks."""
    spans: list[tuple[int, int]] = []
    before, *parts = marked.split(OPEN)
    position = len(before)
    for part in parts:
        word, _, rest = part.partition(CLOSE)
        spans.append((position, position + len(word)))
        position += len(word) + len(rest)
    return tuple(spans)
