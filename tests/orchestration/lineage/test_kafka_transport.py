"""Lineage on a real Kafka: every event acknowledged, or an error; the library alone would only log it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from orchestration.errors import ConfigurationError, LineageUnavailableError
from orchestration.lineage.emitter import OpenLineageEmitter
from orchestration.lineage.transports import Transport
from tests.orchestration.kafka import BROKERS, NEEDS_BROKER, messages_of, own_broker, own_topic
from tests.orchestration.lineage.a_job import PLACES, FactsOfAJob, kinds_of
from tests.orchestration.lineage.checks import assert_runs_end, assert_tree

pytest.importorskip("openlineage.client")
pytestmark = pytest.mark.needs_service("kafka")


@pytest.fixture
def lineage_to(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Without other variables of the library; what it sets is removed."""
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE")]:
        monkeypatch.delenv(name)
    yield monkeypatch


def emitter(patch: pytest.MonkeyPatch, topic: str, brokers: str, **properties: object) -> OpenLineageEmitter:
    """An emitter to a topic."""
    transport = {"type": "kafka", "topic": topic, "config": {"bootstrap.servers": brokers, **properties}}
    patch.setenv("OPENLINEAGE__TRANSPORT", json.dumps(transport))
    return OpenLineageEmitter(Transport(), "medkg", PLACES, kinds_of)


def created(brokers: str, topic: str) -> None:
    """Create a topic with three partitions."""
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, 3, 1)])[topic].result()


def test_every_event_is_on_the_topic_and_a_job_with_its_runs_is_in_one_partition(
    lineage_to: pytest.MonkeyPatch,
) -> None:
    with own_topic() as topic:
        created(BROKERS, topic)
        sink = emitter(lineage_to, topic, BROKERS)
        sink.publish(FactsOfAJob().whole().facts, "")
        sink.close()
        messages = messages_of(topic, 19)
    events = [json.loads(message.value() or b"") for message in messages]
    assert_runs_end(events)
    assert_tree(events)
    assert len({message.partition() for message in messages}) == 1


def test_an_unknown_topic_is_a_configuration_error(lineage_to: pytest.MonkeyPatch) -> None:
    if not BROKERS:
        pytest.skip(NEEDS_BROKER)
    topic = f"test.{uuid4().hex}"
    sink = emitter(lineage_to, topic, BROKERS, **{"allow.auto.create.topics": False})
    with pytest.raises(ConfigurationError, match=f"topic {topic}"):
        sink.publish(FactsOfAJob().opened().facts, "")


def test_a_broker_that_was_killed_is_unavailable_and_gets_everything_later(
    lineage_to: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    facts = FactsOfAJob().whole().facts
    with own_broker(tmp_path) as broker:
        created(broker.brokers, "lineage")
        sink = emitter(lineage_to, "lineage", broker.brokers, **{"message.timeout.ms": 2_000})
        state = sink.publish(facts[:5], "")
        broker.kill()
        with pytest.raises(LineageUnavailableError, match="tried again"):
            sink.publish(facts[5:], state)
        broker.start()
        sink.publish(facts[5:], state)
        events = [
            json.loads(message.value() or b"") for message in messages_of("lineage", 19, broker.brokers)
        ]
    assert {event["run"]["runId"] for event in events if event["eventType"] == "START"} == {
        event["run"]["runId"] for event in events if event["eventType"] in {"COMPLETE", "FAIL"}
    }
