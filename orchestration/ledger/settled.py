"""Failures that need nothing more: another topology committed the document since, as the error advised.

Input: rows of documents. Output: conditions for queries. Nothing is recorded, so a document whose commit is
withdrawn counts as failed again. Accounts of jobs stay: the document did fail there.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import and_, exists, or_

from orchestration.errors import UnknownFormatError
from orchestration.ledger.tables import commits, documents
from orchestration.ledger.transitions import Status

__all__ = ["NEEDS_ANOTHER_TOPOLOGY", "SETTLED"]

NEEDS_ANOTHER_TOPOLOGY: Final = UnknownFormatError.code
"""Code of failures whose next step is another topology, e.g. of a PDF in one that converts none."""

SETTLED: Final = and_(
    documents.c.status == Status.FAILED,
    documents.c.error_code == NEEDS_ANOTHER_TOPOLOGY,
    exists().where(
        commits.c.tenant_id == documents.c.tenant_id,
        commits.c.source == documents.c.source,
        commits.c.doc_id == documents.c.doc_id,
        commits.c.pipeline != documents.c.pipeline_name,
        or_(documents.c.version.is_(None), documents.c.version == commits.c.version),
    ),
)
"""Rows of documents that failed so, and of which another topology has committed this version."""
