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
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    distinct,
    func,
    select,
    update,
)

from orchestration.ledger.graph.bulk import add_to_rows
from orchestration.ledger.graph.merging import (
    canonical_column,
    canonical_of,
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
from orchestration.ledger.rows import batches, has_key, lock_commits
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
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def named_by_commit() -> ColumnElement[bool]:
    """Condition: the commit of a row's document names the intent of the row."""
    same = [commits.c[name] == graph_documents.c[name] for name in KEY]
    return and_(*same, commits.c.graph_intent_id == graph_documents.c.intent_id)


def show(connection: Connection, keys: Sequence[DocumentKey]) -> None:
    """Have the rows of documents be visible exactly where their commits name them."""
    for batch in batches(keys):
        visible = select(commits.c.source).where(named_by_commit()).exists()
        query = select(graph_documents.c.number, graph_documents.c.visible, visible.label("named")).where(
            has_key(graph_documents, batch)
        )
        rows = connection.execute(query).all()
        _turn(connection, [row.number for row in rows if row.visible and not row.named], visible=False)
        _turn(connection, [row.number for row in rows if row.named and not row.visible], visible=True)


def discard_rows(connection: Connection, of: ColumnElement[bool], intent_id: str | None = None) -> None:
    """Remove the rows of documents that meet a condition on graph_documents, under one intent or all."""
    condition = of if intent_id is None else and_(of, graph_documents.c.intent_id == intent_id)
    rows = connection.execute(
        select(graph_documents.c.number, graph_documents.c.visible).where(condition)
    ).all()
    _turn(connection, [row.number for row in rows if row.visible], visible=False)
    for batch in batches([row.number for row in rows]):
        for table in OF_DOCUMENT:
            connection.execute(delete(table).where(table.c.document_number.in_(batch)))
        connection.execute(delete(graph_documents).where(graph_documents.c.number.in_(batch)))


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
        _count(connection, batch, 1)
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
                graph_concepts.c.tenant_id == tenant_id, graph_concepts.c.concept.in_(batch)
            )
        )
    for batch in batches(sorted(canonical)):
        own = members(connection, tenant_id, batch)
        counts: dict[str, tuple[set[int], list[int]]] = defaultdict(lambda: (set(), [0]))
        for some in batches(sorted(own)):
            query = (
                select(graph_mentions.c.concept, graph_mentions.c.document_number, func.count())
                .join(graph_documents, graph_documents.c.number == graph_mentions.c.document_number)
                .where(
                    graph_documents.c.tenant_id == tenant_id,
                    graph_documents.c.visible,
                    graph_mentions.c.concept.in_(some),
                )
                .group_by(graph_mentions.c.concept, graph_mentions.c.document_number)
            )
            for concept, number, mentions in connection.execute(query):
                documents, total = counts[own[concept]]
                documents.add(number)
                total[0] += mentions
        _add_concepts(
            connection,
            tenant_id,
            [(concept, total[0], len(numbers)) for concept, (numbers, total) in sorted(counts.items())],
            1,
        )


def _turn(connection: Connection, numbers: Sequence[int], *, visible: bool) -> None:
    """Mark documents visible or not, and count their mentions in or out."""
    if numbers:
        lock_commits(connection)
    for batch in batches(numbers):
        connection.execute(
            update(graph_documents).where(graph_documents.c.number.in_(batch)).values(visible=visible)
        )
        _count(connection, batch, 1 if visible else -1)


