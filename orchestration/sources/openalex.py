"""OpenAlex over its API: works of a search or filter, or the changed ones, page by page.

Comes in: a query (`--query "EGFR inhibitors"`, or the API's own parameters,
`--query "filter=primary_topic.id:T10287,is_oa:true&search=EGFR"`). Leaves: pages of whole works.

Read 2026-11-28: https://developers.openalex.org/guides/page-through-results (cursor=*, meta.next_cursor, at
most 100 per page, the end is a null cursor), https://developers.openalex.org/api-reference/authentication
(api_key, here MEDKG_OPENALEX_API_KEY; a free allowance per day with and without one; the snapshot is for
downloads of everything). OpenAlex decides which plans may filter by from_updated_date: where it is refused,
all works are enumerated, and a warning reports it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Self

import structlog

from orchestration.batching import batched
from orchestration.contracts import Page, SourceRequest, WebAnswer
from orchestration.errors import CursorRefusedError, RequestRejectedError, UnexpectedAnswerError
from orchestration.sources.queries import parameters_of, required_query
from orchestration.sources.services import SourceServices

__all__ = ["OpenAlexSource"]

PAGE_SIZE: Final = 100
FIRST: Final = "*"
IDS_AT_ONCE: Final = 50
"""A filter takes 100 alternatives; fewer keep the URL short."""
OVERLAP: Final = timedelta(days=1)
"""OpenAlex dates changes by day."""
PARAMETERS: Final = frozenset({"search", "filter", "sort"})


class OpenAlexSource:
    """The source plugin `openalex`: a PagedSource."""

    name = "openalex"
    format = "openalex"

    def __init__(self, services: SourceServices, page_size: int = PAGE_SIZE) -> None:
        self._services = services
        self._page_size = page_size

    @classmethod
    def from_services(cls, services: SourceServices) -> Self:
        return cls(services)

    @property
    def origin(self) -> str:
        return self._services.settings.openalex_url

    def pages(self, request: SourceRequest, since: datetime | None, cursor: str | None) -> Iterator[Page]:
        """Works of the query; with `since` those updated on the day before it or later."""
        query = required_query(
            request, "--query 'EGFR inhibitors' or --query 'filter=is_oa:true&search=EGFR'"
        )
        everything = parameters_of(query, "search", PARAMETERS)
        parameters = everything if since is None else _changed(everything, since)
        while True:
            try:
                page = self._page({**parameters, "cursor": cursor or FIRST}, cursor)
            except RequestRejectedError as error:
                if parameters is everything or cursor is not None:
                    raise
                structlog.get_logger(__name__).warning(
                    "the filter for changes is refused; all works are enumerated",
                    source=self.name,
                    cause=error.message,
                )
                parameters = everything
                continue
            yield page
            cursor = page.cursor
            if cursor is None:
                return

    def again(self, doc_ids: Sequence[str]) -> Iterator[Page]:
        """The works of these ids (W...), fifty per request."""
        for ids in batched(doc_ids, IDS_AT_ONCE):
            yield self._page({"filter": f"openalex_id:{'|'.join(ids)}"}, None)

    def address(self, doc_id: str) -> str:
        return f"https://openalex.org/{doc_id}"

    def _page(self, parameters: Mapping[str, str], cursor: str | None) -> Page:
        url, settings = f"{self.origin}/works", self._services.settings
        signed = {**parameters, "per_page": str(self._page_size)}
        if settings.openalex_api_key is not None:
            signed["api_key"] = settings.openalex_api_key.get_secret_value()
        if settings.contact is not None:
            signed["mailto"] = settings.contact
        try:
            answer = self._services.web().get(url, signed, check=_check)
        except RequestRejectedError as error:
            if error.status == 400 and cursor is not None and "cursor" in error.message.lower():
                raise CursorRefusedError(f"{url}: the cursor is refused: {error.message}") from error
            raise
        body = answer.json()
        following = body["meta"].get("next_cursor") if body["results"] else None
        return Page(url, answer.content, self.format, following, body["meta"].get("count"))


def _changed(parameters: Mapping[str, str], since: datetime) -> dict[str, str]:
    changed = f"from_updated_date:{(since - OVERLAP).date().isoformat()}"
    user_filter = parameters.get("filter")
    return {**parameters, "filter": f"{user_filter},{changed}" if user_filter else changed}


def _check(answer: WebAnswer) -> None:
    """Raise ServiceError for truncated JSON, UnexpectedAnswerError for another shape."""
    body: Any = answer.json()
    meta = body.get("meta") if isinstance(body, dict) else None
    if (
        not isinstance(meta, dict)
        or not isinstance(body.get("results"), list)
        or not isinstance(meta.get("next_cursor"), str | None)
    ):
        raise UnexpectedAnswerError(
            f"{answer.url}: no list `results` with its `meta` in the answer. The API may have changed; see "
            "https://developers.openalex.org."
        )
