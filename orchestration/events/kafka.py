"""Events to Kafka: the sink `kafka`, which publishes to the topic orchestration.events.v1.

Comes in: facts, in the order of their positions. Leaves: one message per event, a CloudEvent in structured
JSON (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md, 3.3).

Guarantees. Delivery: at least once; an event that is published again has its id. Order: of the events of one
key, the first delivery of each is in the order of the facts, also when brokers were unavailable in between:
what is sent to a partition is a gapless beginning of the batch, and a failed batch is sent again from its
beginning. Durability: acknowledged by all in-sync replicas when `publish` returns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from orchestration.contracts.facts import Fact
from orchestration.errors import BrokerRefusedError, MedkgError
from orchestration.events.kafka_cluster import EVENTS_TOPIC, KafkaCluster

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

__all__ = ["Delivering", "KafkaSink", "OutgoingMessage"]

CONTENT_TYPE: Final = "application/cloudevents+json"
STALLED_SECONDS: Final = 20.0
"""Without any delivery, after which the brokers count as unavailable."""
POLL_SECONDS: Final = 0.1


class StructuredEvent(Protocol):
    """An event as it is published."""

    @property
    def key(self) -> str:
        """Events of one key keep their order."""
        ...

    def structured(self) -> bytes:
        """The CloudEvent as JSON."""
        ...


class OutgoingMessage(NamedTuple):
    """A message to be delivered."""

    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", CONTENT_TYPE),)


class Delivering:
    """Delivers batches of messages through one idempotent producer. Used by one thread.

    Guarantees. `deliver` returns when every message is acknowledged by all in-sync replicas. Where it raises,
    a beginning of the batch was delivered per partition; the next call has another producer.
    """

    def __init__(self, cluster: KafkaCluster, stalled_seconds: float = STALLED_SECONDS) -> None:
        """Raises DagsterResourceUnavailableError in `deliver` after so many seconds without a delivery."""
        self._cluster = cluster
        self._stalled_seconds = stalled_seconds
        self._producer: Producer | None = None
        self._sent = 0
        self._delivered = 0
        self._failure: tuple[KafkaError, str] | None = None

    def deliver(self, topics: Sequence[str], messages: Sequence[OutgoingMessage]) -> None:
        """Deliver messages in their order per key; `topics` are created if they do not exist.

        Raises DagsterResourceUnavailableError, or BrokerRefusedError for rights, credentials and messages
        that the topic does not take.
        """
        if not messages:
            return
        try:
            producer = self._open(topics)
            for message in messages:
                self._send(producer, message)
            self._wait_until(producer, lambda: self._delivered == self._sent)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Drop the producer with what it has not delivered. Idempotent."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge(blocking=False)
            producer.flush(0)

    def _open(self, topics: Sequence[str]) -> Producer:
        if self._producer is None:
            self._cluster.ensure_topics(topics)
            self._producer = self._cluster.producer()
            self._sent = self._delivered = 0
            self._failure = None
        return self._producer

    def _send(self, producer: Producer, message: OutgoingMessage) -> None:
        from confluent_kafka import KafkaException

        def queued() -> bool:
            try:
                producer.produce(
                    message.topic,
                    key=message.key.encode(),
                    value=message.value,
                    headers=list(message.headers),
                    on_delivery=self._note,
                )
            except BufferError:  # its queue is full: it takes more when some are delivered
                return False
            except KafkaException as error:
                raise self._error(error.args[0], message.topic) from error
            self._sent += 1
            return True

        self._wait_until(producer, queued)
        producer.poll(0)

    def _wait_until(self, producer: Producer, is_done: Callable[[], bool]) -> None:
        """Serve deliveries until it is done; raises the first failure, or unavailability without progress."""
        delivered, since = self._delivered, time.monotonic()
        while not is_done():  # no-retry-loop: serves callbacks; librdkafka repeats
            producer.poll(POLL_SECONDS)
            if self._failure is not None:
                raise self._error(*self._failure)
            if self._delivered > delivered:
                delivered, since = self._delivered, time.monotonic()
            elif time.monotonic() - since > self._stalled_seconds:
                raise self._cluster.unavailable(
                    f"of {self._sent:,} messages it acknowledged {self._delivered:,}, and none within "
                    f"{self._stalled_seconds:g} seconds"
                )

    def _note(self, error: KafkaError | None, message: Message) -> None:
        """The delivery report of one message."""
        if error is None:
            self._delivered += 1
        elif self._failure is None:
            self._failure = error, message.topic() or ""

    def _error(self, error: KafkaError, topic: str) -> MedkgError:
        if error.name() == "MSG_SIZE_TOO_LARGE":
            return BrokerRefusedError(
                f"topic {topic} at {self._cluster.brokers} takes no message of this size: {error.str()}. "
                "Raise max.message.bytes of the topic, and message.max.bytes in MEDKG_KAFKA_CONFIG."
            )
        return self._cluster.error_of(error, topic)


class KafkaSink:
    """FactSink to a topic; see the guarantees of this module.

    Usage: `KafkaSink(KafkaCluster.of(settings), factory.events)`.
    """

    name = "kafka"

    def __init__(
        self,
        cluster: KafkaCluster,
        events: Callable[[Fact], Sequence[StructuredEvent]],
        topic: str = EVENTS_TOPIC,
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        """`events` makes the events of a fact. Connects at the first fact."""
        self._events = events
        self._topic = topic
        self._delivering = Delivering(cluster, stalled_seconds)

    def publish(self, facts: Sequence[Fact], state: str) -> str:
        """Publish the events of these facts; see FactSink.publish. Keeps no state."""
        messages = [
            OutgoingMessage(self._topic, event.key, event.structured())
            for fact in facts
            for event in self._events(fact)
        ]
        self._delivering.deliver((self._topic,), messages)
        return state

    def close(self) -> None:
        """Drop the producer. Idempotent."""
        self._delivering.discard()
