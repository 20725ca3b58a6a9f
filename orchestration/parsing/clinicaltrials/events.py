"""Adverse events of a study with results: totals per group, then each event with its vocabulary and notes.

Comes in: the adverseEventsModule. Leaves: a section with tables appended to the document. Vocabulary and kind
of assessment are in the caption where all events share them, else in columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from orchestration.parsing.clinicaltrials.cells import (
    Module,
    affected,
    by_group,
    group_lines,
    other_fields,
    other_notes,
    ratio,
    strays,
)
from orchestration.parsing.clinicaltrials.fields import humanised
from orchestration.parsing.json.fields import list_at, text_at
from orchestration.parsing.tables import Grid, simple_grid
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import BlockKind

__all__ = ["add_adverse_events"]

_LISTS: Final = {"seriousEvents": "Serious adverse events", "otherEvents": "Other adverse events"}
_TOTALS: Final = {"deaths": "All-cause deaths", "serious": "Serious events", "other": "Other events"}
_COUNTED: Final = [f"{kind}Num{count}" for kind in _TOTALS for count in ("Affected", "AtRisk")]
_KINDS: Final = {"sourceVocabulary": "Vocabulary", "assessmentType": "Assessment"}
_SHOWN: Final = ("term", "organSystem", "stats", "notes", *_KINDS)


def add_adverse_events(builder: DocumentBuilder, module: Module) -> None:
    """Append the section; TypeError where types are wrong."""
    groups = list_at(module, "eventGroups")
    with builder.section("Adverse events", "adverse_events"):
        builder.lines(BlockKind.REGISTRY_FIELD, other_fields(module, "eventGroups", *_LISTS))
        builder.lines(BlockKind.REGISTRY_FIELD, group_lines(groups, *_COUNTED))
        builder.table(_totals(groups), caption="Participants affected by adverse events")
        for field, caption in _LISTS.items():
            events = list_at(module, field)
            if events:
                _add_events(builder, events, groups, caption)


def _totals(groups: Sequence[Module]) -> Grid:
    rows = [["", *(text_at(group, "title") for group in groups)]]
    for kind, label in _TOTALS.items():
        cells = [ratio(group, f"{kind}NumAffected", f"{kind}NumAtRisk") for group in groups]
        if any(cells):
            rows.append([label, *cells])
    return simple_grid(rows if len(rows) > 1 else [])


def _add_events(
    builder: DocumentBuilder, events: Sequence[Module], groups: Sequence[Module], caption: str
) -> None:
    kinds = [{name: _kind(event, name) for name in _KINDS} for event in events]
    shared = [name for name in _KINDS if len({kind[name] for kind in kinds}) == 1]
    columns = [name for name in _KINDS if name not in shared]
    common = "; ".join(filter(None, (kinds[0][name] for name in shared)))
    builder.table(
        simple_grid(_rows(events, groups, columns)),
        caption=f"{caption} ({common})" if common else caption,
        notes=[note for event in events for note in _notes(event, groups)],
    )


def _kind(event: Module, name: str) -> str:
    text = text_at(event, name)
    return humanised(text) if name == "assessmentType" else text


def _rows(events: Sequence[Module], groups: Sequence[Module], columns: Sequence[str]) -> Iterator[list[str]]:
    titles = [text_at(group, "title") for group in groups]
    yield ["Organ system", "Term", *(_KINDS[name] for name in columns), *titles]
    for event in events:
        cells = by_group(list_at(event, "stats"), groups, affected)
        kinds = [_kind(event, name) for name in columns]
        yield [text_at(event, "organSystem"), text_at(event, "term"), *kinds, *cells]


def _notes(event: Module, groups: Sequence[Module]) -> list[str]:
    term = text_at(event, "term")
    notes = " ".join(text_at(event, "notes").split())
    others = other_notes(event, *_SHOWN)
    lines = [f"{term}: {text}" for text in filter(None, [notes, *others])]
    return lines + strays(term, list_at(event, "stats"), groups, affected)
