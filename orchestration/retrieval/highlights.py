"""Highlights: where the words of a query stand in the text of a chunk.

Comes in: a query and texts. Leaves: spans of characters. A word matches as it does in the word index of
SQLite: letter case and accents do not count, English endings are taken off (Porter 1980), a hyphen parts two
words, and words that say nothing are not looked for. FTS5 itself tells, on a table in memory.
Source: https://www.sqlite.org/fts5.html (highlight(), the unicode61 and porter tokenizers).
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Sequence
from contextlib import closing
from typing import Final

__all__ = ["highlights"]

Spans = tuple[tuple[int, int], ...]
"""[start, end) in characters, sorted and disjoint."""

MOST_WORDS: Final = 64
NOT_TELLING: Final = frozenset(
    """a about after all also an and any are as at be been before being between both but by can could did do
    does doing during each for from further had has have having how if in into is it its may more most no
    nor not of on only or other our out over own same should so some such than that the their them then
    there these they this those through to too under until up very was we were what when where which while
    who whom why will with would""".split()  # noqa: SIM905 - a list would be a line a word
)

OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Noncharacters, which no text holds once `CLEAN` was applied; they part words as a blank does."""

CLEAN: Final = {ord(OPEN): " ", ord(CLOSE): " ", 0: " "}

TABLE: Final = "CREATE VIRTUAL TABLE texts USING fts5(body, tokenize='porter unicode61')"
KEEP: Final = "INSERT INTO texts (rowid, body) VALUES (?, ?)"
MARKED: Final = "SELECT rowid, highlight(texts, 0, ?, ?) FROM texts WHERE texts MATCH ?"


def highlights(query: str, texts: Sequence[str]) -> list[Spans]:
    """For each text, the spans of the words that the query asks for, sorted and disjoint."""
    spans: list[Spans] = [()] * len(texts)
    words = _telling(query)
    if not words:
        return spans
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLE)
        connection.executemany(KEEP, [(row, text.translate(CLEAN)) for row, text in enumerate(texts)])
        expression = " OR ".join(f'"{word}"' for word in words)
        for row, marked in connection.execute(MARKED, (OPEN, CLOSE, expression)):
            spans[row] = _spans(marked)
    return spans


def _telling(query: str) -> list[str]:
    """Words of a query, lower case, each once; those that say nothing only if there are no others."""
    letters = (letter if _in_word(letter) else " " for letter in query.lower())
    words = list(dict.fromkeys("".join(letters).split()))
    return ([word for word in words if word not in NOT_TELLING] or words)[:MOST_WORDS]


def _in_word(letter: str) -> bool:
    """Whether unicode61 takes it for a part of a word: letters, marks, numbers, private use."""
    category = unicodedata.category(letter)
    return category[0] in "LMN" or category == "Co"


def _spans(marked: str) -> Spans:
    """Where the marks stand, counted without them."""
    spans: list[tuple[int, int]] = []
    before, *parts = marked.split(OPEN)
    place = len(before)
    for part in parts:
        word, _, rest = part.partition(CLOSE)
        spans.append((place, place + len(word)))
        place += len(word) + len(rest)
    return tuple(spans)
