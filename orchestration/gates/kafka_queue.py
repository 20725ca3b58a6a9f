"""The queue of PDF conversions over Kafka: ConversionQueue on the topic mineru.queue.v1.

Comes in: messages to publish. Leaves: messages of the types that a receiver takes, and dead letters: messages
that cannot be read, as they came, on mineru.queue.v1.dlq with their reason. A receiver is a member of a
consumer group: the members share the messages, and every group gets them all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog
from pydantic import ValidationError

from orchestration.contracts.pdf_queue import (
    MINERU_DEAD_LETTERS,
    MINERU_QUEUE,
    Delivery,
    PdfMessage,
    message_key,
    read_message,
)
from orchestration.errors import MedkgError, MessageRefusedError
from orchestration.events.kafka import Delivering, OutgoingMessage
from orchestration.events.kafka_cluster import KafkaCluster
from orchestration.gates.read_offsets import ReadOffsets

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message, TopicPartition

__all__ = ["KafkaConversionQueue"]

HARMLESS: Final = frozenset({"_PARTITION_EOF", "_MAX_POLL_EXCEEDED", "_TIMED_OUT"})
"""Names of errors of a consumer after which it goes on by itself."""
MOST_IDLE_SECONDS: Final = 3_600
"""Between two calls of `receive`, after which other members of the group take over."""
SHOWN_CHARACTERS: Final = 300


class KafkaConversionQueue:
    """ConversionQueue over a Kafka cluster; see the protocol for the guarantees.

    Usage: `KafkaConversionQueue(cluster, "medkg-workers", {ConversionRequested})`, then receive, acknowledge.
    """

    def __init__(
        self,
        cluster: KafkaCluster,
        group: str,
        receives: Collection[type],
        topic: str = MINERU_QUEUE,
        dead_letters: str | None = MINERU_DEAD_LETTERS,
    ) -> None:
        """Receives messages of the types in `receives`, as a member of `group`; connects at the first call.

        `dead_letters` None: messages that cannot be read are skipped, for receivers beside another one that
        keeps them.
        """
        self._cluster = cluster
        self._group = group
        self._receives = tuple(receives)
        self._topic = topic
        self._dead_letters = dead_letters
        self._delivering = Delivering(cluster)
        self._consumer: Consumer | None = None
        self._offsets = ReadOffsets()
        self._held: list[Delivery] = []
        """Came while a receiver could take none."""
        self._lock = threading.RLock()
        self._log = structlog.get_logger(__name__)

    @property
    def _topics(self) -> tuple[str, ...]:
        return (self._topic, *((self._dead_letters,) if self._dead_letters else ()))

    def publish(self, messages: Sequence[PdfMessage]) -> None:
        """Publish messages; see ConversionQueue.publish."""
        outgoing = [
            OutgoingMessage(self._topic, message_key(message), message.model_dump_json().encode())
            for message in messages
        ]
        with self._lock:
            self._delivering.deliver(self._topics, outgoing)

    def receive(self, limit: int, timeout_seconds: float) -> Sequence[Delivery]:
        """Receive messages; see ConversionQueue.receive.

        With a limit of 0 it receives none, and stays a member of its group meanwhile.
        """
        with self._lock:
            consumer = self._open()
            with _Paused(consumer, limit <= 0):
                self._held += self._read(
                    consumer, limit - len(self._held), time.monotonic() + timeout_seconds
                )
            self._commit_skipped(consumer)
            deliveries, self._held = self._held[: max(limit, 0)], self._held[max(limit, 0) :]
        return deliveries

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge messages; see ConversionQueue.acknowledge."""
        with self._lock:
            for delivery in deliveries:
                self._offsets.done(_message(delivery))
            self._commit(self._open())

    def reject(self, delivery: Delivery, error: MedkgError) -> None:
        """Move a message to the dead-letter topic; see ConversionQueue.reject."""
        with self._lock:
            self._bury(_message(delivery), error)
            self.acknowledge([delivery])

    def close(self) -> None:
        """Leave the group; what is not acknowledged is delivered to its other members. Idempotent."""
        with self._lock:
            self._delivering.discard()
            consumer, self._consumer = self._consumer, None
            if consumer is not None:
                consumer.close()

    # --- reading ------------------------------------------------------------------------------------

    def _open(self) -> Consumer:
        if self._consumer is None:
            self._cluster.ensure_topics(self._topics)
            consumer = self._cluster.consumer(
                self._group, {"max.poll.interval.ms": MOST_IDLE_SECONDS * 1_000, "session.timeout.ms": 30_000}
            )
            consumer.subscribe([self._topic], on_revoke=self._forget, on_lost=self._forget)
            self._offsets = ReadOffsets()
            self._consumer = consumer
        return self._consumer

    def _forget(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Another member of the group may have these partitions now, and gets what is not acknowledged."""
        self._offsets.forget(partition.partition for partition in partitions)

    def _read(self, consumer: Consumer, limit: int, until: float) -> list[Delivery]:
        """Messages until the limit, the time, or there are some and no more are at hand."""
        deliveries: list[Delivery] = []
        while True:
            wait = 0.0 if deliveries or self._held else max(0.0, until - time.monotonic())
            message = consumer.poll(min(wait, 1.0))
            if message is not None and (delivery := self._delivery(message)) is not None:
                deliveries.append(delivery)
            if len(deliveries) >= max(limit, 1) or (deliveries and message is None):
                return deliveries
            if time.monotonic() >= until:
                if message is None:
                    self._check_broker(consumer)
                return deliveries

    def _delivery(self, message: Message) -> Delivery | None:
        """A message that this receiver takes; others are done with, or become dead letters."""
        error = message.error()
        if error is not None:
            if error.name() in HARMLESS:
                return None
            raise self._cluster.error_of(error, self._topic)
        self._offsets.read(message)
        try:
            content = read_message(message.value() or b"")
        except ValidationError as invalid:
            self._unreadable(message, invalid)
            return None
        if not isinstance(content, self._receives):
            self._offsets.done(message)
            return None
        return Delivery(content, message, datetime.now(UTC))

    def _check_broker(self, consumer: Consumer) -> None:
        """No message came: because there is none, or because no broker answers?"""
        with self._cluster.errors(consumer.poll):
            consumer.list_topics(self._topic, timeout=self._cluster.answer_seconds)

    # --- dead letters and commits -------------------------------------------------------------------

    def _unreadable(self, message: Message, invalid: ValidationError) -> None:
        first = invalid.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "its JSON"
        self._bury(
            message,
            MessageRefusedError(
                f"this is no message of {self._topic}: {place}: {first['msg']}. Correct what publishes it; "
                "orchestration/contracts/pdf_queue.py has the models."[:SHOWN_CHARACTERS]
            ),
        )
        self._offsets.done(message)

    def _bury(self, message: Message, error: MedkgError) -> None:
        place = f"{message.topic()}/{message.partition()}/{message.offset()}"
        self._log.error("message refused", message=place, group=self._group, reason=error.message)
        if self._dead_letters is None:
            return
        reason = (
            ("medkg-error-code", error.code),
            ("medkg-error-message", error.message),
            ("medkg-message", place),
            ("medkg-group", self._group),
        )
        key = (message.key() or b"").decode("utf-8", "replace")
        dead_letter = OutgoingMessage(self._dead_letters, key, message.value() or b"", reason)
        try:
            self._delivering.deliver(self._topics, [dead_letter])
        except MedkgError:
            self._restart()  # the message is read again, and buried then
            raise

    def _restart(self) -> None:
        """Leave the group, so that what is not acknowledged is read again."""
        consumer, self._consumer, self._held = self._consumer, None, []
        if consumer is not None:
            consumer.close()

    def _commit_skipped(self, consumer: Consumer) -> None:
        """Commit what needed no acknowledgement; where that fails, it is read and skipped again."""
        offsets = self._offsets.to_commit()
        if offsets:
            consumer.commit(offsets=_partitions(self._topic, offsets), asynchronous=True)

    def _commit(self, consumer: Consumer) -> None:
        offsets = self._offsets.to_commit()
        if not offsets:
            return
        with self._cluster.errors(consumer.poll):
            consumer.commit(offsets=_partitions(self._topic, offsets), asynchronous=False)
        self._offsets.committed(offsets)


def _message(delivery: Delivery) -> Message:
    message: Message = delivery.token  # type: ignore[assignment]
    return message


def _partitions(topic: str, offsets: Mapping[int, int]) -> list[TopicPartition]:
    from confluent_kafka import TopicPartition

    return [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]


class _Paused:
    """Takes no messages from the broker while it lasts."""

    def __init__(self, consumer: Consumer, is_paused: bool) -> None:
        self._consumer = consumer
        self._partitions = consumer.assignment() if is_paused else []

    def __enter__(self) -> None:
        if self._partitions:
            self._consumer.pause(self._partitions)

    def __exit__(self, *_: object) -> None:
        if self._partitions:
            self._consumer.resume(self._partitions)
