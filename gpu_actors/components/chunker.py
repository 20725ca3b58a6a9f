"""HaystackChunker: the document chunker as a Haystack component.

Input: Haystack documents. Output: their chunks, with offsets and token counts in `meta`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np
from haystack import Document as HaystackDocument
from haystack import component, default_to_dict

from gpu_actors.chunking.document_chunker import DocumentChunker
from gpu_actors.profiles import chosen_profile, find_model
from orchestration.records import Block, BlockKind, Document, Float32Matrix, Section

__all__ = ["HaystackChunker"]


@component
class HaystackChunker:
    """Chunks documents in any Haystack pipeline, by paragraphs.

    Usage example:

        from haystack import Document
        from gpu_actors.components.chunker import HaystackChunker

        chunker = HaystackChunker(chunk_profile="default")
        chunks = chunker.run(documents=[Document(content=text)])["documents"]
        chunks[0].content == text[chunks[0].meta["split_idx_start"] : chunks[0].meta["split_idx_end"]]
    """

    def __init__(
        self,
        chunk_profile: str = "default",
        profile: str = "cpu",
        model: str | None = None,
        document_embedder: Any = None,
    ) -> None:
        """`model`: sentence-transformers folder or hub id, default the profile's.

        `document_embedder`: a Haystack component, e.g. HaystackEmbedder, for semantic chunk profiles.
        """
        chosen = chosen_profile(profile, model)
        embedding_model = find_model(chosen.embedding_model)
        self._chunk_profile = chunk_profile
        self._document_embedder = document_embedder
        self.chunker = DocumentChunker(embedding_model.files, embedding_model.token_limit(chosen.max_tokens))
        self._parameters = {
            "chunk_profile": chunk_profile,
            "profile": profile,
            "model": model,
            "document_embedder": document_embedder,
        }

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component."""
        serialised: dict[str, Any] = default_to_dict(self, **self._parameters)
        return serialised

    @component.output_types(documents=list[HaystackDocument])
    def run(self, documents: list[HaystackDocument]) -> dict[str, list[HaystackDocument]]:
        """Return the chunks of all documents, in order; `meta` is the document's, with offsets and tokens."""
        return {"documents": [chunk for document in documents for chunk in self._chunks(document)]}

    def _chunks(self, document: HaystackDocument) -> Iterator[HaystackDocument]:
        whole = _as_document(document)
        for chunk in self.chunker.chunk(whole, self._chunk_profile, self._vectors(whole)):
            meta: dict[str, Any] = {
                **document.meta,
                "source_id": document.id,
                "split_id": chunk.ordinal,
                "split_idx_start": chunk.start_char,
                "split_idx_end": chunk.end_char,
                "token_count": chunk.token_count,
                **chunk.metadata,
            }
            yield HaystackDocument(content=chunk.body, meta=meta)

    def _vectors(self, document: Document) -> Float32Matrix | None:
        """Unit vectors of its sentence groups; None without an embedder."""
        if self._document_embedder is None:
            return None
        groups = self.chunker.sentence_groups(document, self._chunk_profile)
        if not groups:
            return np.zeros((0, 0), dtype=np.float32)
        texts = [HaystackDocument(content=text, id=str(number)) for number, text in enumerate(groups)]
        embedded = self._document_embedder.run(documents=texts)["documents"]
        vectors = np.array([each.embedding for each in embedded], dtype=np.float32)
        unit: Float32Matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def _as_document(document: HaystackDocument) -> Document:
    """A Haystack document's text as one section with one block per paragraph."""
    text = document.content or ""
    blocks = tuple(
        Block(block_id=f"p{number}", kind=BlockKind.PARAGRAPH, start_char=match.start(), end_char=match.end())
        for number, match in enumerate(re.finditer(r"\S(?:.|\n(?!\s*\n))*", text))
    )
    whole = Section(title="", title_path=(), role=None, start_char=0, end_char=len(text), blocks=blocks)
    return Document(
        doc_id=document.id,
        tenant_id="haystack",
        source="haystack",
        version=sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        title=str(document.meta.get("title", "")),
        text=text,
        sections=(whole,),
        parser="haystack/1",
    )
