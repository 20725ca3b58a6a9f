"""OpenAlex over its API: works of a search or filter, page by page, or those that changed.

Comes in: a query (`--query "EGFR inhibitors"`, or the API's own parameters,
`--query "filter=primary_topic.id:T10287,is_oa:true&search=EGFR"`). Leaves: pages of whole works.

Read 2026-11-28: https://developers.openalex.org/guides/page-through-results (cursor=*, meta.next_cursor, at
most 100 a page, the end is a null cursor), https://developers.openalex.org/api-reference/authentication
(api_key, here MEDKG_OPENALEX_API_KEY; a day's free allowance with and without one; the snapshot is for those
who want everything). Which plans may filter by from_updated_date is OpenAlex's choice: where it is refused,
everything is listed, and a warning says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Self

import structlog

from orchestration.contracts import Page, SourceRequest, WebAnswer
from orchestration.errors import CursorRefusedError, RequestRejectedError, UnexpectedAnswerError
from orchestration.sources.queries import asked_query, parameters_of
from orchestration.sources.services import SourceServices

__all__ = ["OpenAlexSource"]

PAGE_SIZE: Final = 100
FIRST: Final = "*"
IDS_AT_ONCE: Final = 50
"""Alternatives that one filter may have are 100; addresses are to stay short."""
OVERLAP: Final = timedelta(days=1)
"""Changes are told by the day."""
PARAMETERS: Final = frozenset({"search", "filter", "sort"})


class OpenAlexSource:
    """The source `openalex`: a PagedSource."""

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
        """Works of the query; with `since` those that were updated from the day before it on."""
        query = asked_query(request, "--query 'EGFR inhibitors' or --query 'filter=is_oa:true&search=EGFR'")
        everything = parameters_of(query, "search", PARAMETERS)
        asked = everything if since is None else _changed(everything, since)
        while True:
            try:
                page = self._page({**asked, "cursor": cursor or FIRST}, cursor)
            except RequestRejectedError as error:
                if asked is everything or cursor is not None:
                    raise
                structlog.get_logger(__name__).warning(
                    "changes are refused; everything is listed", source=self.name, cause=error.message
                )
                asked = everything
                continue
            yield page
            cursor = page.cursor
            if cursor is None:
                return

    def again(self, doc_ids: Sequence[str]) -> Iterator[Page]:
        """The works of these ids (W...), fifty at a time."""
        for start in range(0, len(doc_ids), IDS_AT_ONCE):
            ids = "|".join(doc_ids[start : start + IDS_AT_ONCE])
            yield self._page({"filter": f"openalex_id:{ids}"}, None)

    def address(self, doc_id: str) -> str:
        return f"https://openalex.org/{doc_id}"

    def _page(self, parameters: Mapping[str, str], cursor: str | None) -> Page:
        url, settings = f"{self.origin}/works", self._services.settings
        sent = {**parameters, "per_page": str(self._page_size)}
        if settings.openalex_api_key is not None:
            sent["api_key"] = settings.openalex_api_key.get_secret_value()
        if settings.contact is not None:
            sent["mailto"] = settings.contact
        try:
            answer = self._services.web().get(url, sent, check=_check)
        except RequestRejectedError as error:
            if error.status == 400 and cursor is not None and "cursor" in error.message.lower():
                raise CursorRefusedError(f"{url}: the cursor is refused: {error.message}") from error
            raise
        told = answer.json()
        following = told["meta"].get("next_cursor") if told["results"] else None
        return Page(url, answer.content, self.format, following, told["meta"].get("count"))


def _changed(asked: Mapping[str, str], since: datetime) -> dict[str, str]:
    changed = f"from_updated_date:{(since - OVERLAP).date().isoformat()}"
    given = asked.get("filter")
    return {**asked, "filter": f"{given},{changed}" if given else changed}


def _check(answer: WebAnswer) -> None:
    """Raises ServiceError for JSON that is cut off, UnexpectedAnswerError for another shape."""
    told: Any = answer.json()
    meta = told.get("meta") if isinstance(told, dict) else None
    if (
        not isinstance(meta, dict)
        or not isinstance(told.get("results"), list)
        or not isinstance(meta.get("next_cursor"), str | None)
    ):
        raise UnexpectedAnswerError(
            f"{answer.url}: no list `results` with its `meta` in the answer. The API may have changed; see "
            "https://developers.openalex.org."
        )
