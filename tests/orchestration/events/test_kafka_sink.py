"""The sink `kafka`: every event arrives, in order per key, also when the broker is killed in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.contracts.facts import Fact, StageStarted
from orchestration.errors import (
    BrokerRefusedError,
    ConfigurationError,
    DagsterResourceUnavailableError,
    UnavailableError,
)
from orchestration.events.kafka import KafkaSink
from orchestration.events.kafka_cluster import KafkaCluster
from orchestration.events.kafka_properties import read_properties
from tests.orchestration.kafka import messages_of, own_broker, own_topic, the_cluster
from tests.waiting import wait_until

pytestmark = pytest.mark.needs_service("kafka")


@dataclass(frozen=True)
class Numbered:
    key: str
    number: int

    def structured(self) -> bytes:
        return b"%d" % self.number


KEYS = 7


def a_fact(number: int) -> Fact:
    return Fact(
        sequence=number, position=number, ledger="ledger", happened_at=1.0, body=StageStarted(stage="parse")
    )


def numbered(fact: Fact) -> Sequence[Numbered]:
    return [Numbered(f"key-{fact.position % KEYS}", fact.position)]


@pytest.fixture
def topic() -> Iterator[str]:
    with own_topic() as name:
        yield name


def test_events_arrive_with_key_and_media_type(topic: str) -> None:
    sink = KafkaSink(the_cluster(), numbered, topic)
    assert sink.publish([a_fact(1), a_fact(2)], "state") == "state"
    first, second = messages_of(topic, 2)
    assert (first.key(), first.value(), second.value()) == (b"key-1", b"1", b"2")
    assert first.headers() == [("content-type", b"application/cloudevents+json")]
    sink.close()
    sink.close()


def test_a_batch_larger_than_the_producers_queue_arrives_whole_and_in_order(
    topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("# a small queue\nqueue.buffering.max.messages=100\n")
    cluster = KafkaCluster(the_cluster().brokers, read_properties(file))
    sink = KafkaSink(cluster, numbered, topic)
    sink.publish([a_fact(number) for number in range(1, 5_001)], "")
    values = [int(message.value() or b"") for message in messages_of(topic, 5_000)]
    assert values == list(range(1, 5_001))
    sink.close()


def test_a_topic_that_exists_is_taken_as_it_is(topic: str) -> None:
    the_cluster().ensure_topics([topic])
    the_cluster().ensure_topics([topic])
    KafkaSink(the_cluster(), numbered, topic).publish([a_fact(1)], "")
    assert KafkaCluster(the_cluster().brokers, topics=(topic, "test.none")).check() == {topic: 1}


def test_without_a_broker_the_sink_is_unavailable_within_its_time() -> None:
    sink = KafkaSink(the_cluster("127.0.0.1:1", answer_seconds=1), numbered, "test.unreachable")
    with pytest.raises(
        DagsterResourceUnavailableError, match=r"Kafka at 127.0.0.1:1 is unavailable.*Start the"
    ):
        sink.publish([a_fact(1)], "")
    with pytest.raises(DagsterResourceUnavailableError):
        the_cluster("127.0.0.1:1", answer_seconds=1).check()


def test_credentials_that_the_broker_refuses_are_named_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=someone\nsasl.password=hidden\n"
    )
    cluster = KafkaCluster(the_cluster().brokers, read_properties(file), answer_seconds=3)
    with pytest.raises(BrokerRefusedError, match="MEDKG_KAFKA_CONFIG") as caught:
        cluster.check()
    assert "hidden" not in caught.value.message
    assert "someone" not in caught.value.message


def test_a_message_larger_than_the_topic_takes_is_refused(topic: str) -> None:
    class Large(Numbered):
        def structured(self) -> bytes:
            return b"x" * 2_000_000

    sink = KafkaSink(the_cluster(), lambda fact: [Large("key", 1)], topic)
    with pytest.raises(BrokerRefusedError, match=r"max\.message\.bytes"):
        sink.publish([a_fact(1)], "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("acks=1", r"kafka.properties:1: acks cannot be set here"),
        ("# c\n\nlinger.ms", r"kafka.properties:3: this is no NAME=VALUE line"),
        ("linger.ms=1\nlinger.ms=2", r"kafka.properties:2: linger.ms is set in line 1 too"),
        ("# c\nsasl.passwort=hidden", r"kafka.properties:2: librdkafka refuses .*sasl.passwort"),
        ("security.protocol=SSL\nssl.ca.location=/nowhere", r"kafka.properties:2: librdkafka refuses"),
    ],
)
def test_a_wrong_line_of_the_configuration_is_named(text: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        KafkaCluster("127.0.0.1:1", read_properties(file)).producer()
    assert "hidden" not in caught.value.message


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.properties cannot be read"):
        read_properties(tmp_path / "none.properties")


def test_a_broker_that_is_killed_loses_nothing_and_keeps_the_order_per_key(tmp_path: Path) -> None:
    facts = [a_fact(number) for number in range(1, 40_001)]
    batches = [facts[start : start + 2_000] for start in range(0, len(facts), 2_000)]
    with own_broker(tmp_path / "services") as broker:
        cluster = KafkaCluster(broker.brokers, answer_seconds=2)
        sink = KafkaSink(cluster, numbered, "test.killed", stalled_seconds=3)
        published: list[int] = []
        refused: list[UnavailableError] = []

        def relay() -> None:
            """As the relay does it: the same batch again until it is published."""
            while len(published) < len(batches):
                try:
                    sink.publish(batches[len(published)], "")
                except UnavailableError as error:
                    refused.append(error)
                else:
                    published.append(1)

        def killed_behind(batch: int, refusals: int) -> None:
            wait_until(lambda: len(published) >= batch)
            broker.kill()
            wait_until(lambda: len(refused) >= refusals)
            broker.start()

        thread = threading.Thread(target=relay, daemon=True)
        thread.start()
        killed_behind(2, 1)
        killed_behind(8, len(refused) + 1)
        thread.join(300)
        assert len(published) == len(batches)
        sink.close()
        delivered: dict[str, list[int]] = {}
        messages = messages_of("test.killed", len(facts), broker.brokers)
    known: set[int] = set()
    for message in messages:
        numbers = delivered.setdefault((message.key() or b"").decode(), [])
        if (number := int(message.value() or b"")) not in known:
            known.add(number)
            numbers.append(number)
    assert sorted(number for numbers in delivered.values() for number in numbers) == list(
        range(1, len(facts) + 1)
    )
    assert all(numbers == sorted(numbers) for numbers in delivered.values())
