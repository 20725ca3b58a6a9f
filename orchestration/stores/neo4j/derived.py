"""What follows from mentions and claims: names, kinds and counts of concepts, and edges between them.

Input: documents as they were and as they are to be. Output: what that adds to counts, and the properties that
a concept then has. A concept's name and kind are those of most of its mentions, of equal ones the first in
order, as in the ledger.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.contracts.projection import ProjectedDocument, Row
from orchestration.errors import StoreCorruptError

__all__ = ["Change", "ConceptCounts", "Edge", "EdgeCounts", "change", "concept_row", "counts_in"]

Edge = tuple[str, str, str]
"""Subject, predicate and object."""


@dataclass(slots=True)
class ConceptCounts:
    """Mentions of a concept by name and by kind, and its documents; or what is added to them."""

    names: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    documents: int = 0

    def add(self, other: ConceptCounts) -> None:
        """Add counts, which may be negative."""
        for mine, theirs in ((self.names, other.names), (self.kinds, other.kinds)):
            for value, count in theirs.items():
                mine[value] += count
        self.documents += other.documents

    @property
    def is_nothing(self) -> bool:
        return not (self.documents or any(self.names.values()) or any(self.kinds.values()))


@dataclass(slots=True)
class EdgeCounts:
    """Claims behind an edge, those that deny it, and their documents; or what is added to them."""

    claims: int = 0
    negated: int = 0
    documents: int = 0


@dataclass(slots=True)
class Change:
    """What a set of documents adds to concepts and edges."""

    concepts: dict[str, ConceptCounts] = field(default_factory=lambda: defaultdict(ConceptCounts))
    edges: dict[Edge, EdgeCounts] = field(default_factory=lambda: defaultdict(EdgeCounts))


def change(before: Iterable[ProjectedDocument], after: Iterable[ProjectedDocument]) -> Change:
    """What replacing documents by others adds; what adds nothing is left out."""
    total = Change()
    for documents, sign in ((before, -1), (after, 1)):
        for document in documents:
            _count_mentions(total, document, sign)
            _count_claims(total, document, sign)
    return Change(
        {key: counts for key, counts in total.concepts.items() if not counts.is_nothing},
        {key: counts for key, counts in total.edges.items() if counts != EdgeCounts()},
    )


def _count_mentions(total: Change, document: ProjectedDocument, sign: int) -> None:
    for row in document.mentions:
        counts = total.concepts[row["concept"]]
        counts.documents += sign
        for name in row["names"]:
            counts.names[name] += sign
        for kind in row["kinds"]:
            counts.kinds[kind] += sign


def _count_claims(total: Change, document: ProjectedDocument, sign: int) -> None:
    in_document: set[Edge] = set()
    for row in document.claims:
        edge = (row["subject"], row["predicate"], row["object"])
        counts = total.edges[edge]
        counts.claims += sign
        counts.negated += sign * bool(row["negated"])
        if edge not in in_document:
            in_document.add(edge)
            counts.documents += sign


def counts_in(concept: Mapping[str, Any]) -> ConceptCounts:
    """The counts that a concept's properties hold; raises StoreCorruptError for a concept without them."""
    try:
        return ConceptCounts(
            Counter(dict(zip(concept["names"], concept["name_counts"], strict=True))),
            Counter(dict(zip(concept["kinds"], concept["kind_counts"], strict=True))),
            concept["documents"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreCorruptError(
            f"the concept {concept.get('concept')} in Neo4j was changed by another program than medkg. "
            "`medkg graph project --rebuild` makes the projection again."
        ) from error


def concept_row(concept: str, counts: ConceptCounts) -> Row | None:
    """The properties of a concept; None for one without mentions."""
    names, kinds = _ranked(counts.names), _ranked(counts.kinds)
    if not names or not kinds or counts.documents <= 0:
        return None
    return {
        "concept": concept,
        "name": names[0][0],
        "kind": kinds[0][0],
        "names": [name for name, _ in names],
        "name_counts": [count for _, count in names],
        "kinds": [kind for kind, _ in kinds],
        "kind_counts": [count for _, count in kinds],
        "mentions": sum(count for _, count in names),
        "documents": counts.documents,
    }


def _ranked(counts: Counter[str]) -> Sequence[tuple[str, int]]:
    """Most frequent first, of equal ones the first in order."""
    return sorted(((v, n) for v, n in counts.items() if n > 0), key=lambda each: (-each[1], each[0]))
