"""Chunks of a document, and chunks of given words."""

from __future__ import annotations

from medkg.testing.builders.documents import TENANT, a_document
from orchestration.records import Chunk, Document, chunk_id


def a_chunk(
    document: Document | None = None, *, ordinal: int = 0, start: int = 0, end: int | None = None
) -> Chunk:
    """A chunk of `document`: characters `start` to `end`."""
    document = document or a_document()
    body = document.text[start:end]
    return Chunk(
        chunk_id=chunk_id(document.source, document.doc_id, document.version, ordinal),
        doc_id=document.doc_id,
        tenant_id=document.tenant_id,
        version=document.version,
        ordinal=ordinal,
        body=body,
        title_path=(document.title,),
        section="",
        start_char=start,
        end_char=start + len(body),
        block_ids=(),
        token_count=max(1, len(body.split())),
        granularity="chunk",
        chunker="written",
        chunker_version="1",
    )


def chunks_of(
    *bodies: str,
    doc_id: str = "doc-1",
    source: str = "files",
    tenant_id: str = TENANT,
    version: str = "v" * 64,
    title: str = "",
    section: str = "",
) -> list[Chunk]:
    """A document's chunks with these words, one after the other."""
    start, chunks = 0, []
    for ordinal, body in enumerate(bodies):
        chunks.append(
            Chunk(
                chunk_id=chunk_id(source, doc_id, version, ordinal),
                doc_id=doc_id,
                tenant_id=tenant_id,
                version=version,
                ordinal=ordinal,
                body=body,
                title_path=(title,),
                section=section,
                start_char=start,
                end_char=start + len(body),
                block_ids=(),
                token_count=max(1, len(body.split())),
                granularity="chunk",
                chunker="written",
                chunker_version="1",
            )
        )
        start += len(body) + 1
    return chunks
