"""Which rows are visible: conditions and joins that every reader of claims and mentions shares.

Input: a tenant. Output: parts of SELECTs over graph_documents. Commits mark their documents' rows.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause, Text, and_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from orchestration.ledger.graph.tables import graph_claims, graph_documents
from orchestration.ledger.tables import commits

__all__ = ["claims_of_visible", "filtered", "visible_claims", "visible_documents", "with_commits"]


def claims_of_visible() -> FromClause:
    """Claims with their documents; `visible_claims` has the condition."""
    return graph_claims.join(graph_documents, graph_documents.c.number == graph_claims.c.document_number)


class _Filtered(FunctionElement[str]):
    """A column that rows are filtered or sorted by after other conditions chose them."""

    name = "filtered"
    type = Text()
    inherit_cache = True


@compiles(_Filtered)
def _filtered_sql(element: _Filtered, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    # https://www.sqlite.org/optoverview.html, "Disqualifying WHERE clause terms using unary +"
    return f"+{column}" if compiler.dialect.name == "sqlite" else column


def filtered(column: ColumnElement[str]) -> ColumnElement[str]:
    """The column, of which SQLite uses no index; its planner takes one value of it for few rows.

    PostgreSQL knows from its statistics how many rows a tenant has; an expression would hide that from it.
    """
    return _Filtered(column)


def visible_claims(tenant_id: str | BindParameter[str]) -> tuple[ColumnElement[bool], ...]:
    """Conditions on rows that others choose: their document is the tenant's and visible."""
    return (filtered(graph_documents.c.tenant_id) == tenant_id, graph_documents.c.visible)


def visible_documents(tenant_id: str) -> tuple[ColumnElement[bool], ...]:
    """The same conditions, for queries that read documents in order."""
    return (graph_documents.c.tenant_id == tenant_id, graph_documents.c.visible)


def with_commits(table: FromClause) -> FromClause:
    """Documents with their commits."""
    same = [commits.c[name] == graph_documents.c[name] for name in ("tenant_id", "source", "doc_id")]
    return table.join(commits, and_(*same))
