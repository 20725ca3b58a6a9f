"""The text layer: what is read of generated PDFs, and what becomes of encrypted, broken and hostile ones."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from benchmarks.cases.pdf_text import character_errors
from medkg.testing.builders import a_payload
from medkg.testing.document_checks import assert_sound, indexed_part
from medkg.testing.pdf_converter_suite import PdfConverterSuite, ended
from medkg.testing.synthetic_pdfs import LAYOUTS, Article, Layout, Part, an_article, pdf_of, text_of
from orchestration.contracts import ConversionState, ConvertedPdf, PdfBlockKind
from orchestration.errors import (
    ConfigurationError,
    ConversionFailedError,
    ConversionLostError,
    DagsterStageTimeoutError,
    DocumentTooLargeError,
    EncryptedPdfError,
    MalformedDocumentError,
    MedkgError,
    PdfLimitError,
    PdfWithoutTextError,
    RateLimitedError,
    StageCrashedError,
)
from orchestration.parsing.pdf_ir import PdfIrParser
from orchestration.pdf.text_layer.converter import TextLayerConverter
from orchestration.pdf.text_layer.reading import Limits, convert
from orchestration.records import Document
from tests.fuzzing import hostile_pdfs

CRASHES = 5
"""Conversions that processes which were killed may cost."""


class TestTextLayerConverter(PdfConverterSuite):
    @pytest.fixture
    def converter(self) -> Iterator[TextLayerConverter]:
        converter = TextLayerConverter()
        yield converter
        converter.close()


@pytest.fixture(scope="module")
def converter() -> Iterator[TextLayerConverter]:
    converter = TextLayerConverter(seconds=120)
    yield converter
    converter.close()


def read(pdf: bytes, limits: Limits | None = None) -> ConvertedPdf:
    return ConvertedPdf.model_validate_json(convert(pdf, "test.pdf", limits or Limits()))


def document_of(pdf: bytes) -> Document:
    content = convert(pdf, "test.pdf", Limits())
    document = PdfIrParser().parse(a_payload(content, "pdf-ir"), "default")
    assert_sound(document)
    return indexed_part(document)


# --- what it reads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_text_of_every_layout_is_read_as_it_was_written(name: str) -> None:
    layout = LAYOUTS[name]
    article = an_article(11, tables=layout.tables != "none")
    document = document_of(pdf_of(article, layout))
    errors, characters = character_errors(text_of(article), document.text)
    assert errors <= characters // 1_000
    assert document.title == article.title
    assert [reference.text for reference in document.references] == [
        reference.partition("] ")[2] for reference in article.references
    ]


@pytest.mark.parametrize("tables", ["rules", "grid", "bare"])
def test_a_table_keeps_its_cells_its_header_and_its_caption(tables: str) -> None:
    article = an_article(3)
    document = document_of(pdf_of(article, Layout(columns=2, size=9, tables=tables)))  # type: ignore[arg-type]
    (table,) = document.tables
    expected = next(part for part in article.parts if part.kind == "table")
    assert (table.rows, table.header_rows) == (expected.rows, 1)
    assert (table.label, table.caption) == ("Table 1", "Sleep at twelve weeks by group")


def test_headings_nest_by_their_numbers() -> None:
    document = document_of(pdf_of(an_article(5), LAYOUTS["two columns"]))
    methods = next(section for section in document.sections if section.role == "methods")
    assert methods.title == "2. Methods"
    assert [section.title_path[0] for section in methods.sections] == ["2. Methods"]


def test_running_headers_footers_and_page_numbers_are_gone() -> None:
    document = document_of(pdf_of(an_article(5, paragraphs=6), Layout()))
    assert document.metadata["pages"] >= 4
    for running in ("Journal of Walking", "A. Walker et al.", "Not peer reviewed", "\n\n124\n\n"):
        assert running not in document.text


def test_a_paragraph_over_a_page_break_is_one_block_with_a_box_on_each_page() -> None:
    article = Article(
        (
            Part("title", "On walking and on sleeping"),
            *(
                Part(
                    "paragraph",
                    f"Paragraph {number} states that " + "we walked all day and then " * 45 + "slept.",
                )
                for number in range(9)
            ),
        ),
        (),
    )
    blocks = read(pdf_of(article, Layout(running_lines=False))).blocks
    paragraphs = [block for block in blocks if block.kind is PdfBlockKind.PARAGRAPH]
    assert len(paragraphs) == 9
    over_pages = [block for block in paragraphs if len(block.boxes) > 1]
    assert over_pages
    for block in over_pages:
        first, second = block.boxes
        assert second.page_no == first.page_no + 1 and first.bottom > 700 and second.top < 120


def test_words_parted_at_line_ends_are_whole_and_compounds_keep_their_hyphen() -> None:
    words = (
        "We compared well-known interventions. " * 3 + "interventionism and well-known randomisation. " * 12
    )
    article = Article((Part("title", "Words at the ends of lines"), Part("paragraph", words.strip())), ())
    for size in (8.0, 9.0, 10.0, 11.0):
        document = document_of(
            pdf_of(article, Layout(columns=2, size=size, hyphens=True, running_lines=False))
        )
        assert words.strip() in document.text


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_page_shown_rotated_is_read_in_the_direction_of_its_text(rotation: int) -> None:
    plain = read(hostile_pdfs.a_plain_pdf("Participants walked before they slept."))
    turned = read(
        hostile_pdfs.a_plain_pdf("Participants walked before they slept.", b"/Rotate %d" % rotation)
    )
    assert [block.text for block in turned.blocks] == ["Participants walked before they slept."]
    page, (block,) = turned.pages[0], turned.blocks
    assert (page.width, page.height) == ((842, 595) if rotation in (90, 270) else (595, 842))
    box, upright = block.boxes[0], plain.blocks[0].boxes[0]
    assert 0 <= box.left < box.right <= page.width and 0 <= box.top < box.bottom <= page.height
    long, short = upright.right - upright.left, upright.bottom - upright.top
    sides = (box.right - box.left, box.bottom - box.top)
    assert sorted(sides) == pytest.approx(sorted((long, short)), abs=0.3)
    assert (sides[1] > sides[0]) == (rotation in (90, 270))


def test_a_pdf_encrypted_without_a_password_is_read() -> None:
    assert "slept well" in read(hostile_pdfs.an_encrypted_pdf("")).blocks[0].text


def test_pages_that_are_images_among_pages_of_text_are_reported() -> None:
    document = document_of(hostile_pdfs.a_scan(pages=5, with_text=3))
    assert document.metadata["unread_pages"] == [1, 2]


def test_a_thousand_pages_are_read_within_the_limit() -> None:
    converted = read(hostile_pdfs.many_pages(1_000, lines=6))
    assert len(converted.pages) == 1_000
    assert {box.page_no for block in converted.blocks for box in block.boxes} == set(range(1, 1_001))


# --- what it refuses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pdf", "expected", "message"),
    [
        (b"", MalformedDocumentError, "empty"),
        (b"<html>not found</html>", MalformedDocumentError, "no PDF"),
        (b"%PDF-1.7\ngarbage", MalformedDocumentError, "cut off"),
        (b"%PDF-1.7\ngarbage%%EOF", MalformedDocumentError, "broken"),
        (pdf_of(an_article(1, 1), Layout())[:3_000], MalformedDocumentError, "cut off"),
        (hostile_pdfs.with_page_loop(), MalformedDocumentError, "broken"),
        (hostile_pdfs.an_encrypted_pdf("secret"), EncryptedPdfError, "password"),
        (hostile_pdfs.a_scan(), PdfWithoutTextError, "3 of its 3 pages hold images"),
        (hostile_pdfs.a_scan(pages=5, with_text=1), PdfWithoutTextError, "4 of its 5 pages"),
        (hostile_pdfs.unmapped_fonts(), PdfWithoutTextError, "fonts map 37 of its 37 glyphs"),
    ],
)
def test_a_pdf_that_cannot_be_read_has_a_reason(pdf: bytes, expected: type[MedkgError], message: str) -> None:
    with pytest.raises(expected, match=message):
        read(pdf)


def test_more_pages_or_characters_than_the_limits_are_refused_by_number() -> None:
    pdf = hostile_pdfs.many_pages(6, lines=20)
    with pytest.raises(PdfLimitError, match="6 pages"):
        read(pdf, Limits(pages=5))
    with pytest.raises(PdfLimitError, match="page 1 has"):
        read(pdf, Limits(characters_a_page=100))
    with pytest.raises(PdfLimitError, match="page 4 has"):
        read(pdf, Limits(characters=4_000))


def test_a_page_of_impossible_size_is_refused_by_number() -> None:
    pdf = hostile_pdfs.a_plain_pdf("Walking").replace(b"[0 0 595 842]", b"[0 0 595 9000000000842.0]")
    with pytest.raises(PdfLimitError, match="page 1 is 595 x 9e"):
        read(pdf)


@pytest.mark.parametrize("bomb", [hostile_pdfs.a_bomb, hostile_pdfs.a_bomb_in_a_bomb])
def test_a_bomb_ends_at_a_limit_and_the_next_pdf_is_read(bomb: object) -> None:
    converter = TextLayerConverter(seconds=20, megabytes=512)
    try:
        bomb_bytes: bytes = bomb(300)  # type: ignore[operator]
        assert len(bomb_bytes) < 2_000_000
        (status,) = ended(converter, [converter.submit(bomb_bytes, "bomb")])
        assert isinstance(status.error, PdfLimitError | DagsterStageTimeoutError)
        (after,) = ended(converter, [converter.submit(hostile_pdfs.many_pages(1), "good")])
        assert after.state is ConversionState.DONE
    finally:
        converter.close()


# --- its processes ---------------------------------------------------------------------------------


def test_a_pdf_that_takes_too_long_is_stopped_alone() -> None:
    converter = TextLayerConverter(seconds=0.3)
    try:
        slow = converter.submit(hostile_pdfs.many_pages(1_500), "slow")
        (status,) = ended(converter, [slow])
        assert isinstance(status.error, DagsterStageTimeoutError)
        with pytest.raises(DagsterStageTimeoutError):
            converter.result(slow)
    finally:
        converter.close()


def test_a_killed_worker_is_a_failure_that_may_pass_and_is_replaced() -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    converter = TextLayerConverter()
    try:
        good = converter.submit(hostile_pdfs.many_pages(1), "good")
        ended(converter, [good])
        task_id = converter.submit(hostile_pdfs.many_pages(1_500), "long")
        while converter.poll([task_id])[0].state is ConversionState.QUEUED:
            time.sleep(0.01)
        for child in psutil.Process().children(recursive=True):
            if child.pid not in before and "spawn_main" in " ".join(child.cmdline()):
                os.kill(child.pid, signal.SIGKILL)
        (status,) = ended(converter, [task_id])
        assert isinstance(status.error, StageCrashedError)
        for _ in range(CRASHES):  # the idle processes died too; each may cost one more conversion
            (again,) = ended(converter, [converter.submit(hostile_pdfs.many_pages(1), "good")])
            if again.state is ConversionState.DONE:
                break
            assert isinstance(again.error, StageCrashedError)
        assert again.state is ConversionState.DONE
    finally:
        converter.close()


def test_more_tasks_than_it_holds_are_refused_until_some_are_forgotten(converter: TextLayerConverter) -> None:
    pdf = hostile_pdfs.a_plain_pdf("Participants walked before they slept.")
    task_ids = [converter.submit(pdf, f"PMC{number}") for number in range(8)]
    with pytest.raises(RateLimitedError) as caught:
        converter.submit(pdf, "PMC9")
    assert caught.value.retry_after
    converter.forget(task_ids)
    assert isinstance(converter.poll(task_ids[:1])[0].error, ConversionLostError)
    converter.forget([converter.submit(pdf, "PMC9")])


def test_a_result_that_is_not_there_yet_is_a_failure_that_passes(converter: TextLayerConverter) -> None:
    task_id = converter.submit(hostile_pdfs.many_pages(300), "PMC1")
    with pytest.raises(ConversionFailedError, match="still being read"):
        converter.result(task_id)
    converter.forget([task_id])


def test_a_pdf_over_the_size_limit_is_refused_at_once() -> None:
    with pytest.raises(DocumentTooLargeError, match="max_megabytes"):
        TextLayerConverter(max_megabytes=1).submit(b"0" * 1_000_001, "PMC1")


def test_a_wrong_field_of_the_configuration_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="Valid fields: characters, max_megabytes"):
        TextLayerConverter(colour="red")
