"""Coordinated names: "ovarian and breast cancer" names two concepts, neither of which is written in full.

Comes in: the name of a mention. Leaves: its readings, each the full names that it may stand for. The name
alone does not decide ("head and neck cancer" is one concept), so the linker takes a reading only where
vocabularies know its names. Source of the task: Wei, Leaman, Lu: SimConcept, ACM BCB 2014.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MOST_NAMES", "readings"]

MOST_NAMES: Final = 6
"""Names that one mention may stand for."""
MOST_CHARACTERS: Final = 200
MOST_WORDS: Final = 3
"""Of a name that leaves out the words that it shares."""

_SEPARATOR: Final = re.compile(
    r"\s*,\s*(?:(?:and/or|and|or|&)\s+)?|\s+(?:and/or|and|or|&)\s+|(?<=[^\W\d_])/(?=[^\W\d_])", re.IGNORECASE
)
_BEHIND: Final = re.compile(r"(?P<shared>\S.*?\s(?:of|in)(?:\sthe)?)\s(?P<list>.+)", re.IGNORECASE)
_DETERMINER: Final = re.compile(
    r"(?:the|a|an|other|some|any|all|both|its|their|associated|related)\b", re.IGNORECASE
)


def readings(name: str) -> list[tuple[str, ...]]:
    """The full names of each reading, at least two; empty for a name without a coordination."""
    written = " ".join(name.split())
    if len(written) > MOST_CHARACTERS or not _SEPARATOR.search(written):
        return []
    choices = [_shared_end(_SEPARATOR.split(written))]
    if behind := _BEHIND.fullmatch(written):
        parts = _SEPARATOR.split(behind["list"])
        choices.append(tuple(f"{behind['shared']} {part}" for part in parts) if _are_short(parts) else ())
    return list(dict.fromkeys(each for each in choices if 2 <= len(each) <= MOST_NAMES and all(each)))


def _shared_end(parts: list[str]) -> tuple[str, ...]:
    """ "low back and right leg pain": all share what the last part has more than the one before it."""
    *before, last = parts
    words = last.split()
    if not _are_short(before) or len(words) < 2:
        return ()
    own = min(len(before[-1].split()), len(words) - 1)
    if _DETERMINER.match(last):
        return ()
    shared = " ".join(words[own:])
    return (*(f"{part} {shared}" for part in before), last)


def _are_short(parts: list[str]) -> bool:
    return bool(parts) and all(
        0 < len(part.split()) <= MOST_WORDS and not _DETERMINER.match(part) for part in parts
    )
