"""Texts and questions as rows of token ids, with what a training or a measurement needs of each.

Input: annotated texts, a tokenizer. Output: rows of at most 512 ids whose words carry character spans and the
labels that they may have, and whose concepts carry the pieces of their mentions. Long texts are cut at
sentence ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from gpu_actors.training.extraction.gold import DIRECTIONS, KINDS, AnnotatedText, DirectionQuestion
from orchestration.contracts import split_sentences
from orchestration.errors import ConfigurationError
from orchestration.records import AnnotatedMention

__all__ = [
    "LABELS",
    "MAX_TOKENS",
    "Concept",
    "DirectionRow",
    "TextRow",
    "concepts_of",
    "direction_row",
    "special_id",
    "text_rows",
]

LABELS: Final = ("O", *(f"{prefix}-{kind}" for kind in KINDS for prefix in "BI"))
"""Labels of words; B- begins a mention, I- continues it."""

MAX_TOKENS: Final = 512
"""Most ids of a row, special ones included: the position table's size."""

MAX_QUESTION_PART: Final = 32
"""Most pieces of each of intervention, comparator and outcome."""

MAX_DIRECTION_TOKENS: Final = 320

Range = tuple[int, int]
"""First and one after the last."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """Part of a text as token ids."""

    text: int
    """Number of the text that it is from."""
    ids: tuple[int, ...]
    words: tuple[Range, ...]
    """Pieces of each word, as indices into `ids`."""
    spans: tuple[Range, ...]
    """Characters of each word in the text."""
    allowed: npt.NDArray[np.bool_]
    """Labels that each word may have, [words, labels]."""

    @property
    def characters(self) -> Range:
        """The characters that it covers."""
        return (self.spans[0][0], self.spans[-1][1]) if self.spans else (0, 0)

    def pieces(self, start: int, end: int) -> Range | None:
        """The pieces of the words that the characters touch; None if there are none in this row."""
        touched = [
            pieces
            for pieces, (first, last) in zip(self.words, self.spans, strict=True)
            if first < end and start < last
        ]
        return (touched[0][0], touched[-1][1]) if touched else None


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept in one row."""

    key: str
    kind: str
    mentions: tuple[Range, ...]
    """Pieces of its mentions, in reading order."""


@dataclass(frozen=True, slots=True)
class DirectionRow:
    """A question and its evidence as token ids."""

    ids: tuple[int, ...]
    direction: int
    """Index into DIRECTIONS."""


def special_id(tokenizer: Tokenizer, token: str) -> int:
    """Id of a special token; raises ConfigurationError for a vocabulary without it."""
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ConfigurationError(
            f"the base's vocabulary has no {token}, so it is no BERT's. Name another in --base, e.g. "
            "all-MiniLM-L6-v2."
        )
    return int(number)


def text_rows(texts: Sequence[AnnotatedText], tokenizer: Tokenizer) -> list[TextRow]:
    """Cut each text into rows; every word is in exactly one."""
    return [row for number, text in enumerate(texts) for row in _rows(number, text, tokenizer)]


def _rows(number: int, text: AnnotatedText, tokenizer: Tokenizer) -> Iterator[TextRow]:
    encoding = tokenizer.encode(text.text, add_special_tokens=False)
    words = _words(encoding)
    spans = [(encoding.offsets[first][0], encoding.offsets[last - 1][1]) for first, last in words]
    allowed = _allowed(text, spans)
    before, after = special_id(tokenizer, "[CLS]"), special_id(tokenizer, "[SEP]")
    for first, last in _cuts(text.text, words, spans):
        start, end = words[first][0], words[last - 1][1]
        yield TextRow(
            text=number,
            ids=(before, *encoding.ids[start:end], after),
            words=tuple((a - start + 1, b - start + 1) for a, b in words[first:last]),
            spans=tuple(spans[first:last]),
            allowed=allowed[first:last],
        )


def _words(encoding: Encoding) -> list[Range]:
    """Pieces of each word of the pre-tokenizer: white space and punctuation separate."""
    words = []
    for _, pieces in groupby(range(len(encoding.ids)), key=lambda piece: encoding.word_ids[piece]):
        first, *others = pieces
        words.append((first, others[-1] + 1 if others else first + 1))
    return words


def _cuts(text: str, words: Sequence[Range], spans: Sequence[Range]) -> Iterator[Range]:
    """Ranges of words that fit into a row, cut at sentence ends where possible."""
    ends = np.cumsum([len(sentence) for sentence in split_sentences(text)])
    sentence_of = np.searchsorted(ends, [start for start, _ in spans], side="right")
    room, first, last_end = MAX_TOKENS - 2, 0, 0
    for number in range(len(words)):
        if number > first and sentence_of[number] != sentence_of[number - 1]:
            last_end = number
        if words[number][1] - words[first][0] > room:
            cut = last_end if last_end > first else number
            yield first, cut
            first = cut
    if first < len(words):
        yield first, len(words)


def _allowed(text: AnnotatedText, spans: Sequence[Range]) -> npt.NDArray[np.bool_]:
    """Labels that each word may have: one in annotated mentions, else O and the kinds not annotated."""
    allowed = np.zeros((len(spans), len(LABELS)), dtype=bool)
    outside = [number for number, label in enumerate(LABELS) if label == "O" or label[2:] not in text.kinds]
    allowed[:, outside] = True
    starts = np.array([start for start, _ in spans])
    ends = np.array([end for _, end in spans])
    for mention in text.mentions:
        touched = np.flatnonzero((starts < mention.end_char) & (ends > mention.start_char))
        for place, word in enumerate(touched):
            allowed[word] = False
            allowed[word, LABELS.index(f"{'I' if place else 'B'}-{mention.kind}")] = True
    return allowed


def concepts_of(row: TextRow, mentions: Sequence[AnnotatedMention]) -> list[Concept]:
    """Concepts in a row, by first mention; mentions without a concept are left out."""
    ranges_by_concept: dict[tuple[str, str], list[Range]] = {}
    for mention in sorted(mentions, key=lambda mention: (mention.start_char, mention.end_char)):
        pieces = row.pieces(mention.start_char, mention.end_char)
        if pieces is not None:
            for key in mention.concepts:
                ranges_by_concept.setdefault((mention.kind, key), []).append(pieces)
    return [Concept(key, kind, tuple(ranges)) for (kind, key), ranges in ranges_by_concept.items()]


def direction_row(question: DirectionQuestion, tokenizer: Tokenizer) -> DirectionRow:
    """[CLS] intervention [SEP] comparator [SEP] outcome [SEP] evidence [SEP]."""
    after = special_id(tokenizer, "[SEP]")
    ids = [special_id(tokenizer, "[CLS]")]
    for part in (question.intervention, question.comparator, question.outcome):
        ids += [*tokenizer.encode(part, add_special_tokens=False).ids[:MAX_QUESTION_PART], after]
    evidence = tokenizer.encode(question.evidence, add_special_tokens=False).ids
    ids += [*evidence[: MAX_DIRECTION_TOKENS - 1 - len(ids)], after]
    return DirectionRow(tuple(ids), DIRECTIONS.index(question.direction))
