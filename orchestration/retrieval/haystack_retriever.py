"""HaystackRetriever: medkg's hybrid search as a component of any Haystack pipeline.

Comes in: a query, and filters in Haystack's syntax over what chunks can be filtered by. Leaves: Haystack
documents whose meta says where each stands. The only module here that imports haystack.
"""

from __future__ import annotations

from typing import Any, Final

from haystack import Document, component
from haystack.errors import FilterError
from pydantic import ValidationError

from orchestration.contracts import Filters
from orchestration.retrieval.search import Hit, HybridSearch

__all__ = ["HaystackRetriever"]

FIELDS: Final = ("source", "section", "phase", "status", "condition", "mesh")
DATES: Final = {">=": "since", "<=": "until"}


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

        Filters are `==` and `in` on meta.source, section, phase, status, condition and mesh, `>=` and `<=`
        on meta.date, or an AND of them. Raises haystack's FilterError for any other, and what HybridSearch
        raises.
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
    conditions = [] if not given else given["conditions"] if given.get("operator") == "AND" else [given]
    wanted: dict[str, Any] = {}
    for condition in conditions:
        field, value = _field(condition), condition.get("value")
        if wanted.setdefault(field, value) != value:
            raise FilterError(f"filters ask for {field} {wanted[field]!r} and {value!r} at once; give one.")
    try:
        return Filters(**wanted)
    except ValidationError as error:
        raise FilterError(f"filters {given!r}: {error.errors()[0]['msg']}.") from error


def _field(condition: dict[str, Any]) -> str:
    """The field of our filters that a condition is about; raises FilterError for one that there is not."""
    field, operator = str(condition.get("field", "")).removeprefix("meta."), condition.get("operator")
    if field in FIELDS and operator == ("==" if isinstance(condition.get("value"), str) else "in"):
        return field
    if field == "date" and operator in DATES:
        return DATES[operator]
    raise FilterError(
        f"filter {condition!r} is not supported. Give, joined by AND, `==` with a text or `in` with a list "
        f"on {', '.join(f'meta.{name}' for name in FIELDS)}, and `>=` or `<=` on meta.date: "
        '{"field": "meta.source", "operator": "==", "value": "pmc"}'
    )
