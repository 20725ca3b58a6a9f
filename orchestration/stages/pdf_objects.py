"""Keys of PDFs and of converted PDFs in the object store: by content, within a tenant.

The same PDF is stored once, and converted once per converter, whichever documents it belongs to.
"""

from __future__ import annotations

from hashlib import sha256

from orchestration.contracts import AskedConverter, ObjectStore
from orchestration.records import RawPayload

__all__ = ["converted_key", "is_stored", "store_pdf"]


def store_pdf(objects: ObjectStore, tenant_id: str, payload: RawPayload) -> RawPayload:
    """Move the payload's PDF to the object store. Durable when it returns; idempotent."""
    if payload.stored is not None:
        return payload
    digest = sha256(payload.content).hexdigest()
    key = _pdf_key(tenant_id, digest)
    if not is_stored(objects, key):
        objects.put(key, payload.content)
    return payload.model_copy(update={"content": b"", "stored": key, "version": digest})


def converted_key(tenant_id: str, digest: str, requested: AskedConverter, version: str) -> str:
    """Key of the PDF with this sha256 (hex) as a converter of that version converts it."""
    options = sha256(requested.options.encode()).hexdigest()[:8]
    return f"pdf-ir/{tenant_id}/{digest}/{requested.name}@{version}-{options}.json"


def is_stored(objects: ObjectStore, key: str) -> bool:
    """Whether an object exists; does not read it."""
    folder, _, _ = key.rpartition("/")
    return any(listed.key == key for listed in objects.list(folder))


def _pdf_key(tenant_id: str, digest: str) -> str:
    return f"pdfs/{tenant_id}/{digest}/document.pdf"
