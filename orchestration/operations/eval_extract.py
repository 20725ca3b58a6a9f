"""Extraction measured against gold: each extractor end to end, and its parts on gold mentions.

Input: gold files, and the extractors of the settings. Output: scores with intervals, what was dropped,
agreement of the extractors, and whether floors are met, as JSON values. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestration.contracts import ShapedExtractor, SourceRequest
from orchestration.errors import UsageError
from orchestration.extraction.gold import Gold, GoldFault, Naming, gold_document, read_gold
from orchestration.extraction.scoring import agreement, checked_floors, parse_floor
from orchestration.operations.extraction_measures import Pairs, measured_extractor, measured_linker
from orchestration.operations.parts import Parts
from orchestration.records import AnnotatedDocument, Document

if TYPE_CHECKING:
    from orchestration.jobs.reading import DocumentReader

__all__ = ["ExtractionQuestions", "eval_extract"]

USUAL: Final = "auto"
"""Topology whose extractors are measured if none are named."""
NO_MODEL: Final = "none"
OFF: Final = "has no model, so it finds nothing (set one: docs/reference/settings.md)"
LINKER: Final = "linker"
"""Name of the linker in floors."""

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ExtractionQuestions:
    """What to measure: gold files, extractors, and how the gold's names are those of the graph."""

    files: Sequence[Path]
    extractors: Sequence[str] = ()
    """Names; () those of the topology `auto`."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Kind of the graph by kind of the gold, besides the usual ones."""
    predicates: Mapping[str, str] = field(default_factory=dict)
    only: Sequence[str] = ()
    """Kinds of the graph whose mentions are measured; () all."""
    floors: Sequence[str] = ()


def eval_extract(parts: Parts, questions: ExtractionQuestions, notify: Notify) -> dict[str, Any]:
    """Measure the extractors; JSON values.

    Raises UsageError for gold that cannot be read, and for extractors, kinds or floors that are not there;
    UnavailableError where an extractor's service is unavailable.
    """
    floors = [parse_floor(floor) for floor in questions.floors]
    names = list(dict.fromkeys(questions.extractors)) or _usual(parts, notify)
    for name in names:
        if _is_off(parts.extractor(name)):
            raise UsageError(f"extractor {name!r} {OFF}.")
    gold = _gold(parts, questions)
    pairs = _with_documents(parts, gold)
    _report(gold, notify)
    measured = {}
    for name in names:
        notify(f"measuring {name} on {len(pairs):,} documents")
        measured[name] = measured_extractor(parts, name, pairs)
    linker = None if parts.linker is None else measured_linker(parts.linker, pairs)
    scores = {name: each.scores for name, each in measured.items()}
    if linker is not None:
        scores[LINKER] = linker.scores
    return {
        "gold": _gold_as_json(questions, gold),
        "extractors": {name: each.as_json() for name, each in measured.items()},
        "linker": None if linker is None else linker.as_json(),
        "agreement": [
            agreement(a, measured[a].predicted, b, measured[b].predicted).as_json()
            for a, b in combinations(names, 2)
        ],
        "floors": [each.as_json() for each in checked_floors(floors, scores)],
    }


def _is_off(extractor: object) -> bool:
    """Whether an extractor's model is turned off, so that it would find nothing."""
    return isinstance(extractor, ShapedExtractor) and extractor.shape.get("model") == NO_MODEL


def _usual(parts: Parts, notify: Notify) -> list[str]:
    """The extractors of the topology `auto` that are not turned off."""
    stages = (node for node in parts.topologies.load(USUAL).nodes if node.stage_type == "extract")
    names = [name for node in stages for names in node.config["extractors"].values() for name in names]
    usable = []
    for name in dict.fromkeys(names):
        if _is_off(parts.extractor(name)):
            notify(f"extractor {name!r} {OFF}; it is left out")
        else:
            usable.append(name)
    return usable


# --- gold ------------------------------------------------------------------------------------------------


def _gold(parts: Parts, questions: ExtractionQuestions) -> Gold:
    schema = parts.graph_schema
    _check_known(questions.kinds.values(), schema.kinds, "kind")
    _check_known(questions.only, schema.kinds, "kind")
    _check_known(questions.predicates.values(), schema.predicates, "predicate")
    naming = Naming(questions.kinds, questions.predicates, schema.kinds, schema.predicates)
    gold = read_gold(questions.files, naming)
    if questions.only:
        only = frozenset(questions.only)
        gold.documents = [replace(each, kinds=(each.kinds or frozenset()) & only) for each in gold.documents]
    return gold


def _check_known(names: Iterable[str], known: Mapping[str, object], what: str) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"graph.yaml has no {what} {name!r}; it has {', '.join(known)}.")


def _with_documents(parts: Parts, gold: Gold) -> Pairs:
    """The gold with the documents that extractors read; one whose record has another text is left out."""
    parsed = _parsed(parts, [each for each in gold.documents if each.record])
    pairs: list[tuple[AnnotatedDocument, Document]] = []
    for each in gold.documents:
        document = parsed.get(each.doc_id) or gold_document(each, parts.settings.tenant)
        if isinstance(document, Document):
            pairs.append((each, document))
            continue
        file, _, line = each.origin.partition(", line ")
        gold.faults.append(GoldFault(file, int(line) if line else None, each.doc_id, document))
    gold.documents = [each for each, _ in pairs]
    if not pairs:
        raise UsageError(f"no gold document is left to measure with. The first fault: {gold.faults[0]}.")
    return pairs


def _parsed(parts: Parts, gold: Sequence[AnnotatedDocument]) -> dict[str, Document | str]:
    """The documents of records by id of the gold, or why one cannot be used."""
    if not gold:
        return {}
    with parts.reader() as reader:
        return {each.doc_id: _parsed_record(reader, each) for each in gold}


def _parsed_record(reader: DocumentReader, gold: AnnotatedDocument) -> Document | str:
    documents = list(reader.read(SourceRequest(plugin="files", paths=(str(gold.record),))))
    if len(documents) != 1:
        return f"its record {gold.record} holds {len(documents)} documents, not one"
    (document,) = documents
    if not isinstance(document, Document):
        return f"its record cannot be read: {document.code} {document.message}"
    if document.text != gold.text:
        return f"its record {gold.record} is parsed to another text"
    return document


def _report(gold: Gold, notify: Notify) -> None:
    for fault in gold.faults:
        notify(str(fault))
    for what, counts in (("kind", gold.unmapped.kinds), ("relation type", gold.unmapped.predicates)):
        for name, count in sorted(counts.items()):
            option = "--kinds" if what == "kind" else "--predicates"
            notify(
                f"{what} {name} ({count:,}) is not in graph.yaml and not measured; {option} {name}=... names "
                "what it is there"
            )


def _gold_as_json(questions: ExtractionQuestions, gold: Gold) -> dict[str, Any]:
    return {
        "files": [str(path) for path in questions.files],
        "documents": len(gold.documents),
        "excluded": [
            {"file": each.file, "line": each.line, "doc_id": each.doc_id, "reason": each.reason}
            for each in gold.faults
        ],
        "unmapped_kinds": dict(sorted(gold.unmapped.kinds.items())),
        "unmapped_predicates": dict(sorted(gold.unmapped.predicates.items())),
    }
