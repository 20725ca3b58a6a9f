"""HaystackRetriever: medkg's hybrid search, or any of its legs, as a component of any Haystack pipeline.

Comes in: a query, and filters in Haystack's syntax. Leaves: Haystack documents whose meta cites document and
offsets. It uses the search that is passed in, or opens one from settings, and is then serialisable to YAML.
Source: https://docs.haystack.deepset.ai/docs/custom-components,
https://docs.haystack.deepset.ai/docs/serialization
"""

from __future__ import annotations

from asyncio import to_thread
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import structlog
from haystack import Document, component, default_from_dict, default_to_dict
from haystack.core.errors import SerializationError

from orchestration.contracts import ANYTHING
from orchestration.errors import UsageError
from orchestration.haystack.documents import haystack_document, place_of
from orchestration.haystack.filters import as_facets, check, predicate
from orchestration.haystack.opening import Opened
from orchestration.operations.data_folder import DataFolder
from orchestration.records import Chunk, DocumentKey
from orchestration.retrieval.fusion import fusion_named
from orchestration.retrieval.search import Hit, HybridSearch

__all__ = ["HaystackRetriever"]


@component
class HaystackRetriever:
    """Finds cited chunks for a query.

        pipeline = Pipeline()
        pipeline.add_component("retriever", HaystackRetriever(data_dir=".medkg", top_k=5))
        answer = pipeline.run({"retriever": {"query": "Does metformin lower HbA1c?"}})
        for document in answer["retriever"]["documents"]:
            print(document.meta["doc_id"], document.meta["start_char"], document.content)

    With `search` it uses that search, which the caller closes. Without, `warm_up` or the first run opens a
    search over a data folder, which `close` closes; MEDKG_* variables supply what is not passed, as for the
    command line. A retriever that opens its own search can be serialised. To load it, Haystack needs
    `Pipeline.loads(text, allowed_modules=["orchestration.*"])`.
    """

    def __init__(
        self,
        search: HybridSearch | None = None,
        tenant_id: str | None = None,
        top_k: int = 10,
        *,
        data_dir: str | None = None,
        profile: str | None = None,
        legs: list[str] | None = None,
        fusion: str | None = None,
        group: bool = False,
        rerank: bool = False,
    ) -> None:
        """`legs` (default: all), `fusion` (a name; default: the search's), `group`, `rerank`: as in a search.

        Raises UsageError for an unknown fusion, and for a search together with a data folder or a profile.
        """
        if search is not None and (data_dir is not None or profile is not None):
            raise UsageError(
                "pass HaystackRetriever a search, or data_dir and profile to open one, not both."
            )
        self._passed_search = search
        self._tenant_id = tenant_id
        self._top_k = top_k
        self._data_dir = data_dir
        self._profile = profile
        self._legs = legs
        self._fusion_name = fusion
        self._fusion = fusion_named(fusion) if fusion is not None else None
        self._group = group
        self._rerank = rerank
        self._opened = Opened(self._searcher, data_dir, tenant_id, profile)

    def to_dict(self) -> dict[str, Any]:
        """Serialise the component; raises SerializationError if a search was passed in."""
        if self._passed_search is not None:
            raise SerializationError(
                "a HaystackRetriever with a search cannot be serialised; pass data_dir, tenant_id and "
                "profile instead, and it opens its own search."
            )
        serialised: dict[str, Any] = default_to_dict(
            self,
            tenant_id=self._tenant_id,
            top_k=self._top_k,
            data_dir=self._data_dir,
            profile=self._profile,
            legs=self._legs,
            fusion=self._fusion_name,
            group=self._group,
            rerank=self._rerank,
        )
        return serialised

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> HaystackRetriever:
        """The component that `to_dict` serialised; opens nothing yet."""
        retriever: HaystackRetriever = default_from_dict(cls, data)
        return retriever

    def warm_up(self) -> None:
        """Open the search and load its models; does nothing if it is open or was passed in."""
        self._ready()

    def close(self) -> None:
        """Close the search if this component opened it; a later run opens it again."""
        self._opened.close()

    @component.output_types(documents=list[Document], degraded=list[str])
    def run(
        self, query: str, top_k: int | None = None, filters: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return chunks as documents, best first, with offsets in `meta`, and legs that were left out.

        `==` and `in` on meta.source, section, phase, status, condition and mesh, and `>=` and `<=` on
        meta.date, joined by AND, are evaluated by the index, folded as for `medkg search`. Any other filter
        is evaluated by Haystack's rules on the documents that the legs find; legs are queried deeper until
        enough match.
        Raises haystack's FilterError, ConfigurationError for wrong settings, UsageError for reranking
        without a model, and what HybridSearch raises.
        """
        check(filters)
        facets, matches = as_facets(filters), predicate(filters)

        def matching(key: DocumentKey, chunk: Chunk) -> bool:
            return matches(_document(key, chunk))

        search, tenant_id = self._ready()
        result = search.search(
            tenant_id,
            query,
            top_k or self._top_k,
            facets or ANYTHING,
            self._legs,
            fusion=self._fusion,
            group=self._group,
            matching=matching if facets is None else None,
            rerank=self._rerank,
        )
        documents = [_document_of_hit(tenant_id, hit) for hit in result.hits]
        return {"documents": documents, "degraded": list(result.degraded)}

    @component.output_types(documents=list[Document], degraded=list[str])
    async def run_async(
        self, query: str, top_k: int | None = None, filters: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """`run` in a thread, so that it does not block the event loop."""
        answer: dict[str, Any] = await to_thread(self.run, query, top_k, filters)
        return answer

    def _ready(self) -> tuple[HybridSearch, str]:
        """The search, opened if necessary, and its tenant."""
        if self._passed_search is not None:
            return self._passed_search, self._tenant_id or "default"
        return self._opened()

    def _searcher(self, data_folder: DataFolder, closing: ExitStack) -> HybridSearch:
        notify = structlog.get_logger(__name__).info
        return closing.enter_context(data_folder.searches.open(self._legs, notify, rerank=self._rerank))


def _document(key: DocumentKey, chunk: Chunk) -> Document:
    """A chunk with its position in `meta`, beside its other fields."""
    document = haystack_document(key, chunk)
    document.meta.update(place_of(key.source, chunk))
    return document


def _document_of_hit(tenant_id: str, hit: Hit) -> Document:
    """A hit as a document, with its rank, legs and highlights in `meta`."""
    key = DocumentKey(tenant_id=tenant_id, source=hit.source, doc_id=hit.chunk.doc_id)
    of_search = {name: value for name, value in hit.as_json().items() if name not in ("text", "score")}
    document = _document(key, hit.chunk)
    return replace(document, meta={**document.meta, **of_search}, score=hit.score)
