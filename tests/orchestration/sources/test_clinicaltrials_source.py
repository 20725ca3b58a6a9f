"""ClinicalTrials.gov in the shapes of its API: pages, changes, refusals, and answers that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import respx

from medkg.testing.builders import TENANT, a_study
from medkg.testing.source_suite import good_items, request_of
from orchestration.assembly import Assembly
from orchestration.contracts import ListedSource, Page, Source, SourceRequest
from orchestration.errors import (
    CursorRefusedError,
    InputUnreadableError,
    MedkgError,
    ServiceFailedError,
    UnavailableError,
    UnexpectedAnswerError,
    UsageError,
)
from orchestration.records import AdapterRequest, RawPayload
from orchestration.sources.clinicaltrials import ClinicalTrialsSource
from orchestration.sources.landing import Landing
from orchestration.sources.services import SourceServices
from tests.orchestration.sources.network_sources import API, CLINICALTRIALS, NetworkSource, studies
from tests.orchestration.sources.sources import assembled
from tests.servers.replay_server import ReplayServer
from tests.servers.replay_services import ClinicalTrialsService

STUDIES = f"{API}/studies"
EGFR = CLINICALTRIALS.request


@pytest.fixture
def network() -> NetworkSource:
    return CLINICALTRIALS


def ids(page: Page) -> list[str]:
    return [
        study["protocolSection"]["identificationModule"]["nctId"]
        for study in json.loads(page.content)["studies"]
    ]


def pages(source: ClinicalTrialsSource, request: SourceRequest = EGFR, **position: Any) -> list[Page]:
    return list(source.pages(request, position.get("since"), position.get("cursor")))


@respx.mock
def test_pages_follow_their_tokens_to_the_end(paged: ClinicalTrialsSource) -> None:
    first, second, third = studies(3)
    respx.get(STUDIES, params={"query.term": "EGFR", "pageToken": "t2"}).respond(json={"studies": [third]})
    respx.get(STUDIES, params={"query.term": "EGFR", "pageSize": "2", "countTotal": "true"}).respond(
        json={"totalCount": 3, "studies": [first, second], "nextPageToken": "t2"}
    )
    listed = pages(paged)
    assert [(page.cursor, page.total, len(ids(page))) for page in listed] == [("t2", 3, 2), (None, None, 1)]
    assert ids(pages(paged, cursor="t2")[0]) == ["NCT00000003"]


@respx.mock
def test_what_changed_is_asked_for_with_a_day_of_overlap(paged: ClinicalTrialsSource) -> None:
    route = respx.get(STUDIES).respond(json={"studies": []})
    request = SourceRequest(
        plugin="clinicaltrials", query="filter.advanced=AREA[Phase]PHASE3&query.cond=asthma"
    )
    pages(paged, request, since=datetime(2026, 11, 28, 3, tzinfo=UTC))
    parameters = route.calls.last.request.url.params
    assert parameters["query.cond"] == "asthma"
    assert parameters["filter.advanced"] == (
        "(AREA[Phase]PHASE3) AND AREA[LastUpdatePostDate]RANGE[2026-11-27,MAX]"
    )


@respx.mock
def test_throttling_server_errors_and_cut_off_answers_are_overcome(paged: ClinicalTrialsSource) -> None:
    respx.get(STUDIES).mock(
        side_effect=[
            httpx.Response(429, headers={"Retry-After": "0"}),
            httpx.Response(500),
            httpx.Response(200, text='{"studies": [{"protocolSec'),
            httpx.Response(200, json={"studies": studies(1)}),
        ]
    )
    assert ids(pages(paged)[0]) == ["NCT00000001"]


@respx.mock
def test_answers_that_stay_cut_off_are_a_failed_service(paged: ClinicalTrialsSource) -> None:
    respx.get(STUDIES).respond(text='{"studies": [')
    with pytest.raises(ServiceFailedError, match="cut off"):
        pages(paged)


@pytest.mark.parametrize("answer", [{}, [], {"studies": {}}, {"studies": [], "nextPageToken": 7}, "no"])
@respx.mock
def test_an_answer_of_another_shape_says_so_at_once(paged: ClinicalTrialsSource, answer: object) -> None:
    route = respx.get(STUDIES).respond(json=answer)
    with pytest.raises(UnexpectedAnswerError, match="studies"):
        pages(paged)
    assert route.call_count == 1


@respx.mock
def test_a_page_token_that_has_expired_is_told_apart_from_a_wrong_query(paged: ClinicalTrialsSource) -> None:
    respx.get(STUDIES).respond(400, text="Incorrect format for pageToken")
    with pytest.raises(CursorRefusedError):
        pages(paged, cursor="old")
    with pytest.raises(MedkgError) as caught:
        pages(paged)
    assert not isinstance(caught.value, CursorRefusedError)


@pytest.mark.parametrize(
    "wrong", [{"query": None}, {"paths": ("/a",), "query": "x"}, {"query": "query.phase=3"}]
)
def test_a_request_that_the_service_cannot_answer_is_refused(
    paged: ClinicalTrialsSource, wrong: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        pages(paged, SourceRequest(plugin="clinicaltrials", **wrong))


# --- landed ----------------------------------------------------------------------------------------


def landed(source: Source) -> ListedSource:
    return cast(ListedSource, source)


def test_many_expired_studies_are_asked_for_in_several_calls_without_an_attempt_spent(
    assembly: Assembly,
) -> None:
    clock = iter(range(0, 1000, 10))  # ten seconds between two readings
    paged = CLINICALTRIALS.paged(SourceServices(lambda: assembly.web, assembly.settings))
    source = Landing(paged, lambda: assembly.objects, assembly.parsers, 10**6, lambda: next(clock))
    requests = [request_of(item) for item in good_items(source, EGFR)]
    assembly.objects.delete_all("raw")
    outcomes = source.fetch(requests)
    unavailable = [
        request
        for request, outcome in zip(requests, outcomes, strict=True)
        if isinstance(outcome, UnavailableError)
    ]
    assert [request.doc_id for request in unavailable] == ["NCT00000005", "NCT00000006", "NCT00000007"]
    assert all(isinstance(outcome, RawPayload) for outcome in source.fetch(unavailable))


@respx.mock
def test_a_total_that_changes_while_it_is_listed_changes_nothing(paged: ClinicalTrialsSource) -> None:
    first, second, third = studies(3)
    respx.get(STUDIES, params={"pageToken": "b"}).respond(json={"totalCount": 99, "studies": [third]})
    respx.get(STUDIES).respond(json={"totalCount": 2, "studies": [first, second], "nextPageToken": "b"})
    assert [page.total for page in pages(paged)] == [2, 99]


def test_the_error_of_a_withdrawn_study_names_the_next_step(
    server: ReplayServer, assembly: Assembly, source: Source
) -> None:
    item, *_ = good_items(source, EGFR)
    assembly.objects.delete_all("raw")
    cast(ClinicalTrialsService, server.service).studies.clear()
    (withdrawn,) = source.fetch([request_of(item)])
    assert isinstance(withdrawn, InputUnreadableError)
    assert "docs delete NCT00000001" in withdrawn.message


def test_empty_and_repeated_pages_are_returned_unchanged(tmp_path: Path) -> None:
    first, second = studies(2)
    answers = {
        None: {"studies": [first], "nextPageToken": "a"},
        "a": {"studies": [], "nextPageToken": "b"},
        "b": {"studies": [first], "nextPageToken": "c"},
        "c": {"studies": [second]},
    }
    with respx.mock, assembled(tmp_path, clinicaltrials_url=API) as assembly:
        respx.get(STUDIES).mock(
            side_effect=lambda request: httpx.Response(200, json=answers[request.url.params.get("pageToken")])
        )
        items = list(assembly.sources["clinicaltrials"].enumerate(EGFR))
    assert [item.doc_id for item in items] == ["NCT00000001", "NCT00000002"]


def test_a_listing_that_turns_in_a_ring_ends(tmp_path: Path) -> None:
    with respx.mock, assembled(tmp_path, clinicaltrials_url=API) as assembly:
        respx.get(STUDIES).respond(json={"studies": [], "nextPageToken": "same"})
        with pytest.raises(UnexpectedAnswerError, match="never end"):
            list(assembly.sources["clinicaltrials"].enumerate(EGFR))


def test_a_broken_study_is_an_item_with_its_error_and_the_others_come(tmp_path: Path) -> None:
    with respx.mock, assembled(tmp_path, clinicaltrials_url=API) as assembly:
        respx.get(STUDIES).respond(json={"studies": [a_study(None), a_study("NCT00000002")]})
        broken, good = list(assembly.sources["clinicaltrials"].enumerate(EGFR))
    assert (broken.error_code, good.doc_id) == ("MEDKG-202", "NCT00000002")


def test_each_tenant_has_its_own_landed_bytes(source: Source) -> None:
    (page,) = landed(source).listing(EGFR, "oncology", None, None)
    request = AdapterRequest(
        tenant_id=TENANT, plugin="clinicaltrials", doc_id="NCT00000001", locator=page.items[0].locator
    )
    assert page.items[0].locator.uri.startswith("raw/oncology/clinicaltrials/")
    (payload,) = source.fetch([request])
    assert isinstance(payload, RawPayload)
    assert payload.uri == "https://clinicaltrials.gov/study/NCT00000001"