def _count(connection: Connection, numbers: Sequence[int], sign: int) -> None:
    """Add the mentions of documents to the counts of names and concepts, or take them off (sign -1)."""
    mentions = graph_mentions.join(
        graph_documents, graph_documents.c.number == graph_mentions.c.document_number
    )
    of_documents = graph_mentions.c.document_number.in_(numbers)
    columns = (
        graph_documents.c.tenant_id,
        graph_mentions.c.concept,
        graph_mentions.c.kind,
        graph_mentions.c.name,
    )
    names = connection.execute(
        select(*columns, func.count()).select_from(mentions).where(of_documents).group_by(*columns)
    ).all()
    rows = [
        {
            "tenant_id": tenant_id,
            "concept": concept,
            "kind": kind,
            "name": name,
            "folded": folded_name(name),
            "mentions": sign * count,
        }
        for tenant_id, concept, kind, name, count in names
    ]
    _add(connection, graph_names, rows, ("mentions",))
    canonical = canonical_column(graph_mentions.c.concept, graph_canonical)
    counted: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    query = (
        select(
            graph_documents.c.tenant_id,
            canonical,
            func.count(),
            func.count(distinct(graph_mentions.c.document_number)),
        )
        .select_from(with_canonical(mentions, graph_mentions.c.concept, graph_canonical))
        .where(of_documents)
        .group_by(graph_documents.c.tenant_id, canonical)
    )
    for tenant_id, concept, count, documents in connection.execute(query):
        counted[tenant_id].append((concept, count, documents))
    for tenant_id, concepts in counted.items():
        _add_concepts(connection, tenant_id, concepts, sign)


def _add_concepts(
    connection: Connection, tenant_id: str, counted: Iterable[tuple[str, int, int]], sign: int
) -> None:
    """Add (concept, mentions, documents) to the counts, and name each concept after its mentions."""
    counts = {concept: (mentions, documents) for concept, mentions, documents in counted}
    named = _commonest(connection, tenant_id, counts)
    rows = [
        {
            "tenant_id": tenant_id,
            "concept": concept,
            "kind": kind,
            "name": name,
            "documents": sign * documents,
            "mentions": sign * mentions,
        }
        for concept, (mentions, documents) in counts.items()
        for kind, name in (named.get(concept, ("", "")),)
    ]
    _add(connection, graph_concepts, rows, ("documents", "mentions"), ("kind", "name"))


def _commonest(
    connection: Connection, tenant_id: str, canonical: Collection[str]
) -> dict[str, tuple[str, str]]:
    """The kind and the name that most visible mentions of each concept have; of equal ones the first."""
    named: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for batch in batches(canonical):
        own = members(connection, tenant_id, batch)
        for some in batches(own):
            query = select(
                graph_names.c.concept, graph_names.c.kind, graph_names.c.name, graph_names.c.mentions
            ).where(graph_names.c.tenant_id == tenant_id, graph_names.c.concept.in_(some))
            for concept, kind, name, mentions in connection.execute(query).all():
                named[own[concept]].append((kind, name, mentions))
    return {
        concept: names[0][:2] if len(names) == 1 else (_most(names, 0), _most(names, 1))
        for concept, names in named.items()
    }


def _most(names: Sequence[tuple[str, str, int]], place: int) -> str:
    """The kind (0) or name (1) that has most mentions."""
    counted: Counter[str] = Counter()
    for each in names:
        counted[each[:2][place]] += each[2]
    return min(counted, key=lambda value: (-counted[value], value))


def _add(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    added: Sequence[str],
    replaced: Sequence[str] = (),
) -> None:
    """Add to the counts of rows, which are made where there are none; those of no mention are removed."""
    if not rows:
        return
    key = [column.name for column in table.primary_key.columns]
    if rows[0]["mentions"] > 0:
        values = [tuple(row.values()) for row in rows]
        add_to_rows(connection, table, list(rows[0]), values, added=added, replaced=replaced)
        return
    same = and_(*(table.c[name] == bindparam(f"of_{name}") for name in key))
    changed = {
        **{name: table.c[name] + bindparam(f"new_{name}") for name in added},
        **{name: bindparam(f"new_{name}") for name in replaced},
    }
    keys = [{f"of_{name}": row[name] for name in key} for row in rows]
    changes = [{f"new_{name}": row[name] for name in (*added, *replaced)} for row in rows]
    bound = [{**of, **new} for of, new in zip(keys, changes, strict=True)]
    connection.execute(update(table).where(same).values(changed), bound)
    connection.execute(delete(table).where(same, table.c.mentions <= 0), keys)
