"""Visibility of documents' rows, and the counts of concepts and names that follow from it.

Input: documents whose commits or rows changed. Output: rows of graph_documents marked visible or not, and
rows of graph_names and graph_concepts that count the visible mentions. All of it in the transaction that
changes the commits, so that readers never see one without the other; `recount` makes it again from nothing.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Table,
    and_,
    delete,
    distinct,
    func,
    literal,
    select,
    update,
)

from orchestration.ledger.graph.bulk import add_selected, add_to_rows, change_rows
from orchestration.ledger.graph.merging import (
    canonical_column,
    canonical_of,
    has_aliases,
    members,
    with_canonical,
    write_canonical,
)
from orchestration.ledger.graph.tables import (
    graph_canonical,
    graph_claims,
    graph_concepts,
    graph_documents,
    graph_identifiers,
    graph_mentions,
    graph_names,
    graph_notices,
)
from orchestration.ledger.graph.visible import visible_claims
from orchestration.ledger.rows import batches, has_key, lock_commits, one_of
from orchestration.ledger.tables import commits
from orchestration.records import DocumentKey

__all__ = ["OF_DOCUMENT", "count_concepts", "discard_rows", "folded_name", "recount", "show"]

OF_DOCUMENT: Final = (graph_claims, graph_mentions, graph_identifiers, graph_notices)
"""Tables whose rows belong to one of graph_documents."""

KEY: Final = ("tenant_id", "source", "doc_id")

ROWS_AT_ONCE: Final = 1000
"""Rows that are read ahead."""


def folded_name(name: str) -> str:
    """A name as names are compared: compatible forms, case and blanks make no difference."""
    if name.isascii():  # most are; the other two change none of these characters
        return " ".join(name.lower().split())
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def named_by_commit() -> ColumnElement[bool]:
    """Condition: the commit of a row's document names the intent of the row."""
    same = [commits.c[name] == graph_documents.c[name] for name in KEY]
    return and_(*same, commits.c.graph_intent_id == graph_documents.c.intent_id)


def show(connection: Connection, keys: Sequence[DocumentKey]) -> None:
    """Have the rows of documents be visible exactly where their commits name them; commits are locked."""
    for batch in batches(keys):
        visible = select(commits.c.source).where(named_by_commit()).exists()
        query = select(
            graph_documents.c.tenant_id,
            graph_documents.c.number,
            graph_documents.c.visible,
            visible.label("named"),
        ).where(has_key(graph_documents, batch))
        rows = connection.execute(query).all()
        _turn(connection, [row[:2] for row in rows if row.visible and not row.named], visible=False)
        _turn(connection, [row[:2] for row in rows if row.named and not row.visible], visible=True)


def discard_rows(connection: Connection, of: ColumnElement[bool], intent_id: str | None = None) -> None:
    """Remove the rows of documents that meet a condition on graph_documents, under one intent or all."""
    condition = of if intent_id is None else and_(of, graph_documents.c.intent_id == intent_id)
    columns = (graph_documents.c.tenant_id, graph_documents.c.number, graph_documents.c.visible)
    rows = connection.execute(select(*columns).where(condition)).all()
    if any(row.visible for row in rows):
        lock_commits(connection)
    _turn(connection, [row[:2] for row in rows if row.visible], visible=False)
    for batch in batches([row.number for row in rows]):
        for table in OF_DOCUMENT:
            connection.execute(delete(table).where(one_of(table.c.document_number, batch)))
        connection.execute(delete(graph_documents).where(one_of(graph_documents.c.number, batch)))


def recount(connection: Connection, tenant_id: str) -> bool:
    """Make everything that is derived again, from rows and commits; returns whether anything differed."""
    of_tenant = graph_documents.c.tenant_id == tenant_id
    before = _digest(connection, tenant_id)
    write_canonical(connection, tenant_id)
    connection.execute(
        update(graph_documents)
        .where(of_tenant)
        .values(visible=select(commits.c.source).where(named_by_commit()).exists())
    )
    for table in (graph_names, graph_concepts):
        connection.execute(delete(table).where(table.c.tenant_id == tenant_id))
    numbers = select(graph_documents.c.number).where(of_tenant, graph_documents.c.visible)
    for batch in batches(connection.execute(numbers.order_by(graph_documents.c.number)).scalars().all()):
        _count(connection, tenant_id, batch, 1)
    return _digest(connection, tenant_id) != before


