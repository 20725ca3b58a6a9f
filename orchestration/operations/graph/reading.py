"""Questions about the graph of one tenant, with concepts as a user names them.

Input: keys (MESH:D003920) or names. Output: records and JSON values, or UsageError for a concept or claim
that no committed document has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestration.contracts import (
    Alias,
    Concept,
    Conflict,
    GraphCounts,
    Neighbour,
    Paths,
    Proposal,
    Statement,
)
from orchestration.errors import StoreCorruptError, UsageError
from orchestration.operations.graph.evidence import (
    claim_json,
    documents_by_stance,
    publications_by_stance,
    quote_json,
)
from orchestration.operations.parts import Parts
from orchestration.records import LOCAL_PREFIX, Claim, Document, DocumentKey

if TYPE_CHECKING:
    from orchestration.operations.graph.exporting import Exported

__all__ = ["Graph"]

NAMED: Final = 5
"""Concepts that an error names."""

MOST_CHARACTERS: Final = 1000
"""Of a key or name that is looked for."""

MANUAL: Final = "manual"
MOST_COMPARED: Final = 1000
"""Claims whose documents are listed for and against."""


class Graph:
    """Concepts and claims of the settings' tenant."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tenant_id = parts.settings.tenant
        self._store = parts.ledger.graph
        self._aliases = parts.ledger.aliases

    def counts(self) -> GraphCounts:
        """Mentions, concepts and claims, by kind and predicate."""
        return self._store.counts(self._tenant_id)

    def concepts(self, named: str | None, kind: str | None, limit: int) -> list[Concept]:
        """Concepts with most documents first; `named`: key, or part of a mention in any case.

        Raises UsageError for a kind that neither graph.yaml nor the graph has.
        """
        if kind is not None:
            self._check("kind", kind, self._parts.graph_schema.kinds, lambda: self.counts().kinds)
        if named is not None and (exact := self._by_key(named)):
            return [concept for concept in exact if kind in (None, concept.kind)]
        return self._store.concepts(self._tenant_id, named=named, kind=kind, limit=limit)

    def claims(
        self, about: str | None, predicate: str | None, document: DocumentKey | None, limit: int
    ) -> list[Statement]:
        """Claims about a concept, with a predicate, of a document; all arguments narrow.

        Raises UsageError for a predicate that neither graph.yaml nor the graph has, as the others do.
        """
        self._check_predicates(predicate)
        keys = None if about is None else [concept.concept for concept in self._resolved(about)]
        return self._store.statements(
            self._tenant_id, concepts=keys, predicate=predicate, key=document, limit=limit
        )

    def neighbours(self, about: str, limit: int) -> tuple[Concept, list[Neighbour]]:
        """The concept, and those that claims join to it; raises UsageError where a name has several."""
        concept = self._one(about)
        return concept, self._store.neighbours(self._tenant_id, concept.concept, limit)

    def paths(
        self,
        start: str,
        end: str,
        *,
        max_hops: int,
        predicates: Sequence[str],
        max_documents: int,
        limit: int,
    ) -> tuple[Concept, Concept, Paths]:
        """Both concepts, and the paths between them; raises UsageError as `neighbours` does."""
        self._check_predicates(*predicates)
        first, last = self._one(start), self._one(end)
        if first.concept == last.concept:
            raise UsageError(f"both ends of a path are {_listed([first])}. Name two concepts.")
        paths = self._store.paths(
            self._tenant_id,
            first.concept,
            last.concept,
            max_hops=max_hops,
            predicates=predicates or None,
            max_documents=max_documents,
            limit=limit,
        )
        return first, last, paths

    def conflicts(self, about: str | None, predicate: str | None, limit: int) -> list[Conflict]:
        """Claims that disagree, about a concept or all, those of most documents first."""
        self._check_predicates(predicate)
        key = None if about is None else self._one(about).concept
        return self._store.conflicts(self._tenant_id, concept=key, predicate=predicate, limit=limit)

    def proposals(self, limit: int) -> list[Proposal]:
        """What a person should look at: up to `limit` of each kind."""
        return self._store.proposals(self._tenant_id, limit)

    def document_key(self, doc_id: str, source: str | None) -> DocumentKey:
        """The committed document of an id; raises UsageError if there is none, or several."""
        rows = self._parts.ledger.documents.find(self._tenant_id, doc_id=doc_id, source=source)
        keys = list(dict.fromkeys(row.key for row in rows))
        if len(keys) != 1:
            what = "no document has" if not keys else "several sources have"
            raise UsageError(f"{what} the id {doc_id!r}. `medkg docs list` shows ids and sources.")
        return keys[0]

    # --- evidence -----------------------------------------------------------------------------------

    def evidence(self, claim_id: str) -> dict[str, Any]:
        """A claim, its quotes in context in the order of the text, and documents for and against it.

        JSON: `claim`, `evidence`, `documents`, and as `publications` their numbers with records of one
        publication as one. Raises UsageError for an unknown claim, StoreCorruptError if the document store
        lost its document.
        """
        statements = self._store.statements(self._tenant_id, claim_id=claim_id, limit=1)
        if not statements:
            raise UsageError(
                f"no committed document has the claim {claim_id!r}. `medkg graph claims` lists claims."
            )
        (statement,) = statements
        alike = self._store.statements(
            self._tenant_id,
            subject=statement.subject_concept,
            object_=statement.object_concept,
            predicate=statement.claim.predicate,
            limit=MOST_COMPARED,
        )
        return {**self._in_context(statement), **self._by_stance(alike, statement.claim)}

    def evidence_between(
        self, subject: str, object_: str, predicate: str | None, limit: int
    ) -> dict[str, Any]:
        """All claims of a subject and an object with their quotes, and documents that state and deny.

        JSON: `subject`, `object`, `claims` of {claim, evidence}, `documents` and `publications` as `evidence`
        has them. Raises what `evidence` raises.
        """
        self._check_predicates(predicate)
        first, last = self._one(subject), self._one(object_)
        statements = self._store.statements(
            self._tenant_id,
            subject=first.concept,
            object_=last.concept,
            predicate=predicate,
            limit=MOST_COMPARED,
        )
        return {
            "subject": first.model_dump(),
            "object": last.model_dump(),
            "claims": [self._in_context(each) for each in statements[:limit]],
            **self._by_stance(statements),
        }

    def _by_stance(self, statements: Sequence[Statement], about: Claim | None = None) -> dict[str, Any]:
        publications = self._store.publications({each.key for each in statements})
        documents = documents_by_stance(statements, publications, about)
        return {"documents": documents, "publications": publications_by_stance(documents)}

    def _in_context(self, statement: Statement) -> dict[str, Any]:
        document = self._document(statement)
        spans = sorted(statement.claim.evidence, key=lambda span: (span.start_char, span.end_char))
        return {
            "claim": claim_json(statement),
            "evidence": [quote_json(document, span) for span in spans],
        }

    def _document(self, statement: Statement) -> Document:
        key = statement.key
        document = self._parts.stores.documents.get(key, statement.version, statement.fingerprint)
        if document is None:
            raise StoreCorruptError(
                f"the document store lost {key.doc_id}. `medkg verify --repair` queues it again; then run "
                "its source."
            )
        return document

    # --- aliases ------------------------------------------------------------------------------------

    def add_alias(self, from_: str, to: str, reason: str) -> tuple[Alias, list[Concept]]:
        """Merge two concepts, named by key or name; returns the alias and the merged concept, if visible.

        Raises UsageError for a name that no concept or that several have, and for a circle.
        """
        alias = Alias.of(self._key(from_), self._key(to), MANUAL, reason=reason)
        self._aliases.add(self._tenant_id, alias)
        return alias, self._by_key(alias.to_key)

    def import_aliases(self, path: Path) -> dict[str, Any]:
        """Take the exact matches of a file of mappings, in the place of what this file stated before.

        Raises what `read_mappings` raises.
        """
        from orchestration.operations.graph.mappings import read_mappings

        mappings = read_mappings(path)
        before = {alias.alias_id for alias in self._aliases.entries(self._tenant_id)}
        removed = self._aliases.replace(self._tenant_id, mappings.origin, mappings.aliases)
        return {
            "source": mappings.origin,
            "version": mappings.version,
            "aliases": len(mappings.aliases),
            "added": len({alias.alias_id for alias in mappings.aliases} - before),
            "removed": removed,
            "left_out": dict(mappings.left_out),
        }

    def aliases(self, about: str | None) -> list[tuple[Alias, str]]:
        """Aliases with the canonical key that each comes to; `about`: only those of this key's concept."""
        entries = self._aliases.entries(self._tenant_id)
        keys = {key for alias in entries for key in (alias.from_key, alias.to_key)}
        canonical = self._canonical(keys)
        if about is not None:
            wanted = self._canonical([self._key(about)])
            entries = [alias for alias in entries if canonical[alias.to_key] in wanted.values()]
        return [(alias, canonical[alias.to_key]) for alias in entries]

    def remove_aliases(self, alias_id: str | None, source: str | None) -> list[Alias]:
        """Take apart what one alias, or all of a file, merged. Raises UsageError where there is none."""
        removed = self._aliases.remove(self._tenant_id, alias_id=alias_id, origin=source)
        if not removed:
            what = f"no alias has the id {alias_id!r}" if alias_id else f"no alias is of the file {source!r}"
            raise UsageError(f"{what}. `medkg graph alias list` shows ids and files.")
        return removed

    def _canonical(self, keys: Sequence[str] | set[str]) -> Mapping[str, str]:
        return {key: key for key in keys} | self._aliases.canonical(self._tenant_id, keys)

    # --- exports ------------------------------------------------------------------------------------

    def export(self, folder: Path, format_name: str, observe: Callable[[int, int], None]) -> Exported:
        """Write the graph in a format into an empty or new folder; raises what `export_graph` raises."""
        from orchestration.operations.graph.exporting import export_graph
        from orchestration.operations.graph.formats import format_named

        return export_graph(self._parts, format_named(format_name), folder, observe)

    # --- names as users write them ------------------------------------------------------------------

    def _check_predicates(self, *predicates: str | None) -> None:
        for predicate in predicates:
            if predicate is not None:
                known = self._parts.graph_schema.predicates
                self._check("predicate", predicate, known, lambda: self.counts().predicates)

    def _check(
        self, what: str, name: str, known: Collection[str], present: Callable[[], Collection[str]]
    ) -> None:
        """Raise UsageError for a name that neither graph.yaml has nor what an earlier one extracted."""
        if name not in known and name not in (others := present()):
            names = ", ".join(sorted({*known, *others}))
            raise UsageError(f"there is no {what} {name!r}. Those of graph.yaml and of the graph: {names}.")

    def _by_key(self, key: str) -> list[Concept]:
        if not key.strip() or len(key) > MOST_CHARACTERS:
            shown = f"{len(key):,} characters" if key.strip() else "empty"
            raise UsageError(
                f"the key or name of a concept is {shown}; it has 1 to {MOST_CHARACTERS:,} characters. "
                "`medkg graph entities` lists concepts."
            )
        return self._store.concepts(self._tenant_id, keys=[key], limit=1)

    def _key(self, text: str) -> str:
        """The key that a user means: that of a concept, any CURIE, else that of the concept of this name."""
        from orchestration.operations.graph.mappings import key_of_curie

        if self._by_key(text) or text.startswith(LOCAL_PREFIX):
            return text
        return key_of_curie(text) or self._one(text).concept

    def _one(self, about: str) -> Concept:
        """The concept of a key or name; of several of one name the only one that a vocabulary has."""
        concepts = self._resolved(about)
        if len(concepts) > 1:
            linked = [concept for concept in concepts if not concept.concept.startswith(LOCAL_PREFIX)]
            if len(linked) == 1:
                return linked[0]
            raise UsageError(f"{about!r} names several concepts: {_listed(concepts)}. Give the key of one.")
        return concepts[0]

    def _resolved(self, about: str) -> list[Concept]:
        """The concepts of a key, or of exactly this name; else UsageError that names similar ones."""
        if exact := self._by_key(about):
            return exact
        alike = self._store.concepts(self._tenant_id, named=about, exactly=True, limit=1000)
        same = [each for each in alike if each.name.casefold() == about.casefold()]
        if same or alike:
            return same or alike
        similar = self._store.concepts(self._tenant_id, named=about, limit=NAMED + 1)
        if similar:
            raise UsageError(f"no concept is called {about!r}; similar ones: {_listed(similar)}.")
        raise UsageError(f"no committed document mentions {about!r}. `medkg graph entities` lists concepts.")


def _listed(concepts: Sequence[Concept]) -> str:
    shown = ", ".join(f"{concept.name} ({concept.kind}, {concept.concept})" for concept in concepts[:NAMED])
    return f"{shown} and more" if len(concepts) > NAMED else shown
