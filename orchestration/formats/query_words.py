"""Words of a query for SQLite's full-text index, as an FTS5 expression.

Comes in: a user's query. Leaves: words, never syntax. Search and highlights both use it, so that the marked
words are the ones searched for. Source: https://www.sqlite.org/fts5.html (the unicode61 tokenizer).
"""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["MOST_TERMS", "STOP_WORDS", "match_expression"]

MOST_TERMS: Final = 64
"""Words of a query that are looked for; a question has fewer, and a pasted page would find all there is."""

STOP_WORDS: Final = frozenset(
    """a about after all also an and any are as at be been before being between both but by can could did do
    does doing during each for from further had has have having how if in into is it its may more most no
    nor not of on only or other our out over own same should so some such than that the their them then
    there these they this those through to too under until up very was we were what when where which while
    who whom why will with would""".split()  # noqa: SIM905 - a list would be one line per word
)


def match_expression(query: str) -> str | None:
    """The query's words as an FTS5 expression, any of them; None if it has no word.

    Each word is quoted, so a query is never syntax. Stop words are dropped unless there is nothing else.
    """
    words = list(dict.fromkeys(_words(query)))
    telling = [word for word in words if word not in STOP_WORDS] or words
    return " OR ".join(f'"{word}"' for word in telling[:MOST_TERMS]) or None


def _words(query: str) -> list[str]:
    """Runs of the characters that unicode61 takes for words: letters, marks, numbers, private use."""
    characters = (
        letter if unicodedata.category(letter)[0] in "LMN" or unicodedata.category(letter) == "Co" else " "
        for letter in query.lower()
    )
    return "".join(characters).split()
