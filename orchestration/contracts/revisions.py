"""Revisions of records: which of two records of one id is newer, by what the records themselves say.

Comes in: parts such as a version number, a date, a file's number, most significant first; '' where a record
does not say. Leaves: one string per record, and their order. Parts are compared as numbers and text, and only
where both records have them: what they do not state, the order of the collection decides.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Final

__all__ = ["UNKNOWN", "is_newer", "is_older", "newest", "revision_of"]

UNKNOWN: Final = ""
"""Revision of a record of a format that has revisions, which does not state its own."""

_SEPARATOR: Final = "|"
_RUNS: Final = re.compile(r"\d+|\D+")


def revision_of(*parts: str) -> str:
    """The revision of a record, UNKNOWN if all parts are empty: '2|2024-03-01|'."""
    cleaned = [part.strip().replace(_SEPARATOR, " ") for part in parts]
    return _SEPARATOR.join(cleaned) if any(cleaned) else UNKNOWN


def is_older(revision: str | None, other: str | None) -> bool:
    """Whether a record of `revision` is certainly older than one of `other`; False if neither states it."""
    return _compared(revision, other) < 0


def is_newer(revision: str | None, committed: str | None) -> bool:
    """Whether a revision of the same content replaces `committed`: it is newer, or the first known one."""
    return bool(revision) and (not committed or is_older(committed, revision))


def newest(revision: str | None, other: str | None) -> str | None:
    """The newer one of two revisions of the same content; of equal ones the first that is known."""
    return other if is_older(revision, other) or not revision else revision


def _compared(revision: str | None, other: str | None) -> int:
    for mine, others in zip_longest(
        (revision or "").split(_SEPARATOR), (other or "").split(_SEPARATOR), fillvalue=""
    ):
        if mine and others and mine != others:
            first, second = _key(mine), _key(others)
            if first != second:
                return -1 if first < second else 1
    return 0


def _key(part: str) -> list[tuple[int, int, str]]:
    """'26n1335' as 26, 'n', 1335: numbers by their value, before text."""
    return [(0, int(run), "") if run.isdecimal() else (1, 0, run) for run in _RUNS.findall(part)]
