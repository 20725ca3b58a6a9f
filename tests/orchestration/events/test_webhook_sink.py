"""The sink `webhook`: batches in order, and what each answer of the receiver means."""

from __future__ import annotations

import json
from collections.abc import Sequence

import httpx
import pytest
import respx

from orchestration.contracts.facts import Fact, StageStarted
from orchestration.errors import DagsterResourceUnavailableError, RequestRejectedError
from orchestration.events.webhook import WebhookSink

ADDRESS = "https://user:secret@hooks.example.org/secret/path"


class Numbered:
    def __init__(self, number: int, size: int = 0) -> None:
        self.number = number
        self.size = size

    def structured(self) -> bytes:
        return json.dumps({"number": self.number, "filling": "x" * self.size}).encode()


def facts(count: int) -> list[Fact]:
    return [
        Fact(sequence=n, position=n, ledger="ledger", happened_at=1.0, body=StageStarted(stage="parse"))
        for n in range(1, count + 1)
    ]


def numbered(fact: Fact) -> Sequence[Numbered]:
    return [Numbered(fact.position)]


def large(fact: Fact) -> Sequence[Numbered]:
    return [Numbered(fact.position, 700_000)]


def numbers(call: respx.models.Call) -> list[int]:
    return [event["number"] for event in json.loads(call.request.content)]


@respx.mock
def test_events_are_posted_in_batches_in_their_order() -> None:
    route = respx.post(ADDRESS).respond(204)
    sink = WebhookSink(ADDRESS, numbered, "a-token")
    assert sink.publish(facts(1_100), "state") == "state"
    sent = [numbers(call) for call in route.calls]
    assert [len(batch) for batch in sent] == [500, 500, 100]
    assert [number for batch in sent for number in batch] == list(range(1, 1_101))
    request = route.calls[0].request
    assert request.headers["content-type"] == "application/cloudevents-batch+json; charset=utf-8"
    assert request.headers["authorization"] == "Bearer a-token"
    sink.close()
    sink.close()


@respx.mock
def test_a_batch_is_bounded_in_bytes() -> None:
    route = respx.post(ADDRESS).respond(200)
    WebhookSink(ADDRESS, large).publish(facts(3), "")
    assert [numbers(call) for call in route.calls] == [[1], [2], [3]]


@respx.mock
def test_facts_without_events_are_not_posted() -> None:
    WebhookSink(ADDRESS, lambda fact: []).publish(facts(2), "")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
@respx.mock
def test_a_receiver_that_asks_for_later_is_unavailable(status: int) -> None:
    respx.post(ADDRESS).respond(status, headers={"retry-after": "7"})
    with pytest.raises(DagsterResourceUnavailableError, match=f"HTTP {status}") as caught:
        WebhookSink(ADDRESS, numbered).publish(facts(1), "")
    assert caught.value.retry_after == 7.0
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("error", [httpx.ReadTimeout("late"), httpx.ConnectError("refused")])
@respx.mock
def test_a_receiver_that_does_not_answer_is_unavailable(error: httpx.HTTPError) -> None:
    respx.post(ADDRESS).mock(side_effect=error)
    with pytest.raises(DagsterResourceUnavailableError, match=r"https://hooks.example.org is unavailable"):
        WebhookSink(ADDRESS, numbered).publish(facts(1), "")


@pytest.mark.parametrize("status", [301, 400, 401, 404, 422])
@respx.mock
def test_a_refusal_keeps_the_events_and_names_the_settings(status: int) -> None:
    respx.post(ADDRESS).respond(status, text="no such hook")
    with pytest.raises(RequestRejectedError, match=r"no such hook.*MEDKG_EVENTS_WEBHOOK") as caught:
        WebhookSink(ADDRESS, numbered).publish(facts(1), "")
    assert caught.value.status == status
    assert "secret" not in caught.value.message


@respx.mock
def test_events_behind_a_failed_batch_are_not_posted() -> None:
    route = respx.post(ADDRESS).mock(side_effect=[httpx.Response(200), httpx.Response(503)])
    with pytest.raises(DagsterResourceUnavailableError):
        WebhookSink(ADDRESS, numbered).publish(facts(1_500), "")
    assert route.call_count == 2
