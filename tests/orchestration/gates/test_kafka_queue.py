"""The queue of conversions on a real Kafka: its guarantees, and what becomes of unreadable messages."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import pytest

from ops.asyncapi import DEAD_LETTER_HEADERS
from orchestration.contracts.pdf_queue import (
    CompletedData,
    ConversionCompleted,
    ConversionFailed,
    ConversionRequested,
    Delivery,
    PdfMessage,
    RequestData,
)
from orchestration.errors import DagsterResourceUnavailableError, MessageRefusedError
from orchestration.events.kafka import Delivering, OutgoingMessage
from orchestration.gates.kafka_queue import KafkaConversionQueue
from orchestration.records import DocumentKey
from tests.orchestration.kafka import messages_of, own_topic, the_cluster

pytestmark = pytest.mark.needs_service("kafka")

RESULTS: Final[set[type]] = {ConversionCompleted, ConversionFailed}
LONG = 60.0


@pytest.fixture
def topic() -> Iterator[str]:
    with own_topic(".dlq") as name:
        yield name


def a_queue(topic: str, receives: set[type], group: str = "group") -> KafkaConversionQueue:
    return KafkaConversionQueue(the_cluster(), f"{topic}-{group}", receives, topic, f"{topic}.dlq")


def a_request(number: int, doc_id: str = "PMC1") -> ConversionRequested:
    return ConversionRequested(
        id=f"{number}-requested",
        source="/medkg/host",
        subject=doc_id,
        time=datetime(2026, 12, 1, tzinfo=UTC),
        correlationid="c",
        data=RequestData(
            task_id=str(number),
            document=DocumentKey(tenant_id="default", source="pmc", doc_id=doc_id),
            converter="mineru",
            pdf_key="pdfs/1",
            pdf_sha256="a" * 64,
            result_key="pdf-ir/1",
        ),
    )


def a_result(number: int) -> ConversionCompleted:
    request = a_request(number)
    return ConversionCompleted(
        **request.model_dump(include={"source", "subject", "time", "correlationid"}),
        id=f"{number}-completed",
        data=CompletedData(
            task_id=str(number),
            document=request.data.document,
            result_key="pdf-ir/1",
            result_sha256="b" * 64,
            converter="mineru/1",
        ),
    )


def received(queue: KafkaConversionQueue, count: int) -> list[Delivery]:
    """So many deliveries; fails after a while."""
    deliveries: list[Delivery] = []
    until = time.monotonic() + LONG
    while len(deliveries) < count and time.monotonic() < until:
        deliveries += queue.receive(count - len(deliveries), 1.0)
    return deliveries


def messages(deliveries: Sequence[Delivery]) -> list[PdfMessage]:
    return [delivery.message for delivery in deliveries]


def test_messages_of_a_document_are_received_in_their_order(topic: str) -> None:
    requests = [a_request(number) for number in range(20)]
    queue = a_queue(topic, {ConversionRequested})
    queue.publish(requests)
    deliveries = received(queue, 20)
    assert messages(deliveries) == requests
    queue.acknowledge(deliveries)
    queue.acknowledge(deliveries)
    queue.close()
    queue.close()


def test_what_is_not_acknowledged_comes_again_and_the_rest_does_not(topic: str) -> None:
    requests = [a_request(number) for number in range(5)]
    first = a_queue(topic, {ConversionRequested})
    first.publish(requests)
    deliveries = received(first, 5)
    first.acknowledge([deliveries[0], deliveries[1], deliveries[3]])
    first.close()
    second = a_queue(topic, {ConversionRequested})
    again = received(second, 3)
    assert messages(again) == requests[2:]  # the third holds back the fourth, which comes again with it
    second.acknowledge(again)
    second.close()
    third = a_queue(topic, {ConversionRequested})
    assert third.receive(5, 3.0) == []
    third.close()


def test_a_receiver_gets_only_the_types_that_it_takes(topic: str) -> None:
    results, requests = a_queue(topic, RESULTS, "results"), a_queue(topic, {ConversionRequested}, "requests")
    results.publish([a_request(1), a_result(1), a_request(2)])
    assert messages(received(results, 1)) == [a_result(1)]
    assert messages(received(requests, 2)) == [a_request(1), a_request(2)]
    results.close()
    requests.close()


def test_a_receiver_without_room_gets_nothing_and_loses_nothing(topic: str) -> None:
    queue = a_queue(topic, {ConversionRequested})
    queue.publish([a_request(1)])
    (first,) = received(queue, 1)
    queue.publish([a_request(2)])
    assert queue.receive(0, 2.0) == []
    assert messages(received(queue, 1)) == [a_request(2)]
    queue.acknowledge([first])
    queue.close()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "its JSON"),
        (b'{"type": "org.medicalkg.mineru.conversion.lost"}', "does not match any of the expected tags"),
        (b'{"type": "org.medicalkg.mineru.conversion.failed", "data": {}}', "failed.id: Field required"),
        (b"", "its JSON"),
    ],
)
def test_a_message_that_cannot_be_read_becomes_a_dead_letter_and_holds_back_no_other(
    value: bytes, reason: str, topic: str
) -> None:
    the_cluster().ensure_topics([topic])
    Delivering(the_cluster()).deliver([topic], [OutgoingMessage(topic, "key", value)])
    queue = a_queue(topic, RESULTS)
    queue.publish([a_result(1)])
    deliveries = received(queue, 1)
    assert messages(deliveries) == [a_result(1)]
    queue.acknowledge(deliveries)
    queue.close()
    (dead,) = messages_of(f"{topic}.dlq", 1)
    headers = dict(dead.headers() or [])
    assert (dead.value() or b"", dead.key()) == (value, b"key")
    assert set(headers) == set(DEAD_LETTER_HEADERS), "as docs/asyncapi.yaml says"
    assert headers["medkg-error-code"] == b"MEDKG-427"
    assert headers["medkg-message"] == f"{topic}/0/0".encode()
    assert reason in str(headers["medkg-error-message"])
    again = a_queue(topic, RESULTS)
    assert again.receive(1, 3.0) == []
    again.close()


def test_a_rejected_message_is_a_dead_letter_with_its_reason(topic: str) -> None:
    queue = a_queue(topic, RESULTS)
    queue.publish([a_result(1)])
    (delivery,) = received(queue, 1)
    queue.reject(delivery, MessageRefusedError("another object."))
    queue.close()
    (dead,) = messages_of(f"{topic}.dlq", 1)
    assert dict(dead.headers() or [])["medkg-error-message"] == b"another object."
    assert dead.value() == a_result(1).model_dump_json().encode()


def test_without_a_broker_every_call_is_unavailable() -> None:
    queue = KafkaConversionQueue(the_cluster("127.0.0.1:1", answer_seconds=1), "group", RESULTS)
    with pytest.raises(DagsterResourceUnavailableError, match=r"127.0.0.1:1 is unavailable"):
        queue.publish([a_result(1)])
    with pytest.raises(DagsterResourceUnavailableError):
        queue.receive(1, 0.1)
    queue.close()
