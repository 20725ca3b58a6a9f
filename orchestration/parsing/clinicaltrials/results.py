"""Results of a ClinicalTrials.gov study: participant flow, baseline, outcome measures, adverse events.

Comes in: the resultsSection of a study. Leaves: sections with tables appended to the document. Tables have
one column per group; groups are described once, above the table; comments and descriptions of rows are notes
below it. Fields that no table shows are separate lines, so that a new field of the registry is not lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from orchestration.parsing.clinicaltrials.cells import (
    Module,
    by_group,
    group_lines,
    measurement,
    other_fields,
    other_notes,
    strays,
    subjects,
)
from orchestration.parsing.clinicaltrials.events import add_adverse_events
from orchestration.parsing.clinicaltrials.fields import field_lines, humanised, markup_lines
from orchestration.parsing.json.fields import list_at, module_at, text_at
from orchestration.parsing.tables import simple_grid
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import BlockKind

_TABULATED: Final = frozenset(
    {"participantFlowModule", "baselineCharacteristicsModule", "outcomeMeasuresModule", "adverseEventsModule"}
)
_OF_MEASURE: Final = ("title", "paramType", "dispersionType", "unitOfMeasure", "denoms", "classes")
_DESCRIBED: Final = ("description", "populationDescription")
_POSTED: Final = "POSTED"
_MILESTONES: Final = frozenset({"STARTED", "COMPLETED", "NOT COMPLETED"})
"""Milestones that every study has; others have titles in the words of the study."""


def add_results(builder: DocumentBuilder, section: Module) -> None:
    """Append the results section; nothing if the study has none. TypeError where types are wrong."""
    if not section:
        return
    with builder.section("Results", "results"):
        _add_participant_flow(builder, module_at(section, "participantFlowModule"))
        _add_baseline(builder, module_at(section, "baselineCharacteristicsModule"))
        _add_outcome_measures(builder, module_at(section, "outcomeMeasuresModule"))
        add_adverse_events(builder, module_at(section, "adverseEventsModule"))
        for name in sorted(section.keys() - _TABULATED):
            lines = field_lines(module_at(section, name))
            with builder.section(humanised(name.removesuffix("Module"))):
                builder.lines(BlockKind.REGISTRY_FIELD, lines)


# --- participant flow -------------------------------------------------------------------------------


def _add_participant_flow(builder: DocumentBuilder, module: Module) -> None:
    groups = list_at(module, "groups")
    units = text_at(module, "typeUnitsAnalyzed")
    with builder.section("Participant flow", "participant_flow"):
        builder.lines(BlockKind.REGISTRY_FIELD, other_fields(module, "groups", "periods"))
        builder.lines(BlockKind.REGISTRY_FIELD, group_lines(groups))
        for period in list_at(module, "periods"):
            title = text_at(period, "title")
            builder.table(
                simple_grid(_flow_rows(period, groups, units)),
                caption=f"Participant flow: {title}" if title else "Participant flow",
                notes=_flow_notes(period, groups, units),
            )


def _flow_rows(period: Module, groups: Sequence[Module], units: str) -> Iterator[list[str]]:
    yield ["Milestone", *(text_at(group, "title") for group in groups)]
    for label, _, entries in _flow(period):
        yield [label, *by_group(entries, groups, subjects(units))]


def _flow_notes(period: Module, groups: Sequence[Module], units: str) -> Iterator[str]:
    """Comments of rows, and what else the registry says of them and of the period."""
    for label, row, entries in _flow(period):
        comment = " ".join(text_at(row, "comment").split())
        others = other_notes(row, "type", "comment", "achievements", "reasons")
        yield from (f"{label}: {text}" for text in filter(None, [comment, *others]))
        yield from strays(label, entries, groups, subjects(units))
    yield from other_fields(period, "title", "milestones", "dropWithdraws")


def _flow(period: Module) -> Iterator[tuple[str, Module, list[Module]]]:
    """Label, record and entries of each row."""
    for milestone in list_at(period, "milestones"):
        title = text_at(milestone, "type")
        label = humanised(title) if title in _MILESTONES else title
        yield label, milestone, list_at(milestone, "achievements")
    for reason in list_at(period, "dropWithdraws"):
        yield f"Not completed: {text_at(reason, 'type')}", reason, list_at(reason, "reasons")


# --- measures ---------------------------------------------------------------------------------------


def _measure_label(measure: Module) -> str:
    """'Sleep time (median, 95% confidence interval, hours)'."""
    kind = [humanised(text_at(measure, key)).lower() for key in ("paramType", "dispersionType")]
    inside = ", ".join(filter(None, [*kind, text_at(measure, "unitOfMeasure")]))
    return " ".join(filter(None, (text_at(measure, "title"), f"({inside})" if inside else "")))


def _of_measure(measure: Module) -> tuple[str, ...]:
    """Fields that its table or label shows; that no percentages were calculated needs no line."""
    return _OF_MEASURE if measure.get("calculatePct") else (*_OF_MEASURE, "calculatePct")


def _denominators(record: Module, groups: Sequence[Module]) -> Iterator[list[str]]:
    for denominator in list_at(record, "denoms"):
        counts = by_group(list_at(denominator, "counts"), groups, measurement)
        yield [f"Number analyzed ({text_at(denominator, 'units')})", *counts]


def _measure_rows(measure: Module, groups: Sequence[Module], label: str) -> Iterator[list[str]]:
    """One row per class and category, as the registry nests them: label, class title, category title."""
    for row in _denominators(measure, groups):
        yield [": ".join(filter(None, [label, row[0]])), *row[1:]]
    for measure_class in list_at(measure, "classes"):
        titles = [label, text_at(measure_class, "title")]
        for denominators in _denominators(measure_class, groups):
            yield [": ".join(filter(None, [*titles, denominators[0]])), *denominators[1:]]
        for category in list_at(measure_class, "categories"):
            row_title = ": ".join(filter(None, [*titles, text_at(category, "title")]))
            yield [row_title, *by_group(list_at(category, "measurements"), groups, measurement)]


def _measure_notes(measure: Module, groups: Sequence[Module]) -> Iterator[str]:
    """What rows do not show: fields of classes and categories, values of groups that the table lacks."""
    yield from _denominator_notes(measure, "Number analyzed", groups)
    for measure_class in list_at(measure, "classes"):
        title = text_at(measure_class, "title") or text_at(measure, "title")
        yield from (
            f"{title}: {line}" for line in other_notes(measure_class, "title", "denoms", "categories")
        )
        yield from _denominator_notes(measure_class, title, groups)
        for category in list_at(measure_class, "categories"):
            named = text_at(category, "title") or title
            yield from (f"{named}: {line}" for line in other_notes(category, "title", "measurements"))
            yield from strays(named, list_at(category, "measurements"), groups, measurement)


def _denominator_notes(record: Module, label: str, groups: Sequence[Module]) -> Iterator[str]:
    for denominator in list_at(record, "denoms"):
        yield from strays(label, list_at(denominator, "counts"), groups, measurement)
        yield from (f"{label}: {line}" for line in other_notes(denominator, "units", "counts"))


# --- baseline ---------------------------------------------------------------------------------------


def _add_baseline(builder: DocumentBuilder, module: Module) -> None:
    groups, measures = list_at(module, "groups"), list_at(module, "measures")
    with builder.section("Baseline characteristics", "baseline"):
        population = text_at(module, "populationDescription")
        others = other_fields(module, "groups", "denoms", "measures", "populationDescription")
        builder.lines(BlockKind.REGISTRY_FIELD, [*markup_lines(population), *others, *group_lines(groups)])
        rows = list(_baseline_rows(module, groups))
        if len(rows) > 1 or groups:
            notes = list(_denominator_notes(module, "Number analyzed", groups))
            notes += [note for measure in measures for note in _baseline_notes(measure, groups)]
            builder.table(simple_grid(rows), caption="Baseline characteristics", notes=notes)


def _baseline_rows(module: Module, groups: Sequence[Module]) -> Iterator[list[str]]:
    yield ["Measure", *(text_at(group, "title") for group in groups)]
    yield from _denominators(module, groups)
    for measure in list_at(module, "measures"):
        yield from _measure_rows(measure, groups, _measure_label(measure))


def _baseline_notes(measure: Module, groups: Sequence[Module]) -> Iterator[str]:
    title = text_at(measure, "title")
    described = [" ".join(" ".join(markup_lines(text_at(measure, key))).split()) for key in _DESCRIBED]
    for text in [*filter(None, described), *other_notes(measure, *_of_measure(measure), *_DESCRIBED)]:
        yield f"{title}: {text}"
    yield from _measure_notes(measure, groups)


# --- outcome measures -------------------------------------------------------------------------------


def _add_outcome_measures(builder: DocumentBuilder, module: Module) -> None:
    with builder.section("Outcome measures", "outcomes"):
        builder.lines(BlockKind.REGISTRY_FIELD, other_fields(module, "outcomeMeasures"))
        for measure in list_at(module, "outcomeMeasures"):
            with builder.section(text_at(measure, "title") or "Outcome measure", "outcomes"):
                _add_outcome_measure(builder, measure)


def _add_outcome_measure(builder: DocumentBuilder, measure: Module) -> None:
    groups = list_at(measure, "groups")
    rows = list(_outcome_rows(measure, groups))
    has_table = len(rows) > 1
    builder.lines(BlockKind.OUTCOME, _outcome_lines(measure, groups, has_table=has_table))
    if has_table:
        builder.table(
            simple_grid(rows), caption=_measure_label(measure), notes=_measure_notes(measure, groups)
        )
    for analysis in list_at(measure, "analyses"):
        builder.lines(BlockKind.REGISTRY_FIELD, _analysis_lines(analysis, groups))


def _outcome_lines(measure: Module, groups: Sequence[Module], *, has_table: bool) -> Iterator[str]:
    """The outcome in words; what its table's caption would show too, if it has none, as one not posted."""
    kind = humanised(text_at(measure, "type")) or "Reported"
    title = text_at(measure, "title") if has_table else _measure_label(measure)
    yield f"{kind} outcome: {title}"
    yield from markup_lines(text_at(measure, "description"))
    for label, key in (("Time frame", "timeFrame"), ("Population", "populationDescription")):
        if text_at(measure, key):
            yield from markup_lines(f"{label}: {text_at(measure, key)}")
    status = text_at(measure, "reportingStatus")
    if status and status != _POSTED:
        yield f"Reporting status: {humanised(status).lower()}"
    shown = ("type", "timeFrame", "reportingStatus", "groups", "analyses")
    yield from other_fields(measure, *_of_measure(measure), *_DESCRIBED, *shown)
    yield from group_lines(groups)


def _outcome_rows(measure: Module, groups: Sequence[Module]) -> Iterator[list[str]]:
    """Rows without class or category have no label in the registry; theirs is 'Value'."""
    yield ["", *(text_at(group, "title") for group in groups)]
    for label, *values in _measure_rows(measure, groups, ""):
        yield [label or "Value", *values]


def _analysis_lines(analysis: Module, groups: Sequence[Module]) -> list[str]:
    titles = {text_at(group, "id"): text_at(group, "title") for group in groups}
    compared: Iterable[str] = (titles.get(name, str(name)) for name in analysis.get("groupIds") or [])
    return [f"Statistical analysis: {' versus '.join(compared)}", *other_fields(analysis, "groupIds")]
