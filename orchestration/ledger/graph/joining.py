"""Concepts that claims join: the neighbours of one, and the claims between pairs.

Input: a view of a tenant and keys of concepts. Output: records in a fixed order, or rows of counts. Each
statement is prepared, with parts for aliases and retractions only where the tenant has any.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    distinct,
    func,
    literal,
    select,
    union_all,
)

from orchestration.contracts import Neighbour
from orchestration.ledger.graph.merging import canonical_column, with_canonical
from orchestration.ledger.graph.prepared import LIMIT, TENANT, Prepared
from orchestration.ledger.graph.reading import concepts_by_key
from orchestration.ledger.graph.retracted import count_retracted
from orchestration.ledger.graph.tables import graph_canonical, graph_claims
from orchestration.ledger.graph.view import View
from orchestration.ledger.graph.visible import claims_of_visible, visible_claims
from orchestration.ledger.rows import one_of_pairs, one_of_parameter

__all__ = ["claims_between", "neighbours", "pairs_around"]

ENDS: Final = (
    (graph_claims.c.subject_concept, graph_claims.c.object_concept, True),
    (graph_claims.c.object_concept, graph_claims.c.subject_concept, False),
)
"""This end of a claim, the other one, and whether the other one is its object."""

KEY: Final = bindparam("key", type_=Text())


def neighbours(view: View, concept: str, limit: int) -> list[Neighbour]:
    """Concepts that visible claims join to this one; see GraphReader.neighbours."""
    own = sorted(view.merged([concept]))
    query = _neighbours_query(len(own) == 1, view.any_alias, view.any_retracted)
    values = {"key": own[0]} if len(own) == 1 else {"keys": own}
    rows = query.rows(view.connection, tenant_id=view.tenant_id, limit=limit, **values)
    # tuples are unpacked: a column of a row by its name takes as long as a small statement
    joined = sorted((-row[4], row[0], row[1], not row[2], *row[3:]) for row in rows)[:limit]
    named = concepts_by_key(view, [row[1] for row in joined])
    return [
        Neighbour(
            concept=named[key],
            predicate=predicate,
            outgoing=not incoming,
            claims=claims,
            documents=documents,
            retracted_documents=retracted,
        )
        for _, key, predicate, incoming, claims, documents, retracted in joined
    ]


@cache
def _neighbours_query(single: bool, any_alias: bool, any_retracted: bool) -> Prepared:
    number = graph_claims.c.document_number
    documents = func.count(distinct(number))
    of_ends: list[Select[*tuple[Any, ...]]] = []
    for end, other, outgoing in ENDS:
        rows: FromClause = claims_of_visible()
        neighbour: ColumnElement[str] = other
        if any_alias:
            rows = with_canonical(TENANT, rows, other, graph_canonical)
            neighbour = canonical_column(other, graph_canonical)
        query = (
            select(
                neighbour.label("neighbour"),
                graph_claims.c.predicate,
                literal(int(outgoing)).label("outgoing"),
                func.count().label("claims"),
                documents.label("documents"),
                count_retracted(TENANT, number, any_is=any_retracted).label("retracted"),
            )
            .select_from(rows)
            .where(*visible_claims(TENANT), _is(end, single))
            .group_by(neighbour, graph_claims.c.predicate)
            .order_by(documents.desc(), neighbour, graph_claims.c.predicate)
            .limit(LIMIT)
        )
        of_ends.append(select(query.subquery()))
    return Prepared(select(union_all(*of_ends).subquery()))


def pairs_around(
    view: View,
    keys: Sequence[str],
    others: Sequence[str] | None,
    predicates: Collection[str] | None,
    limit: int,
) -> set[tuple[str, str]]:
    """(key, neighbour) pairs of own keys that claims join; at most `limit` for each end of the claims."""
    query = _pairs_query(len(keys) == 1, others is not None, predicates is not None)
    values: dict[str, Any] = {"key": keys[0]} if len(keys) == 1 else {"keys": list(keys)}
    if others is not None:
        values["others"] = list(others)
    if predicates is not None:
        values["predicates"] = sorted(predicates)
    rows = query.rows(view.connection, tenant_id=view.tenant_id, limit=limit, **values)
    return set(map(tuple, rows))


@cache
def _pairs_query(single: bool, among: bool, of_predicates: bool) -> Prepared:
    of_ends = []
    for this, other, _ in ENDS:
        query = (
            select(this.label("this"), other.label("other"))
            .distinct()
            .select_from(claims_of_visible())
            .where(*visible_claims(TENANT), _is(this, single))
            .order_by(this, other)
            .limit(LIMIT)
        )
        if among:
            query = query.where(one_of_parameter(other, "others"))
        if of_predicates:
            query = query.where(one_of_parameter(graph_claims.c.predicate, "predicates"))
        of_ends.append(select(query.subquery()))
    return Prepared(select(union_all(*of_ends).subquery()))


def claims_between(
    view: View,
    pairs: Sequence[tuple[str, str]],
    columns: Sequence[str] = (),
    predicates: Collection[str] | None = None,
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Claims of (subject, object) pairs of own keys, counted by canonical keys, predicate and more columns.

    Rows have subject, object, predicate, the columns, and numbers of claims, documents and retracted ones.
    """
    query = _between_query(tuple(columns), view.any_alias, view.any_retracted, predicates is not None)
    values = {} if predicates is None else {"predicates": sorted(predicates)}
    return query.rows(view.connection, tenant_id=view.tenant_id, pairs=json.dumps(pairs), **values)


@cache
def _between_query(
    columns: tuple[str, ...], any_alias: bool, any_retracted: bool, of_predicates: bool
) -> Prepared:
    claims, number = graph_claims.c, graph_claims.c.document_number
    rows: FromClause = claims_of_visible()
    ends: list[ColumnElement[str]] = [claims.subject_concept, claims.object_concept]
    if any_alias:
        for place, name in enumerate(("of_subject", "of_object")):
            alias = graph_canonical.alias(name)
            rows = with_canonical(TENANT, rows, ends[place], alias)
            ends[place] = canonical_column(ends[place], alias)
    more = [claims[name] for name in columns]
    conditions = [
        *visible_claims(TENANT),
        one_of_pairs(claims.subject_concept, claims.object_concept, "pairs"),
    ]
    if of_predicates:
        conditions.append(one_of_parameter(claims.predicate, "predicates"))
    return Prepared(
        select(
            ends[0].label("subject"),
            ends[1].label("object"),
            claims.predicate,
            *more,
            func.count().label("claims"),
            func.count(distinct(number)).label("documents"),
            count_retracted(TENANT, number, any_is=any_retracted).label("retracted"),
        )
        .select_from(rows)
        .where(and_(*conditions))
        .group_by(*ends, claims.predicate, *more)
    )


def _is(column: ColumnElement[str], single: bool) -> ColumnElement[bool]:
    """Condition on one key, with which an index gives the order too, or on several."""
    return column == KEY if single else one_of_parameter(column, "keys")
