"""The Kafka cluster of a deployment: how it is reached, its topics, and what its errors mean.

Comes in: MEDKG_KAFKA_BROKERS and the properties of MEDKG_KAFKA_CONFIG. Leaves: producers, consumers, topics
that exist, and medkg's errors. librdkafka (confluent-kafka) speaks the protocol and connects again by itself;
its log lines go to structlog.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

import structlog

from orchestration.errors import (
    BrokerRefusedError,
    ConfigurationError,
    DagsterResourceUnavailableError,
    MedkgError,
)
from orchestration.events.kafka_properties import NO_PROPERTIES, KafkaProperties, read_properties
from orchestration.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer
    from confluent_kafka.admin import AdminClient

__all__ = ["EVENTS_TOPIC", "KafkaCluster"]

EVENTS_TOPIC: Final = "orchestration.events.v1"

ANSWER_SECONDS: Final = 10.0
"""Within which a broker must answer; then it is unavailable."""
REFUSED: Final = frozenset(
    {
        "_AUTHENTICATION",
        "SASL_AUTHENTICATION_FAILED",
        "TOPIC_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    }
)
"""Names of librdkafka's errors by which a broker refuses the client."""
NO_SUCH_TOPIC: Final = frozenset({"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC"})
SAME_LINE_SECONDS: Final = 60.0
"""Within which a line of librdkafka's log is not repeated: it writes one per attempt to connect."""
_NAMED = re.compile(r'"([a-z][a-z0-9._]*)"|\b((?:ssl|sasl|security)\.[a-z0-9._]+)')
_CHANGING = re.compile(r"\(after .*?\)|\d+ identical error\(s\) suppressed")


