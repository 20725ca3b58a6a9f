"""Negation and speculation: words that deny or weaken what a sentence says of two mentions, with their scope.

Input: a sentence and two mentions in it. Output: the span of the cue, or None. A cue reaches to the end of
its clause. It concerns a pair where one mention is in its reach, and the other too or before it.
Sources: Chapman et al., NegEx, https://doi.org/10.1006/jbin.2001.1029 (cues with scope); Vincze et al.,
BioScope, https://doi.org/10.1186/1471-2105-9-S11-S9 (cues of speculation in biomedical text).
"""

from __future__ import annotations

import re
from typing import Final

from orchestration.contracts import CharRange
from orchestration.records import Span

__all__ = ["negation", "speculation"]

_NEGATION: Final = re.compile(
    r"\b(?:(?:did|does|do|was|were|is|are|has|have|had|could|would|can) not|not|no|never|neither|nor|without"
    r"|cannot|(?:absence|lack) of|lack(?:s|ed)?|fail(?:s|ed)? to|failure to|free of)\b"
    r"(?! only\b| (?:more|less|later) than\b| necessarily\b| doubt\b| longer\b)",
    re.IGNORECASE,
)
_SPECULATION: Final = re.compile(
    r"\b(?:may|might|could|possibl[ey]|possibility|probabl[ey]|perhaps|potential(?:ly)?|presum(?:ably|ed)"
    r"|suspect(?:ed|s)?|suspicion|suggest(?:s|ed|ing|ive)?|appear(?:s|ed)? to|seem(?:s|ed)? to|likely"
    r"|hypothes[ie](?:s|[sz]ed?)|whether|unclear|equivocal|inconclusive|controversial|unknown|not known"
    r"|to (?:determine|investigate|examine|assess|evaluate|study|test))\b",
    re.IGNORECASE,
)
_END_OF_CLAUSE: Final = re.compile(
    r"[;:]|,(?! (?:or|nor|and)\b)|\b(?:but|however|although|though|whereas|while|except|because|despite)\b",
    re.IGNORECASE,
)
_RELATIVE: Final = re.compile(r"\b(?:who|whose|which|that)\b", re.IGNORECASE)
_WHOLE_CLAUSE: Final = re.compile(
    r"no (?:\w+ ){0,2}(?:patients?|subjects?|cases?|evidence|animals?|children|infants|women|men)\b",
    re.IGNORECASE,
)
"""A negated subject denies the whole clause, its relative clauses included."""


def negation(text: str, sentence: Span, subject: CharRange, object_: CharRange) -> Span | None:
    """The cue that denies what the sentence says of the two mentions."""
    return _cue(_NEGATION, text, sentence, subject, object_)


def speculation(text: str, sentence: Span, subject: CharRange, object_: CharRange) -> Span | None:
    """The cue that makes it a possibility."""
    return _cue(_SPECULATION, text, sentence, subject, object_)


def _cue(
    cues: re.Pattern[str], text: str, sentence: Span, subject: CharRange, object_: CharRange
) -> Span | None:
    mentions = subject, object_
    for cue in cues.finditer(text, sentence.start_char, sentence.end_char):
        if any(start < cue.end() and cue.start() < end for start, end in mentions):
            continue  # a word of a name
        reach = _reach(text, cue, sentence.end_char)
        inside = [cue.end() <= start and end <= reach for start, end in mentions]
        before = [end <= cue.start() and _in_clause(text, end, cue.start()) for _, end in mentions]
        if any(inside) and all(within or earlier for within, earlier in zip(inside, before, strict=True)):
            return Span(start_char=cue.start(), end_char=cue.end())
    return None


def _reach(text: str, cue: re.Match[str], end: int) -> int:
    """Where the clause of the cue ends."""
    boundary = _END_OF_CLAUSE.search(text, cue.end(), end)
    reach = boundary.start() if boundary else end
    if _WHOLE_CLAUSE.match(text, cue.start(), end):
        return reach
    relative = _RELATIVE.search(text, cue.end(), reach)
    # "suggest that", "possible that": what follows directly is what the cue is about
    return relative.start() if relative and relative.start() > cue.end() + 1 else reach


def _in_clause(text: str, start: int, end: int) -> bool:
    return _END_OF_CLAUSE.search(text, start, end) is None
