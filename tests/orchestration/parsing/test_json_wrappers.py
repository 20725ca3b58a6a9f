"""Records inside of lists of pages, answers and other wrappers."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg.testing.builders import a_study, an_abstract, an_openalex_work
from orchestration.contracts import RecordLocation
from orchestration.errors import MissingIdentifierError
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.pubmed_jsonl import PubmedJsonlParser

ONE, TWO = a_study("NCT00000001"), a_study("NCT00000002")


def locate(value: Any, parser: Any = None, *, indent: int | None = None) -> list[RecordLocation]:
    """The locations, each checked to hold a record of its id."""
    parser = parser or ClinicalTrialsParser()
    content = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    locations = list(parser.records(io.BytesIO(content), "saved.json", 10**7))
    for location in locations:
        if location.error is None:
            inside = content[location.start : location.start + location.length]
            (alone,) = parser.records(io.BytesIO(inside), "saved.json", 10**7)
            assert (alone.doc_id, alone.version) == (location.doc_id, location.version)
    return locations


WRAPPED = {
    "a list of pages": [{"studies": [ONE], "nextPageToken": "é"}, {"studies": [TWO]}],
    "a page under a key": {"status": 200, "response": {"studies": [ONE, TWO]}},
    "lists in a list": [[ONE], [TWO]],
    "studies by their number": {"NCT00000001": ONE, "NCT00000002": TWO},
    "each study under a key": [{"study": ONE}, {"study": TWO}],
    "a list with an empty page": [{"studies": [ONE]}, {"studies": []}, {"studies": [TWO]}],
}


@pytest.mark.parametrize("value", WRAPPED.values(), ids=WRAPPED)
@pytest.mark.parametrize("indent", [None, 1])
def test_records_are_found_in_what_wraps_them(value: Any, indent: int | None) -> None:
    assert [location.doc_id for location in locate(value, indent=indent)] == ["NCT00000001", "NCT00000002"]


def test_an_element_of_a_wrapped_list_that_is_no_record_is_reported() -> None:
    good, bad, other = locate([{"studies": [ONE, {"protocolSection": {}}, TWO]}])
    assert [good.doc_id, other.doc_id] == ["NCT00000001", "NCT00000002"]
    assert isinstance(bad.error, MissingIdentifierError)
    assert "inside of it" in bad.error.message


def test_works_and_abstracts_are_unwrapped_alike() -> None:
    pages = [{"meta": {}, "results": [an_openalex_work(1)]}, {"meta": {}, "results": [an_openalex_work(2)]}]
    assert [location.doc_id for location in locate(pages, OpenAlexParser())] == ["W1", "W2"]
    answer = {"articles": [an_abstract("5"), an_abstract("6")]}
    assert [location.doc_id for location in locate(answer, PubmedJsonlParser())] == ["5", "6"]


def test_a_citation_inside_of_an_abstract_is_no_record() -> None:
    (location,) = locate([an_abstract(None, cites=[{"pmid": "7"}])], PubmedJsonlParser())
    assert isinstance(location.error, MissingIdentifierError)


@given(depth=st.integers(0, 7), brackets=st.booleans())
def test_wrappers_of_any_depth_are_read(depth: int, brackets: bool) -> None:
    value: Any = {"studies": [ONE, TWO]}
    for _ in range(depth):
        value = [value] if brackets else {"more": "x", "inside": value}
    assert [location.doc_id for location in locate(value)] == ["NCT00000001", "NCT00000002"]
