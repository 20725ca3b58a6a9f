"""Converted PDFs become documents: sections, tables, references, and where each block stands."""

from __future__ import annotations

import pytest

from medkg.testing.builders import a_converted_pdf, a_payload, a_pdf_block
from medkg.testing.document_checks import assert_sound, blocks_of, indexed_part
from orchestration.contracts import PdfBlockKind
from orchestration.errors import EmptyDocumentError, MalformedDocumentError
from orchestration.parsing.pdf_ir import PdfIrParser
from orchestration.records import BlockKind, Document


def document_of(content: bytes) -> Document:
    document = PdfIrParser().parse(a_payload(content, "pdf-ir"), "default")
    assert_sound(document)
    return indexed_part(document)


def test_headings_nest_by_their_level_and_have_roles() -> None:
    document = document_of(
        a_converted_pdf(
            a_pdf_block("On walking", PdfBlockKind.TITLE),
            a_pdf_block("1. Methods", PdfBlockKind.HEADING, level=1),
            a_pdf_block("1.1 Setting", PdfBlockKind.HEADING, level=2),
            a_pdf_block("We walked in a park."),
            a_pdf_block("2. Results", PdfBlockKind.HEADING, level=1),
            a_pdf_block("We slept."),
        )
    )
    assert document.title == "On walking"
    title, methods, results = document.sections
    assert (title.title, methods.role, results.role) == ("", "methods", "results")
    assert methods.sections[0].title_path == ("1. Methods", "1.1 Setting")


def test_every_block_has_its_page_and_its_boxes() -> None:
    document = document_of(
        a_converted_pdf(
            a_pdf_block("On walking", PdfBlockKind.TITLE, page_no=1),
            a_pdf_block("Methods", PdfBlockKind.HEADING, page_no=2, level=1),
            a_pdf_block("We walked.", page_no=2, also_on=(3,)),
            pages=3,
        )
    )
    where = {
        document.text[block.start_char : block.end_char]: [box.page_no for box in block.boxes]
        for block in blocks_of(document)
    }
    assert where == {"On walking": [1], "Methods": [2], "We walked.": [2, 3]}
    assert {block.page_no for block in blocks_of(document)} == {1, 2}


def test_what_stands_under_references_is_the_reference_list_and_not_indexed() -> None:
    document = document_of(
        a_converted_pdf(
            a_pdf_block("We slept."),
            a_pdf_block("References", PdfBlockKind.HEADING, level=1),
            a_pdf_block("[1] Walker A. Paths. 2001. doi: 10.1000/paths.1. PMID: 123"),
            a_pdf_block("2. Walker B. Roads. 2002.\n3. Walker C. Ways. 2003.", PdfBlockKind.LIST),
            a_pdf_block("Funding", PdfBlockKind.HEADING, level=1),
            a_pdf_block("None."),
        )
    )
    assert document.text == "We slept.\n\nFunding\n\nNone."
    assert [entry.label for entry in document.references] == ["1", "2", "3"]
    assert (document.references[0].doi, document.references[0].pmid) == ("10.1000/paths.1", "123")


def test_a_table_is_a_grid_with_its_label_and_caption() -> None:
    document = document_of(
        a_converted_pdf(
            a_pdf_block(
                "Table 2. Steps by day",
                PdfBlockKind.TABLE,
                rows=(("Day", "Steps"), ("1", "900")),
                header_rows=1,
                notes=("Counted by hand.",),
            )
        )
    )
    (table,) = document.tables
    assert (table.label, table.caption, table.header_rows) == ("Table 2", "Steps by day", 1)
    assert table.rows == (("Day", "Steps"), ("1", "900"))
    assert document.text == "Table 2. Steps by day\nDay | Steps\n1 | 900\nCounted by hand."
    assert next(blocks_of(document)).kind is BlockKind.TABLE


def test_the_pdfs_own_title_stands_in_where_no_block_is_one() -> None:
    assert document_of(a_converted_pdf(a_pdf_block("We slept."), title="On sleep")).title == "On sleep"


def test_a_converted_pdf_without_words_is_empty() -> None:
    with pytest.raises(EmptyDocumentError):
        document_of(a_converted_pdf())


def test_a_block_on_a_page_that_is_not_there_is_refused_by_name() -> None:
    broken = a_converted_pdf(a_pdf_block("x", page_no=1)).replace(
        b'"page_no":1,"left"', b'"page_no":9,"left"'
    )
    with pytest.raises(MalformedDocumentError, match="block 0 stands on page 9"):
        document_of(broken)
