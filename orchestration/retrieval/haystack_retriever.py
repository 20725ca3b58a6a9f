"""HaystackRetriever: medkg's hybrid search as a component of any Haystack pipeline."""

from __future__ import annotations

from typing import Any

from haystack import Document, component

from orchestration.contracts import Filters
from orchestration.retrieval.search import Hit, HybridSearch

__all__ = ["HaystackRetriever"]


@component
class HaystackRetriever:
    """Finds cited chunks for a query; `assembly.open_control_plane(...).searcher()` gives the search."""

    def __init__(self, search: HybridSearch, tenant_id: str = "default", top_k: int = 10) -> None:
        self._search = search
        self._tenant_id = tenant_id
        self._top_k = top_k

    @component.output_types(documents=list[Document], degraded=list[str])
    def run(
        self, query: str, top_k: int | None = None, source: str | None = None, section: str | None = None
    ) -> dict[str, Any]:
        """Chunks as documents, best first, with offsets in `meta`; legs left out in `degraded`."""
        found = self._search.search(
            self._tenant_id, query, top_k or self._top_k, Filters(source=source, section=section)
        )
        return {"documents": [_document(hit) for hit in found.hits], "degraded": list(found.degraded)}


def _document(hit: Hit) -> Document:
    meta = {name: value for name, value in hit.as_json().items() if name not in ("text", "score")}
    return Document(id=hit.chunk.chunk_id, content=hit.chunk.body, meta=meta, score=hit.score)
