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
from orchestration.errors import MalformedDocumentError, MissingIdentifierError
from orchestration.parsing.clinicaltrials import ClinicalTrialsParser
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.pubmed import PubmedJsonlParser

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


@pytest.mark.parametrize("parser", [ClinicalTrialsParser(), OpenAlexParser(), PubmedJsonlParser()])
@pytest.mark.parametrize("line", ["5", "-1.5", '"x"', "null", "true"])
def test_a_line_that_is_no_object_is_reported_and_the_others_are_read(parser: Any, line: str) -> None:
    records = {"ctgov-v2": ONE, "openalex": an_openalex_work(1), "pubmed-jsonl": an_abstract("5")}
    record = json.dumps(records[parser.format])
    content = f"{record}\n{line}\n{record}\n".encode()
    first, bad, last = parser.records(io.BytesIO(content), "saved.jsonl", 10**7)
    assert first.doc_id == last.doc_id is not None
    assert (first.error, last.error) == (None, None)
    assert isinstance(bad.error, MalformedDocumentError)
    assert bad.error.message == (
        f"saved.jsonl, line 2: a record is a JSON object, this is {line}. Check the file's format."
    )


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    ),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-8-sig"]),
)
def test_any_json_beside_records_is_reported_and_loses_none(value: Any, encoding: str) -> None:
    """Also JSON in an encoding that no marker at the start of the file announces."""
    other = json.dumps(value, ensure_ascii=False).encode(encoding, "surrogatepass")
    content = b"\n".join([json.dumps(ONE).encode(), other.replace(b"\n", b" "), json.dumps(TWO).encode()])
    locations = ClinicalTrialsParser().records(io.BytesIO(content), "saved.jsonl", 10**7)
    assert {"NCT00000001", "NCT00000002"} <= {location.doc_id for location in locations}
