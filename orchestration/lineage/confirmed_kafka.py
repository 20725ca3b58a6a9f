"""OpenLineage's Kafka transport, with the broker's answer.

Comes in: an event. Leaves: the event, acknowledged by the brokers, or an error. The library's transport waits
for minutes on a topic that does not exist and only logs what was not delivered. Source: openlineage-python
1.54, openlineage/client/transport/kafka.py.
"""

from __future__ import annotations

from typing import Any, Final

from openlineage.client.serde import Serde
from openlineage.client.transport.kafka import KafkaConfig, KafkaTransport

from orchestration.errors import ConfigurationError, LineageRejectedError, LineageUnavailableError

__all__ = ["ConfirmedKafkaTransport"]

SECONDS: Final = 10.0
"""How long the brokers may take to acknowledge an event, unless `message.timeout.ms` is given."""

NEW_TOPIC_SECONDS: Final = 5.0
"""How long a topic that was just created may be unknown to a broker; below SECONDS."""

UNKNOWN_TOPIC: Final = frozenset({"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "TOPIC_AUTHORIZATION_FAILED"})
REFUSED: Final = frozenset({"MSG_SIZE_TOO_LARGE", "INVALID_MSG_SIZE", "INVALID_RECORD"})


class ConfirmedKafkaTransport(KafkaTransport):
    """Sends one event after the other; `emit` returns when the brokers have it."""

    kind = "kafka"
    config_class = KafkaConfig

    def __init__(self, config: KafkaConfig) -> None:
        """Open the producer; raises ConfigurationError for a property that librdkafka does not have."""
        defaults: dict[str, Any] = {
            "message.timeout.ms": int(SECONDS * 1000),
            "topic.metadata.propagation.max.ms": int(NEW_TOPIC_SECONDS * 1000),
            "enable.idempotence": True,
        }
        config.config = {**defaults, **config.config}
        try:
            super().__init__(config)
        except ImportError as error:
            raise ConfigurationError(
                "OpenLineage's Kafka transport needs confluent-kafka, which is not installed. Install it: "
                "pip install 'medkg[kafka]'."
            ) from error

    def emit(self, event: Any) -> None:
        """Return when the brokers have the event.

        Raises ConfigurationError for an unknown topic, LineageRejectedError for an event that the brokers
        refuse, LineageUnavailableError when they do not answer in time.
        """
        answers: list[Any] = []
        if self.producer is None:
            self._setup_producer(self.kafka_config.config)
        producer: Any = self.producer
        producer.produce(
            topic=self.topic,
            key=self.message_key or self._get_message_key(event),
            value=Serde.to_json(event).encode("utf-8"),
            on_delivery=lambda error, _: answers.append(error),
        )
        producer.flush(int(self.kafka_config.config["message.timeout.ms"]) / 1000 + SECONDS)
        if not answers:
            producer.purge()
            raise LineageUnavailableError(
                f"Kafka does not answer for topic {self.topic} of lineage. It is tried again; runs go on."
            )
        if answers[0] is not None:
            raise self._as_ours(answers[0])

    def _as_ours(self, error: Any) -> Exception:
        name, text = error.name(), error.str()
        if name in UNKNOWN_TOPIC:
            return ConfigurationError(
                f"Kafka's topic {self.topic} of lineage cannot be written to: {text}. Create it, or allow "
                "the user to write to it."
            )
        if name in REFUSED:
            return LineageRejectedError(f"Kafka refuses an event of lineage: {text}. It is left out.")
        return LineageUnavailableError(
            f"Kafka does not take events of lineage to topic {self.topic}: {text}. It is tried again; runs "
            "go on."
        )
