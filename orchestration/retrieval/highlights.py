"""Highlights: the positions of a query's words in the text of a chunk.

Comes in: a query and texts. Leaves: spans of characters. A word matches as it does in the word indexes
(`orchestration.formats.words`): folded, accents ignored, English endings removed (Porter 1980), stop words
left out. A word with signs in it is marked by its parts, or as a whole if only the whole matches. FTS5
itself compares, on a table in memory with a row per word.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Final

from orchestration.formats.match_expression import TOKENIZER, match_expression
from orchestration.formats.words import Word, placed_words

__all__ = ["highlights"]

Spans = tuple[tuple[int, int], ...]
"""[start, end) in characters, sorted and disjoint."""

TABLE: Final = f"CREATE VIRTUAL TABLE words USING fts5(word, tokenize='{TOKENIZER}')"
INSERT: Final = "INSERT INTO words (word) VALUES (?)"
MATCHING: Final = "SELECT word FROM words WHERE words MATCH ?"


def highlights(query: str, texts: Sequence[str]) -> list[Spans]:
    """For each text, the spans of the query's words, sorted and disjoint."""
    expression = match_expression(query)
    if expression is None or not texts:
        return [()] * len(texts)
    of_texts = [placed_words(text) for text in texts]
    different = {word.text for of_text in of_texts for word in of_text}
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLE)
        connection.executemany(INSERT, [(word,) for word in different])
        matching = {word for (word,) in connection.execute(MATCHING, (expression,))}
    return [_spans(word for word in of_text if word.text in matching) for of_text in of_texts]


def _spans(matching: Iterable[Word]) -> Spans:
    """Spans of parts and pairs, overlapping ones as one; of joined words where no part is marked."""
    spans: list[tuple[int, int]] = []
    for word in sorted(matching, key=lambda word: (word.kind == "joined", word.end - word.start)):
        overlapping = [span for span in spans if span[0] < word.end and word.start < span[1]]
        if word.kind == "joined" and overlapping:
            continue
        spans = [span for span in spans if span not in overlapping]
        starts, ends = zip((word.start, word.end), *overlapping, strict=True)
        spans.append((min(starts), max(ends)))
    return tuple(sorted(spans))
