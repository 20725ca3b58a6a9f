"""Finding records in JSON files: broken, cut off, too large, oddly laid out."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg.testing.parser_suite import PiecewiseStream
from orchestration.contracts import RecordLocation
from orchestration.errors import DocumentTooLargeError, MalformedDocumentError
from orchestration.parsing import byte_stream
from orchestration.parsing.json import pieces
from orchestration.parsing.json.records import json_records as find


def locate(content: bytes, limit: int = 10**6, list_key: str | None = None) -> list[RecordLocation]:
    return list(find(io.BytesIO(content), "f.json", limit, lambda record: str(record["id"]), list_key))


def ids(locations: list[RecordLocation]) -> list[str | None]:
    return [location.doc_id for location in locations]


def test_a_list_cut_off_at_its_end_still_gives_the_records_before() -> None:
    *good, broken = locate(b'[{"id": 1}, {"id": 2}, {"id": 3, "x": "unfin')
    assert ids(good) == ["1", "2"]
    assert "cut off" in str(broken.error)


def test_a_list_that_only_lacks_its_bracket_is_reported() -> None:
    *good, broken = locate(b'[{"id": 1}, {"id": 2},')
    assert ids(good) == ["1", "2"]
    assert "records may be missing" in str(broken.error)


def test_a_broken_line_fails_alone() -> None:
    locations = locate(b'{"id": 1}\n{"id": 2\n\n{"id": 3}\n')
    assert ids(locations) == ["1", None, "3"]
    assert "f.json, line 2" in str(locations[1].error)


def test_a_broken_first_line_does_not_hide_the_others() -> None:
    assert ids(locate(b'{"id": 1, \n{"id": 2}\n{"id": 3}')) == [None, "2", "3"]


def test_a_broken_element_fails_alone() -> None:
    assert ids(locate(b'[{"id": 1}, {"id": }, {"id": 3}]')) == ["1", None, "3"]


def test_something_that_is_no_object_is_reported() -> None:
    first, second = locate(b'[7, {"id": 2}]')
    assert isinstance(first.error, MalformedDocumentError)
    assert second.doc_id == "2"


def test_text_after_the_list_is_reported() -> None:
    good, bad = locate(b'[{"id": 1}] and so on')
    assert (good.doc_id, bad.doc_id) == ("1", None)


def test_brackets_quotes_and_escapes_in_strings_do_not_confuse() -> None:
    records = [{"id": 1, "t": '}]{["\\'}, {"id": 2, "t": '\\\\"'}, {"id": 3, "ü": "\u2028"}]
    assert ids(locate(json.dumps(records, ensure_ascii=False).encode())) == ["1", "2", "3"]


def test_a_byte_order_mark_is_stepped_over() -> None:
    for content in (b'[{"id": 1}]', b'{"id": 1}\n', b'{\n"id": 1\n}'):
        (location,) = locate(b"\xef\xbb\xbf" + content)
        assert location.doc_id == "1"
        assert location.start >= 3


def test_deep_nesting_is_an_error_of_that_record() -> None:
    deep = b'{"id": 1, "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    first, second = locate(b"[" + deep + b', {"id": 2}]')
    assert isinstance(first.error, MalformedDocumentError)
    assert second.doc_id == "2"


def test_utf16_is_refused_with_the_way_to_convert() -> None:
    (location,) = locate('[{"id": 1}]'.encode("utf-16"))
    assert "iconv -f UTF-16" in str(location.error)


def test_an_empty_list_has_no_records() -> None:
    assert locate(b"[]") == []


@pytest.mark.parametrize("opening", [b'[{"id": 1}, {"id": 2, "x": "', b'{"id": 1}\n{"id": 2, "x": "'])
def test_a_record_of_200_megabytes_is_never_held(opening: bytes) -> None:
    filler = 200_000_000
    stream = PiecewiseStream(opening, filler=filler)
    tracemalloc.start()
    locations = list(find(stream, "f", 1_000_000, lambda record: str(record["id"])))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert locations[0].doc_id == "1"
    assert isinstance(locations[1].error, DocumentTooLargeError)
    assert locations[1].length > filler
    assert peak < 10_000_000


@settings(max_examples=100, deadline=None)
@given(
    records=st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3), max_size=6),
    layout=st.sampled_from(["list", "indented list", "lines", "page"]),
    piece=st.integers(1, 40),
)
def test_every_record_is_found_at_its_bytes_however_the_file_is_cut(
    records: list[dict[str, Any]], layout: str, piece: int
) -> None:
    records = [record | {"id": number} for number, record in enumerate(records)]
    content = {
        "list": json.dumps(records),
        "indented list": json.dumps(records, indent=2, ensure_ascii=False),
        "lines": "\n".join(map(json.dumps, records)),
        "page": json.dumps({"n": 1, "items": records, "next": "]{"}),
    }[layout].encode()
    with pytest.MonkeyPatch.context() as patch:
        if layout != "page":  # the key of the list must lie in the first piece
            patch.setattr(byte_stream, "CHUNK_BYTES", piece)
            patch.setattr(pieces, "CHUNK_BYTES", 50 + piece)
        locations = locate(content, list_key="items")
    assert ids(locations) == [str(record["id"]) for record in records]
    cut = [content[location.start : location.start + location.length] for location in locations]
    assert list(map(json.loads, cut)) == records


PAGE = (
    b'{"meta": {"count": 2, "note": "\xc3\xa4 \\"results\\": ["}, "token": null, "results": '
    b'[{"id": 1}, {"id": 2, "x": "]}"}], "next": {"token": "}"}, "group_by": []}\n'
)


@pytest.mark.parametrize("piece", [1, 2, 7, 64, 1 << 18])
def test_records_of_a_page_are_found_with_their_bytes_whatever_stands_around_the_list(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_stream, "CHUNK_BYTES", piece)
    monkeypatch.setattr(pieces, "CHUNK_BYTES", max(piece, PAGE.index(b"[{") + 1))
    locations = locate(PAGE, list_key="results")
    assert [location.error for location in locations] == [None, None]
    cut = [json.loads(PAGE[at.start : at.start + at.length]) for at in locations]
    assert cut == [{"id": 1}, {"id": 2, "x": "]}"}]


@given(end=st.integers(PAGE.index(b"[{") + 1, len(PAGE.rstrip()) - 1))
def test_a_page_cut_anywhere_gives_the_records_before_and_an_error(end: int) -> None:
    *good, cut = locate(PAGE[:end], list_key="results")
    whole = [at for at in locate(PAGE, list_key="results") if at.start + at.length <= end]
    assert good == whole
    assert "cut off" in str(cut.error)
    assert "f.json, record" in str(cut.error)


@pytest.mark.parametrize("more", [PAGE, b"x", b"]", b"}"])
def test_what_follows_a_page_is_reported_and_never_passed_over(more: bytes) -> None:
    *good, bad = locate(PAGE + more, list_key="results")
    assert ids(good) == ["1", "2"]
    assert "more follows after the page" in str(bad.error)


@pytest.mark.parametrize("page", [b'{"results": []}', b'{"meta": {}, "results": [ ], "x": 1}'])
def test_an_empty_page_has_no_records(page: bytes) -> None:
    assert locate(page, list_key="results") == []


def test_a_list_key_deeper_in_a_record_makes_no_page_of_it() -> None:
    (location,) = locate(b'{"id": 1, "inner": {"results": [{"id": 2}]}}', list_key="results")
    assert location.doc_id == "1"


def test_fields_that_do_not_count_leave_the_version_as_it_is() -> None:
    def version(record: bytes) -> str | None:
        (location,) = find(
            io.BytesIO(record), "f", 100, lambda record: str(record["id"]), None, frozenset({"seen"})
        )
        return location.version

    assert version(b'{"id": 1, "seen": 4}') == version(b'{"id": 1}') != version(b'{"id": 1, "sEEn": 4}')
