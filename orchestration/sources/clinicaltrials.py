"""ClinicalTrials.gov over its API, version 2: studies of a query, page by page, or those that changed.

Comes in: a query (`--query "EGFR"`, or the API's own parameters,
`--query "query.cond=lung cancer&filter.overallStatus=RECRUITING"`). Leaves: pages of whole studies as the API
sends them. A study that changed is listed again and becomes a new version of the same document.

https://clinicaltrials.gov/data-api/api (GET /studies: query.*, filter.*, pageSize up to 1000, pageToken from
nextPageToken, countTotal tells totalCount with the first page) and
https://clinicaltrials.gov/find-studies/constructing-complex-search-queries (AREA[...]RANGE[...]).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Self

from orchestration.contracts import Page, SourceRequest, WebAnswer, WebClient
from orchestration.errors import CursorRefusedError, RequestRejectedError, UnexpectedAnswerError
from orchestration.sources.queries import asked_query, parameters_of
from orchestration.sources.services import SourceServices

__all__ = ["ClinicalTrialsSource"]

PAGE_SIZE: Final = 100
"""Studies of a page: about 1 to 2 MB, some seconds of the service's time."""

OVERLAP: Final = timedelta(days=1)
"""Changes are told by the day, in the registry's time zone."""

PARAMETERS: Final = frozenset(
    {
        f"query.{area}"
        for area in ("cond", "term", "locn", "titles", "intr", "outc", "spons", "lead", "id", "patient")
    }
    | {f"filter.{field}" for field in ("overallStatus", "geo", "ids", "advanced", "synonyms")}
    | {"aggFilters", "geoDecay", "sort"}
)
"""What a user may set; the rest is ours."""


class ClinicalTrialsSource:
    """The source `clinicaltrials`: a PagedSource."""

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
        """Studies of the query; with `since` those whose last update was posted from the day before it on."""
        asked = _parameters(request, since) | {
            "format": "json",
            "pageSize": str(self._page_size),
            "countTotal": "true",
        }
        while True:
            page = self._page(asked if cursor is None else {**asked, "pageToken": cursor}, cursor)
            yield page
            cursor = page.cursor
            if cursor is None:
                return

    def again(self, doc_ids: Sequence[str]) -> Iterator[Page]:
        """The studies of these NCT numbers, as many at a time as a page has."""
        for start in range(0, len(doc_ids), self._page_size):
            ids = ",".join(doc_ids[start : start + self._page_size])
            yield self._page({"format": "json", "pageSize": str(self._page_size), "filter.ids": ids}, None)

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
        told = answer.json()
        return Page(url, answer.content, self.format, told.get("nextPageToken"), told.get("totalCount"))


def _parameters(request: SourceRequest, since: datetime | None) -> dict[str, str]:
    """The user's query as parameters of the API; raises UsageError for one that is none."""
    query = asked_query(
        request,
        "--query EGFR or --query 'query.cond=lung cancer&filter.overallStatus=RECRUITING'; --query '' means "
        "the whole registry",
    )
    asked = parameters_of(query, "query.term", PARAMETERS)
    if since is not None:
        changed = f"AREA[LastUpdatePostDate]RANGE[{(since - OVERLAP).date().isoformat()},MAX]"
        given = asked.get("filter.advanced")
        asked["filter.advanced"] = f"({given}) AND {changed}" if given else changed
    return asked


def _check(answer: WebAnswer) -> None:
    """Raises ServiceError for JSON that is cut off, UnexpectedAnswerError for another shape."""
    told: Any = answer.json()
    studies = told.get("studies") if isinstance(told, dict) else None
    token = told.get("nextPageToken") if isinstance(told, dict) else None
    if not isinstance(studies, list) or not isinstance(token, str | None):
        raise UnexpectedAnswerError(
            f"{answer.url}: no list `studies` in the answer. The API may have changed; see "
            "https://clinicaltrials.gov/data-api/api."
        )
