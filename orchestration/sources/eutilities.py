"""NCBI's E-utilities: a search whose result is kept on NCBI's history server, then its records in batches.

Comes in: a database (pubmed, pmc), a term and a range of modification days. Leaves: pages of records as
efetch sends them. Only the first 9,999 records of a result can be had, so a larger range of days is halved
until its part fits, and the parts come one after another. The cursor tells the range, the place in it and
where the history server keeps it; a result is kept for some hours, and one that is gone begins the listing
anew.

https://www.ncbi.nlm.nih.gov/books/NBK25499 (esearch: usehistory, datetype=mdat with mindate and maxdate,
10,000 records at most for PubMed; efetch: query_key, WebEnv, retstart, retmax) and
https://www.ncbi.nlm.nih.gov/books/NBK25497 (tool, email, 3 requests a second, 10 with a key).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from pydantic import Field, ValidationError

from orchestration.contracts import Page, WebAnswer
from orchestration.errors import (
    CursorRefusedError,
    RequestRejectedError,
    ServiceError,
    UnexpectedAnswerError,
    UsageError,
)
from orchestration.records import Record
from orchestration.sources.services import SourceServices

__all__ = ["EUtilities"]

POLICY: Final = "ncbi-api"
MOST_RECORDS: Final = 9_999
FIRST_DAY: Final = date(1800, 1, 1)
OVERLAP: Final = timedelta(days=1)
"""Modifications are told by the day, in Bethesda's time zone."""
GONE: Final = (b"Unable to obtain query", b"Cannot retrieve history", b"Error occurred: Unable to")
"""What efetch says of a result that the history server no longer has."""


class _Place(Record):
    """A cursor: where a listing goes on."""

    first: date = Field(description="First day of the range under way.")
    last: date = Field(description="Last day of it.")
    end: date = Field(description="Last day of the whole listing.")
    at: int = Field(ge=0, description="Records of the range that were told.")
    count: int = Field(ge=0, description="Records of the range.")
    environment: str = Field(description="WebEnv of the range's result.")
    query_key: str = Field(description="Its query key.")