def _digest(connection: Connection, tenant_id: str) -> str:
    """Hash of what `recount` makes."""
    digest = hashlib.sha256()
    visible = select(graph_documents.c.number).where(
        graph_documents.c.tenant_id == tenant_id, graph_documents.c.visible
    )
    tables = (graph_names, graph_concepts, graph_canonical)
    for query in (
        visible.order_by(graph_documents.c.number),
        *(
            select(table).where(table.c.tenant_id == tenant_id).order_by(*table.primary_key.columns)
            for table in tables
        ),
    ):
        for row in connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}):
            digest.update(f"{tuple(row)!r}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def count_concepts(connection: Connection, tenant_id: str, keys: Collection[str]) -> None:
    """Count concepts again whose keys were merged or taken apart, from their mentions."""
    canonical = set(canonical_of(connection, tenant_id, keys).values())
    for batch in batches(sorted({*keys, *canonical})):
        connection.execute(
            delete(graph_concepts).where(
                graph_concepts.c.tenant_id == tenant_id, one_of(graph_concepts.c.concept, batch)
            )
        )
    of_visible = graph_mentions.join(
        graph_documents, graph_documents.c.number == graph_mentions.c.document_number
    )
    for batch in batches(sorted(canonical)):
        own = one_of(graph_mentions.c.concept, members(connection, tenant_id, batch))
        counted = (*visible_claims(tenant_id), own)
        _add_concepts(connection, tenant_id, of_visible, counted, 1, any_alias=True)
        _name_concepts(connection, tenant_id, batch, any_alias=True)


def _turn(connection: Connection, documents: Sequence[tuple[str, int]], *, visible: bool) -> None:
    """Mark documents, (tenant, number), visible or not, and count their mentions in or out."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for tenant_id, number in documents:
        numbers[tenant_id].append(number)
    for tenant_id, of_tenant in numbers.items():
        for batch in batches(of_tenant):
            connection.execute(
                update(graph_documents).where(one_of(graph_documents.c.number, batch)).values(visible=visible)
            )
            _count(connection, tenant_id, batch, 1 if visible else -1)


def _count(connection: Connection, tenant_id: str, numbers: Sequence[int], sign: int) -> None:
    """Add the mentions of documents to the counts of names and concepts, or take them off (sign -1)."""
    of_documents = one_of(graph_mentions.c.document_number, numbers)
    columns = (graph_mentions.c.concept, graph_mentions.c.kind, graph_mentions.c.name)
    names = connection.execute(select(*columns, func.count()).where(of_documents).group_by(*columns)).all()
    rows = [
        (tenant_id, concept, kind, name, folded_name(name), sign * mentions)
        for concept, kind, name, mentions in names
    ]
    add_to_rows(connection, graph_names, graph_names.columns.keys(), rows, added=("mentions",))
    any_alias = has_aliases(connection, tenant_id)
    _add_concepts(connection, tenant_id, graph_mentions, (of_documents,), sign, any_alias=any_alias)
    own = list(dict.fromkeys(row[0] for row in names))
    canonical = list(dict.fromkeys(canonical_of(connection, tenant_id, own).values())) if any_alias else own
    if sign < 0:
        _remove_uncounted(connection, graph_names, tenant_id, own)
        _remove_uncounted(connection, graph_concepts, tenant_id, canonical)
    elif not any_alias:  # a concept of one name has the one that was just added
        canonical = _of_several_names(connection, tenant_id, own)
    _name_concepts(connection, tenant_id, canonical, any_alias=any_alias)


def _add_concepts(
    connection: Connection,
    tenant_id: str,
    mentions: FromClause,
    conditions: Sequence[ColumnElement[bool]],
    sign: int,
    *,
    any_alias: bool,
) -> None:
    """Add mentions to the counts of their concepts, or take them off; new ones have one of their names."""
    concept: ColumnElement[str] = graph_mentions.c.concept
    if any_alias:
        mentions = with_canonical(tenant_id, mentions, concept, graph_canonical)
        concept = canonical_column(concept, graph_canonical)
    counted = (
        select(
            literal(tenant_id),
            concept,
            func.min(graph_mentions.c.kind),
            func.min(graph_mentions.c.name),
            sign * func.count(distinct(graph_mentions.c.document_number)),
            sign * func.count(),
        )
        .select_from(mentions)
        .where(*conditions)
        .group_by(concept)
    )
    add_selected(connection, graph_concepts, counted, added=("documents", "mentions"))


def _name_concepts(
    connection: Connection, tenant_id: str, canonical: Sequence[str], *, any_alias: bool
) -> None:
    """Set kind and name of concepts: those that most visible mentions have; of equal ones the first."""
    columns = (graph_names.c.concept, graph_names.c.kind, graph_names.c.name, graph_names.c.mentions)
    for batch in batches(canonical):
        named: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        own = members(connection, tenant_id, batch) if any_alias else {key: key for key in batch}
        query = select(*columns).where(
            graph_names.c.tenant_id == tenant_id, one_of(graph_names.c.concept, own)
        )
        for concept, kind, name, mentions in connection.execute(query).all():
            named[own[concept]].append((kind, name, mentions))
        rows = [(_most(names, 0), _most(names, 1), tenant_id, concept) for concept, names in named.items()]
        change_rows(connection, graph_concepts, ("kind", "name"), rows)


def _of_several_names(connection: Connection, tenant_id: str, keys: Sequence[str]) -> list[str]:
    """Those of the keys with several names or kinds; few have."""
    own = graph_names.c.concept
    of_keys = (graph_names.c.tenant_id == tenant_id, one_of(own, keys))
    query = select(own).where(*of_keys).group_by(own).having(func.count() > 1)
    return list(connection.execute(query).scalars())


def _most(names: Sequence[tuple[str, str, int]], place: int) -> str:
    """The kind (0) or name (1) that has most mentions."""
    counted: Counter[str] = Counter()
    for each in names:
        counted[each[:2][place]] += each[2]
    return min(counted, key=lambda value: (-counted[value], value))


def _remove_uncounted(connection: Connection, table: Table, tenant_id: str, concepts: Iterable[str]) -> None:
    """Remove the counts of concepts that have no mention any more."""
    for batch in batches(concepts):
        of_batch = (table.c.tenant_id == tenant_id, one_of(table.c.concept, batch))
        connection.execute(delete(table).where(*of_batch, table.c.mentions <= 0))
