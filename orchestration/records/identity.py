"""What all records have in common, and the identity of a document and of its content."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Offset = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """Common ground of all records: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DocumentKey(Record):
    """Who a document is, everywhere: the same trial from the API and from a file has one key."""

    tenant_id: str = Field(description="Tenant that owns the document.")
    source: str = Field(description="Where the record comes from: clinicaltrials, pmc, pubmed, files.")
    doc_id: str = Field(description="The source's own id: NCT01234567, PMC123, a pmid, a DOI.")


def content_version(content: bytes) -> str:
    """sha256 hex of a record's bytes."""
    return hashlib.sha256(content).hexdigest()


def json_version(record: object) -> str:
    """sha256 hex of a JSON record in canonical form, so that white space and key order do not matter."""
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
