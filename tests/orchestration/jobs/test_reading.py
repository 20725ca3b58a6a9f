"""Reading documents without ingesting them: each once, broken ones marked; an unavailable source ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from medkg.testing.builders import a_document, a_payload
from orchestration.contracts import Outcome, SourceRequest
from orchestration.errors import (
    MalformedDocumentError,
    PlaneUnavailableError,
    UnavailableError,
    UsageError,
)
from orchestration.jobs.reading import PARSE, DocumentReader, ReadingStep, Unread
from orchestration.records import AdapterRequest, Document, Locator, RawPayload, SourceItem, StageContext


class Shelf:
    """A source with these documents by id; what is an error is met when it is fetched."""

    name = "shelf"

    def __init__(self, *listed: tuple[str, str], errors: dict[str, Exception] | None = None) -> None:
        self._listed = listed
        self.errors = errors or {}

    def enumerate(self, request: SourceRequest) -> Iterator[SourceItem]:
        for doc_id, version in self._listed:
            locator = Locator(uri=f"/shelf/{doc_id}", format="text")
            yield SourceItem(doc_id=doc_id, source="files", locator=locator, version=version)

    def fetch(self, requests: Sequence[AdapterRequest]) -> Sequence[Outcome[RawPayload]]:
        raise NotImplementedError


@dataclass(frozen=True)
class Result:
    outcomes: Sequence[Any]


class Caller:
    """Calls no stage: fetches from a shelf, and parses what is not broken."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def call(self, step: ReadingStep, items: Sequence[tuple[StageContext, Any]]) -> Result:
        if step is PARSE:
            return Result([a_document(ctx.doc_id) for ctx, _ in items])
        return Result(
            [
                self._shelf.errors.get(ctx.doc_id, [a_payload("text", "text", doc_id=ctx.doc_id)])
                for ctx, _ in items
            ]
        )


def read(shelf: Shelf) -> list[Document | Unread]:
    reader = DocumentReader({"shelf": shelf}, Caller(shelf), "default")
    return list(reader.read(SourceRequest(plugin="shelf")))


def test_documents_come_in_order_with_the_broken_ones_in_their_place() -> None:
    broken = MalformedDocumentError("b: it is cut off. Fetch it again.")

    documents = read(Shelf(("a", "1"), ("b", "1"), ("c", "1"), errors={"b": broken}))

    assert [each.doc_id for each in documents] == ["a", "b", "c"]
    assert documents[1] == Unread("b", "MEDKG-200", broken.message)


def test_a_document_comes_once_and_another_version_of_its_id_is_reported() -> None:
    documents = read(Shelf(("a", "1"), ("a", "1"), ("a", "2"), ("b", "1")))

    assert [type(each) for each in documents] == [Document, Unread, Document]
    assert isinstance(documents[1], Unread) and documents[1].code == "MEDKG-203"


def test_an_unavailable_source_ends_it() -> None:
    with pytest.raises(UnavailableError):
        read(Shelf(("a", "1"), errors={"a": PlaneUnavailableError("it is unavailable")}))


def test_an_unknown_source_lists_those_there_are() -> None:
    reader = DocumentReader({"shelf": Shelf()}, Caller(Shelf()), "default")
    with pytest.raises(UsageError, match="installed: shelf"):
        list(reader.read(SourceRequest(plugin="telegraph")))
