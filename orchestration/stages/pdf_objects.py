"""Where PDFs and what converters make of them are kept in the object store: by content, within a tenant.

So the same PDF is kept once and converted once by each converter, whichever documents it belongs to.
"""

from __future__ import annotations

from hashlib import sha256

from orchestration.contracts import AskedConverter, ObjectStore
from orchestration.records import RawPayload

__all__ = ["converted_key", "is_kept", "keep_pdf"]


def keep_pdf(objects: ObjectStore, tenant_id: str, payload: RawPayload) -> RawPayload:
    """The payload with its PDF in the object store instead of in its hands. Durable, idempotent."""
    if payload.stored is not None:
        return payload
    digest = sha256(payload.content).hexdigest()
    key = _pdf_key(tenant_id, digest)
    if not is_kept(objects, key):
        objects.put(key, payload.content)
    return payload.model_copy(update={"content": b"", "stored": key, "version": digest})


def converted_key(tenant_id: str, digest: str, asked: AskedConverter, version: str) -> str:
    """Where what a converter of that version makes of the PDF with this sha256 (hex) is kept."""
    options = sha256(asked.options.encode()).hexdigest()[:8]
    return f"pdf-ir/{tenant_id}/{digest}/{asked.name}@{version}-{options}.json"


def is_kept(objects: ObjectStore, key: str) -> bool:
    """Whether an object is there, without reading it."""
    folder, _, _ = key.rpartition("/")
    return any(one.key == key for one in objects.list(folder))


def _pdf_key(tenant_id: str, digest: str) -> str:
    return f"pdfs/{tenant_id}/{digest}/document.pdf"
