"""Doses, times, populations and comparators of a claim, where a sentence has them in a plain form.

Input: a sentence, and the drug's mention for doses. Output: spans. Each is taken only where its form leaves
no doubt: a dose directly beside the drug, the others where the sentence has exactly one.
"""

from __future__ import annotations

import re
from typing import Final

from orchestration.contracts import CharRange
from orchestration.records import Span

__all__ = ["SENTENCE_QUALIFIERS", "dose_of", "only_match"]

_NUMBER: Final = r"\d+(?:[.,]\d+)?(?:\s?(?:-|\u2013|to)\s?\d+(?:[.,]\d+)?)?"
_UNIT: Final = (
    r"(?:mg|g|kg|\u00b5g|\u03bcg|mcg|microg(?:rams?)?|micrograms?|milligrams?|ng|ml|mL|mmol|mM|\u00b5M|\u03bcM|nM"
    r"|IU|U|units?)"
)
_PER: Final = r"(?:\s?(?:/|per)\s?(?:kg|m2|m\(2\)|day|d|h|hr|hour|min|week|dose|ml|mL|l|L))*"
_OFTEN: Final = r"(?:\s(?:daily|weekly|once daily|twice daily|once a day|twice a day|bid|tid|qid))?"
_DOSE: Final = rf"{_NUMBER}\s?{_UNIT}\b{_PER}{_OFTEN}"
_DOSE_BEHIND: Final = re.compile(rf"(?:\s?[(\[]|,?\s)({_DOSE})")
_DOSE_BEFORE: Final = re.compile(rf"({_DOSE})\s(?:of\s)?$")
DOSE_CHARACTERS: Final = 48

_TIME: Final = re.compile(
    r"\b(?:for|after|within|over|during)\s(?:the (?:first|last)\s)?"
    rf"({_NUMBER}|one|two|three|four|five|six|seven|eight|nine|ten|twelve)[\s-]"
    r"(?:s|sec(?:onds?)?|min(?:utes?)?|h|hrs?|hours?|days?|wk|weeks?|months?|years?)\b"
)
_POPULATION: Final = re.compile(
    r"(?<=\bin )(?!(?:the|these|those|all|both|most|some|such|our|other|two|three)\b)"
    r"(?:(?!(?:and|or|with|in|of|by)\b)[\w-]+ ){0,3}"
    r"(?:patients|volunteers|subjects|children|infants|neonates|adults|women|men|rats|mice|rabbits|dogs|"
    r"cats|pigs|monkeys|guinea pigs)\b"
)
_COMPARATOR: Final = re.compile(
    r"(?:\bcompared (?:with|to)|\bversus|\bvs\.?|\bthan(?: with| in)?)\s(?:the\s)?"
    r"((?:placebo|control|vehicle|saline|sham|untreated)(?:[- ](?:treated|treatment))?(?: (?:group|rats|mice|"
    r"animals|patients|subjects|controls))?s?)\b"
)
SENTENCE_QUALIFIERS: Final = {"time": _TIME, "population": _POPULATION, "comparator": _COMPARATOR}
"""By kind of the qualifier."""


def dose_of(text: str, sentence: Span, drug: CharRange) -> Span | None:
    """The dose that stands directly behind or before the drug in its sentence."""
    behind = _DOSE_BEHIND.match(text, drug[1], min(sentence.end_char, drug[1] + DOSE_CHARACTERS))
    if behind:
        return Span(start_char=behind.start(1), end_char=behind.end(1))
    start = max(sentence.start_char, drug[0] - DOSE_CHARACTERS)
    before = _DOSE_BEFORE.search(text[start : drug[0]])
    if before:
        return Span(start_char=start + before.start(1), end_char=start + before.end(1))
    return None


def only_match(pattern: re.Pattern[str], text: str, sentence: Span) -> Span | None:
    """The one place where the sentence has the pattern; None if it has it more than once."""
    matches = list(pattern.finditer(text, sentence.start_char, sentence.end_char))
    if len(matches) != 1:
        return None
    group = 1 if pattern is _COMPARATOR else 0
    return Span(start_char=matches[0].start(group), end_char=matches[0].end(group))
