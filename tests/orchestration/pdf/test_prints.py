"""Synthetic articles with what journals and manuscripts print into them: text and numbers as they were."""

from __future__ import annotations

import pytest

from benchmarks.cases.pdf_text import character_errors, number_errors
from medkg.testing.synthetic_pdfs import LAYOUTS, PRINTS, Layout, an_article, pdf_of, text_of
from orchestration.contracts.pdf import LINE_NUMBERS
from tests.orchestration.pdf.drawn_pages import converted, document_of


@pytest.mark.parametrize("name", PRINTS)
def test_text_and_numbers_of_every_print_are_read_as_they_were_written(name: str) -> None:
    layout = PRINTS[name]
    article = an_article(12, tables=layout.tables != "none", marks=layout.marks)
    document = document_of(pdf_of(article, layout))
    assert character_errors(text_of(article), document.text)[0] == 0
    assert number_errors(text_of(article), document.text) == (0, 0)
    assert (LINE_NUMBERS in document.metadata.get("left_out", {})) == (layout.line_numbers != "none")


@pytest.mark.parametrize("name", ["one column, ragged", "three narrow columns", "everything, two columns"])
def test_numbers_of_other_layouts_are_neither_lost_nor_invented(name: str) -> None:
    layout = LAYOUTS[name]
    article = an_article(13, tables=layout.tables != "none")
    assert number_errors(text_of(article), document_of(pdf_of(article, layout)).text) == (0, 0)


def test_what_is_left_out_is_counted() -> None:
    article = an_article(3, paragraphs=1, tables=False)
    plain, numbered = (
        converted(pdf_of(article, Layout(line_numbers=numbers))) for numbers in ("none", "each")
    )
    assert plain.left_out == {}
    assert plain.blocks == numbered.blocks
    assert numbered.left_out[LINE_NUMBERS] > 100
