"""The graph of one tenant: its concepts and claims, each claim with its evidence in context.

Input: the parts of a data folder, and concepts as a user writes them: a key (MESH:D003920) or a name. Output:
records and JSON values, or UsageError for a concept or claim that no committed document has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestration.contracts import Concept, GraphCounts, Neighbour, Statement
from orchestration.errors import StoreCorruptError, UsageError
from orchestration.operations.parts import Parts
from orchestration.records import Block, Document, DocumentKey, Section, Span

if TYPE_CHECKING:
    from orchestration.operations.graph_export import Exported

__all__ = ["Graph"]

CONTEXT: Final = 80
"""Characters of context on each side of a quote."""
NAMED: Final = 5
"""Concepts that an error names."""


class Graph:
    """Concepts and claims of the settings' tenant."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tenant_id = parts.settings.tenant
        self._store = parts.ledger.graph

    def counts(self) -> GraphCounts:
        """Mentions, concepts and claims, by kind and predicate."""
        return self._store.counts(self._tenant_id)

    def concepts(self, named: str | None, kind: str | None, limit: int) -> list[Concept]:
        """Concepts with most documents first; `named`: key, or part of a mention in any case."""
        if named is not None and (exact := self._by_key(named)):
            return [concept for concept in exact if kind in (None, concept.kind)]
        return self._store.concepts(self._tenant_id, named=named, kind=kind, limit=limit)

    def claims(
        self, about: str | None, predicate: str | None, document: DocumentKey | None, limit: int
    ) -> list[Statement]:
        """Claims about a concept, with a predicate, of a document; all arguments narrow."""
        keys = None if about is None else [concept.concept for concept in self._resolved(about)]
        return self._store.statements(
            self._tenant_id, concepts=keys, predicate=predicate, key=document, limit=limit
        )

    def neighbours(self, about: str, limit: int) -> tuple[Concept, list[Neighbour]]:
        """The concept, and those that claims join to it; raises UsageError where a name has several."""
        concepts = self._resolved(about)
        if len(concepts) > 1:
            raise UsageError(f"{about!r} names several concepts: {_listed(concepts)}. Give the key of one.")
        return concepts[0], self._store.neighbours(self._tenant_id, concepts[0].concept, limit)

    def document_key(self, doc_id: str, source: str | None) -> DocumentKey:
        """The committed document of an id; raises UsageError if there is none, or several."""
        rows = self._parts.ledger.documents.find(self._tenant_id, doc_id=doc_id, source=source)
        keys = list(dict.fromkeys(row.key for row in rows))
        if len(keys) != 1:
            what = "no document has" if not keys else "several sources have"
            raise UsageError(f"{what} the id {doc_id!r}. `medkg docs list` shows ids and sources.")
        return keys[0]

    def evidence(self, claim_id: str) -> tuple[Statement, list[dict[str, Any]]]:
        """A claim, and its evidence in the order of the text.

        Each has `start_char` and `end_char`, the quote as `exact`, `prefix` and `suffix` around it (the
        selectors of W3C annotations), `block_id`, `page_no`, `title_path`. Raises UsageError for an unknown
        claim, StoreCorruptError if the document store lost its document.
        """
        statements = self._store.statements(self._tenant_id, claim_id=claim_id, limit=1)
        if not statements:
            raise UsageError(
                f"no committed document has the claim {claim_id!r}. `medkg graph claims` lists claims."
            )
        (statement,) = statements
        key = statement.key
        document = self._parts.stores.documents.get(key, statement.version, statement.fingerprint)
        if document is None:
            raise StoreCorruptError(
                f"the document store lost {key.doc_id}. `medkg verify --repair` queues it again; then run "
                "its source."
            )
        return statement, [_quote(document, span) for span in statement.claim.evidence]

    def export_kgx(self, folder: Path, observe: Callable[[int, int], None]) -> Exported:
        """Write nodes.jsonl and edges.jsonl into an empty or new folder; raises what `export_kgx` raises."""
        from orchestration.operations.graph_export import export_kgx

        return export_kgx(self._parts, folder, observe)

    def _by_key(self, key: str) -> list[Concept]:
        return self._store.concepts(self._tenant_id, keys=[key], limit=1)

    def _resolved(self, about: str) -> list[Concept]:
        """The concepts of a key, or of exactly this name; else UsageError that names similar ones."""
        if exact := self._by_key(about):
            return exact
        similar = self._store.concepts(self._tenant_id, named=about, limit=1000)
        same = [concept for concept in similar if concept.name.casefold() == about.casefold()]
        if same:
            return same
        if similar:
            raise UsageError(f"no concept is called {about!r}; similar ones: {_listed(similar)}.")
        raise UsageError(f"no committed document mentions {about!r}. `medkg graph entities` lists concepts.")


def _listed(concepts: Sequence[Concept]) -> str:
    shown = ", ".join(f"{concept.name} ({concept.concept})" for concept in concepts[:NAMED])
    more = len(concepts) - NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown


def _quote(document: Document, span: Span) -> dict[str, Any]:
    text, start, end = document.text, span.start_char, span.end_char
    section, block = _place(document, start)
    return {
        "start_char": start,
        "end_char": end,
        "exact": text[start:end],
        "prefix": text[max(0, start - CONTEXT) : start],
        "suffix": text[end : end + CONTEXT],
        "block_id": block.block_id if block else None,
        "page_no": block.page_no if block else None,
        "title_path": list(section.title_path) if section else [],
    }


def _place(document: Document, start: int) -> tuple[Section | None, Block | None]:
    """The section and the block at a character; None between blocks."""
    for section in _sections(document.sections):
        for block in section.blocks:
            if block.start_char <= start < block.end_char:
                return section, block
    return None, None


def _sections(sections: Sequence[Section]) -> Iterator[Section]:
    for section in sections:
        yield section
        yield from _sections(section.sections)
