"""Conversions through Kafka: hosts request, workers convert, the ledger counts each result once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from medkg.testing.builders import a_converted_pdf, a_payload, a_pdf_block
from medkg.testing.ledger_suite.builders import OWNER, a_job, an_item, claimed, everyone_alive, taken
from orchestration.contracts import AskedConverter, ObjectStore, PdfTaskState
from orchestration.contracts.pdf_queue import (
    CompletedData,
    ConversionCompleted,
    ConversionFailed,
    ConversionRequested,
    Delivery,
    PdfMessage,
)
from orchestration.errors import DagsterResourceUnavailableError, MedkgError
from orchestration.gates.conversion_worker import ConversionWorker
from orchestration.gates.kafka_queue import KafkaConversionQueue
from orchestration.gates.pdf_conversions import PdfConversions
from orchestration.gates.queued_conversions import QueuedConversions
from orchestration.ledger import SqlLedger
from orchestration.stages.pdf_ir import PdfIr
from tests.orchestration.gates.pdf_converters import CommandedConverter
from tests.orchestration.kafka import own_topic, the_cluster
from tests.waiting import wait_until

COMMANDED = AskedConverter(name="commanded")


class QueueInMemory:
    """ConversionQueue that delivers what is published until it is acknowledged; can be unavailable."""

    def __init__(self) -> None:
        self.away = False
        self.published: list[PdfMessage] = []
        self.incoming: list[Delivery] = []
        self.acknowledged: list[PdfMessage] = []
        self.rejected: list[tuple[PdfMessage, MedkgError]] = []

    def publish(self, messages: Sequence[PdfMessage]) -> None:
        self._be_there()
        self.published += messages

    def bring(self, *messages: PdfMessage) -> None:
        self.incoming += [Delivery(message, object(), datetime.now(UTC)) for message in messages]

    def receive(self, limit: int, timeout_seconds: float) -> Sequence[Delivery]:
        self._be_there()
        deliveries, self.incoming = self.incoming[:limit], self.incoming[limit:]
        return deliveries

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged += [delivery.message for delivery in deliveries]

    def reject(self, delivery: Delivery, error: MedkgError) -> None:
        self.rejected.append((delivery.message, error))

    def close(self) -> None:
        pass

    def _be_there(self) -> None:
        if self.away:
            raise DagsterResourceUnavailableError("no broker")


@pytest.fixture
def queue() -> QueueInMemory:
    return QueueInMemory()


@pytest.fixture
def conversions(ledger: SqlLedger, objects: ObjectStore, queue: QueueInMemory) -> PdfConversions:
    driver = QueuedConversions(ledger.pdf_tasks, lambda: objects, queue, "ledger", OWNER, everyone_alive)
    return PdfConversions(ledger.pdf_tasks, driver)


def asked(ledger: SqlLedger, objects: ObjectStore, **pdfs: str) -> dict[str, str]:
    """Documents whose PDFs have these contents, requested by the stage; the object that each waits for."""
    stage = PdfIr(ledger.pdf_tasks, objects, lambda _: CommandedConverter(), "pdf_ir", "commanded")
    contexts = taken(ledger, claimed(ledger, a_job(ledger, *map(an_item, pdfs))))
    keys = {}
    for ctx in contexts:
        (payload,) = stage.execute(
            ctx.with_metadata(version="v1"), [a_payload(pdfs[ctx.doc_id], "pdf", doc_id=ctx.doc_id)]
        )
        keys[ctx.doc_id] = payload.stored or ""
    return keys


def states(ledger: SqlLedger) -> dict[str, PdfTaskState]:
    tasks = ledger.pdf_tasks.lease(COMMANDED, OWNER, 1_000, everyone_alive)
    return {task.key.doc_id: task.state for task in tasks}


def the_result(request: PdfMessage, content: bytes) -> ConversionCompleted:
    assert isinstance(request, ConversionRequested)
    return ConversionCompleted(
        id=f"{request.data.task_id}-completed",
        source="/worker",
        subject=request.subject,
        time=datetime.now(UTC),
        correlationid=request.correlationid,
        data=CompletedData(
            task_id=request.data.task_id,
            document=request.data.document,
            result_key=request.data.result_key,
            result_sha256=hashlib.sha256(content).hexdigest(),
            converter="commanded/1",
        ),
    )


def test_each_pdf_is_requested_once_with_its_keys(
    ledger: SqlLedger, objects: ObjectStore, queue: QueueInMemory, conversions: PdfConversions
) -> None:
    keys = asked(ledger, objects, one="a paper")
    conversions.sweep()
    conversions.sweep()
    (request,) = queue.published
    assert isinstance(request, ConversionRequested)
    assert (request.data.result_key, request.data.converter) == (keys["one"], "commanded")
    assert request.data.pdf_sha256 == hashlib.sha256(b"a paper").hexdigest()
    assert request.correlationid


def test_a_result_counts_once_however_often_it_comes(
    ledger: SqlLedger, objects: ObjectStore, queue: QueueInMemory, conversions: PdfConversions
) -> None:
    keys = asked(ledger, objects, one="a paper", two="another")
    conversions.sweep()
    content = a_converted_pdf(a_pdf_block("Converted."))
    result = the_result(queue.published[0], content)
    objects.put(keys[result.subject], content)
    other = {"one": "two", "two": "one"}[result.subject]
    queue.bring(result, result)
    conversions.sweep()
    queue.bring(result)
    conversions.sweep()
    assert states(ledger) == {other: PdfTaskState.SUBMITTED}
    assert queue.acknowledged == [result, result, result]


def test_a_result_of_an_unknown_task_or_another_object_has_no_effect(
    ledger: SqlLedger, objects: ObjectStore, queue: QueueInMemory, conversions: PdfConversions
) -> None:
    asked(ledger, objects, one="a paper")
    conversions.sweep()
    result = the_result(queue.published[0], b"x")
    unknown = result.model_copy(update={"data": result.data.model_copy(update={"task_id": "unknown"})})
    elsewhere = result.model_copy(update={"data": result.data.model_copy(update={"result_key": "pdf-ir/x"})})
    queue.bring(unknown, elsewhere)
    conversions.sweep()
    assert states(ledger) == {"one": PdfTaskState.SUBMITTED}
    ((message, error),) = queue.rejected
    assert message == elsewhere
    assert error.code == "MEDKG-427"


@pytest.mark.parametrize("content", [None, b"damaged", b"{}"])
def test_a_reported_object_that_cannot_be_used_is_converted_again(
    content: bytes | None,
    ledger: SqlLedger,
    objects: ObjectStore,
    queue: QueueInMemory,
    conversions: PdfConversions,
) -> None:
    keys = asked(ledger, objects, one="a paper")
    conversions.sweep()
    if content is not None:
        objects.put(keys["one"], content)
    queue.bring(the_result(queue.published[0], b"{}"))
    conversions.sweep()
    first, second = queue.published
    assert first.data.task_id != second.data.task_id
    assert objects.get(keys["one"]) is None
    assert states(ledger) == {"one": PdfTaskState.SUBMITTED}


def test_without_a_broker_conversions_wait_and_cost_no_attempt(
    ledger: SqlLedger, objects: ObjectStore, queue: QueueInMemory, conversions: PdfConversions
) -> None:
    asked(ledger, objects, one="a paper")
    queue.away = True
    conversions.sweep()
    assert [each.obstacle.message for each in conversions.unavailable()] == ["no broker"]
    assert states(ledger) == {"one": PdfTaskState.QUEUED}
    queue.away = False
    conversions.sweep()
    assert conversions.unavailable() == []
    assert states(ledger) == {"one": PdfTaskState.SUBMITTED}


@pytest.mark.needs_service("kafka")
def test_hosts_and_workers_meet_over_kafka(ledger: SqlLedger, objects: ObjectStore) -> None:
    """One worker is stopped with requests in work; the next one gets them. A broken PDF fails for good."""
    results: set[type] = {ConversionCompleted, ConversionFailed}
    with own_topic(".dlq") as topic:

        def a_queue(group: str, receives: set[type]) -> KafkaConversionQueue:
            return KafkaConversionQueue(the_cluster(), f"{topic}-{group}", receives, topic, f"{topic}.dlq")

        def a_worker(converter: CommandedConverter) -> ConversionWorker:
            queue = a_queue("workers", {ConversionRequested})
            return ConversionWorker(queue, objects, lambda _: converter, "/worker")

        queue = a_queue("results", results)
        driver = QueuedConversions(ledger.pdf_tasks, lambda: objects, queue, "ledger", OWNER, everyone_alive)
        conversions = PdfConversions(ledger.pdf_tasks, driver)
        pdfs = {f"d{number}": f"paper {number}" for number in range(6)}
        keys = asked(ledger, objects, **pdfs, broken="broken", encrypted="encrypted")
        conversions.sweep()
        slow = CommandedConverter()
        slow.slow = True
        stopped = a_worker(slow)

        def has_work() -> bool:
            stopped.turn()
            return bool(slow.submitted)

        wait_until(has_work)
        stopped.close()
        worker = a_worker(CommandedConverter())

        def is_ended() -> bool:
            worker.turn()
            conversions.sweep()
            return not states(ledger)

        wait_until(is_ended)
        worker.close()
        conversions.close()
        assert all(objects.get(keys[doc_id]) is not None for doc_id in pdfs)
        assert objects.get(keys["broken"]) is objects.get(keys["encrypted"]) is None
