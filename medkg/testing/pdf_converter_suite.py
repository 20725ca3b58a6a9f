"""What every PDF converter promises, as tests. Subclass, give the fixture, and pytest runs them all:

class TestMyConverter(PdfConverterSuite):
    @pytest.fixture
    def converter(self):
        yield MyConverter(...)
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from medkg.testing.builders import a_payload
from medkg.testing.document_checks import assert_sound, blocks_of, indexed_part
from medkg.testing.synthetic_pdfs import Layout, an_article, pdf_of
from orchestration.contracts import (
    ConversionState,
    ConversionStatus,
    ConvertedPdf,
    PdfBlockKind,
    PdfConverter,
)
from orchestration.errors import ConversionLostError, MedkgError, PermanentError
from orchestration.parsing.pdf_ir import PdfIrParser

PATIENCE = 600.0
"""Seconds that the slowest conversion of the suite may take on a slow machine."""

POLL_SECONDS = 0.02
ENDED = (ConversionState.DONE, ConversionState.FAILED)


def ended(converter: PdfConverter, task_ids: Sequence[str]) -> Sequence[ConversionStatus]:
    """The statuses once all tasks have ended; fails after PATIENCE seconds."""

    def are_open(statuses: Sequence[ConversionStatus]) -> bool:
        return not all(status.state in ENDED for status in statuses)

    polling = Retrying(
        retry=retry_if_result(are_open), stop=stop_after_delay(PATIENCE), wait=wait_fixed(POLL_SECONDS)
    )
    try:
        return polling(converter.poll, task_ids)
    except RetryError as error:
        raise AssertionError(f"not ended: {error.last_attempt.result()}") from None


class PdfConverterSuite:
    """Subclass with the fixture `converter`; its service, if it has one, works."""

    @pytest.fixture
    def converter(self) -> PdfConverter:
        raise NotImplementedError("give the converter under test")

    @pytest.fixture
    def pdf(self) -> bytes:
        return pdf_of(an_article(1, paragraphs=2), Layout(columns=2, tables="rules"))

    def test_names_itself_its_version_and_how_much_it_takes(self, converter: PdfConverter) -> None:
        assert converter.name and converter.version and converter.capacity >= 1

    def test_a_pdf_becomes_a_sound_document_with_pages_and_boxes(
        self, converter: PdfConverter, pdf: bytes
    ) -> None:
        task_id = converter.submit(pdf, "PMC1")
        (status,) = ended(converter, [task_id])
        assert (status.task_id, status.state, status.error) == (task_id, ConversionState.DONE, None)

        converted = converter.result(task_id)
        document = PdfIrParser().parse(a_payload(converted, "pdf-ir"), "default")

        assert_sound(document)
        assert document.title == an_article(1).title
        assert document.metadata["converter"].startswith(converter.name)
        assert all(block.page_no and block.boxes for block in blocks_of(indexed_part(document)))
        (table,) = document.tables
        assert table.rows[0] == ("Group", "Participants", "Minutes of sleep", "p")

    def test_boxes_stand_on_their_pages(self, converter: PdfConverter, pdf: bytes) -> None:
        task_id = converter.submit(pdf, "PMC1")
        ended(converter, [task_id])
        converted = ConvertedPdf.model_validate_json(converter.result(task_id))
        pages = {page.page_no: page for page in converted.pages}
        assert len(pages) >= 2 and {block.page_no for block in converted.blocks} == set(pages)
        for block in converted.blocks:
            for box in block.boxes:
                page = pages[box.page_no]
                assert 0 <= box.left < box.right <= page.width and 0 <= box.top < box.bottom <= page.height
        title = next(block for block in converted.blocks if block.kind is PdfBlockKind.TITLE)
        assert title.boxes[0].bottom < 150

    def test_a_result_can_be_fetched_again(self, converter: PdfConverter, pdf: bytes) -> None:
        task_id = converter.submit(pdf, "PMC1")
        ended(converter, [task_id])
        assert converter.result(task_id) == converter.result(task_id)

    def test_statuses_come_in_the_order_of_the_ids_and_unknown_ids_are_lost(
        self, converter: PdfConverter, pdf: bytes
    ) -> None:
        known = [converter.submit(pdf, f"PMC{number}") for number in range(2)]
        task_ids = [known[1], "0123456789abcdef", known[0]]
        statuses = ended(converter, task_ids)
        assert [status.task_id for status in statuses] == task_ids
        assert isinstance(statuses[1].error, ConversionLostError)
        assert converter.poll([]) == []
        with pytest.raises(ConversionLostError):
            converter.result("0123456789abcdef")

    @pytest.mark.parametrize("content", [b"", b"no PDF at all", b"%PDF-1.7\nbroken"])
    def test_what_is_no_pdf_is_a_permanent_error(self, converter: PdfConverter, content: bytes) -> None:
        try:
            (status,) = ended(converter, [converter.submit(content, "PMC1")])
            error: MedkgError | None = status.error
        except MedkgError as refused:
            error = refused
        assert isinstance(error, PermanentError)

    def test_forgetting_is_idempotent_and_closing_too(self, converter: PdfConverter, pdf: bytes) -> None:
        task_id = converter.submit(pdf, "PMC1")
        converter.forget([task_id, "never-known"])
        converter.forget([task_id])
        converter.close()
        converter.close()
