"""Concepts, statements and neighbours, read from visible rows with concepts merged.

Input: a connection inside a transaction, a tenant and what is asked. Output: records in a fixed order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    and_,
    distinct,
    func,
    or_,
    select,
    tuple_,
)

from orchestration.contracts import Concept, GraphCounts, Neighbour, Statement
from orchestration.ledger.graph.counting import folded_name
from orchestration.ledger.graph.merging import (
    canonical_column,
    canonical_of,
    has_aliases,
    members,
    merged,
    with_canonical,
)
from orchestration.ledger.graph.retracted import (
    count_retracted,
    has_retracted,
    is_retracted,
    retracted_numbers,
)
from orchestration.ledger.graph.rows import claim_of, mentions_of
from orchestration.ledger.graph.tables import (
    graph_canonical,
    graph_claims,
    graph_concepts,
    graph_documents,
    graph_mentions,
    graph_names,
)
from orchestration.ledger.graph.visible import (
    claims_of_visible,
    visible_claims,
    visible_documents,
    with_commits,
)
from orchestration.ledger.rows import batches, has_key, key_of
from orchestration.ledger.tables import commits
from orchestration.records import DocumentKey

__all__ = [
    "claims_between",
    "concepts_by_key",
    "counts",
    "find_concepts",
    "find_statements",
    "neighbours",
    "statements_where",
]

ENDS: Final = (
    (graph_claims.c.subject_concept, graph_claims.c.object_concept, True),
    (graph_claims.c.object_concept, graph_claims.c.subject_concept, False),
)
"""This end of a claim, the other one, and whether the other one is its object."""


def find_concepts(
    connection: Connection,
    tenant_id: str,
    *,
    named: str | None,
    exactly: bool,
    keys: Collection[str] | None,
    kind: str | None,
    limit: int,
) -> list[Concept]:
    """Concepts, those of most documents first; see GraphReader.concepts."""
    conditions: list[ColumnElement[bool]] = [graph_concepts.c.tenant_id == tenant_id]
    if named is not None:
        conditions.append(graph_concepts.c.concept.in_(_named(tenant_id, named, exactly)))
    if keys is not None:
        conditions.append(
            graph_concepts.c.concept.in_(sorted(canonical_of(connection, tenant_id, keys).values()))
        )
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
    return _concepts(connection, tenant_id, connection.execute(query).mappings().all())


def concepts_by_key(
    connection: Connection,
    tenant_id: str,
    canonical: Collection[str],
    *,
    any_retracted: bool | None = None,
) -> dict[str, Concept]:
    """Concepts by their canonical keys; those without a visible mention are left out.

    `any_retracted`: what `has_retracted` returned, if it was asked.
    """
    concepts: dict[str, Concept] = {}
    for batch in batches(dict.fromkeys(canonical)):
        query = select(graph_concepts).where(
            graph_concepts.c.tenant_id == tenant_id, graph_concepts.c.concept.in_(batch)
        )
        rows = connection.execute(query).mappings().all()
        some = _concepts(connection, tenant_id, rows, any_retracted=any_retracted)
        concepts |= {each.concept: each for each in some}
    return concepts


def find_statements(
    connection: Connection,
    tenant_id: str,
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
        own = sorted(merged(connection, tenant_id, concepts))
        conditions.append(or_(claims.subject_concept.in_(own), claims.object_concept.in_(own)))
    for end, wanted in ((claims.subject_concept, subject), (claims.object_concept, object_)):
        if wanted is not None:
            conditions.append(end.in_(sorted(merged(connection, tenant_id, [wanted]))))
    if predicate is not None:
        conditions.append(claims.predicate == predicate)
    if key is not None:
        conditions.append(has_key(graph_documents, [key]))
    if claim_id is not None:
        conditions.append(claims.claim_id == claim_id)
    chosen = concepts is not None or subject is not None or object_ is not None or claim_id is not None
    return statements_where(connection, tenant_id, conditions, limit, chosen=chosen)


BY_DOCUMENT: Final = (graph_documents.c.source, graph_documents.c.doc_id, graph_claims.c.number)


def statements_where(
    connection: Connection,
    tenant_id: str,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    order: Sequence[ColumnElement[Any]] = BY_DOCUMENT,
    *,
    chosen: bool = True,
) -> list[Statement]:
    """Visible claims that meet conditions, by document in order or another one.

    `chosen`: the conditions choose few of all claims, so that these are read and not documents in order.
    """
    any_retracted = has_retracted(connection, tenant_id)
    columns = ("tenant_id", "source", "doc_id", "title", "year", "study_type")
    query = (
        select(
            graph_claims,
            *(graph_documents.c[name] for name in columns),
            is_retracted(tenant_id, graph_claims.c.document_number, any_is=any_retracted).label(
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
    canonical = canonical_of(connection, tenant_id, ends)
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


def neighbours(connection: Connection, tenant_id: str, concept: str, limit: int) -> list[Neighbour]:
    """Concepts that visible claims join to this one; see GraphReader.neighbours."""
    any_alias = has_aliases(connection, tenant_id)
    own = sorted(merged(connection, tenant_id, [concept])) if any_alias else [concept]
    any_retracted = has_retracted(connection, tenant_id)
    joined: list[tuple[RowMapping, bool]] = []
    number = graph_claims.c.document_number
    for end, other, outgoing in ENDS:
        rows: FromClause = claims_of_visible()
        neighbour: ColumnElement[str] = other
        if any_alias:
            rows, neighbour = (
                with_canonical(tenant_id, rows, other, graph_canonical),
                canonical_column(other, graph_canonical),
            )
        documents = func.count(distinct(number))
        query = (
            select(
                neighbour.label("neighbour"),
                graph_claims.c.predicate,
                func.count().label("claims"),
                documents.label("documents"),
                count_retracted(tenant_id, number, any_is=any_retracted).label("retracted"),
            )
            .select_from(rows)
            .where(*visible_claims(tenant_id), end.in_(own))
            .group_by(neighbour, graph_claims.c.predicate)
            .order_by(documents.desc(), neighbour, graph_claims.c.predicate)
            .limit(limit)
        )
        joined += [(row, outgoing) for row in connection.execute(query).mappings()]
    joined.sort(
        key=lambda each: (-each[0]["documents"], each[0]["neighbour"], each[0]["predicate"], not each[1])
    )
    joined = joined[:limit]
    keys = [row["neighbour"] for row, _ in joined]
    named = concepts_by_key(connection, tenant_id, keys, any_retracted=any_retracted)
    return [
        Neighbour(
            concept=named[row["neighbour"]],
            predicate=row["predicate"],
            outgoing=outgoing,
            claims=row["claims"],
            documents=row["documents"],
            retracted_documents=row["retracted"],
        )
        for row, outgoing in joined
    ]


def claims_between(
    connection: Connection,
    tenant_id: str,
    pairs: Sequence[tuple[str, str]],
    columns: Sequence[Any] = (),
    conditions: Sequence[ColumnElement[bool]] = (),
) -> Sequence[RowMapping]:
    """Claims of (subject, object) pairs of own keys, counted by canonical keys, predicate and more columns.

    Rows have subject, object, predicate, the columns, and numbers of claims, documents and retracted ones.
    """
    claims, number = graph_claims.c, graph_claims.c.document_number
    rows: FromClause = claims_of_visible()
    ends: list[ColumnElement[str]] = [claims.subject_concept, claims.object_concept]
    if has_aliases(connection, tenant_id):
        for place, name in enumerate(("of_subject", "of_object")):
            alias = graph_canonical.alias(name)
            rows = with_canonical(tenant_id, rows, ends[place], alias)
            ends[place] = canonical_column(ends[place], alias)
    any_retracted = has_retracted(connection, tenant_id)
    query = (
        select(
            ends[0].label("subject"),
            ends[1].label("object"),
            claims.predicate,
            *columns,
            func.count().label("claims"),
            func.count(distinct(number)).label("documents"),
            count_retracted(tenant_id, number, any_is=any_retracted).label("retracted"),
        )
        .select_from(rows)
        .where(
            *visible_claims(tenant_id),
            # SQLite searches by single columns only; the pairs alone would scan all claims
            claims.subject_concept.in_(sorted({subject for subject, _ in pairs})),
            claims.object_concept.in_(sorted({object_ for _, object_ in pairs})),
            tuple_(claims.subject_concept, claims.object_concept).in_(pairs),
            *conditions,
        )
        .group_by(*ends, claims.predicate, *columns)
    )
    return connection.execute(query).mappings().all()


def counts(connection: Connection, tenant_id: str) -> GraphCounts:
    """What is visible of the tenant; see GraphReader.counts."""
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


def _named(tenant_id: str, named: str, exactly: bool) -> Any:
    """Canonical keys of concepts with a mention of that name, or whose name contains it, as a SELECT."""
    folded = folded_name(named)
    names = graph_names.c
    same = names.folded == folded if exactly else names.folded.contains(folded, autoescape=True)
    alias = and_(graph_canonical.c.tenant_id == names.tenant_id, graph_canonical.c.key == names.concept)
    return (
        select(canonical_column(names.concept, graph_canonical))
        .select_from(graph_names.outerjoin(graph_canonical, alias))
        .where(names.tenant_id == tenant_id, same)
    )


def _concepts(
    connection: Connection,
    tenant_id: str,
    rows: Sequence[RowMapping],
    *,
    any_retracted: bool | None = None,
) -> list[Concept]:
    """Concepts of rows of graph_concepts, marked where all their documents are retracted."""
    if any_retracted is None:
        any_retracted = has_retracted(connection, tenant_id)
    keys = [row["concept"] for row in rows]
    retracted = _retracted_documents(connection, tenant_id, keys) if any_retracted else {}
    return [
        Concept(
            concept=row["concept"],
            kind=row["kind"],
            name=row["name"],
            mentions=row["mentions"],
            documents=row["documents"],
            retracted=retracted.get(row["concept"]) == row["documents"],
        )
        for row in rows
    ]


def _retracted_documents(
    connection: Connection, tenant_id: str, canonical: Collection[str]
) -> dict[str, int]:
    """Retracted documents with a mention of each concept; those without any are left out."""
    documents: dict[str, set[int]] = {}
    own = members(connection, tenant_id, canonical)
    for batch in batches(sorted(own)):
        query: Any = (
            select(graph_mentions.c.concept, graph_mentions.c.document_number)
            .distinct()
            .where(
                graph_mentions.c.document_number.in_(retracted_numbers(tenant_id)),
                graph_mentions.c.concept.in_(batch),
            )
        )
        for concept, number in connection.execute(query):
            documents.setdefault(own[concept], set()).add(number)
    return {concept: len(numbers) for concept, numbers in documents.items()}
