"""Records of any paged JSON service that a YAML file describes.

Comes in: a JsonService and a user's request. Leaves: pages of records in medkg's format `http-json`. They
contain only the mapped fields, so that a change of any other field makes no new version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from orchestration.batching import batched
from orchestration.contracts import Page, SourceRequest, WebAnswer
from orchestration.errors import CursorRefusedError, RequestRejectedError, UnexpectedAnswerError
from orchestration.sources.json_mapping import (
    JsonService,
    OffsetPaging,
    PagePaging,
    TokenPaging,
    at_place,
    list_at,
    texts_at,
)
from orchestration.sources.queries import required_query
from orchestration.sources.services import SourceServices

__all__ = ["JsonOverHttpSource"]

OVERLAP: Final = timedelta(days=1)
"""For services that date changes by day, and for clocks that differ."""
IDS_AT_ONCE: Final = 50


class JsonOverHttpSource:
    """A source plugin by configuration: a PagedSource."""

    format = "http-json"

    def __init__(self, service: JsonService, services: SourceServices) -> None:
        self._service = service
        self._services = services
        self.name = service.name

    @property
    def origin(self) -> str:
        return self._service.url

    def pages(self, request: SourceRequest, since: datetime | None, cursor: str | None) -> Iterator[Page]:
        """Records of the query; with `since` the changed ones, where the service can select them."""
        service = self._service
        query = required_query(request, "--query asthma")
        parameters: dict[str, str] = {**service.parameters, service.query_parameter: query}
        if service.since is not None and since is not None:
            moment = since - OVERLAP
            form = moment.date().isoformat() if service.since.format == "date" else moment.isoformat()
            parameters[service.since.parameter] = form
        while True:
            records, body = self._get({**parameters, **self._paging_parameters(cursor)}, cursor)
            cursor = self._after(cursor, records, body)
            yield Page(service.url, self._json_lines(records), self.format, cursor)
            if cursor is None:
                return

    def again(self, doc_ids: Sequence[str]) -> Iterator[Page]:
        """The records of these ids; none where the description has no `ids_parameter`."""
        parameter = self._service.ids_parameter
        own = [doc_id.removeprefix(f"{self.name}:") for doc_id in doc_ids]
        for ids in batched(own if parameter is not None else (), IDS_AT_ONCE):
            records, _ = self._get({**self._service.parameters, str(parameter): ",".join(ids)}, None)
            yield Page(self._service.url, self._json_lines(records), self.format)

    def address(self, doc_id: str) -> str:
        own = doc_id.removeprefix(f"{self.name}:")
        return self._service.address.replace("{id}", own) or f"{self._service.url}#{own}"

    # --- paging -------------------------------------------------------------------------------------

    def _paging_parameters(self, cursor: str | None) -> Mapping[str, str]:
        """The parameters that request the page at a cursor."""
        match self._service.paging:
            case TokenPaging(parameter=parameter):
                return {} if cursor is None else {parameter: cursor}
            case OffsetPaging(parameter=parameter, size_parameter=size_parameter, size=size):
                return {parameter: cursor or "0", size_parameter: str(size)}
            case PagePaging(parameter=parameter, first=first):
                return {parameter: cursor or str(first)}
        return {}

    def _after(self, cursor: str | None, records: Sequence[Any], body: Any) -> str | None:
        """The cursor after a page; None after the last one."""
        match self._service.paging:
            case TokenPaging(place=place):
                token = at_place(body, place)
                return str(token) if isinstance(token, str | int) and token != "" else None
            case OffsetPaging(size=size):
                return str(int(cursor or 0) + size) if len(records) >= size else None
            case PagePaging(first=first):
                return str(int(cursor or first) + 1) if records else None
        return None

    def _get(self, parameters: Mapping[str, str], cursor: str | None) -> tuple[Sequence[Any], Any]:
        """The records of a page, and its whole body."""
        service = self._service
        try:
            answer = self._services.web().get(
                service.url, parameters, policy=service.policy, check=self._check
            )
        except RequestRejectedError as error:
            if error.status == 400 and cursor is not None:
                raise CursorRefusedError(
                    f"{service.url}: page {cursor!r} is refused: {error.message}"
                ) from error
            raise
        body = answer.json()
        return self._records(body), body

    def _records(self, body: Any) -> Sequence[Any]:
        records = list_at(body, self._service.records)
        if records is None:
            where = self._service.records or "the answer itself"
            raise UnexpectedAnswerError(
                f"{self._service.url}: {where} is no list of records. The service may have changed; correct "
                f"`records` of source {self.name}."
            )
        return records

    def _check(self, answer: WebAnswer) -> None:
        self._records(answer.json())

    # --- records ------------------------------------------------------------------------------------

    def _json_lines(self, records: Sequence[Any]) -> bytes:
        return b"".join(json.dumps(self._record(record)).encode() + b"\n" for record in records)

    def _record(self, record: Any) -> dict[str, Any]:
        """The mapped fields of a record; `id` None where it has none, which the parser reports."""
        mapping = self._service.document
        ids = texts_at(record, mapping.id)
        return {
            "id": f"{self.name}:{ids[0]}" if ids else None,
            "title": " ".join(texts_at(record, mapping.title)) if mapping.title else "",
            "sections": [
                {
                    "label": section.label,
                    "role": section.role,
                    "paragraphs": list(texts_at(record, section.place)),
                }
                for section in mapping.sections
            ],
            "metadata": {name: at_place(record, place) for name, place in mapping.metadata.items()},
        }
