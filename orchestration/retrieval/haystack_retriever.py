"""HaystackRetriever: medkg's hybrid search as a component of any Haystack pipeline.

Comes in: a query, and filters in Haystack's syntax over `source` and `section`. Leaves: Haystack documents
whose meta says where each stands. The only module here that imports haystack.
"""

from __future__ import annotations

from typing import Any, Final

from haystack import Document, component
from haystack.errors import FilterError

from orchestration.contracts import Filters
from orchestration.retrieval.search import Hit, HybridSearch

__all__ = ["HaystackRetriever"]

FIELDS: Final = ("source", "section")


@component
class HaystackRetriever:
    """Finds cited chunks for a query; the search it is given is ready to use (see assembly)."""

    def __init__(self, search: HybridSearch, tenant_id: str = "default", top_k: int = 10) -> None:
        self._search = search
        self._tenant_id = tenant_id
        self._top_k = top_k

    @component.output_types(documents=list[Document], degraded=list[str])
    def run(
        self, query: str, top_k: int | None = None, filters: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Chunks as documents, best first, with offsets in `meta`; legs left out in `degraded`.

        Filters are equalities on meta.source and meta.section, or an AND of them. Raises haystack's
        FilterError for any other, and what HybridSearch raises.
        """
        found = self._search.search(self._tenant_id, query, top_k or self._top_k, _filters(filters))
        return {"documents": [_document(hit) for hit in found.hits], "degraded": list(found.degraded)}


def _document(hit: Hit) -> Document:
    meta = {name: value for name, value in hit.as_json().items() if name not in ("text", "score")}
    more = {
        "title_path": list(hit.chunk.title_path),
        "version": hit.chunk.version,
        "page_no": hit.chunk.page_no,
        "block_ids": list(hit.chunk.block_ids),
    }
    return Document(id=hit.chunk.chunk_id, content=hit.chunk.body, meta=meta | more, score=hit.score)


def _filters(given: dict[str, Any] | None) -> Filters:
    """Haystack's filter syntax as ours.

    Source: https://docs.haystack.deepset.ai/docs/metadata-filtering
    """
    wanted: dict[str, str] = {}
    conditions = [] if not given else given["conditions"] if given.get("operator") == "AND" else [given]
    for condition in conditions:
        field = str(condition.get("field", "")).removeprefix("meta.")
        value = condition.get("value")
        if field not in FIELDS or condition.get("operator") != "==" or not isinstance(value, str):
            raise FilterError(
                f"filter {condition!r} is not supported. Give equalities with text, joined by AND, on "
                f"{' or '.join(f'meta.{name}' for name in FIELDS)}: "
                '{"field": "meta.source", "operator": "==", "value": "pmc"}'
            )
        if wanted.setdefault(field, value) != value:
            raise FilterError(f"filters ask for {field} {wanted[field]!r} and {value!r} at once; give one.")
    return Filters(source=wanted.get("source"), section=wanted.get("section"))
