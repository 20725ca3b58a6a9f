"""The download stage: the PDF of the first place that has it, told by its bytes; a record behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from orchestration.contracts import ObjectStore
from orchestration.contracts.downloads import PdfLink
from orchestration.errors import MalformedDocumentError, NotAPdfError, RateLimitedError
from orchestration.parsing.plain_text import PlainTextParser
from orchestration.records import RawPayload
from orchestration.stages.download import Download
from orchestration.stores.objects.opened import open_objects
from orchestration.web.file_download import FileDownload
from tests.builders import a_context, a_payload
from tests.conformance.stage_suite import DownloadStageSuite
from tests.orchestration.web.file_server import Answer, FileServer, serving

PDF = b"%PDF-1.7\n" + b"x" * 5000
LANDING_PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class LinkedText(PlainTextParser):
    """A format whose records are lines: links and their licences."""

    format = "linked-text"

    def pdf_links(self, payload: RawPayload) -> Sequence[PdfLink]:
        return [PdfLink(url=line, licence="cc-by") for line in payload.content.decode().split()]


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(
        paper=Answer(PDF),
        mislabelled=Answer(PDF, content_type="text/html"),
        landing=Answer(LANDING_PAGE),
        archive=Answer(b"PK\x03\x04 not a PDF"),
        busy=Answer(status=429, headers={"Retry-After": "2"}),
    ) as made:
        yield made


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_objects((tmp_path / "objects").as_uri())


@pytest.fixture
def downloading(server: FileServer, objects: ObjectStore, tmp_path: Path) -> Iterator[Download]:
    with FileDownload(tmp_path / "d", 1_000_000, 30, "medkg/test", private=[server.host]) as files:
        parsers = {"linked-text": LinkedText(), "text": PlainTextParser()}
        yield Download(files, objects, parsers)


def a_record(server: FileServer, *names: str) -> RawPayload:
    return a_payload("\n".join(f"{server.url}/{name}" for name in names), "linked-text", doc_id="W1")


class TestDownload(DownloadStageSuite):
    @pytest.fixture
    def stage(self, downloading: Download) -> Download:
        return downloading

    @pytest.fixture
    def value(self, server: FileServer) -> list[RawPayload]:
        return [a_record(server, "paper").model_copy(update={"doc_id": "doc"})]


def test_the_pdf_is_kept_by_content_with_where_it_came_from(
    downloading: Download, server: FileServer, objects: ObjectStore
) -> None:
    record = a_record(server, "paper")
    pdf, behind = downloading.execute(a_context("W1"), [record])
    assert behind is record
    assert (pdf.format, pdf.content, pdf.uri) == ("pdf", b"", f"{server.url}/paper")
    assert pdf.stored is not None
    kept = objects.get(pdf.stored)
    assert kept is not None and kept.data == PDF
    (provenance,) = [one.key for one in objects.list("pdfs") if one.key.endswith(".json")]
    told = json.loads(objects.get(provenance).data)  # type: ignore[union-attr]
    assert (told["url"], told["licence"]) == (f"{server.url}/paper", "cc-by")
    assert (told["sha256"], told["bytes"]) == (pdf.version, len(PDF))


def test_the_same_pdf_of_two_documents_is_kept_once(
    downloading: Download, server: FileServer, objects: ObjectStore
) -> None:
    first, _ = downloading.execute(a_context("W1"), [a_record(server, "paper")])
    second, _ = downloading.execute(a_context("W2"), [a_record(server, "mislabelled")])
    assert first.stored == second.stored
    assert len([one for one in objects.list("pdfs") if one.key.endswith(".pdf")]) == 1


def test_another_tenant_has_its_own(downloading: Download, server: FileServer) -> None:
    first, _ = downloading.execute(a_context("W1"), [a_record(server, "paper")])
    second, _ = downloading.execute(a_context("W1", tenant_id="other"), [a_record(server, "paper")])
    assert first.stored != second.stored


def test_a_place_without_the_pdf_is_passed_over(downloading: Download, server: FileServer) -> None:
    pdf, _ = downloading.execute(a_context("W1"), [a_record(server, "landing", "gone", "archive", "paper")])
    assert pdf.uri == f"{server.url}/paper"


def test_a_landing_page_is_told_by_its_content(downloading: Download, server: FileServer) -> None:
    with pytest.raises(NotAPdfError, match="/landing is a web page"):
        downloading.execute(a_context("W1"), [a_record(server, "landing")])


def test_every_place_is_named_when_none_has_the_pdf(downloading: Download, server: FileServer) -> None:
    with pytest.raises(
        NotAPdfError, match=r"none of its 3 places.*1\. .*/landing.*2\. .*/archive.*3\. .*404"
    ):
        downloading.execute(a_context("W1"), [a_record(server, "landing", "archive", "gone")])


def test_a_place_that_is_busy_is_worth_another_try(downloading: Download, server: FileServer) -> None:
    with pytest.raises(RateLimitedError) as raised:
        downloading.execute(a_context("W1"), [a_record(server, "busy", "landing")])
    assert raised.value.retry_after == 2


def test_a_record_without_a_link_says_what_to_do(downloading: Download) -> None:
    with pytest.raises(MalformedDocumentError, match="names no place that has the PDF"):
        downloading.execute(a_context("W1"), [a_payload("A text.", "text")])


def test_a_pdf_that_was_ingested_is_kept_without_a_fetch(
    downloading: Download, server: FileServer, objects: ObjectStore
) -> None:
    (pdf,) = downloading.execute(a_context("paper.pdf"), [a_payload(PDF.decode(), "pdf")])
    assert pdf.stored is not None and objects.get(pdf.stored) is not None
    assert not server.asked
