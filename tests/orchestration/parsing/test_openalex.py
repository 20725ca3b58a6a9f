"""OpenAlex works: abstracts put together again, locations in order, and records that are none."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.errors import MalformedDocumentError
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.records import Document
from tests.builders import TENANT, a_payload, a_work


def parsed(work: dict[str, Any]) -> Document:
    return OpenAlexParser().parse(a_payload(work, "openalex", source="openalex", doc_id="W1"), TENANT)


def test_an_inverted_abstract_is_put_together_in_its_order() -> None:
    abstract = "To sleep or not to sleep: to walk."
    document = parsed(a_work(abstract=abstract))
    assert document.text.endswith(abstract)
    assert [section.role for section in document.sections if section.title == "Abstract"] == ["abstract"]


def test_a_work_without_an_abstract_has_its_title() -> None:
    assert parsed(a_work(abstract_inverted_index=None)).text == "Walking for better sleep"


def test_locations_are_open_ones_those_with_a_pdf_first_each_once() -> None:
    closed = {"is_oa": False, "pdf_url": "https://closed.example/1.pdf"}
    work = a_work()
    work["locations"].insert(0, closed)
    places = parsed(work).metadata["oa_locations"]
    assert [place.get("pdf_url") for place in places] == ["https://journal.example/1.pdf", None]
    assert places[0]["license"] == "cc-by"


def test_ids_licence_and_retraction_are_metadata() -> None:
    metadata = parsed(a_work(is_retracted=True)).metadata
    assert (metadata["doi"], metadata["pmid"], metadata["retracted"]) == ("10.5555/1", "1", True)
    assert metadata["license"] == "cc-by"


@pytest.mark.parametrize(
    "damage",
    [
        {"abstract_inverted_index": {"word": [10**9]}},
        {"abstract_inverted_index": {"word": ["1"]}},
        {"abstract_inverted_index": ["word"]},
        {"authorships": "Ann"},
        {"locations": [7]},
        {"title": {"text": "x"}},
    ],
)
def test_fields_of_other_types_are_a_named_error(damage: dict[str, Any]) -> None:
    with pytest.raises(MalformedDocumentError, match="no OpenAlex work"):
        parsed(a_work(**damage))
