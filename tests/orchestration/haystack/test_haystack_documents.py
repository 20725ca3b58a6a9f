"""A Haystack document becomes a chunk and comes back as it was, or an error names what cannot be kept."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.errors import FilterError
from haystack.utils.filters import document_matches_filter
from hypothesis import given
from hypothesis import strategies as st

from medkg.testing.builders import TENANT, a_chunk
from orchestration.contracts import Filters, chunk_facets
from orchestration.errors import EmptyDocumentError, MalformedDocumentError
from orchestration.haystack.documents import haystack_document, passed_chunk, possible_keys
from orchestration.haystack.filters import as_facets, check, may_match
from orchestration.records import Chunk

NAMES = st.sampled_from(["status", "phase", "date", "title", "section", "source", "doc_id", "other"])
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def stored(chunk: Chunk) -> Chunk:
    """As a search store gives it back."""
    return Chunk.model_validate_json(chunk.model_dump_json())


@given(
    content=st.text(min_size=1).filter(str.strip),
    meta=st.dictionaries(NAMES | st.text(max_size=5), PLAIN, max_size=5),
    number=st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text),
)
def test_any_document_of_text_and_json_comes_back_as_it_was(
    content: str, meta: dict[str, Any], number: str
) -> None:
    document = Document(id=number, content=content, meta=meta)
    chunk = passed_chunk(TENANT, document)
    assert haystack_document(chunk.key, stored(chunk.chunk)) == document
    assert chunk.key in possible_keys(TENANT, number)


@given(ordinal=st.integers(0, 3), start=st.integers(0, 20), updated=st.booleans())
def test_a_chunk_of_medkg_keeps_its_place_and_what_is_added_to_its_meta(
    ordinal: int, start: int, updated: bool
) -> None:
    chunk = a_chunk(ordinal=ordinal, start=start).model_copy(
        update={"metadata": {"phase": ["2"], "date": ["2019-03-01"]}}
    )
    (key,) = [key for key in possible_keys(TENANT, chunk.chunk_id) if key.source != "haystack"]
    read = haystack_document(key, chunk)
    read.meta.update({"rank": 1, "legs": {}, "highlights": []})
    if updated:
        read.meta["note"] = "seen"
    passed = passed_chunk(TENANT, read)
    expected = {**chunk.metadata, **({"note": "seen"} if updated else {})}
    assert (passed.key, passed.chunk) == (key, chunk.model_copy(update={"metadata": expected}))


def test_vectors_come_along() -> None:
    document = Document(
        content="walking", embedding=[0.5, 0.5], sparse_embedding=SparseEmbedding([3, 1], [0.5, 1.5])
    )
    passed = passed_chunk(TENANT, document)
    assert passed.dense is not None
    assert passed.sparse is not None
    assert passed.dense.tolist() == [0.5, 0.5]
    assert [part.tolist() for part in passed.sparse] == [[3, 1], [0.5, 1.5]]


def test_dates_become_iso_8601_and_tuples_lists() -> None:
    meta = {"day": date(2019, 3, 1), "moment": datetime(2019, 3, 1, 12), "pair": (1, 2)}
    chunk = passed_chunk(TENANT, Document(content="walking", meta=meta)).chunk
    expected = {"day": "2019-03-01", "moment": "2019-03-01T12:00:00", "pair": [1, 2]}
    assert chunk.metadata["haystack"] == expected


def test_fields_of_meta_that_searches_are_narrowed_by_become_facets() -> None:
    meta = {
        "status": "COMPLETED",
        "phase": 2,
        "condition": "Insomnia",
        "mesh": ["Sleep"],
        "section": "Methods",
        "date": "2019-03-01T12:00:00",
    }
    passed = passed_chunk(TENANT, Document(content="walking", meta=meta))
    assert chunk_facets(passed.key, passed.chunk) == {
        "source": ("haystack",),
        "section": ("methods",),
        "status": ("completed",),
        "phase": ("2",),
        "condition": ("insomnia",),
        "mesh": ("sleep",),
        "date": ("2019-03-01",),
    }


def test_a_file_is_a_title_where_there_is_no_other() -> None:
    def titles(**meta: object) -> tuple[str, ...]:
        return passed_chunk(TENANT, Document(content="walking", meta=meta)).chunk.title_path

    assert titles(file_path="walking.txt") == ("walking.txt",)
    assert titles(file_path="walking.txt", title="Walking") == ("Walking",)
    assert titles(title="", file_name=3) == ()


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_document_without_text_is_named(content: str | None) -> None:
    with pytest.raises(EmptyDocumentError, match="document 7 has no text"):
        passed_chunk(TENANT, Document(id="7", content=content))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (Document(id="7", content="a", blob=ByteStream(b"pdf")), "document 7 has a blob"),
        (Document(id="7", content="a\ud800"), "'7': content holds half a surrogate pair"),
        (Document(id="7\0", content="a"), "cannot hold NUL"),
        (Document(id="7", content="a", meta={"one": [{"two": {1, 2}}]}), r"document 7: meta.one\[0\].two is"),
        (Document(id="7", content="a", meta={"score": float("nan")}), "document 7: meta.score is nan"),
        (Document(id="7", content="a", embedding=["x"]), "document 7: its embedding"),  # type: ignore[list-item]
    ],
)
def test_what_cannot_be_kept_is_named(document: Document, message: str) -> None:
    with pytest.raises(MalformedDocumentError, match=message):
        passed_chunk(TENANT, document)


@pytest.mark.parametrize(
    "change", [{"content": "another text"}, {"meta": {"end_char": -1}}, {"meta": {"chunker": 3}}]
)
def test_a_chunk_of_medkg_that_is_none_any_more_is_named(change: dict[str, Any]) -> None:
    chunk = a_chunk()
    (key,) = [key for key in possible_keys(TENANT, chunk.chunk_id) if key.source != "haystack"]
    read = haystack_document(key, chunk)
    changed = Document(
        id=read.id,
        content=change.get("content", read.content),
        meta={**read.meta, **change.get("meta", {})},
    )
    with pytest.raises(MalformedDocumentError, match=f"{chunk.chunk_id}.*another id"):
        passed_chunk(TENANT, changed)


# --- filters ----------------------------------------------------------------------------------------

IDS = ["1", "2", "files:1:abc:0"]
VALUES = st.sampled_from([*IDS, "files", "haystack", None, 3])
COMPARISONS = st.one_of(
    st.builds(
        lambda field, operator, value: {"field": field, "operator": operator, "value": value},
        st.sampled_from(["id", "meta.source", "meta.doc_id", "meta.other"]),
        st.sampled_from(["==", "!="]),
        VALUES,
    ),
    st.builds(
        lambda field, operator, value: {"field": field, "operator": operator, "value": value},
        st.sampled_from(["id", "meta.source", "meta.doc_id"]),
        st.sampled_from(["in", "not in"]),
        st.lists(VALUES, max_size=3),
    ),
)
FILTERS = st.recursive(
    COMPARISONS,
    lambda inner: st.builds(
        lambda operator, conditions: {"operator": operator, "conditions": conditions},
        st.sampled_from(["AND", "OR", "NOT"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)


def some_documents() -> list[tuple[Any, Chunk]]:
    chunks = [
        passed_chunk(TENANT, Document(id=number, content="walking", meta=meta))
        for number in IDS[:2]
        for meta in ({}, {"source": "files", "doc_id": "1"}, {"source": "haystack", "other": 3})
    ]
    placed = a_chunk().model_copy(update={"chunk_id": IDS[2], "doc_id": "1", "version": "abc"})
    key = possible_keys(TENANT, IDS[2])[1]
    return [*((entry.key, entry.chunk) for entry in chunks), (key, placed)]


@given(filters=FILTERS)
def test_no_document_that_matches_is_passed_over_by_its_key(filters: dict[str, Any]) -> None:
    check(filters)
    possible = may_match(filters, TENANT)
    for key, chunk in some_documents():
        if document_matches_filter(filters, haystack_document(key, chunk)):
            assert possible(key)


def test_conditions_on_ids_and_sources_spare_reading_other_documents() -> None:
    of_id = {"field": "id", "operator": "in", "value": IDS[:1]}
    of_source = {"field": "meta.source", "operator": "==", "value": "pmc"}
    other = {"field": "meta.other", "operator": "==", "value": 3}
    for condition, count in ((of_id, 3), (of_source, 6), (other, 7)):
        nested = {"operator": "AND", "conditions": [{"operator": "AND", "conditions": [condition]}, other]}
        for filters in (condition, nested):
            possible = may_match(filters, TENANT)
            assert sum(possible(key) for key, _ in some_documents()) == count


def test_only_what_facets_say_the_same_about_is_asked_of_the_index() -> None:
    def where(field: str, value: object, operator: str = "==") -> dict[str, Any]:
        return {"field": field, "operator": operator, "value": value}

    both = {"operator": "AND", "conditions": [where("meta.phase", "2"), where("meta.date", "2019", ">=")]}
    assert as_facets(None) == Filters()
    assert as_facets(both) == Filters(phase=("2",), since="2019")
    for other in (
        where("meta.phase", []),
        where("meta.phase", [], "in"),
        where("meta.phase", ["2", 3], "in"),
        where("meta.phase", "2", "!="),
        where("meta.date", "2019-03-01T12:00", ">="),
        where("meta.date", "2019"),
        where("meta.note", "seen"),
        {"operator": "OR", "conditions": [where("meta.phase", "2")]},
        {"operator": "AND", "conditions": [where("meta.phase", "2"), where("meta.phase", "3")]},
    ):
        assert as_facets(other) is None


@pytest.mark.parametrize("day", ["2020-13", "2020-00", "2020-02-31"])
def test_a_day_that_no_calendar_has_is_no_filter(day: str) -> None:
    condition = {"field": "meta.date", "operator": ">=", "value": day}
    for filters in (condition, {"operator": "AND", "conditions": [condition]}):
        with pytest.raises(FilterError, match=f"'{day}' is not a date; write YYYY, YYYY-MM or YYYY-MM-DD"):
            check(filters)


def test_numbers_of_given_vectors_are_float32() -> None:
    passed = passed_chunk(TENANT, Document(content="walking", embedding=[1, 2]))
    assert passed.dense is not None
    assert passed.dense.dtype == np.float32
