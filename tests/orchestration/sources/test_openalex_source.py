"""OpenAlex in the shapes of its API: cursors, keys, changes that a plan does not list, other answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import httpx
import pytest
import respx

from medkg.testing.builders import an_openalex_work
from orchestration.assembly import Assembly
from orchestration.contracts import SourceRequest
from orchestration.errors import CursorRefusedError, UnexpectedAnswerError, UsageError
from orchestration.sources.openalex import OpenAlexSource
from orchestration.sources.services import SourceServices
from tests.orchestration.sources.network_sources import API, OPENALEX, NetworkSource
from tests.servers.replay_server import ReplayServer
from tests.servers.replay_services import OpenAlexService

EGFR = OPENALEX.request


@pytest.fixture
def network() -> NetworkSource:
    return OPENALEX


@respx.mock
def test_the_listing_ends_at_a_null_cursor_and_says_who_asks(paged: OpenAlexSource) -> None:
    respx.get(f"{API}/works", params={"cursor": "*", "search": "EGFR"}).respond(
        json={"meta": {"count": 1, "next_cursor": "b"}, "results": [an_openalex_work(1)]}
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
    request = SourceRequest(plugin="openalex", query="filter=is_oa:true")
    list(paged.pages(request, datetime(2026, 11, 28, tzinfo=UTC), None))
    assert route.calls.last.request.url.params["filter"] == "is_oa:true,from_updated_date:2026-11-27"


@pytest.fixture
def plugin(assembly: Assembly) -> OpenAlexSource:
    """The plugin alone, in front of the simulated service."""
    return OpenAlexSource.from_services(SourceServices(lambda: assembly.web, assembly.settings))


def test_where_changes_are_refused_everything_is_enumerated(
    server: ReplayServer, plugin: OpenAlexSource
) -> None:
    cast(OpenAlexService, server.service).lists_changes = False
    first, *_ = plugin.pages(EGFR, datetime(2026, 11, 28, tzinfo=UTC), None)
    assert first.total == 7


def test_an_unknown_cursor_has_its_own_error(plugin: OpenAlexSource) -> None:
    with pytest.raises(CursorRefusedError):
        list(plugin.pages(EGFR, None, "bm9uc2Vuc2U="))


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


def test_a_query_is_needed(paged: OpenAlexSource) -> None:
    with pytest.raises(UsageError, match="--query"):
        list(paged.pages(SourceRequest(plugin="openalex"), None, None))
