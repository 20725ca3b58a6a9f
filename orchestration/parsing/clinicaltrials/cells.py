"""Cells of the result tables of a study: values of groups with units, spreads, limits and comments.

Comes in: entries of the registry that name their group. Leaves: one text per group, in the order of the
groups, and a note for each entry of a group that the table does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from orchestration.parsing.clinicaltrials.fields import field_lines
from orchestration.parsing.json.fields import text_at, without

Module = Mapping[str, Any]

__all__ = [
    "Module",
    "affected",
    "by_group",
    "group_lines",
    "measurement",
    "other_fields",
    "other_notes",
    "ratio",
    "strays",
    "subjects",
]


def group_lines(groups: Iterable[Module], *known: str) -> list[str]:
    """One 'Title: description' line per group, with its other fields but those `known` to a table."""
    lines = []
    for group in groups:
        described = " ".join(text_at(group, "description").split())
        others = other_notes(group, "id", "title", "description", *known)
        parts = [text_at(group, "title"), "; ".join(filter(None, [described, *others]))]
        lines.append(": ".join(filter(None, parts)))
    return lines


def by_group(
    entries: Iterable[Module], groups: Sequence[Module], write: Callable[[Module], str]
) -> list[str]:
    """One text per group; of several entries of a group all."""
    texts: dict[str, list[str]] = {}
    for entry in entries:
        texts.setdefault(text_at(entry, "groupId"), []).append(write(entry))
    return ["; ".join(filter(None, texts.get(text_at(group, "id"), []))) for group in groups]


def strays(
    label: str, entries: Iterable[Module], groups: Sequence[Module], write: Callable[[Module], str]
) -> list[str]:
    """A note per entry of a group that is not among `groups`."""
    known = {text_at(group, "id") for group in groups}
    others = [entry for entry in entries if text_at(entry, "groupId") not in known]
    return [f"{label}, group {text_at(entry, 'groupId')}: {write(entry)}" for entry in others]


def measurement(entry: Module) -> str:
    """'12.5 (3.1)', '12.5 (10.0 to 14.9)', 'NA (5.1 to NA) [Not reached]'."""
    lower, upper = text_at(entry, "lowerLimit"), text_at(entry, "upperLimit")
    limits = f"{lower} to {upper}" if lower or upper else ""
    around = "; ".join(filter(None, (text_at(entry, "spread"), limits)))
    text = " ".join(filter(None, (text_at(entry, "value"), f"({around})" if around else "")))
    return _remarked(text, entry, "groupId", "value", "spread", "lowerLimit", "upperLimit")


def subjects(units: str) -> Callable[[Module], str]:
    """A writer of '10', or '10 (21 kites)' where the record counts `units` beside participants."""

    def write(entry: Module) -> str:
        counted = text_at(entry, "numUnits")
        text = text_at(entry, "numSubjects")
        if counted:
            text = f"{text} ({counted} {units or 'units'})".strip()
        return _remarked(text, entry, "groupId", "numSubjects", "numUnits")

    return write


def ratio(record: Module, affected: str, at_risk: str) -> str:
    """'3/120' where both are known; with the number of events if that is counted separately."""
    count, of, events = text_at(record, affected), text_at(record, at_risk), text_at(record, "numEvents")
    text = f"{count}/{of}" if count and of else count or (of and f"of {of}")
    return " ".join(filter(None, (text, events and f"({events} events)")))


def affected(stat: Module) -> str:
    """'3/120' of an event's statistics of one group."""
    text = ratio(stat, "numAffected", "numAtRisk")
    return _remarked(text, stat, "groupId", "numAffected", "numAtRisk", "numEvents")


def other_fields(record: Module, *known: str) -> list[str]:
    """Lines of the fields that a table or heading does not show."""
    return field_lines(without(record, *known))


def other_notes(record: Module, *known: str) -> list[str]:
    """The same fields with one line per field, for notes that name their row."""
    notes = (" ".join(field_lines({key: value})) for key, value in without(record, *known).items())
    return [note for note in notes if note]


def _remarked(text: str, entry: Module, *known: str) -> str:
    """The text with the entry's comment and fields that are not `known` in brackets."""
    remarks = "; ".join(filter(None, (text_at(entry, "comment"), *other_notes(entry, "comment", *known))))
    return f"{text} [{remarks}]".strip() if remarks else text
