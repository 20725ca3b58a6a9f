"""PubMed and PMC in the shapes of E-utilities: history, batches, large results, and what is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import respx

from medkg.testing.builders import a_pubmed_article, a_pubmed_set
from orchestration.contracts import Page, SourceRequest
from orchestration.errors import CursorRefusedError, ServiceFailedError, UnexpectedAnswerError, UsageError
from orchestration.sources.eutilities import EUtilities
from orchestration.sources.pmc import PmcSource
from orchestration.sources.pubmed import PubmedSource
from orchestration.sources.services import SourceServices
from tests.orchestration.sources.network_sources import API, DAY, PUBMED, NetworkSource
from tests.orchestration.sources.sources import assembled
from tests.servers.replay_server import ReplayServer, replaying
from tests.servers.replay_services import EntrezService, Entry

EGFR = PUBMED.request
FOUND = {"esearchresult": {"count": "1", "webenv": "E", "querykey": "1"}}


@pytest.fixture
def network() -> NetworkSource:
    return PUBMED


def form_of(call: Any) -> dict[str, str]:
    return dict(parse_qsl(call.request.content.decode()))


def ids(pages: list[Page]) -> list[str]:
    return [
        text.split(b"<")[0].decode() for page in pages for text in page.content.split(b'Version="1">')[1:]
    ]


@respx.mock
def test_a_search_is_kept_on_the_history_server_and_says_who_asks(services: SourceServices) -> None:
    search = respx.post(f"{API}/esearch.fcgi").respond(json=FOUND)
    fetch = respx.post(f"{API}/efetch.fcgi").respond(content=a_pubmed_set(a_pubmed_article("1")))
    (page,) = PubmedSource(services).pages(EGFR, datetime(2026, 11, 28, 3, tzinfo=UTC), None)
    parameters = form_of(search.calls.last)
    assert {name: parameters[name] for name in ("db", "term", "usehistory", "datetype", "mindate")} == {
        "db": "pubmed",
        "term": "EGFR[Title]",
        "usehistory": "y",
        "datetype": "mdat",
        "mindate": "2026/11/27",
    }
    assert {name: parameters[name] for name in ("tool", "email", "api_key")} == {
        "tool": "medkg",
        "email": "ann@example.org",
        "api_key": "s3cret",
    }
    assert form_of(fetch.calls.last)["WebEnv"] == "E"
    assert (ids([page]), page.cursor, page.total) == (["1"], None, 1)


@respx.mock
def test_pmc_is_asked_for_open_articles_only(services: SourceServices) -> None:
    search = respx.post(f"{API}/esearch.fcgi").respond(json=FOUND)
    respx.post(f"{API}/efetch.fcgi").respond(text="<pmc-articleset></pmc-articleset>")
    list(PmcSource(services).pages(SourceRequest(plugin="pmc", query="EGFR OR KRAS"), None, None))
    assert form_of(search.calls.last)["term"] == "(EGFR OR KRAS) AND open access[filter]"


def entrez(server: ReplayServer, tmp_path: Path, most_records: int) -> Iterator[EUtilities]:
    with assembled(tmp_path, ncbi_url=server.url) as assembly:
        services = SourceServices(lambda: assembly.web, assembly.settings)
        yield EUtilities(services, "pubmed", "pubmed-xml", b"</PubmedArticleSet>", 2, most_records)


@pytest.mark.parametrize("most_records", [1, 2, 3, 6, 7])
def test_a_result_that_is_too_large_comes_in_ranges_of_days(
    server: ReplayServer, tmp_path: Path, most_records: int
) -> None:
    for source in entrez(server, tmp_path, most_records):
        pages = list(source.pages("EGFR", None, None))
        assert sorted(ids(pages)) == [str(number) for number in range(1, 8)]
        assert pages[-1].cursor is None


@pytest.mark.parametrize("taken", [1, 2, 3])
def test_a_listing_goes_on_from_any_cursor(server: ReplayServer, tmp_path: Path, taken: int) -> None:
    for source in entrez(server, tmp_path, 3):
        before = [page for page, _ in zip(source.pages("EGFR", None, None), range(taken), strict=False)]
        after = list(source.pages("EGFR", None, before[-1].cursor))
        assert sorted(ids(before) + ids(after)) == [str(number) for number in range(1, 8)]


def test_more_records_of_one_day_than_can_be_listed_are_a_wrong_query(tmp_path: Path) -> None:
    entries = [Entry(str(number), DAY, a_pubmed_article(str(number))) for number in range(5)]
    with replaying(EntrezService(entries, "PubmedArticleSet")) as server:
        for source in entrez(server, tmp_path, 4):
            with pytest.raises(UsageError, match="Narrow"):
                list(source.pages("EGFR", None, None))


def test_nothing_found_is_an_empty_page(server: ReplayServer, tmp_path: Path) -> None:
    for source in entrez(server, tmp_path, 3):
        (page,) = source.pages("EGFR", datetime.now(UTC), None)
        assert (page.content, page.total, page.cursor) == (b"", 0, None)


def test_a_result_that_the_history_server_forgot_starts_again(server: ReplayServer, tmp_path: Path) -> None:
    for source in entrez(server, tmp_path, 9):
        first = next(source.pages("EGFR", None, None))
        server.service.forget()  # type: ignore[attr-defined]
        with pytest.raises(CursorRefusedError):
            list(source.pages("EGFR", None, first.cursor))
        with pytest.raises(CursorRefusedError):
            list(source.pages("EGFR", None, "of another version"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({}, UnexpectedAnswerError),
        ([], UnexpectedAnswerError),
        ({"esearchresult": {"count": 1}}, UnexpectedAnswerError),
        ({"esearchresult": {"count": "many", "webenv": "E", "querykey": "1"}}, UnexpectedAnswerError),
        ({"esearchresult": {"ERROR": "Search Backend failed"}}, ServiceFailedError),
    ],
)
@respx.mock
def test_a_search_of_another_shape_says_so(
    services: SourceServices, answer: object, error: type[Exception]
) -> None:
    respx.post(f"{API}/esearch.fcgi").respond(json=answer)
    with pytest.raises(error):
        list(PubmedSource(services).pages(EGFR, None, None))


@respx.mock
def test_batches_that_are_cut_off_and_errors_of_the_moment_are_overcome(services: SourceServices) -> None:
    whole = a_pubmed_set(a_pubmed_article("1"))
    respx.post(f"{API}/esearch.fcgi").mock(
        side_effect=[
            httpx.Response(200, json={"esearchresult": {"ERROR": "Search Backend failed"}}),
            httpx.Response(200, json=FOUND),
        ]
    )
    respx.post(f"{API}/efetch.fcgi").mock(
        side_effect=[
            httpx.Response(429, json={"error": "API rate limit exceeded"}),
            httpx.Response(200, content=whole[: len(whole) // 2]),
            httpx.Response(200, content=b""),
            httpx.Response(500),
            httpx.Response(200, content=whole),
        ]
    )
    assert ids(list(PubmedSource(services).pages(EGFR, None, None))) == ["1"]


@respx.mock
def test_records_that_are_no_xml_say_so(services: SourceServices) -> None:
    respx.post(f"{API}/esearch.fcgi").respond(json=FOUND)
    respx.post(f"{API}/efetch.fcgi").respond(text=json.dumps({"error": "moved"}))
    with pytest.raises(UnexpectedAnswerError, match="no XML"):
        list(PubmedSource(services).pages(EGFR, None, None))
