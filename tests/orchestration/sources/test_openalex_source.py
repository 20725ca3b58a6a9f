"""OpenAlex in the shapes of its API: cursors, keys, changes that a plan does not tell, other answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import httpx
import pytest
import respx

from medkg.testing.builders import a_work
from medkg.testing.source_suite import SourceSuite, good_items, request_of
from orchestration.contracts import Source, SourceRequest
from orchestration.errors import CursorRefusedError, UnexpectedAnswerError, UsageError
from orchestration.sources.openalex import OpenAlexSource
from orchestration.sources.services import SourceServices
from tests.orchestration.sources.sources import assembled
from tests.servers.replay_server import ReplayServer, replaying
from tests.servers.replay_services import OpenAlexService

API = "https://works.example"
EGFR = SourceRequest(source="openalex", query="EGFR")


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with replaying(OpenAlexService([a_work(number) for number in range(1, 8)])) as server:
        yield server


class TestOpenAlexIsASource(SourceSuite):
    @pytest.fixture
    def source(self, server: ReplayServer, tmp_path: Path) -> Iterator[Source]:
        with assembled(tmp_path, openalex_url=server.url) as assembly:
            yield assembly.sources["openalex"]

    @pytest.fixture
    def request_for_all(self) -> SourceRequest:
        return EGFR

    @pytest.fixture
    def wrong_request(self) -> SourceRequest:
        return SourceRequest(source="openalex", query="filter=is_oa:true&page=3")


@pytest.fixture
def paged(tmp_path: Path) -> Iterator[OpenAlexSource]:
    with assembled(
        tmp_path, openalex_url=API, openalex_api_key="s3cret", contact="ann@example.org"
    ) as assembly:
        yield OpenAlexSource(SourceServices(lambda: assembly.web, assembly.settings), page_size=2)


@respx.mock
def test_the_listing_ends_at_a_null_cursor_and_says_who_asks(paged: OpenAlexSource) -> None:
    respx.get(f"{API}/works", params={"cursor": "*", "search": "EGFR"}).respond(
        json={"meta": {"count": 1, "next_cursor": "b"}, "results": [a_work(1)]}
    )
    last = respx.get(f"{API}/works", params={"cursor": "b", "api_key": "s3cret"}).respond(
        json={"meta": {"count": 1, "next_cursor": None}, "results": []}
    )
    assert [page.cursor for page in paged.pages(EGFR, None, None)] == ["b", None]
    assert last.calls.last.request.url.params["mailto"] == "ann@example.org"
    assert last.calls.last.request.url.params["per_page"] == "2"


@respx.mock
def test_changes_are_a_filter_beside_the_users_own(paged: OpenAlexSource) -> None:
    route = respx.get(f"{API}/works").respond(json={"meta": {"next_cursor": None}, "results": []})
    request = SourceRequest(source="openalex", query="filter=is_oa:true")
    list(paged.pages(request, datetime(2026, 11, 28, tzinfo=UTC), None))
    assert route.calls.last.request.url.params["filter"] == "is_oa:true,from_updated_date:2026-11-27"


def test_where_changes_are_refused_everything_is_listed(server: ReplayServer, tmp_path: Path) -> None:
    cast(OpenAlexService, server.service).tells_changes = False
    with assembled(tmp_path, openalex_url=server.url) as assembly:
        source = OpenAlexSource.from_services(SourceServices(lambda: assembly.web, assembly.settings))
        first, *_ = source.pages(EGFR, datetime(2026, 11, 28, tzinfo=UTC), None)
    assert first.total == 7


def test_an_unknown_cursor_is_told_apart(server: ReplayServer, tmp_path: Path) -> None:
    with assembled(tmp_path, openalex_url=server.url) as assembly:
        source = OpenAlexSource.from_services(SourceServices(lambda: assembly.web, assembly.settings))
        with pytest.raises(CursorRefusedError):
            list(source.pages(EGFR, None, "bm9uc2Vuc2U="))


@pytest.mark.parametrize(
    "answer", [{}, [], {"results": []}, {"meta": {}, "results": {}}, {"meta": [], "results": []}]
)
@respx.mock
def test_an_answer_of_another_shape_says_so(paged: OpenAlexSource, answer: object) -> None:
    respx.get(f"{API}/works").respond(json=answer)
    with pytest.raises(UnexpectedAnswerError):
        list(paged.pages(EGFR, None, None))


@respx.mock
def test_throttling_faults_and_cut_off_answers_are_overcome(paged: OpenAlexSource) -> None:
    respx.get(f"{API}/works").mock(
        side_effect=[
            httpx.Response(429, headers={"Retry-After": "0"}),
            httpx.Response(502),
            httpx.Response(200, text='{"meta": {'),
            httpx.Response(200, json={"meta": {"next_cursor": None}, "results": []}),
        ]
    )
    assert len(list(paged.pages(EGFR, None, None))) == 1


def test_expired_works_are_asked_for_again_together(server: ReplayServer, tmp_path: Path) -> None:
    with assembled(tmp_path, openalex_url=server.url) as assembly:
        source = assembly.sources["openalex"]
        items = good_items(source, EGFR)
        before = source.fetch([request_of(item) for item in items])
        assembly.objects.delete_all("raw")
        asked = len(server.asked)
        assert source.fetch([request_of(item) for item in items]) == before
        assert len(server.asked) == asked + 1


def test_a_query_is_needed(paged: OpenAlexSource) -> None:
    with pytest.raises(UsageError, match="--query"):
        list(paged.pages(SourceRequest(source="openalex"), None, None))
