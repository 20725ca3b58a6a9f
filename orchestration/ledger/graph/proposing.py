"""What a person should look at: names without a key of a vocabulary, names of several concepts, weak claims.

Input: a tenant. Output: proposals of each kind. Nothing is merged by a name: names only propose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import and_, distinct, func, select

from orchestration.contracts import Concept, Proposal
from orchestration.ledger.graph.merging import canonical_column
from orchestration.ledger.graph.reading import concepts_by_key, statements_where
from orchestration.ledger.graph.tables import (
    IS_LOW,
    graph_canonical,
    graph_claims,
    graph_concepts,
    graph_names,
)
from orchestration.ledger.graph.view import View
from orchestration.records import LOCAL_PREFIX

__all__ = ["find_proposals"]


def find_proposals(view: View, limit: int) -> list[Proposal]:
    """Up to `limit` proposals of each kind; see GraphReader.proposals."""
    return [
        *_of_one_name(view, limit),
        *_unlinked(view, limit),
        *_merged_within(view, limit),
        *_weak_claims(view, limit),
    ]


def _of_one_name(view: View, limit: int) -> Iterator[Proposal]:
    """Names that several concepts have, apart from those of which no kind is ever linked."""
    names = graph_names.c
    key = canonical_column(names.concept, graph_canonical)
    alias = and_(graph_canonical.c.tenant_id == names.tenant_id, graph_canonical.c.key == names.concept)
    rows = graph_names.outerjoin(graph_canonical, alias)
    wanted = (names.tenant_id == view.tenant_id, names.kind.in_(_linked_kinds(view.tenant_id)))
    query = (
        select(names.folded)
        .select_from(rows)
        .where(*wanted)
        .group_by(names.folded)
        .having(func.count(distinct(key)) > 1)
        .order_by(func.sum(names.mentions).desc(), names.folded)
        .limit(2 * limit)
    )
    folded = view.connection.execute(query).scalars().all()
    of_name: dict[str, set[str]] = defaultdict(set)
    query = select(names.folded, key).select_from(rows).where(*wanted, names.folded.in_(folded))
    for name, concept in view.connection.execute(query):
        of_name[name].add(concept)
    concepts = concepts_by_key(view, {key for keys in of_name.values() for key in keys})
    proposed: dict[str, int] = defaultdict(int)
    for name in folded:
        shared = _by_documents([concepts[key] for key in of_name[name]])
        linked = [each for each in shared if not each.concept.startswith(LOCAL_PREFIX)]
        kind: Literal["same_name", "name_only"] = "same_name" if len(linked) > 1 else "name_only"
        proposed[kind] += 1
        if proposed[kind] <= limit:
            yield Proposal(kind=kind, name=name, concepts=tuple(shared))


def _unlinked(view: View, limit: int) -> Iterator[Proposal]:
    """Frequent concepts without a key of a vocabulary, of kinds that have some with one."""
    query = (
        select(graph_concepts.c.concept)
        .where(
            graph_concepts.c.tenant_id == view.tenant_id,
            graph_concepts.c.concept.startswith(LOCAL_PREFIX),
            graph_concepts.c.kind.in_(_linked_kinds(view.tenant_id)),
        )
        .order_by(graph_concepts.c.documents.desc(), graph_concepts.c.concept)
        .limit(limit)
    )
    keys = view.connection.execute(query).scalars().all()
    for concept in _by_documents(list(concepts_by_key(view, keys).values())):
        yield Proposal(kind="unlinked", name=concept.name, concepts=(concept,))


def _merged_within(view: View, limit: int) -> Iterator[Proposal]:
    """Concepts of which aliases join several keys of one vocabulary: one of these aliases may be wrong."""
    query = select(graph_canonical.c.canonical, graph_canonical.c.key).where(
        graph_canonical.c.tenant_id == view.tenant_id
    )
    joined: dict[str, set[str]] = defaultdict(set)
    for canonical, key in view.connection.execute(query):
        joined[canonical] |= {canonical, key}
    suspects: dict[str, list[str]] = {}
    for canonical, keys in joined.items():
        of_prefix: dict[str, list[str]] = defaultdict(list)
        for key in sorted(keys):
            of_prefix[key.partition(":")[0]].append(key)
        doubtful = [
            key
            for some in of_prefix.values()
            if len(some) > 1
            for key in some
            if not key.startswith(LOCAL_PREFIX)
        ]
        if doubtful:
            suspects[canonical] = doubtful
    concepts = concepts_by_key(view, suspects)
    ranked = sorted(suspects, key=lambda key: (-concepts[key].documents if key in concepts else 0, key))
    for key in ranked[:limit]:
        concept = concepts.get(key)
        yield Proposal(
            kind="merged",
            name=concept.name if concept else key,
            concepts=(concept,) if concept else (),
            keys=tuple(suspects[key]),
        )


def _weak_claims(view: View, limit: int) -> Iterator[Proposal]:
    """The claims of lowest confidence."""
    low: list[Any] = [IS_LOW]
    weakest = statements_where(view, low, limit, (graph_claims.c.confidence, graph_claims.c.claim_id))
    for each in weakest:
        denied = "not " if each.claim.negated else ""
        yield Proposal(
            kind="low_confidence",
            name=f"{each.subject.name} {denied}{each.claim.predicate} {each.object.name}",
            keys=(each.subject_concept, each.object_concept),
            claim_id=each.claim.claim_id,
            confidence=each.claim.confidence,
        )


def _linked_kinds(tenant_id: str) -> Any:
    """Kinds of which some concept has a key of a vocabulary, as a SELECT."""
    return (
        select(graph_concepts.c.kind)
        .distinct()
        .where(graph_concepts.c.tenant_id == tenant_id, ~graph_concepts.c.concept.startswith(LOCAL_PREFIX))
    )


def _by_documents(concepts: Sequence[Concept]) -> list[Concept]:
    return sorted(concepts, key=lambda each: (-each.documents, each.concept))
