"""NCBI's E-utilities: a search whose result stays on NCBI's history server, then its records in batches.

Comes in: a database (pubmed, pmc), a term and a range of modification days. Leaves: pages of records as
efetch sends them. NCBI returns only the first 9,999 records of a result, so a larger range of days is halved
until a part fits, and the parts follow one another. The cursor holds the range, the position in it and the
key of its result on the history server. A result expires after some hours; the enumeration then starts again.

https://www.ncbi.nlm.nih.gov/books/NBK25499 (esearch: usehistory, datetype=mdat with mindate and maxdate,
10,000 records at most for PubMed; efetch: query_key, WebEnv, retstart, retmax) and
https://www.ncbi.nlm.nih.gov/books/NBK25497 (tool, email, 3 requests a second, 10 with a key).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from pydantic import Field, ValidationError

from orchestration.batching import batched
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
"""NCBI dates modifications by day, in the time zone of Bethesda."""
EXPIRED: Final = (b"Unable to obtain query", b"Cannot retrieve history", b"Error occurred: Unable to")
"""Answers of efetch for a result that the history server no longer has."""


class _Position(Record):
    """A cursor: the position from which an enumeration continues."""

    first: date = Field(description="First day of the current range.")
    last: date = Field(description="Last day of the current range.")
    end: date = Field(description="Last day of the whole enumeration.")
    at: int = Field(ge=0, description="Records of the range that were returned.")
    count: int = Field(ge=0, description="Records of the range.")
    environment: str = Field(description="WebEnv of the range's result.")
    query_key: str = Field(description="Query key of the range's result.")


class EUtilities:
    """One database of Entrez, in one format of its records."""

    def __init__(
        self,
        services: SourceServices,
        database: str,
        record_format: str,
        closing: bytes,
        page_size: int,
        most_records: int = MOST_RECORDS,
    ) -> None:
        """`closing` is the end tag of a batch; without it the batch is truncated."""
        self._services = services
        self._database = database
        self._format = record_format
        self._closing = closing
        self._page_size = page_size
        self._most_records = most_records

    def pages(self, term: str, since: datetime | None, cursor: str | None) -> Iterator[Page]:
        """Records that match the term, by modification day; with `since` from the day before it on."""
        if cursor is not None:
            position: _Position | None = self._read(cursor)
        else:
            first = FIRST_DAY if since is None else (since - OVERLAP).date()
            position = self._range(term, first, datetime.now(UTC).date() + OVERLAP)
        while position is not None:
            following = self._after(term, position)
            yield self._page(position, following)
            position = following

    def again(self, ids: Sequence[str]) -> Iterator[Page]:
        """The records of these numbers, one page at a time."""
        for batch in batched(ids, self._page_size):
            answer = self._fetch({"id": ",".join(batch)})
            yield Page(answer.url, answer.content, self._format)

    # --- positions ----------------------------------------------------------------------------------

    def _read(self, cursor: str) -> _Position:
        try:
            return _Position.model_validate_json(cursor)
        except ValidationError as error:
            raise CursorRefusedError(
                f"the cursor of {self._database} is not one of this version of medkg"
            ) from error

    def _after(self, term: str, position: _Position) -> _Position | None:
        """The position after a page: in the same range or the next one with records; None at the end."""
        at = position.at + self._page_size
        if at < position.count:
            return position.model_copy(update={"at": at})
        if position.last >= position.end:
            return None
        following = self._range(term, position.last + timedelta(days=1), position.end)
        return following if following.count else None

    def _range(self, term: str, first: date, end: date) -> _Position:
        """The result for as many days from `first` on as fit into one; an empty result only at the end."""
        last = end
        while True:
            result = self._search(term, first, last)
            count = int(result["count"])
            if count <= self._most_records:
                break
            if first == last:
                raise UsageError(
                    f"--query: {count:,} records of {self._database} were modified on {first}, and NCBI "
                    f"returns {self._most_records:,} at most. Narrow the query, or take the baseline files."
                )
            last = first + (last - first) // 2
        if count == 0 and last < end:
            return self._range(term, last + timedelta(days=1), end)
        return _Position(
            first=first,
            last=last,
            end=end,
            at=0,
            count=count,
            environment=result["webenv"],
            query_key=result["querykey"],
        )

    # --- requests -----------------------------------------------------------------------------------

    def _search(self, term: str, first: date, last: date) -> Mapping[str, str]:
        """The result of esearch for a range: count, webenv, querykey."""
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
        result: Mapping[str, str] = answer.json()["esearchresult"]
        return result

    def _page(self, position: _Position, following: _Position | None) -> Page:
        cursor = None if following is None else following.model_dump_json()
        url = f"{self._services.settings.ncbi_url}/efetch.fcgi"
        if position.count == 0:
            return Page(url, b"", self._format, cursor, 0)
        form = {
            "query_key": position.query_key,
            "WebEnv": position.environment,
            "retstart": str(position.at),
            "retmax": str(self._page_size),
        }
        try:
            answer = self._fetch(form)
        except RequestRejectedError as error:
            if error.status == 400:
                raise CursorRefusedError(f"{url}: the result has expired: {error.message}") from error
            raise
        return Page(url, answer.content, self._format, cursor, position.count)

    def _fetch(self, form: Mapping[str, str]) -> WebAnswer:
        url = f"{self._services.settings.ncbi_url}/efetch.fcgi"
        signed = self._signed({**form, "retmode": "xml"})
        return self._services.web().post(url, signed, policy=POLICY, check=self._check_records)

    def _signed(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """The parameters with tool, contact and key, as NCBI requires."""
        settings = self._services.settings
        signed = {**parameters, "db": self._database, "tool": "medkg"}
        if settings.contact is not None:
            signed["email"] = settings.contact
        if settings.ncbi_api_key is not None:
            signed["api_key"] = settings.ncbi_api_key.get_secret_value()
        return signed

    def _check_records(self, answer: WebAnswer) -> None:
        """Raise ServiceError for a truncated batch, CursorRefusedError for an expired result."""
        if answer.content.rstrip().endswith(self._closing):
            return
        if any(sign in answer.content[:2_000] for sign in EXPIRED):
            raise CursorRefusedError(f"{answer.url}: NCBI's history server no longer has the result.")
        if answer.content.lstrip()[:1] not in (b"<", b""):
            raise UnexpectedAnswerError(
                f"{answer.url}: no XML in the answer. E-utilities may have changed; see "
                "https://www.ncbi.nlm.nih.gov/books/NBK25499."
            )
        raise ServiceError(
            f"{answer.url}: the batch has no end tag; it is truncated. The request is repeated."
        )


def _check_search(answer: WebAnswer) -> None:
    """Raise ServiceError for truncated JSON or a failed search, UnexpectedAnswerError for another shape."""
    body: Any = answer.json()
    result = body.get("esearchresult") if isinstance(body, dict) else None
    if isinstance(result, dict) and "ERROR" in result:
        raise ServiceError(f"{answer.url}: {result['ERROR']}. The request is repeated.")
    fields = ("count", "webenv", "querykey")
    if not isinstance(result, dict) or not all(isinstance(result.get(name), str) for name in fields):
        raise UnexpectedAnswerError(
            f"{answer.url}: no `esearchresult` with {', '.join(fields)} in the answer. E-utilities may have "
            "changed; see https://www.ncbi.nlm.nih.gov/books/NBK25499."
        )
    if not result["count"].isdigit():
        raise UnexpectedAnswerError(f"{answer.url}: `count` is {result['count']!r}, not a number.")
