"""Results of a ClinicalTrials.gov study: participant flow, baseline, outcome measures, adverse events.

Comes in: the resultsSection of a study. Leaves: sections with tables appended to the document. Tables
have one column per group; groups are described once, above the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestration.parsing.registry_fields import (
    field_lines,
    humanised,
    list_at,
    markup_lines,
    module_at,
    text_at,
)
from orchestration.parsing.tables import Grid, simple_grid
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import BlockKind

Module = Mapping[str, Any]
_TABULATED = frozenset(
    {"participantFlowModule", "baselineCharacteristicsModule", "outcomeMeasuresModule", "adverseEventsModule"}
)


def add_results(builder: DocumentBuilder, section: Module) -> None:
    """Append the results section; nothing if the study has none. TypeError where types are wrong."""
    if not section:
        return
    with builder.section("Results", "results"):
        _add_participant_flow(builder, module_at(section, "participantFlowModule"))
        _add_baseline(builder, module_at(section, "baselineCharacteristicsModule"))
        _add_outcome_measures(builder, module_at(section, "outcomeMeasuresModule"))
        _add_adverse_events(builder, module_at(section, "adverseEventsModule"))
        for name in sorted(section.keys() - _TABULATED):
            lines = field_lines(module_at(section, name))
            with builder.section(humanised(name.removesuffix("Module"))):
                builder.lines(BlockKind.REGISTRY_FIELD, lines)


def _group_lines(groups: Iterable[Module]) -> list[str]:
    """One 'Title: description' line per group."""
    return [
        ": ".join(filter(None, (text_at(group, "title"), " ".join(text_at(group, "description").split()))))
        for group in groups
    ]


def _by_group(entries: Iterable[Module], groups: Sequence[Module], value: str = "value") -> list[str]:
    """One text per group, from entries that name their group."""
    measurements = {text_at(entry, "groupId"): _measurement(entry, value) for entry in entries}
    return [measurements.get(text_at(group, "id"), "") for group in groups]


def _measurement(entry: Module, value: str) -> str:
    """'12.5 (3.1)', '12.5 (10.0 to 14.9)', '12.5' or its comment."""
    text = text_at(entry, value)
    spread = text_at(entry, "spread")
    lower, upper = text_at(entry, "lowerLimit"), text_at(entry, "upperLimit")
    if spread:
        text += f" ({spread})"
    elif lower or upper:
        text += f" ({lower} to {upper})"
    comment = text_at(entry, "comment")
    return f"{text} [{comment}]" if comment else text


def _add_participant_flow(builder: DocumentBuilder, module: Module) -> None:
    groups = list_at(module, "groups")
    with builder.section("Participant flow", "participant_flow"):
        others = {key: value for key, value in module.items() if key not in ("groups", "periods")}
        builder.lines(BlockKind.REGISTRY_FIELD, field_lines(others))
        builder.lines(BlockKind.REGISTRY_FIELD, _group_lines(groups))
        for period in list_at(module, "periods"):
            grid = simple_grid(_flow_rows(period, groups))
            builder.table(grid, caption=f"Participant flow: {text_at(period, 'title')}")


def _flow_rows(period: Module, groups: Sequence[Module]) -> Iterator[list[str]]:
    yield ["Milestone", *(text_at(group, "title") for group in groups)]
    for milestone in list_at(period, "milestones"):
        counts = _by_group(list_at(milestone, "achievements"), groups, "numSubjects")
        yield [humanised(text_at(milestone, "type")), *counts]
    for reason in list_at(period, "dropWithdraws"):
        counts = _by_group(list_at(reason, "reasons"), groups, "numSubjects")
        yield [f"Not completed: {text_at(reason, 'type')}", *counts]


def _add_baseline(builder: DocumentBuilder, module: Module) -> None:
    groups = list_at(module, "groups")
    with builder.section("Baseline characteristics", "baseline"):
        population = text_at(module, "populationDescription")
        builder.lines(BlockKind.REGISTRY_FIELD, [population, *_group_lines(groups)])
        grid = simple_grid(_baseline_rows(module, groups))
        if groups:
            notes = [note for measure in list_at(module, "measures") for note in _measure_notes(measure)]
            builder.table(grid, caption="Baseline characteristics", notes=notes)


def _baseline_rows(module: Module, groups: Sequence[Module]) -> Iterator[list[str]]:
    yield ["Measure", *(text_at(group, "title") for group in groups)]
    yield from _denominators(module, groups)
    for measure in list_at(module, "measures"):
        yield from _measure_rows(measure, groups, _measure_label(measure))


def _measure_label(measure: Module) -> str:
    kind = [humanised(text_at(measure, key)).lower() for key in ("paramType", "dispersionType")]
    unit = text_at(measure, "unitOfMeasure")
    return f"{text_at(measure, 'title')} ({', '.join(filter(None, [*kind, unit]))})"


def _measure_notes(measure: Module) -> Iterator[str]:
    for key in ("description", "populationDescription"):
        text = " ".join(text_at(measure, key).split())
        if text:
            yield f"{text_at(measure, 'title')}: {text}"


def _denominators(record: Module, groups: Sequence[Module]) -> Iterator[list[str]]:
    for denominator in list_at(record, "denoms"):
        counts = _by_group(list_at(denominator, "counts"), groups)
        yield [f"Number analyzed ({text_at(denominator, 'units')})", *counts]


def _measure_rows(measure: Module, groups: Sequence[Module], label: str) -> Iterator[list[str]]:
    """One row per class and category, as the registry nests them: label, class title, category title."""
    for measure_class in list_at(measure, "classes"):
        titles = [label, text_at(measure_class, "title")]
        for denominators in _denominators(measure_class, groups):
            yield [": ".join(filter(None, [*titles, denominators[0]])), *denominators[1:]]
        for category in list_at(measure_class, "categories"):
            row_title = ": ".join(filter(None, [*titles, text_at(category, "title")]))
            yield [row_title, *_by_group(list_at(category, "measurements"), groups)]


def _add_outcome_measures(builder: DocumentBuilder, module: Module) -> None:
    with builder.section("Outcome measures", "outcomes"):
        for measure in list_at(module, "outcomeMeasures"):
            with builder.section(text_at(measure, "title") or "Outcome measure", "outcomes"):
                _add_outcome_measure(builder, measure)


def _add_outcome_measure(builder: DocumentBuilder, measure: Module) -> None:
    groups = list_at(measure, "groups")
    kind = humanised(text_at(measure, "type")) or "Reported"
    labelled = (("Time frame", "timeFrame"), ("Population", "populationDescription"))
    builder.lines(
        BlockKind.OUTCOME,
        [
            f"{kind} outcome: {text_at(measure, 'title')}",
            *markup_lines(text_at(measure, "description")),
            *(f"{label}: {text_at(measure, key)}" for label, key in labelled if text_at(measure, key)),
            *_group_lines(groups),
        ],
    )
    grid = simple_grid(_outcome_rows(measure, groups))
    if len(grid.rows) > 1:
        builder.table(grid, caption=_measure_label(measure))
    for analysis in list_at(measure, "analyses"):
        builder.lines(BlockKind.REGISTRY_FIELD, _analysis_lines(analysis, groups))


def _outcome_rows(measure: Module, groups: Sequence[Module]) -> Iterator[list[str]]:
    """Rows without class or category have no label in the registry; theirs is 'Value'."""
    yield ["", *(text_at(group, "title") for group in groups)]
    for rows in (_denominators(measure, groups), _measure_rows(measure, groups, "")):
        for label, *values in rows:
            yield [label or "Value", *values]


def _analysis_lines(analysis: Module, groups: Sequence[Module]) -> list[str]:
    titles = {text_at(group, "id"): text_at(group, "title") for group in groups}
    compared = [titles.get(group_id, str(group_id)) for group_id in analysis.get("groupIds") or []]
    others = {key: value for key, value in analysis.items() if key != "groupIds"}
    return [f"Statistical analysis: {' versus '.join(compared)}", *field_lines(others)]


def _add_adverse_events(builder: DocumentBuilder, module: Module) -> None:
    groups = list_at(module, "eventGroups")
    with builder.section("Adverse events", "adverse_events"):
        tabulated = ("eventGroups", "seriousEvents", "otherEvents")
        others = {key: value for key, value in module.items() if key not in tabulated}
        builder.lines(BlockKind.REGISTRY_FIELD, field_lines(others))
        builder.lines(BlockKind.REGISTRY_FIELD, _group_lines(groups))
        builder.table(_event_totals(groups), caption="Participants affected by adverse events")
        for field, caption in (
            ("seriousEvents", "Serious adverse events"),
            ("otherEvents", "Other adverse events"),
        ):
            events = list_at(module, field)
            if events:
                builder.table(simple_grid(_event_rows(events, groups)), caption=caption)


def _event_totals(groups: Sequence[Module]) -> Grid:
    rows = [["", *(text_at(group, "title") for group in groups)]]
    for kind, label in (
        ("deaths", "All-cause deaths"),
        ("serious", "Serious events"),
        ("other", "Other events"),
    ):
        cells = [_ratio(group, f"{kind}NumAffected", f"{kind}NumAtRisk") for group in groups]
        if any(cells):
            rows.append([label, *cells])
    return simple_grid(rows if len(rows) > 1 else [])


def _event_rows(events: Sequence[Module], groups: Sequence[Module]) -> Iterator[list[str]]:
    yield ["Organ system", "Term", *(text_at(group, "title") for group in groups)]
    for event in events:
        stats = {text_at(stat, "groupId"): stat for stat in list_at(event, "stats")}
        cells = [_ratio(stats.get(text_at(group, "id"), {}), "numAffected", "numAtRisk") for group in groups]
        yield [text_at(event, "organSystem"), text_at(event, "term"), *cells]


def _ratio(record: Module, affected: str, at_risk: str) -> str:
    """'3/120' where both are known; with the number of events if that is counted separately."""
    count, of = text_at(record, affected), text_at(record, at_risk)
    events = text_at(record, "numEvents")
    text = f"{count}/{of}" if count and of else count
    return f"{text} ({events} events)" if text and events else text
