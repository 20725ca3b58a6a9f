"""Documents of a copy that a store refuses, as the account of an import or restore names them.

Input: a document with the reason of the store. Output: a record with the error code.
"""

from __future__ import annotations

from pydantic import Field

from orchestration.errors import DocumentsRefusedError
from orchestration.records import DocumentKey, Record

__all__ = ["RefusedDocument"]


class RefusedDocument(Record):
    """A document of a copy that was left out, since a store refuses it."""

    source: str = Field(description="Source of the document.")
    doc_id: str = Field(description="Id of the document in its source.")
    code: str = Field(description="Error code.")
    reason: str = Field(description="What the store refuses.")

    @classmethod
    def of(cls, key: DocumentKey, reason: str) -> RefusedDocument:
        return cls(source=key.source, doc_id=key.doc_id, code=DocumentsRefusedError.code, reason=reason)
