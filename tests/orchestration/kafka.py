"""A Kafka broker that tests share (MEDKG_TEST_KAFKA_BOOTSTRAP), each with own topics; one to be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import psutil
import pytest
from confluent_kafka import Consumer, Message
from confluent_kafka.admin import AdminClient

from orchestration.events.kafka_cluster import KafkaCluster
from tests.waiting import wait_until

BROKERS: Final = os.environ.get("MEDKG_TEST_KAFKA_BOOTSTRAP", "")
SERVICES: Final = Path(__file__).resolve().parents[3] / "shared" / "services" / "services"
NEEDS_BROKER: Final = "needs MEDKG_TEST_KAFKA_BOOTSTRAP=HOST:PORT of a Kafka broker"
LONG: Final = 120.0


@contextmanager
def own_topic(*endings: str) -> Iterator[str]:
    """A name of a topic; it and those with these endings are removed in the end. Skips without a broker."""
    if not BROKERS:
        pytest.skip(NEEDS_BROKER)
    topic = f"test.{uuid4().hex[:12]}"
    yield topic
    admin = AdminClient({"bootstrap.servers": BROKERS})
    names = [topic, *(topic + ending for ending in endings)]
    for future in admin.delete_topics(
        [name for name in names if name in admin.list_topics().topics]
    ).values():
        future.result()


def messages_of(topic: str, count: int, brokers: str = BROKERS) -> list[Message]:
    """All messages of a topic, `count` of them at least; fails after a while."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": uuid4().hex,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    consumer.subscribe([topic])
    messages: list[Message] = []
    ended: set[int] = set()
    until = time.monotonic() + LONG
    try:
        while time.monotonic() < until:
            message = consumer.poll(1.0)
            if message is None:
                continue
            error = message.error()
            if error is None:
                messages.append(message)
                ended.discard(message.partition() or 0)
            elif error.name() == "_PARTITION_EOF":
                ended.add(message.partition() or 0)
            if len(messages) >= count and ended >= set(range(len(consumer.assignment()))):
                return messages
    finally:
        consumer.close()
    raise AssertionError(f"{topic} has {len(messages)} messages, not {count}")


class OwnBroker:
    """A broker of one test, over a folder that outlives its process."""

    def __init__(self, folder: Path) -> None:
        """Takes programs that another folder of services has unpacked, where there is one."""
        self.folder = folder
        self.port = _free_ports()
        self.brokers = f"127.0.0.1:{self.port}"
        unpacked = Path(os.environ.get("SERVICES_DIR", "/tmp/medkg-services"))
        (folder / "kafka").mkdir(parents=True)
        if (unpacked / "kafka" / "lib").is_dir() and (unpacked / "java").is_dir():
            (folder / "java").symlink_to(unpacked / "java")
            (folder / "kafka" / "lib").symlink_to(unpacked / "kafka" / "lib")
        else:
            (folder / "kafka").rmdir()

    def start(self) -> None:
        """Start it; returns when its port answers."""
        self._services("start")

    def kill(self) -> None:
        """kill -9; returns when it has ended, so that `start` starts another process."""
        pid = self._pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(pid))

    def stop(self) -> None:
        """Stop it for good."""
        self._services("stop")

    def _pid(self) -> int:
        return int((self.folder / "kafka.pid").read_text())

    def _services(self, command: str) -> None:
        environment = {**os.environ, "SERVICES_DIR": str(self.folder), "KAFKA_PORT": str(self.port)}
        subprocess.run([SERVICES, command, "kafka"], env=environment, check=True, stdout=subprocess.DEVNULL)


def _free_ports() -> int:
    """A port that is free, and the next one too: the broker's and its controller's."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@contextmanager
def own_broker(folder: Path) -> Iterator[OwnBroker]:
    """A broker that the test may kill; skips without ../shared/services."""
    if not SERVICES.is_file() or not BROKERS:
        pytest.skip(NEEDS_BROKER + ", and ../shared/services to start another one")
    broker = OwnBroker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def the_cluster(brokers: str = BROKERS, answer_seconds: float = 10.0) -> KafkaCluster:
    """The cluster of the tests."""
    return KafkaCluster(brokers, answer_seconds=answer_seconds)
