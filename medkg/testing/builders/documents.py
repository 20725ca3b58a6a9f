"""Contexts, payloads and documents of no particular source."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import BlockKind, Document, Fingerprints, RawPayload, StageContext, content_version

TENANT = "default"


def made_under(index: str = "f1") -> Callable[[object, str], Fingerprints]:
    """Gives documents of every topology and format these fingerprints."""
    return lambda topology, document_format: Fingerprints("p1", index)


def a_context(
    doc_id: str = "NCT00000001",
    *,
    tenant_id: str = TENANT,
    source: str = "clinicaltrials",
    version: str = "v" * 64,
    fingerprint: str = "f" * 64,
    revision: str | None = None,
) -> StageContext:
    of_revision = {"revision": revision} if revision is not None else {}
    return StageContext(
        tenant_id=tenant_id,
        job_id="job-1",
        doc_id=doc_id,
        correlation_id=f"correlation-{doc_id}",
        metadata={"source": source, "version": version, "fingerprint": fingerprint, **of_revision},
        pipeline_name="auto",
        pipeline_version="2025-01-01",
    )


def a_payload(
    content: bytes | str | dict[str, Any],
    format: str,
    *,
    doc_id: str = "doc-1",
    source: str = "files",
    uri: str = "/corpus/record",
) -> RawPayload:
    if isinstance(content, dict):
        content = json.dumps(content)
    data = content.encode() if isinstance(content, str) else content
    return RawPayload(
        doc_id=doc_id, source=source, format=format, content=data, uri=uri, version=content_version(data)
    )


def json_lines(records: Sequence[Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def a_document(
    doc_id: str = "doc-1",
    *,
    title: str = "Effects of walking on sleep",
    sections: dict[str, Sequence[str]] | None = None,
    source: str = "files",
    tenant_id: str = TENANT,
    version: str = "",
) -> Document:
    """A document of headings and paragraphs."""
    parts = sections or {
        "Background": ["Adults sleep less than they wish.", "Walking is cheap."],
        "Results": ["Walkers slept 32 minutes longer (95% CI 12 to 52)."],
    }
    builder = DocumentBuilder()
    builder.title(title)
    for heading, paragraphs in parts.items():
        with builder.section(heading):
            for paragraph in paragraphs:
                builder.block(BlockKind.PARAGRAPH, paragraph)
    payload = a_payload(repr((title, parts)), "text", doc_id=doc_id, source=source)
    if version:
        payload = payload.model_copy(update={"version": version})
    return builder.build(payload, tenant_id, _Written())


class _Written:
    format = "written"
    version = "1"
