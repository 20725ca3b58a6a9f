"""Words of a query as an FTS5 expression: words, never syntax.

Comes in: a user's query. Leaves: an expression for the full-text index, whose rows are `indexed_words`. The
store and highlights both use it, so that the marked words are the ones searched for.
Source: https://www.sqlite.org/fts5.html (the ascii tokenizer takes all other characters for letters).
"""

from __future__ import annotations

from typing import Final

from orchestration.formats.words import query_words

__all__ = ["TOKENIZER", "match_expression"]

TOKENIZER: Final = "porter ascii"


def match_expression(query: str) -> str | None:
    """The query's words as an FTS5 expression, any of them; None if it has no word."""
    return " OR ".join(f'"{word}"' for word in query_words(query)) or None
