"""Sentences by plain rules: no model, no download, exact offsets by construction.

Input: text. Output: its pieces, which joined are the text again, or the spans of its sentences. A piece ends
after sentence punctuation that is followed by white space and a character that can begin a sentence, unless
an abbreviation or a number's point stands before it; and at line breaks.
"""

from __future__ import annotations

import re
from typing import Final

from orchestration.records import Span

__all__ = ["sentence_spans", "split_sentences"]

_END: Final = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])|\n+")
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|al|Fig|Figs|Tab|Eq|Eqs|Ref|Refs|No|Nos|Dr|Prof|Mr|Mrs|Ms|St|ca|approx|resp|incl|"
    r"[A-Z])|\b[A-Z]\.[A-Z])\.$"
)


def split_sentences(text: str) -> list[str]:
    """Return the text's pieces in order, trailing white space included; "".join(pieces) == text."""
    pieces: list[str] = []
    start = 0
    for match in _END.finditer(text):
        before = text[max(start, match.start() - 12) : match.start()]
        if "\n" not in match.group() and _ABBREVIATION.search(before):
            continue
        pieces.append(text[start : match.end()])
        start = match.end()
    if start < len(text):
        pieces.append(text[start:])
    return pieces


def sentence_spans(text: str, start_char: int = 0, end_char: int | None = None) -> list[Span]:
    """Return the sentences of text[start_char:end_char], in order, without the white space around them.

    Offsets are those of `text`. Blank pieces have no span.
    """
    spans: list[Span] = []
    place = start_char
    for piece in split_sentences(text[start_char:end_char]):
        inside = piece.strip()
        first = place + len(piece) - len(piece.lstrip())
        if inside:
            spans.append(Span(start_char=first, end_char=first + len(inside)))
        place += len(piece)
    return spans