class KafkaCluster:
    """The cluster; connects when something is asked of it. Thread-safe."""

    def __init__(
        self,
        brokers: str,
        properties: KafkaProperties = NO_PROPERTIES,
        answer_seconds: float = ANSWER_SECONDS,
        topics: Sequence[str] = (EVENTS_TOPIC,),
    ) -> None:
        """`brokers` are HOST:PORT, comma-separated; `topics` are those that the deployment uses.

        Raises ConfigurationError where the client library is not installed.
        """
        if find_spec("confluent_kafka") is None:
            raise ConfigurationError(
                "MEDKG_KAFKA_BROKERS is set, and the client of Kafka is not installed: pip install "
                "'medkg[kafka]'."
            )
        self.brokers = brokers
        self.topics = tuple(topics)
        self.answer_seconds = answer_seconds
        self._properties = properties
        self._log = LibrdkafkaLog(properties)
        self._refusal: str | None = None

    @classmethod
    def of(cls, settings: Settings, topics: Sequence[str] = (EVENTS_TOPIC,)) -> Self:
        """The cluster of the settings; raises ConfigurationError if they name none, or the file is wrong."""
        if settings.kafka_brokers is None:
            raise ConfigurationError(
                "no Kafka cluster is named: set MEDKG_KAFKA_BROKERS, e.g. 127.0.0.1:9092, and "
                "MEDKG_KAFKA_CONFIG where it asks for TLS or SASL."
            )
        properties = read_properties(settings.kafka_config) if settings.kafka_config else NO_PROPERTIES
        return cls(settings.kafka_brokers, properties, topics=topics)

    # --- clients ------------------------------------------------------------------------------------

    def producer(self, overrides: Mapping[str, Any] | None = None) -> Producer:
        """An idempotent producer, which keeps trying until its user gives up; raises ConfigurationError.

        Messages of one key go to one partition, the same that Java's default partitioner takes.
        """
        from confluent_kafka import Producer

        mine = {
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": 0,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
        }
        producer: Producer = self._made(Producer, {"compression.type": "lz4"}, {**mine, **(overrides or {})})
        return producer

    def consumer(self, group: str, overrides: Mapping[str, Any] | None = None) -> Consumer:
        """A consumer of a group, from the beginning of topics; raises ConfigurationError."""
        from confluent_kafka import Consumer

        mine = {
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
        }
        consumer: Consumer = self._made(Consumer, {}, {**mine, **(overrides or {})})
        return consumer

    def _made(self, kind: Callable[..., Any], defaults: Mapping[str, Any], mine: Mapping[str, Any]) -> Any:
        configuration = {
            "client.id": "medkg",
            "reconnect.backoff.ms": 500,
            "socket.timeout.ms": int(self.answer_seconds * 1000),
            **defaults,
            **self._properties.values,
            **mine,
            "bootstrap.servers": self.brokers,
            "error_cb": self._hear,
        }
        from confluent_kafka import KafkaException

        try:
            return kind(configuration, logger=self._log)
        except (KafkaException, ValueError, TypeError) as error:
            text = self._properties.without_secrets(
                error.args[0].str() if isinstance(error, KafkaException) else str(error)
            )
            named = {name for pair in _NAMED.findall(text) for name in pair if name}
            places = [self._properties.place(name) for name in sorted(named & self._properties.lines.keys())]
            place = ", ".join(places) or "MEDKG_KAFKA_CONFIG"
            raise ConfigurationError(
                f"{place}: librdkafka refuses the configuration: {text.strip().rstrip('.')}. Correct the "
                "line; librdkafka's CONFIGURATION.md lists the names and values."
            ) from error

    def _hear(self, error: KafkaError) -> None:
        """Called by librdkafka for errors of connections; `unavailable` asks what it has heard."""
        if error.name() in REFUSED:
            self._refusal = self._properties.without_secrets(_CHANGING.sub("", error.str()).strip())

    # --- topics -------------------------------------------------------------------------------------

    def check(self) -> Mapping[str, int]:
        """Partitions of the deployment's topics that exist.

        Raises DagsterResourceUnavailableError if no broker answers, BrokerRefusedError if one refuses.
        """
        return self._partitions(self._admin(), self.topics)

    def ensure_topics(self, topics: Sequence[str] | None = None) -> None:
        """Create missing topics with the cluster's defaults for partitions and replication. Idempotent.

        Raises DagsterResourceUnavailableError if no broker answers, BrokerRefusedError if a topic is missing
        and may not be created.
        """
        from confluent_kafka import KafkaException
        from confluent_kafka.cimpl import NewTopic

        wanted = tuple(topics or self.topics)
        admin = self._admin()
        missing = set(wanted) - self._partitions(admin, wanted).keys()
        if not missing:
            return
        created = admin.create_topics(
            [NewTopic(topic, num_partitions=-1, replication_factor=-1) for topic in sorted(missing)],
            operation_timeout=self.answer_seconds,
            request_timeout=self.answer_seconds,
        )
        for topic, future in created.items():
            try:
                future.result()
            except KafkaException as error:
                reason = error.args[0]
                if reason.name() == "TOPIC_ALREADY_EXISTS":
                    continue
                if reason.name() in ("_TIMED_OUT", "_TRANSPORT", "REQUEST_TIMED_OUT"):
                    raise self.unavailable(reason.str()) from error
                raise self._not_created(topic, reason) from error

    def _admin(self) -> AdminClient:
        from confluent_kafka.admin import AdminClient

        self._refusal = None
        admin: AdminClient = self._made(AdminClient, {}, {})
        return admin

    def _partitions(self, admin: AdminClient, topics: Sequence[str]) -> dict[str, int]:
        """Partitions by topic, of those that exist."""
        partitions: dict[str, int] = {}
        with self.errors(admin.poll):
            for topic in topics:
                metadata = admin.list_topics(topic, timeout=self.answer_seconds).topics[topic]
                if metadata.error is None:
                    partitions[topic] = len(metadata.partitions)
                elif metadata.error.name() not in NO_SUCH_TOPIC:
                    raise self.error_of(metadata.error, topic)
        return partitions

    def _not_created(self, topic: str, reason: KafkaError) -> BrokerRefusedError:
        return BrokerRefusedError(
            f"topic {topic} does not exist at {self.brokers}, and cannot be created: {reason.str()}. Create "
            f"it: kafka-topics.sh --bootstrap-server {self.brokers} --create --topic {topic} --partitions 6 "
            "--replication-factor 3 (one replica per broker at most), or grant this user Create on it."
        )

    # --- errors -------------------------------------------------------------------------------------

    @contextmanager
    def errors(self, poll: Callable[[float], object]) -> Iterator[None]:
        """Raise librdkafka's errors as medkg's; `poll` lets its client report why it does not connect."""
        from confluent_kafka import KafkaException

        try:
            yield
        except KafkaException as error:
            poll(0)
            raise self.error_of(error.args[0]) from error

    def error_of(self, error: KafkaError, topic: str = "") -> MedkgError:
        """The medkg error of one of librdkafka's: refused, or unavailable."""
        text = self._properties.without_secrets(error.str())
        if error.name() in REFUSED:
            return self._refused(f"{topic}: {text}" if topic else text)
        return self.unavailable(text)

    def unavailable(self, cause: str) -> MedkgError:
        """The error of brokers that do not answer; BrokerRefusedError if one has refused the client."""
        if self._refusal is not None:
            return self._refused(self._refusal)
        return DagsterResourceUnavailableError(
            f"Kafka at {self.brokers} is unavailable: {cause.rstrip('.')}. Start the brokers, or correct "
            "MEDKG_KAFKA_BROKERS; nothing is lost, medkg goes on when they answer."
        )

    def _refused(self, cause: str) -> BrokerRefusedError:
        return BrokerRefusedError(
            f"Kafka at {self.brokers} refuses medkg: {cause.rstrip('.')}. Correct the credentials or "
            "certificates in MEDKG_KAFKA_CONFIG, or have the right on the topic or group granted."
        )


class LibrdkafkaLog:
    """Takes librdkafka's log lines, as confluent-kafka hands them to a `logging.Logger`."""

    def __init__(self, properties: KafkaProperties) -> None:
        """Secrets of these properties are left out."""
        self._properties = properties
        self._written: dict[str, float] = {}
        self._log = structlog.get_logger(__name__)

    def log(self, level: int, form: str, *arguments: object) -> None:
        """Write a line: librdkafka's facility, client and text; the same text once a minute."""
        facility, client, text = (str(argument) for argument in arguments)
        line = self._properties.without_secrets(_CHANGING.sub("", text).strip())
        now = time.monotonic()
        if now - self._written.get(line, -SAME_LINE_SECONDS) < SAME_LINE_SECONDS:
            return
        if len(self._written) > 1_000:
            self._written.clear()
        self._written[line] = now
        self._log.log(
            min(level, logging.WARNING), "kafka client", facility=facility, client=client, text=line
        )
