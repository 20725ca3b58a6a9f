"""HaystackRetriever: medkg's hybrid search as a component of any Haystack pipeline.

Comes in: a query, and filters in Haystack's syntax over what chunks can be filtered by. Leaves: Haystack
documents whose meta says where each stands. The only module here that imports haystack. It is given a search,
or opens one from settings, and then a pipeline with it can be kept as YAML.
Source: https://docs.haystack.deepset.ai/docs/custom-components, https://docs.haystack.deepset.ai/docs/serialization
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from importlib import import_module
from typing import Any, Final

import structlog
from haystack import Document, component, default_from_dict, default_to_dict
from haystack.core.errors import SerializationError
from haystack.errors import FilterError
from pydantic import ValidationError

from orchestration.contracts import TERM_FACETS, Filters
from orchestration.errors import UsageError
from orchestration.retrieval.fusion import fusion_named
from orchestration.retrieval.search import Hit, HybridSearch
from orchestration.settings import load_settings

__all__ = ["HaystackRetriever"]

DATES: Final = {">=": "since", "<=": "until"}

ASSEMBLY: Final = "orchestration.assembly"
"""Named and not imported: a room does not know who puts the rooms together, until someone asks it to open."""


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
    ) -> None:
        """`legs` (default: all), `fusion` (a name; default: the search's) and `group` are those of a search.

        Raises UsageError for an unknown fusion, and for a search together with a data folder or a profile.
        """
        if search is not None and (data_dir is not None or profile is not None):
            raise UsageError(
                "give HaystackRetriever a search, or data_dir and profile to open one, not both."
            )
        self._given = search
        self._search = search
        self._tenant_id = tenant_id
        self._top_k = top_k
        self._data_dir = data_dir
        self._profile = profile
        self._legs = legs
        self._fusion_name = fusion
        self._fusion = fusion_named(fusion) if fusion is not None else None
        self._group = group
        self._searched_tenant_id = tenant_id or "default"
        self._opened = ExitStack()
        self._guard = threading.Lock()

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
        with self._guard:
            self._search = self._given
            self._opened.close()

    @component.output_types(documents=list[Document], degraded=list[str])
    def run(
        self, query: str, top_k: int | None = None, filters: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Chunks as documents, best first, with offsets in `meta`; legs left out in `degraded`.

        Filters are `==` and `in` on meta.source, section, phase, status, condition and mesh, `>=` and `<=`
        on meta.date, or an AND of them. Raises haystack's FilterError for any other, ConfigurationError for
        settings that are wrong, and what HybridSearch raises.
        """
        wanted = _filters(filters)
        search, tenant_id = self._ready()
        found = search.search(
            tenant_id,
            query,
            top_k or self._top_k,
            wanted,
            self._legs,
            fusion=self._fusion,
            group=self._group,
        )
        return {"documents": [_document(hit) for hit in found.hits], "degraded": list(found.degraded)}

    def _ready(self) -> tuple[HybridSearch, str]:
        """The search, opened if need be, and the tenant to search."""
        with self._guard:
            if self._search is None:
                settings = load_settings(
                    data_dir=self._data_dir, tenant=self._tenant_id, profile=self._profile
                )
                opened = import_module(ASSEMBLY).open_control_plane(settings)
                say = structlog.get_logger(__name__).info
                with ExitStack() as opening:
                    search: HybridSearch = opening.enter_context(opened).searcher(self._legs, say)
                    opening.callback(search.close)
                    self._opened = opening.pop_all()
                self._search, self._searched_tenant_id = search, settings.tenant
            return self._search, self._searched_tenant_id


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
    if field in TERM_FACETS and operator == ("==" if isinstance(condition.get("value"), str) else "in"):
        return field
    if field == "date" and operator in DATES:
        return DATES[operator]
    raise FilterError(
        f"filter {condition!r} is not supported. Give, joined by AND, `==` with a text or `in` with a list "
        f"on {', '.join(f'meta.{name}' for name in TERM_FACETS)}, and `>=` or `<=` on meta.date: "
        '{"field": "meta.source", "operator": "==", "value": "pmc"}'
    )
