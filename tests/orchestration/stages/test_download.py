"""The download stage: the PDF of the first place that has it, checked by its bytes; its provenance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from medkg.testing.builders import a_context, a_payload
from medkg.testing.stage_suite import DownloadStageSuite
from orchestration.contracts import ObjectStore
from orchestration.contracts.downloads import PdfLink
from orchestration.errors import (
    AddressRefusedError,
    DagsterResourceUnavailableError,
    MalformedDocumentError,
    NotAPdfError,
)
from orchestration.parsing.plain_text import PlainTextParser
from orchestration.records import RawPayload
from orchestration.resilience.guard import Guard
from orchestration.resilience.policies import ResiliencePolicyConfig
from orchestration.stages.download import Download
from orchestration.stages.services import DownloadLimits
from orchestration.stores.objects.opening import open_objects
from orchestration.web.client import PoliteWebClient
from tests.orchestration.web.file_server import Answer, FileServer, serving
from tests.present import present

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
    ) as client:
        yield client


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_objects((tmp_path / "objects").as_uri())


@pytest.fixture
def download_of(
    objects: ObjectStore, server: FileServer, tmp_path: Path
) -> Iterator[Callable[..., Download]]:
    """download_of("europepmc.org"): the stage, which fetches from these hosts alone."""
    policy = ResiliencePolicyConfig.model_validate(
        {"max_attempts": 1, "timeout_seconds": 5, "backoff_strategy": {"kind": "none"}}
    )
    with PoliteWebClient(lambda _: Guard("web", policy, 0, observers=[]), "medkg/test", [server.host]) as web:

        def make(*hosts: str) -> Download:
            limits = DownloadLimits(tmp_path / "downloads", 1_000_000, 30, frozenset(hosts))
            parsers = {"linked-text": LinkedText(), "text": PlainTextParser()}
            return Download(lambda: web, objects, parsers, limits)

        yield make


@pytest.fixture
def downloading(download_of: Callable[..., Download]) -> Download:
    return download_of()


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
    stored = objects.get(pdf.stored)
    assert stored is not None and stored.data == PDF
    (provenance,) = [entry.key for entry in objects.list("pdfs") if entry.key.endswith(".json")]
    provenance_record = json.loads(present(objects.get(provenance)).data)
    assert (provenance_record["url"], provenance_record["licence"]) == (f"{server.url}/paper", "cc-by")
    assert (provenance_record["sha256"], provenance_record["bytes"]) == (pdf.version, len(PDF))


def test_the_same_pdf_of_two_documents_is_kept_once(
    downloading: Download, server: FileServer, objects: ObjectStore
) -> None:
    first, _ = downloading.execute(a_context("W1"), [a_record(server, "paper")])
    second, _ = downloading.execute(a_context("W2"), [a_record(server, "mislabelled")])
    assert first.stored == second.stored
    assert len([entry for entry in objects.list("pdfs") if entry.key.endswith(".pdf")]) == 1


def test_another_tenant_has_a_separate_pdf(downloading: Download, server: FileServer) -> None:
    first, _ = downloading.execute(a_context("W1"), [a_record(server, "paper")])
    second, _ = downloading.execute(a_context("W1", tenant_id="other"), [a_record(server, "paper")])
    assert first.stored != second.stored


def test_a_link_without_a_pdf_is_passed_over(downloading: Download, server: FileServer) -> None:
    pdf, _ = downloading.execute(a_context("W1"), [a_record(server, "landing", "gone", "archive", "paper")])
    assert pdf.uri == f"{server.url}/paper"


def test_a_landing_page_is_recognised_by_its_content(downloading: Download, server: FileServer) -> None:
    with pytest.raises(NotAPdfError, match="/landing is a web page"):
        downloading.execute(a_context("W1"), [a_record(server, "landing")])


def test_every_link_is_named_when_none_leads_to_a_pdf(downloading: Download, server: FileServer) -> None:
    with pytest.raises(NotAPdfError, match=r"none of its 3 links.*1\. .*/landing.*2\. .*/archive.*3\. .*404"):
        downloading.execute(a_context("W1"), [a_record(server, "landing", "archive", "gone")])


def test_a_place_that_is_busy_is_waited_for_unless_another_has_the_pdf(
    downloading: Download, server: FileServer
) -> None:
    with pytest.raises(DagsterResourceUnavailableError) as raised:
        downloading.execute(a_context("W1"), [a_record(server, "busy", "landing")])
    assert raised.value.retry_after == 2
    pdf, _ = downloading.execute(a_context("W1"), [a_record(server, "busy", "paper")])
    assert pdf.uri == f"{server.url}/paper"


def test_only_allowed_hosts_are_asked_if_some_are_named(
    download_of: Callable[..., Download], server: FileServer
) -> None:
    with pytest.raises(AddressRefusedError, match=r"is not one of those allowed \(europepmc.org\)"):
        download_of("europepmc.org").execute(a_context("W1"), [a_record(server, "paper")])
    assert not server.requests


@pytest.mark.parametrize("link", ["ftp://example.org/x.pdf", "paper.pdf", "file:///etc/passwd", "http:///x"])
def test_a_link_that_is_not_of_the_web_is_refused(link: str, downloading: Download) -> None:
    with pytest.raises(AddressRefusedError, match="not an http or https URL"):
        downloading.execute(a_context("W1"), [a_payload(link, "linked-text")])


def test_the_error_of_a_record_without_a_link_names_the_next_step(downloading: Download) -> None:
    with pytest.raises(MalformedDocumentError, match="has no link to a PDF"):
        downloading.execute(a_context("W1"), [a_payload("A text.", "text")])


def test_a_pdf_that_was_ingested_is_kept_without_a_fetch(
    downloading: Download, server: FileServer, objects: ObjectStore
) -> None:
    (pdf,) = downloading.execute(a_context("paper.pdf"), [a_payload(PDF.decode(), "pdf")])
    assert pdf.stored is not None and objects.get(pdf.stored) is not None
    assert not server.requests
