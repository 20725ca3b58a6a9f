"""Documents that count as retracted: by their own record, or by a notice that another visible document is.

Input: a tenant. Output: a subquery of document numbers; few, so it is computed once per statement.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, case, distinct, false, func, literal, select

from orchestration.ledger.graph.tables import (
    STATES_RETRACTION,
    graph_documents,
    graph_identifiers,
    graph_notices,
)

__all__ = ["count_retracted", "has_retracted", "is_retracted", "retracted_numbers"]


def retracted_numbers(tenant_id: str) -> Any:
    """Numbers of the tenant's visible retracted documents, as a SELECT."""
    of_tenant = (graph_documents.c.tenant_id == tenant_id, graph_documents.c.visible)
    stated = select(graph_documents.c.number).where(*of_tenant, STATES_RETRACTION)
    notice = graph_documents.alias("notice")
    named = (
        select(graph_documents.c.number)
        .select_from(
            graph_notices.join(notice, notice.c.number == graph_notices.c.document_number)
            .join(graph_identifiers, graph_identifiers.c.identifier == graph_notices.c.identifier)
            .join(graph_documents, graph_documents.c.number == graph_identifiers.c.document_number)
        )
        .where(
            # an expression, so that no index of all documents is read: notices are few
            graph_documents.c.tenant_id.concat("") == tenant_id,
            graph_documents.c.visible,
            notice.c.tenant_id.concat("") == tenant_id,
            notice.c.visible,
            notice.c.number != graph_documents.c.number,
        )
    )
    return stated.union(named)


def has_retracted(connection: Connection, tenant_id: str) -> bool:
    """Whether any visible document of the tenant is retracted; where none is, nothing has to be compared."""
    numbers = retracted_numbers(tenant_id).subquery()
    return connection.execute(select(numbers.c.number).limit(1)).first() is not None


def is_retracted(tenant_id: str, number: ColumnElement[int], *, any_is: bool = True) -> ColumnElement[bool]:
    """Condition: the document of this number is retracted; `any_is`: what `has_retracted` returned."""
    return number.in_(retracted_numbers(tenant_id)) if any_is else false()


def count_retracted(tenant_id: str, number: ColumnElement[int], *, any_is: bool) -> ColumnElement[int]:
    """The number of distinct retracted documents of a group."""
    if not any_is:
        return literal(0)
    return func.count(distinct(case((is_retracted(tenant_id, number), number))))