class EUtilities:
    """One database of Entrez for one format of its records."""

    def __init__(
        self,
        services: SourceServices,
        database: str,
        record_format: str,
        closing: bytes,
        page_size: int,
        most_records: int = MOST_RECORDS,
    ) -> None:
        """`closing` is the end tag of a batch, by which one that was cut off is told."""
        self._services = services
        self._database = database
        self._format = record_format
        self._closing = closing
        self._page_size = page_size
        self._most_records = most_records

    def pages(self, term: str, since: datetime | None, cursor: str | None) -> Iterator[Page]:
        """Records that match the term, by modification day; with `since` those from the day before on."""
        if cursor is not None:
            place: _Place | None = self._read(cursor)
        else:
            first = FIRST_DAY if since is None else (since - OVERLAP).date()
            place = self._range(term, first, datetime.now(UTC).date() + OVERLAP)
        while place is not None:
            following = self._after(term, place)
            yield self._page(place, following)
            place = following

    def again(self, ids: Sequence[str]) -> Iterator[Page]:
        """The records of these numbers, a page's worth at a time."""
        for start in range(0, len(ids), self._page_size):
            form = {"id": ",".join(ids[start : start + self._page_size])}
            answer = self._fetched(form)
            yield Page(answer.url, answer.content, self._format)

    # --- where the listing goes ---------------------------------------------------------------------

    def _read(self, cursor: str) -> _Place:
        try:
            return _Place.model_validate_json(cursor)
        except ValidationError as error:
            raise CursorRefusedError(f"the cursor of {self._database} is none of this version's") from error

    def _after(self, term: str, place: _Place) -> _Place | None:
        """The place after a page: in the same range, in the next one that has records, or nowhere."""
        at = place.at + self._page_size
        if at < place.count:
            return place.model_copy(update={"at": at})
        if place.last >= place.end:
            return None
        following = self._range(term, place.last + timedelta(days=1), place.end)
        return following if following.count else None

    def _range(self, term: str, first: date, end: date) -> _Place:
        """The result for the days from `first` on, as many as fit into one; an empty one only at the end."""
        last = end
        while True:
            found = self._searched(term, first, last)
            count = int(found["count"])
            if count <= self._most_records:
                break
            if first == last:
                raise UsageError(
                    f"--query: {count:,} records of {self._database} were modified on {first}, and NCBI "
                    f"tells {self._most_records:,} at most. Narrow the query, or take the baseline files."
                )
            last = first + (last - first) // 2
        if count == 0 and last < end:
            return self._range(term, last + timedelta(days=1), end)
        return _Place(
            first=first,
            last=last,
            end=end,
            at=0,
            count=count,
            environment=found["webenv"],
            query_key=found["querykey"],
        )

    # --- what is asked ------------------------------------------------------------------------------

    def _searched(self, term: str, first: date, last: date) -> Mapping[str, str]:
        """What esearch tells of a range: count, webenv, querykey."""
        parameters = {
            "term": term,
            "datetype": "mdat",
            "mindate": f"{first:%Y/%m/%d}",
            "maxdate": f"{last:%Y/%m/%d}",
            "usehistory": "y",
            "retmax": "0",
            "retmode": "json",
        }
        url = f"{self._services.settings.ncbi_url}/esearch.fcgi"
        answer = self._services.web().post(url, self._signed(parameters), policy=POLICY, check=_check_search)
        found: Mapping[str, str] = answer.json()["esearchresult"]
        return found

    def _page(self, place: _Place, following: _Place | None) -> Page:
        cursor = None if following is None else following.model_dump_json()
        url = f"{self._services.settings.ncbi_url}/efetch.fcgi"
        if place.count == 0:
            return Page(url, b"", self._format, cursor, 0)
        form = {
            "query_key": place.query_key,
            "WebEnv": place.environment,
            "retstart": str(place.at),
            "retmax": str(self._page_size),
        }
        try:
            answer = self._fetched(form)
        except RequestRejectedError as error:
            if error.status == 400:
                raise CursorRefusedError(f"{url}: the result is gone: {error.message}") from error
            raise
        return Page(url, answer.content, self._format, cursor, place.count)

    def _fetched(self, form: Mapping[str, str]) -> WebAnswer:
        url = f"{self._services.settings.ncbi_url}/efetch.fcgi"
        sent = self._signed({**form, "retmode": "xml"})
        return self._services.web().post(url, sent, policy=POLICY, check=self._check_records)

    def _signed(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """The parameters with who asks, as NCBI wants it."""
        settings = self._services.settings
        signed = {**parameters, "db": self._database, "tool": "medkg"}
        if settings.contact is not None:
            signed["email"] = settings.contact
        if settings.ncbi_api_key is not None:
            signed["api_key"] = settings.ncbi_api_key.get_secret_value()
        return signed

    def _check_records(self, answer: WebAnswer) -> None:
        """Raises ServiceError for a batch that is cut off, CursorRefusedError for a result that is gone."""
        if answer.content.rstrip().endswith(self._closing):
            return
        if any(sign in answer.content[:2_000] for sign in GONE):
            raise CursorRefusedError(f"{answer.url}: NCBI's history server no longer has the result.")
        if answer.content.lstrip()[:1] not in (b"<", b""):
            raise UnexpectedAnswerError(
                f"{answer.url}: no XML in the answer. E-utilities may have changed; see "
                "https://www.ncbi.nlm.nih.gov/books/NBK25499."
            )
        raise ServiceError(f"{answer.url}: the batch has no end; it was cut off. It is asked for again.")


def _check_search(answer: WebAnswer) -> None:
    """Raises ServiceError for JSON that is cut off or an error of the moment, else what is wrong."""
    told: Any = answer.json()
    found = told.get("esearchresult") if isinstance(told, dict) else None
    if isinstance(found, dict) and "ERROR" in found:
        raise ServiceError(f"{answer.url}: {found['ERROR']}. It is asked again.")
    wanted = ("count", "webenv", "querykey")
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in wanted):
        raise UnexpectedAnswerError(
            f"{answer.url}: no `esearchresult` with {', '.join(wanted)} in the answer. E-utilities may have "
            "changed; see https://www.ncbi.nlm.nih.gov/books/NBK25499."
        )
    if not found["count"].isdigit():
        raise UnexpectedAnswerError(f"{answer.url}: `count` is {found['count']!r}, no number.")
