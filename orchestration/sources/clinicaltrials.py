"""ClinicalTrials.gov over its API, version 2: studies of a query, or the changed ones, page by page.

Comes in: a query (`--query "EGFR"`, or the API's own parameters,
`--query "query.cond=lung cancer&filter.overallStatus=RECRUITING"`). Leaves: pages of whole studies as the API
sends them. A study that changed is enumerated again and becomes a new version of the same document.

https://clinicaltrials.gov/data-api/api (GET /studies: query.*, filter.*, pageSize up to 1000, pageToken from
nextPageToken, countTotal requests totalCount with the first page) and
https://clinicaltrials.gov/find-studies/constructing-complex-search-queries (AREA[...]RANGE[...]).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Self

from orchestration.batching import batched
from orchestration.contracts import Page, SourceRequest, WebAnswer, WebClient
from orchestration.errors import CursorRefusedError, RequestRejectedError, UnexpectedAnswerError
from orchestration.sources.queries import parameters_of, required_query
from orchestration.sources.services import SourceServices

__all__ = ["ClinicalTrialsSource"]

PAGE_SIZE: Final = 100
"""Studies per page: about 1 to 2 MB, for which the service takes some seconds."""

OVERLAP: Final = timedelta(days=1)
"""The registry dates changes by day, in its own time zone."""

PARAMETERS: Final = frozenset(
    {
        f"query.{area}"
        for area in ("cond", "term", "locn", "titles", "intr", "outc", "spons", "lead", "id", "patient")
    }
    | {f"filter.{field}" for field in ("overallStatus", "geo", "ids", "advanced", "synonyms")}
    | {"aggFilters", "geoDecay", "sort"}
)
"""Parameters that a user may set."""


class ClinicalTrialsSource:
    """The source plugin `clinicaltrials`: a PagedSource."""

    name = "clinicaltrials"
    format = "ctgov-v2"

    def __init__(self, services: SourceServices, page_size: int = PAGE_SIZE) -> None:
        self._services = services
        self._page_size = page_size

    @classmethod
    def from_services(cls, services: SourceServices) -> Self:
        return cls(services)

    @property
    def origin(self) -> str:
        return self._services.settings.clinicaltrials_url

    @property
    def _web(self) -> WebClient:
        return self._services.web()

    def pages(self, request: SourceRequest, since: datetime | None, cursor: str | None) -> Iterator[Page]:
        """Studies of the query; with `since` those with an update posted on the day before it or later."""
        parameters = _parameters(request, since) | {
            "format": "json",
            "pageSize": str(self._page_size),
            "countTotal": "true",
        }
        while True:
            page = self._page(parameters if cursor is None else {**parameters, "pageToken": cursor}, cursor)
            yield page
            cursor = page.cursor
            if cursor is None:
                return

    def again(self, doc_ids: Sequence[str]) -> Iterator[Page]:
        """The studies of these NCT numbers, one page at a time."""
        for ids in batched(doc_ids, self._page_size):
            parameters = {"format": "json", "pageSize": str(self._page_size), "filter.ids": ",".join(ids)}
            yield self._page(parameters, None)

    def address(self, doc_id: str) -> str:
        return f"https://clinicaltrials.gov/study/{doc_id}"

    def _page(self, parameters: Mapping[str, str], cursor: str | None) -> Page:
        url = f"{self.origin}/studies"
        try:
            answer = self._web.get(url, parameters, check=_check)
        except RequestRejectedError as error:
            if error.status == 400 and cursor is not None:
                raise CursorRefusedError(f"{url}: the page token is refused: {error.message}") from error
            raise
        body = answer.json()
        return Page(url, answer.content, self.format, body.get("nextPageToken"), body.get("totalCount"))


def _parameters(request: SourceRequest, since: datetime | None) -> dict[str, str]:
    """The user's query as parameters of the API; raises UsageError for an unknown parameter."""
    query = required_query(
        request,
        "--query EGFR or --query 'query.cond=lung cancer&filter.overallStatus=RECRUITING'; --query '' means "
        "the whole registry",
    )
    parameters = parameters_of(query, "query.term", PARAMETERS)
    if since is not None:
        changed = f"AREA[LastUpdatePostDate]RANGE[{(since - OVERLAP).date().isoformat()},MAX]"
        user_filter = parameters.get("filter.advanced")
        parameters["filter.advanced"] = f"({user_filter}) AND {changed}" if user_filter else changed
    return parameters


def _check(answer: WebAnswer) -> None:
    """Raise ServiceError for truncated JSON, UnexpectedAnswerError for another shape."""
    body: Any = answer.json()
    studies = body.get("studies") if isinstance(body, dict) else None
    token = body.get("nextPageToken") if isinstance(body, dict) else None
    if not isinstance(studies, list) or not isinstance(token, str | None):
        raise UnexpectedAnswerError(
            f"{answer.url}: no list `studies` in the answer. The API may have changed; see "
            "https://clinicaltrials.gov/data-api/api."
        )
