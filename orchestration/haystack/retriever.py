"""HaystackRetriever: medkg's hybrid search, or any of its legs, as a component of any Haystack pipeline.

Comes in: a query, and filters in Haystack's syntax. Leaves: Haystack documents whose meta says where each
stands. It is given a search, or opens one from settings, and then a pipeline with it can be kept as YAML.
Source: https://docs.haystack.deepset.ai/docs/custom-components, https://docs.haystack.deepset.ai/docs/serialization
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

    With `search` it uses that one, which stays the caller's. Without, `warm_up` or the first run opens a
    search over a data folder: what is not given comes from MEDKG_* variables, as for the command line.
    A retriever that opens its own search can be serialised; Haystack loads it if told that it may:
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
        """`legs` (default: all), `fusion` (a name; default: the search's), `group`, `rerank`: as of a search.

        Raises UsageError for an unknown fusion, and for a search together with a data folder or a profile.
        """
        if search is not None and (data_dir is not None or profile is not None):
            raise UsageError(
                "give HaystackRetriever a search, or data_dir and profile to open one, not both."
            )
        self._given = search
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
        """The component as Haystack keeps it; raises SerializationError if it was given a search."""
        if self._given is not None:
            raise SerializationError(
                "a HaystackRetriever that was given a search cannot be serialised; give it data_dir, "
                "tenant_id and profile instead, and it opens its own."
            )
        kept: dict[str, Any] = default_to_dict(
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
        return kept

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> HaystackRetriever:
        """The component that `to_dict` told; opens nothing yet."""
        made: HaystackRetriever = default_from_dict(cls, data)
        return made

    def warm_up(self) -> None:
        """Open the search, its models loaded; nothing to do if it is open or was given."""
        self._ready()

    def close(self) -> None:
        """Close the search that was opened, if one was; a later run opens it again."""
        self._opened.close()

    @component.output_types(documents=list[Document], degraded=list[str])
    def run(
        self, query: str, top_k: int | None = None, filters: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Chunks as documents, best first, with offsets in `meta`; legs left out in `degraded`.

        `==` and `in` on meta.source, section, phase, status, condition and mesh, and `>=` and `<=` on
        meta.date, joined by AND, narrow the index itself, folded as for `medkg search`. Any other filter is
        held against the documents that the legs find, by Haystack's rules, and they look on until enough of
        them match.
        Raises haystack's FilterError, ConfigurationError for wrong settings, UsageError for reranking
        without a model, and what HybridSearch raises.
        """
        check(filters)
        facets, matches = as_facets(filters), predicate(filters)

        def matching(key: DocumentKey, chunk: Chunk) -> bool:
            return matches(_document(key, chunk))

        search, tenant_id = self._ready()
        found = search.search(
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
        documents = [_found(tenant_id, hit) for hit in found.hits]
        return {"documents": documents, "degraded": list(found.degraded)}

    @component.output_types(documents=list[Document], degraded=list[str])
    async def run_async(
        self, query: str, top_k: int | None = None, filters: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The same in a thread, so that no event loop waits for an index."""
        answer: dict[str, Any] = await to_thread(self.run, query, top_k, filters)
        return answer

    def _ready(self) -> tuple[HybridSearch, str]:
        """The search, opened if need be, and the tenant to search."""
        if self._given is not None:
            return self._given, self._tenant_id or "default"
        return self._opened()

    def _searcher(self, data_folder: DataFolder, closing: ExitStack) -> HybridSearch:
        notify = structlog.get_logger(__name__).info
        return closing.enter_context(data_folder.searches.open(self._legs, notify, rerank=self._rerank))


def _document(key: DocumentKey, chunk: Chunk) -> Document:
    """A chunk with its place in `meta`, beside what else it has there."""
    document = haystack_document(key, chunk)
    document.meta.update(place_of(key.source, chunk))
    return document


def _found(tenant_id: str, hit: Hit) -> Document:
    """A hit with what the search says of it."""
    key = DocumentKey(tenant_id=tenant_id, source=hit.source, doc_id=hit.chunk.doc_id)
    told = {name: value for name, value in hit.as_json().items() if name not in ("text", "score")}
    document = _document(key, hit.chunk)
    return replace(document, meta={**document.meta, **told}, score=hit.score)
