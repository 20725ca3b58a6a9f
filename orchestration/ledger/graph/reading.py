"""Concepts and statements, read from visible rows with concepts merged.

Input: a view of a tenant and what is asked. Output: records in a fixed order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, or_, select

from orchestration.contracts import Concept, GraphCounts, Statement
from orchestration.ledger.graph.counting import folded_name
from orchestration.ledger.graph.merging import canonical_column, with_canonical
from orchestration.ledger.graph.prepared import TENANT, Prepared
from orchestration.ledger.graph.retracted import is_retracted, retracted_numbers
from orchestration.ledger.graph.rows import claim_of, mentions_of
from orchestration.ledger.graph.tables import (
    graph_canonical,
    graph_claims,
    graph_concepts,
    graph_documents,
    graph_mentions,
    graph_names,
)
from orchestration.ledger.graph.view import View
from orchestration.ledger.graph.visible import (
    claims_of_visible,
    filtered,
    visible_claims,
    visible_documents,
    with_commits,
)
from orchestration.ledger.rows import batches, has_key, key_of, one_of, one_of_parameter
from orchestration.ledger.tables import commits
from orchestration.records import DocumentKey

__all__ = [
    "concepts_by_key",
    "counts",
    "find_concepts",
    "find_statements",
    "statements_where",
]

_CONCEPTS: Final = Prepared(
    select(graph_concepts).where(
        graph_concepts.c.tenant_id == TENANT, one_of_parameter(graph_concepts.c.concept, "keys")
    )
)


def find_concepts(
    view: View,
    *,
    named: str | None,
    exactly: bool,
    keys: Collection[str] | None,
    kind: str | None,
    limit: int,
) -> list[Concept]:
    """Concepts, those of most documents first; see GraphReader.concepts."""
    conditions: list[ColumnElement[bool]] = [graph_concepts.c.tenant_id == view.tenant_id]
    if named is not None:
        conditions.append(graph_concepts.c.concept.in_(_named(view, named, exactly)))
    if keys is not None:
        conditions.append(one_of(graph_concepts.c.concept, sorted(view.canonical_of(keys).values())))
    if kind is not None:
        conditions.append(graph_concepts.c.kind == kind)
    query = (
        select(graph_concepts)
        .where(*conditions)
        .order_by(
            graph_concepts.c.documents.desc(), graph_concepts.c.mentions.desc(), graph_concepts.c.concept
        )
        .limit(limit)
    )
    return _concepts(view, view.connection.execute(query).all())


def concepts_by_key(view: View, canonical: Collection[str]) -> dict[str, Concept]:
    """Concepts by their canonical keys; those without a visible mention are left out."""
    concepts: dict[str, Concept] = {}
    for batch in batches(dict.fromkeys(canonical)):
        rows = _CONCEPTS.rows(view.connection, tenant_id=view.tenant_id, keys=batch)
        concepts |= {each.concept: each for each in _concepts(view, rows)}
    return concepts


def find_statements(
    view: View,
    *,
    concepts: Collection[str] | None,
    subject: str | None,
    object_: str | None,
    predicate: str | None,
    key: DocumentKey | None,
    claim_id: str | None,
    limit: int,
) -> list[Statement]:
    """Visible claims by document in order; see GraphReader.statements."""
    claims = graph_claims.c
    conditions: list[ColumnElement[bool]] = []
    if concepts is not None:
        own = sorted(view.merged(concepts))
        conditions.append(or_(claims.subject_concept.in_(own), claims.object_concept.in_(own)))
    for end, wanted in ((claims.subject_concept, subject), (claims.object_concept, object_)):
        if wanted is not None:
            conditions.append(end.in_(sorted(view.merged([wanted]))))
    if predicate is not None:
        conditions.append(claims.predicate == predicate)
    if key is not None:
        conditions.append(has_key(graph_documents, [key]))
    if claim_id is not None:
        conditions.append(claims.claim_id == claim_id)
    chosen = concepts is not None or subject is not None or object_ is not None or claim_id is not None
    return statements_where(view, conditions, limit, chosen=chosen)


BY_DOCUMENT: Final = (graph_documents.c.source, graph_documents.c.doc_id, graph_claims.c.number)

SORTED_BY_DOCUMENT: Final = (*map(filtered, BY_DOCUMENT[:2]), graph_claims.c.number)
"""The same order of few rows: sorted, not read in it from an index of all documents."""


def statements_where(
    view: View,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    order: Sequence[ColumnElement[Any]] | None = None,
    *,
    chosen: bool = True,
) -> list[Statement]:
    """Visible claims that meet conditions, by document in order or another one.

    `chosen`: the conditions choose few of all claims, so that these are read and not documents in order.
    """
    tenant_id, connection = view.tenant_id, view.connection
    order = order or (SORTED_BY_DOCUMENT if chosen else BY_DOCUMENT)
    columns = ("tenant_id", "source", "doc_id", "title", "year", "study_type")
    query = (
        select(
            graph_claims,
            *(graph_documents.c[name] for name in columns),
            is_retracted(tenant_id, graph_claims.c.document_number, any_is=view.any_retracted).label(
                "is_retracted"
            ),
            commits.c.version,
            commits.c.fingerprint,
        )
        .select_from(with_commits(claims_of_visible()))
        .where(*(visible_claims(tenant_id) if chosen else visible_documents(tenant_id)), *conditions)
        .order_by(*order)
        .limit(limit)
    )
    rows = connection.execute(query).mappings().all()
    mentions = mentions_of(connection, rows)
    ends = {row[name] for row in rows for name in ("subject_concept", "object_concept")}
    canonical = view.canonical_of(ends)
    return [
        Statement(
            key=(key := key_of(row)),
            version=row["version"],
            fingerprint=row["fingerprint"],
            claim=claim_of(row, key),
            subject=mentions[row["document_number"], row["subject"]],
            object=mentions[row["document_number"], row["object"]],
            subject_concept=canonical[row["subject_concept"]],
            object_concept=canonical[row["object_concept"]],
            title=row["title"],
            year=row["year"],
            study_type=row["study_type"],
            retracted=bool(row["is_retracted"]),
        )
        for row in rows
    ]


def counts(view: View) -> GraphCounts:
    """What is visible of the tenant; see GraphReader.counts."""
    connection, tenant_id = view.connection, view.tenant_id
    visible = (graph_documents.c.tenant_id == tenant_id, graph_documents.c.visible)
    documents = connection.execute(
        select(func.count()).select_from(graph_documents).where(*visible)
    ).scalar_one()
    concepts = connection.execute(
        select(func.count()).select_from(graph_concepts).where(graph_concepts.c.tenant_id == tenant_id)
    ).scalar_one()
    numbers = retracted_numbers(tenant_id).subquery()
    retracted = connection.execute(select(func.count()).select_from(numbers)).scalar_one()
    kinds, predicates = (
        {value: int(count) for value, count in connection.execute(query.group_by(column).order_by(column))}
        for column, query in (
            (
                graph_names.c.kind,
                select(graph_names.c.kind, func.sum(graph_names.c.mentions)).where(
                    graph_names.c.tenant_id == tenant_id
                ),
            ),
            (
                graph_claims.c.predicate,
                select(graph_claims.c.predicate, func.count())
                .select_from(claims_of_visible())
                .where(*visible_documents(tenant_id)),
            ),
        )
    )
    return GraphCounts(
        documents=documents,
        mentions=sum(kinds.values()),
        concepts=concepts,
        claims=sum(predicates.values()),
        kinds=kinds,
        predicates=predicates,
        retracted_documents=retracted,
    )


def _named(view: View, named: str, exactly: bool) -> Any:
    """Canonical keys of concepts with a mention of that name, or whose name contains it, as a SELECT."""
    folded = folded_name(named)
    names = graph_names.c
    same = names.folded == folded if exactly else names.folded.contains(folded, autoescape=True)
    of_tenant = (names.tenant_id == view.tenant_id, same)
    if not view.any_alias:
        return select(names.concept).where(*of_tenant)
    return (
        select(canonical_column(names.concept, graph_canonical))
        .select_from(with_canonical(view.tenant_id, graph_names, names.concept, graph_canonical))
        .where(*of_tenant)
    )


def _concepts(view: View, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[Concept]:
    """Concepts of rows of graph_concepts, marked where all their documents are retracted."""
    retracted = _retracted_documents(view, [row[1] for row in rows]) if view.any_retracted else {}
    return [
        Concept(
            concept=concept,
            kind=kind,
            name=name,
            mentions=mentions,
            documents=documents,
            retracted=retracted.get(concept) == documents,
        )
        for _, concept, kind, name, documents, mentions in rows
    ]


def _retracted_documents(view: View, canonical: Collection[str]) -> dict[str, int]:
    """Retracted documents with a mention of each concept; those without any are left out."""
    documents: dict[str, set[int]] = {}
    own = view.members(canonical)
    for batch in batches(sorted(own)):
        query: Any = (
            select(graph_mentions.c.concept, graph_mentions.c.document_number)
            .distinct()
            .where(
                graph_mentions.c.document_number.in_(retracted_numbers(view.tenant_id)),
                one_of(graph_mentions.c.concept, batch),
            )
        )
        for concept, number in view.connection.execute(query):
            documents.setdefault(own[concept], set()).add(number)
    return {concept: len(numbers) for concept, numbers in documents.items()}
