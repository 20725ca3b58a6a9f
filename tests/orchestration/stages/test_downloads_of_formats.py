"""The download stage over the links that our formats give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from medkg.testing.builders import a_context, a_payload, a_pubmed_article, an_article, an_openalex_work
from orchestration.contracts.web import DownloadedFile
from orchestration.errors import MalformedDocumentError, NotAPdfError, RequestRejectedError
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.openalex import OpenAlexParser
from orchestration.parsing.pubmed import PubmedXmlParser
from orchestration.records import RawPayload
from orchestration.stages.download import Download
from orchestration.stages.services import DownloadLimits
from orchestration.stores.objects.folder import FolderObjects
from tests.present import present

PARSERS = {parser.format: parser for parser in (JatsParser(), OpenAlexParser(), PubmedXmlParser())}
PDF_BYTES = b"%PDF-1.7 of walks"


class Web:
    """A WebClient over pages that are at hand; any other address is not found."""

    def __init__(self, pages: Mapping[str, bytes]) -> None:
        self._pages = pages

    def download(self, url: str, path: Path, **_: object) -> DownloadedFile:
        if url not in self._pages:
            raise RequestRejectedError(f"{url}: 404 Not Found.")
        content = self._pages[url]
        path.write_bytes(content)
        return DownloadedFile(url, path, len(content), sha256(content).hexdigest())


def downloaded(
    folder: Path, pages: Mapping[str, bytes], record: RawPayload
) -> tuple[RawPayload, dict[str, Any]]:
    """The PDF and its provenance."""
    objects = FolderObjects(folder / "objects")
    limits = DownloadLimits(folder / "downloads", 1_000_000, 30)
    stage = Download(lambda: Web(pages), objects, PARSERS, limits)  # type: ignore[arg-type,return-value]
    pdf, *_ = stage.execute(a_context(), [record])
    assert pdf.stored is not None
    (provenance,) = [
        entry.key for entry in objects.list(pdf.stored.rpartition("/")[0]) if "from-" in entry.key
    ]
    assert present(objects.get(pdf.stored)).data == PDF_BYTES
    return pdf, json.loads(present(objects.get(provenance)).data)


def test_a_work_whose_journal_gives_a_landing_page_is_had_from_the_repository(tmp_path: Path) -> None:
    work = a_payload(an_openalex_work(1), "openalex", doc_id="W1", source="openalex")
    pages = {
        "https://walks.example/articles/1.pdf": b"<!DOCTYPE html><title>Log in</title>",
        "https://repository.example/1/full.pdf": PDF_BYTES,
    }
    pdf, provenance = downloaded(tmp_path, pages, work)
    assert pdf.uri == provenance["url"] == "https://repository.example/1/full.pdf"
    assert provenance["licence"] is None


def test_an_article_of_pmc_is_had_from_its_bucket_with_its_licence(tmp_path: Path) -> None:
    article = an_article(
        meta='<article-id pub-id-type="pmcid-ver">PMC1234567.1</article-id>'
        '<self-uri content-type="pmc-pdf" xlink:href="walk.pdf"/><permissions><license '
        'xlink:href="https://creativecommons.org/licenses/by-nc/4.0/"/></permissions>'
    )
    url = "https://pmc-oa-opendata.s3.amazonaws.com/PMC1234567.1/PMC1234567.1.pdf"
    _, provenance = downloaded(tmp_path, {url: PDF_BYTES}, a_payload(article, "jats", source="pmc"))
    assert (provenance["url"], provenance["licence"]) == (url, "cc-by-nc")


def test_each_link_without_a_pdf_is_named(tmp_path: Path) -> None:
    work = a_payload(an_openalex_work(1), "openalex", doc_id="W1", source="openalex")
    with pytest.raises(NotAPdfError, match=r"none of its 2 links.*articles/1\.pdf.*full\.pdf"):
        downloaded(tmp_path, {}, work)


def test_the_error_of_a_format_without_links_says_so(tmp_path: Path) -> None:
    record = a_payload(a_pubmed_article("1"), "pubmed-xml")
    with pytest.raises(MalformedDocumentError, match="has no link to a PDF"):
        downloaded(tmp_path, {}, record)
