"""Which rows are visible: conditions and joins that every reader of claims and mentions shares.

Input: a tenant. Output: parts of SELECTs over graph_documents. Commits mark their documents' rows.
"""

from __future__ import annotations

from sqlalchemy import BindParameter, ColumnElement, FromClause, and_

from orchestration.ledger.graph.tables import graph_claims, graph_documents
from orchestration.ledger.tables import commits

__all__ = ["claims_of_visible", "visible_claims", "visible_documents", "with_commits"]


def claims_of_visible() -> FromClause:
    """Claims with their documents; `visible_claims` has the condition."""
    return graph_claims.join(graph_documents, graph_documents.c.number == graph_claims.c.document_number)


def visible_claims(tenant_id: str | BindParameter[str]) -> tuple[ColumnElement[bool], ...]:
    """Conditions: the document of the row is the tenant's and visible, for rows that other conditions choose.

    The tenant is compared as an expression, so that databases start from those conditions and not from all
    documents of the tenant, which their planners take for few.
    """
    return (graph_documents.c.tenant_id.concat("") == tenant_id, graph_documents.c.visible)


def visible_documents(tenant_id: str) -> tuple[ColumnElement[bool], ...]:
    """The same conditions, for queries that read documents in order."""
    return (graph_documents.c.tenant_id == tenant_id, graph_documents.c.visible)


def with_commits(table: FromClause) -> FromClause:
    """Documents with their commits."""
    same = [commits.c[name] == graph_documents.c[name] for name in ("tenant_id", "source", "doc_id")]
    return table.join(commits, and_(*same))
