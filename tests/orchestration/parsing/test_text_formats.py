"""Plain text and Markdown, and the parts that all parsers stand on."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg.testing.builders import a_payload
from medkg.testing.document_checks import assert_sound, blocks_of, sections_of
from orchestration.errors import EmptyDocumentError, MalformedDocumentError
from orchestration.parsing.markdown import MarkdownParser
from orchestration.parsing.plain_text import PlainTextParser
from orchestration.parsing.section_roles import section_role
from orchestration.parsing.tables import Cell, lay_out
from orchestration.parsing.text_builder import DocumentBuilder, one_line
from orchestration.records import BlockKind, Document


def text_document(content: bytes) -> Document:
    document = PlainTextParser().parse(a_payload(content, "text"), "default")
    assert_sound(document)
    return document


def markdown_document(content: str) -> Document:
    document = MarkdownParser().parse(a_payload(content, "markdown"), "default")
    assert_sound(document)
    return document


def test_paragraphs_are_blocks_and_hard_wraps_go() -> None:
    document = text_document(b"On walking\r\n\r\nIt helps\r\nmany.\r\n \r\n- one\r\n- two\r\n")
    assert document.title == "On walking"
    assert document.text == "On walking\n\nIt helps many.\n\n- one\n- two"
    kinds = [block.kind for block in blocks_of(document)]
    assert kinds == [BlockKind.TITLE, BlockKind.PARAGRAPH, BlockKind.LIST]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_encodings_are_read(encoding: str) -> None:
    content = "Größe\n\nfünf Füße.".encode(encoding)
    assert PlainTextParser().recognises(content, "x") > 0
    assert text_document(content).text == "Größe\n\nfünf Füße."


def test_another_encoding_is_refused_with_the_way_to_convert() -> None:
    with pytest.raises(MalformedDocumentError, match="iconv -f WINDOWS-1252"):
        text_document("Größe".encode("latin-1"))


def test_a_file_of_blanks_is_empty() -> None:
    with pytest.raises(EmptyDocumentError):
        text_document(b" \n\t\n\xef\xbb\xbf\n")


@pytest.mark.parametrize("content", [b'{"a": 1}', b"<?xml version='1.0'?><x/>", b"<!DOCTYPE html><p>"])
def test_json_xml_and_html_are_not_taken_for_text(content: bytes) -> None:
    assert PlainTextParser().recognises(content, "x") == 0
    assert MarkdownParser().recognises(content, "x.md") == 0


def test_headings_of_both_styles_nest_by_level() -> None:
    document = markdown_document("# Title\n\nIntro\n\nPart\n----\n\na\n\n### Deep\n\nb\n\n## Other\n\nc")
    assert document.title == "Title"
    paths = [section.title_path for section in sections_of(document) if section.title]
    assert paths == [("Part",), ("Part", "Deep"), ("Other",)]


def test_front_matter_gives_id_title_and_metadata() -> None:
    content = "---\nid: walk-1\ntitle: Walks\ntags: [a, b]\ndate: 2020-05-01\n---\nText."
    (location,) = MarkdownParser().records(io.BytesIO(content.encode()), "x.md", 10**6)
    document = markdown_document(content)
    assert location.doc_id == "walk-1"
    assert document.title == "Walks"
    assert document.metadata == {"tags": ["a", "b"], "date": "2020-05-01"}


def test_broken_front_matter_is_named() -> None:
    (location,) = MarkdownParser().records(io.BytesIO(b"---\na: [1\n---\nx"), "x.md", 10**6)
    assert "front matter" in str(location.error)


def test_a_rule_at_the_start_is_not_front_matter() -> None:
    assert markdown_document("---\n\nJust text\n\n---\n\nmore").text.endswith("more")


def test_inline_markup_goes_and_its_words_stay() -> None:
    document = markdown_document(
        "Some *very* **bold** [link](http://x) `code` ![picture](p.png) a<br>b &amp; c"
    )
    assert document.text == "Some very bold link code picture a b & c"


def test_tables_lists_and_code_keep_their_lines() -> None:
    document = markdown_document(
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n3. x\n   - y\n4. z\n\n```\nif a:\n    b\n```"
    )
    assert document.text == "a | b\n1 | 2\n\n3. x\n  - y\n4. z\n\nif a:\n    b"
    assert document.tables[0].rows == (("a", "b"), ("1", "2"))


@pytest.mark.parametrize(
    ("heading", "role"),
    [
        ("2. Materials and Methods", "methods"),
        ("METHODS:", "methods"),
        ("Patients and methods", "methods"),
        ("Results and Discussion", "results"),
        ("IV. Discussion", "discussion"),
        ("Conclusions/Significance", "conclusions"),
        ("Background", "introduction"),
        ("Author Summary", "abstract"),
        ("Supporting Information", "supplementary"),
        ("Inclusion criteria", "eligibility"),
        ("Methods [1,2] *†", "methods"),
        ("Shoes", None),
        ("*" * 5_000 + " Methods", None),
        ("", None),
    ],
)
def test_headings_name_roles(heading: str, role: str | None) -> None:
    assert section_role(heading) == role


def test_spans_are_repeated_and_absurd_ones_bounded() -> None:
    grid = lay_out([[Cell("a", 2, 2), Cell("b")], [Cell("c")]], 1)
    assert grid.rows == (("a", "a", "b"), ("a", "a", "c"))
    assert len(lay_out([[Cell("x", 10**9, 10**9)]], 0).rows[0]) <= 1000


def test_an_empty_section_leaves_no_trace_but_a_printed_heading_stays() -> None:
    builder = DocumentBuilder()
    with builder.section("Unused"):
        pass
    builder.open_section("Printed")
    builder.close_section()
    document = builder.build(a_payload(b"", "text"), "default", PlainTextParser())
    assert document.text == "Printed"


@given(st.text())
def test_one_line_has_single_blanks_and_is_stable(text: str) -> None:
    line = one_line(text)
    assert line == " ".join(line.split()) == one_line(line)
    line.encode()


@given(
    st.lists(st.tuples(st.sampled_from(["open", "close", "block", "lines", "title"]), st.text(max_size=8)))
)
def test_any_order_of_parts_builds_a_sound_document(steps: list[tuple[str, str]]) -> None:
    builder = DocumentBuilder()
    for step, text in steps:
        if step == "open":
            builder.open_section(text)
        elif step == "close" and builder.depth:
            builder.close_section()
        elif step == "block":
            builder.block(BlockKind.PARAGRAPH, text)
        elif step == "lines":
            builder.lines(BlockKind.LIST, text.split("a"))
    builder.block(BlockKind.PARAGRAPH, "end")
    assert_sound(builder.build(a_payload(b"", "text"), "default", PlainTextParser()))


def test_aliases_in_front_matter_that_nest_without_end_cost_nothing() -> None:
    levels = [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]" for level in range(1, 40)]
    bomb = "\n".join(["l0: &l0 [x, y]", *levels])
    metadata = markdown_document(f"---\n{bomb}\n---\nwalk").metadata
    assert metadata == {"l0": ["x", "y"]}
