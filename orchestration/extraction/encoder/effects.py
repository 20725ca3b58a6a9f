"""The sentence that answers what an intervention did to an outcome, found by its words.

Input: a document's sentences and questions. Output: a sentence per question, or None where no word of the
question is in any. A sentence counts the words that it shares with the question, each by how rare it is in
the document (inverse document frequency over sentences; the outcome's words count most), and whether it
reports a comparison or a test. Weights were chosen on 150 training articles of Evidence Inference (DeYoung
et al., BioNLP 2020): the sentence overlaps an annotator's evidence for 61 % of their questions, for 43 % by
words alone.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from orchestration.contracts import EffectQuestion
from orchestration.records import Span

__all__ = ["evidence_of"]

OUTCOME, INTERVENTION, COMPARATOR = 1.0, 0.4, 0.2
"""Weights of the parts of a question."""
COMPARISON, TEST = 0.1, 0.4
"""For a sentence that compares, and one that reports a statistical test."""
LONG_SENTENCE: Final = 50
PER_EXTRA_WORDS: Final = 0.1
"""Lost per LONG_SENTENCE words beyond the first LONG_SENTENCE: long sentences share words by chance."""
STEM: Final = 6
"""First letters of a word that are compared: reduced, reduction."""

_WORD: Final = re.compile(r"[a-z][a-z0-9]+|\d+")
_COMMON: Final = re.compile(
    r"(?:the|of|and|in|to|a|with|for|was|were|is|by|on|at|from|or|than|that|as|be|not|after|during|between"
    r"|groups?|patients)"
)
_COMPARES: Final = re.compile(
    r"differen|no differ|compared|higher|lower|increas|decreas|reduc|improv|similar", re.IGNORECASE
)
_TESTS: Final = re.compile(r"significan|\bp\s?[<=>\u2264]|95\s?% ?c|confidence interval", re.IGNORECASE)


def evidence_of(
    text: str, sentences: Sequence[Span], questions: Sequence[EffectQuestion]
) -> list[Span | None]:
    """The sentence for each question, in order; the first of equal ones."""
    words = [_words(text[each.start_char : each.end_char]) for each in sentences]
    rarity = _rarity(words)
    merits = [
        _merit(text[each.start_char : each.end_char], count)
        for each, count in zip(sentences, map(Counter.total, words), strict=True)
    ]
    chosen: list[Span | None] = []
    for question in questions:
        weights = _weights(question, rarity, math.log(1 + len(sentences)))
        shared = [sum(weight for word, weight in weights.items() if word in of) for of in words]
        places = [place for place, share in enumerate(shared) if share > 0]
        best = max(places, key=lambda place: shared[place] + merits[place], default=None)
        chosen.append(None if best is None else sentences[best])
    return chosen


def _words(sentence: str) -> Counter[str]:
    return Counter(word[:STEM] for word in _WORD.findall(sentence.lower()) if not _COMMON.fullmatch(word))


def _rarity(words: Sequence[Counter[str]]) -> dict[str, float]:
    counts = Counter(word for of_sentence in words for word in of_sentence)
    return {word: math.log(1 + len(words) / count) for word, count in counts.items()}


def _weights(question: EffectQuestion, rarity: dict[str, float], unknown: float) -> dict[str, float]:
    """What each word of a question adds; all words of a part add at most its weight."""
    weights: dict[str, float] = defaultdict(float)
    for weight, part in (
        (OUTCOME, question.outcome),
        (INTERVENTION, question.intervention),
        (COMPARATOR, question.comparator),
    ):
        words = set(_words(part))
        whole = sum(rarity.get(word, unknown) for word in words) or 1.0
        for word in words:
            weights[word] += weight * rarity.get(word, 0.0) / whole
    return weights


def _merit(sentence: str, words: int) -> float:
    """What a sentence has whatever the question."""
    extra = max(0, words - LONG_SENTENCE) / LONG_SENTENCE
    compares = COMPARISON if _COMPARES.search(sentence) or _TESTS.search(sentence) else 0.0
    return compares + (TEST if _TESTS.search(sentence) else 0.0) - PER_EXTRA_WORDS * extra
