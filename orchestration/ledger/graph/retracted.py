"""Documents that count as retracted: by their own record, or by a notice that another visible document is.

Input: a tenant. Output: a subquery of document numbers; few, so it is computed once per statement.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, case, distinct, false, func, literal, or_, select

from orchestration.ledger.graph.tables import (
    STATES_RETRACTION,
    graph_documents,
    graph_identifiers,
    graph_notices,
)
from orchestration.ledger.graph.visible import filtered

__all__ = ["any_retracted", "count_retracted", "is_retracted", "retracted_numbers"]


def retracted_numbers(tenant_id: Any) -> Any:
    """Numbers of the tenant's visible retracted documents, as a SELECT; `tenant_id` may be a parameter."""
    return _stated(tenant_id).union(_noticed(tenant_id))


def any_retracted(tenant_id: Any) -> ColumnElement[bool]:
    """Condition: some visible document of the tenant is retracted; where none is, none has to be compared."""
    return or_(_stated(tenant_id).exists(), _noticed(tenant_id).exists())


def _stated(tenant_id: Any) -> Select[int]:
    """Documents whose own record states it."""
    of_tenant = (graph_documents.c.tenant_id == tenant_id, graph_documents.c.visible)
    return select(graph_documents.c.number).where(*of_tenant, STATES_RETRACTION)


def _noticed(tenant_id: Any) -> Select[int]:
    """Documents that a notice names."""
    notice = graph_documents.alias("notice")
    return (
        select(graph_documents.c.number)
        .select_from(
            graph_notices.join(notice, notice.c.number == graph_notices.c.document_number)
            .join(graph_identifiers, graph_identifiers.c.identifier == graph_notices.c.identifier)
            .join(graph_documents, graph_documents.c.number == graph_identifiers.c.document_number)
        )
        .where(
            filtered(graph_documents.c.tenant_id) == tenant_id,
            graph_documents.c.visible,
            filtered(notice.c.tenant_id) == tenant_id,
            notice.c.visible,
            notice.c.number != graph_documents.c.number,
        )
    )


def is_retracted(tenant_id: Any, number: ColumnElement[int], *, any_is: bool = True) -> ColumnElement[bool]:
    """Condition: the document of this number is retracted; `any_is`: whether any is."""
    return number.in_(retracted_numbers(tenant_id)) if any_is else false()


def count_retracted(tenant_id: Any, number: ColumnElement[int], *, any_is: bool) -> ColumnElement[int]:
    """The number of distinct retracted documents of a group."""
    if not any_is:
        return literal(0)
    return func.count(distinct(case((is_retracted(tenant_id, number), number))))
