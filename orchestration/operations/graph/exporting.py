"""Exports of a tenant's graph: one reading for all formats, streamed into files that are whole or not there.

Input: a snapshot of the ledger and the parsed documents. Output: concepts, then documents with their claims
and quotes, given to the writer of a format one by one, so that memory holds one of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from orchestration.contracts import ConceptNode, SnapshotDocument
from orchestration.disk_space import unwritable_named
from orchestration.errors import StoreUnwritableError, UsageError
from orchestration.operations.graph.evidence import quote_json
from orchestration.operations.parts import Parts
from orchestration.records import Claim, Document

if TYPE_CHECKING:
    from orchestration.extraction.graph_schema import GraphSchema

__all__ = ["Edge", "ExportFormat", "Exported", "Node", "Sink", "export_graph"]

PARTIAL: Final = ".partial"
NO_KIND: Final = "NamedThing"
NO_PREDICATE: Final = "related_to"

Observe = Callable[[int, int], None]
"""Receives the numbers of documents done and of all."""


@dataclass(frozen=True, slots=True)
class Node:
    """A concept as formats write it."""

    node: ConceptNode
    category: str
    """Class of the Biolink model, without its prefix."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A claim as formats write it."""

    claim: Claim
    document: SnapshotDocument
    subject: str
    object: str
    """Canonical keys of its ends."""
    original_subject: str
    original_object: str
    """Keys of its mentions."""
    biolink_predicate: str
    """Slot of the Biolink model, without its prefix."""
    quotes: Sequence[Mapping[str, Any]]
    """Of `quote_json`; with characters alone where the text is lost."""


class Sink(Protocol):
    """Receives all concepts, then each document before its claims."""

    def node(self, node: Node) -> None: ...

    def document(self, document: SnapshotDocument) -> None: ...

    def edge(self, edge: Edge) -> None: ...


class ExportFormat(Protocol):
    """A format: its files, and what writes them."""

    files: Sequence[str]

    def open(self, paths: Mapping[str, Path]) -> AbstractContextManager[Sink]:
        """Write into these files, by name; they are complete when the context ends."""
        ...


@dataclass(slots=True)
class Exported:
    """What was written."""

    documents: int = 0
    nodes: int = 0
    edges: int = 0
    files: list[str] = field(default_factory=list)
    without_text: list[str] = field(default_factory=list)
    """Ids of documents whose parsed text is lost: their edges have characters and no quotes."""


def export_graph(parts: Parts, written: ExportFormat, folder: Path, observe: Observe) -> Exported:
    """Write the settings' tenant, as of one moment, into an empty or new folder.

    What an interrupted export left there is replaced. Raises UsageError for a folder that holds anything
    else, StoreUnwritableError where it cannot be written, after which nothing of the export is left there.
    """
    partial = {name: folder / f"{name}{PARTIAL}" for name in written.files}
    try:
        with unwritable_named(folder):
            return _written(parts, written, folder, partial, observe)
    except StoreUnwritableError:
        with suppress(OSError):
            for path in partial.values():
                path.unlink(missing_ok=True)
        raise


def _written(
    parts: Parts, written: ExportFormat, folder: Path, partial: Mapping[str, Path], observe: Observe
) -> Exported:
    folder.mkdir(parents=True, exist_ok=True)
    if any(not path.name.endswith(PARTIAL) for path in folder.iterdir()):
        raise UsageError(f"{folder} is not empty. Export into an empty or new folder.")
    for left in folder.iterdir():
        left.unlink()
    done = Exported(files=list(written.files))
    schema = parts.graph_schema
    with (
        parts.ledger.graph_snapshots.open(parts.settings.tenant) as snapshot,
        written.open(partial) as sink,
    ):
        total = snapshot.count()
        for node in snapshot.concepts():
            sink.node(Node(node, _category(schema, node.concept.kind)))
            done.nodes += 1
        for document in snapshot.documents():
            sink.document(document)
            for edge in _edges(parts, schema, document, done):
                sink.edge(edge)
                done.edges += 1
            done.documents += 1
            observe(done.documents, total)
    for name, path in partial.items():
        path.replace(folder / name)
    return done


def _category(schema: GraphSchema, kind: str) -> str:
    return schema.kinds[kind].biolink if kind in schema.kinds else NO_KIND


def _edges(parts: Parts, schema: GraphSchema, document: SnapshotDocument, done: Exported) -> list[Edge]:
    mentions, claims = document.extraction
    parsed = None
    if claims:
        parsed = parts.stores.documents.get(document.key, document.version, document.fingerprint)
        if parsed is None:
            done.without_text.append(document.key.doc_id)
    concept_of = {mention.entity_id: mention.concept for mention in mentions}
    return [
        Edge(
            claim=claim,
            document=document,
            subject=document.canonical[concept_of[claim.subject]],
            object=document.canonical[concept_of[claim.object]],
            original_subject=concept_of[claim.subject],
            original_object=concept_of[claim.object],
            biolink_predicate=schema.predicates[claim.predicate].biolink
            if claim.predicate in schema.predicates
            else NO_PREDICATE,
            quotes=_quotes(parsed, claim),
        )
        for claim in claims
    ]


def _quotes(document: Document | None, claim: Claim) -> list[Mapping[str, Any]]:
    if document is not None:
        return [quote_json(document, span) for span in claim.evidence]
    nothing = dict.fromkeys(("exact", "prefix", "suffix", "block_id", "page_no", "section"))
    return [{"start_char": span.start_char, "end_char": span.end_char, **nothing} for span in claim.evidence]
