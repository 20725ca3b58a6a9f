"""Finds in a window what an answer names: every occurrence of a name, and the sentences that a claim cites.

Input: a window and an answer. Output: mentions and claims in the document's findings. Dropped and counted: a
name that is not in the window, a claim whose names do not both stand in the sentences that it cites. A name
may stand there by its abbreviation or long form as the document defines them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from orchestration.contracts import long_forms
from orchestration.extraction.findings import Findings
from orchestration.extraction.llm.answers import Answer, NamedClaim
from orchestration.extraction.llm.windows import Window
from orchestration.records import Entity, Span

__all__ = ["CONFIDENCE", "forms_of", "ground"]

CONFIDENCE: Final = 0.5
"""Of what a model answered: not calibrated, below what records and trained extractors state."""


def ground(
    findings: Findings, window: Window, answer: Answer, other_forms: Mapping[str, Sequence[str]]
) -> Counter[str]:
    """Add what the window supports; returns how much was dropped by reason.

    `other_forms`: of the document, see forms_of.
    """
    dropped = Counter(answer.dropped)
    kinds: dict[str, str] = {}
    for mention in answer.mentions:
        name = _normalised(mention.name)
        if kinds.setdefault(name, mention.kind) != mention.kind:
            dropped["name of a second kind"] += 1
    mentions_of: dict[str, list[Entity]] = defaultdict(list)
    taken: list[Span] = []
    text = _Folded(window)
    for name in sorted(kinds, key=lambda each: (-len(each), each)):
        spans = list(text.occurrences(name)) if name else []
        if not spans:
            dropped["mention not in the text"] += 1
        for span in spans:
            if not any(
                each.start_char <= span.start_char and span.end_char <= each.end_char for each in taken
            ):
                mentions_of[name].append(findings.mention(kinds[name], span, confidence=CONFIDENCE))
        taken += spans
    for claim in answer.claims:
        reason = _add_claim(findings, window, claim, mentions_of, other_forms)
        if reason is not None:
            dropped[reason] += 1
    return dropped


def forms_of(text: str) -> dict[str, list[str]]:
    """The long form of each abbreviation that a text defines, and the reverse; both normalised."""
    forms: dict[str, list[str]] = defaultdict(list)
    for short, long in long_forms(text).items():
        forms[_normalised(short)].append(_normalised(long))
        forms[_normalised(long)].append(_normalised(short))
    return dict(forms)


def _add_claim(
    findings: Findings,
    window: Window,
    claim: NamedClaim,
    mentions_of: Mapping[str, Sequence[Entity]],
    other_forms: Mapping[str, Sequence[str]],
) -> str | None:
    """Add a claim, or return why it is dropped."""
    numbers = sorted(set(claim.sentences))
    if numbers[0] < 1 or numbers[-1] > len(window.sentences):
        return "sentence not in the text"
    evidence = [window.sentences[number - 1] for number in numbers]
    ends: list[Entity] = []
    for name in (claim.subject, claim.object):
        forms = [_normalised(name), *other_forms.get(_normalised(name), ())]
        mentions = [each for form in forms for each in mentions_of.get(form, ())]
        if not mentions:
            return "claim without its mentions"
        cited = [each for each in mentions if any(_inside(each.span, sentence) for sentence in evidence)]
        if not cited:
            return "claim not in its sentences"
        ends.append(cited[0])
    subject, object_ = ends
    if subject.concept == object_.concept:
        return "claim of a mention and itself"
    findings.claim(
        subject,
        claim.predicate,
        object_,
        evidence,
        negated=claim.negated,
        direction=claim.direction,
        confidence=CONFIDENCE,
    )
    return None


class _Folded:
    """A window's text in one case, in which a name stands as `_normalised` writes it, with the places of it.

    Folding changes lengths: "ß" becomes "ss", "ﬁ" becomes "fi".
    """

    def __init__(self, window: Window) -> None:
        folded = [character.casefold() for character in window.text]
        self._start = window.start
        self._text = "".join(folded)
        self._places = [place for place, characters in enumerate(folded) for _ in characters]
        self._places.append(len(folded))

    def occurrences(self, name: str) -> Iterator[Span]:
        """Where a name stands as whole words; in the order of the text."""
        words = r"\s+".join(re.escape(word) for word in name.split())
        for match in re.finditer(rf"(?<!\w){words}(?!\w)", self._text):
            start, end = self._places[match.start()], self._places[match.end() - 1] + 1
            yield Span(start_char=self._start + start, end_char=self._start + end)


def _normalised(name: str) -> str:
    return " ".join(name.casefold().split())


def _inside(span: Span, sentence: Span) -> bool:
    return sentence.start_char <= span.start_char and span.end_char <= sentence.end_char
