"""Events on a real Kafka while processes are killed: workers, lister, relay, all of them, and the broker.

Ten kill -9 at random moments. A consumer that has nothing but the topic then has the ledger's exact account.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select

from medkg.testing.builders import TENANT
from ops.examples.job_accounts import Accounts
from orchestration.contracts import Ledger
from orchestration.errors import PlaneUnavailableError
from orchestration.events.factory import CloudEventFactory
from orchestration.ledger import open_ledger
from orchestration.ledger.tables import commits, dead_letters, stage_reports, windows
from tests.exhaustive import fewer
from tests.orchestration.command_line import MEDKG
from tests.orchestration.events.processes import JOBS
from tests.orchestration.kafka import OwnBroker, messages_of, own_broker
from tests.orchestration.postgresql import BOTH_DATABASES, own_schema
from tests.waiting import wait_until

pytestmark = [pytest.mark.needs_service("kafka"), pytest.mark.timeout(3600)]

DOCUMENTS = 10_000
DATABASES: list[Any] = fewer(BOTH_DATABASES[:1], exhaustive=BOTH_DATABASES)
WORKERS = fewer(2, exhaustive=3)
TOPIC = "orchestration.events.v1"
PARTS = ("committed", "failed", "skipped", "waiting", "pending", "total")


class Crew:
    """The processes of the test, by name; each is started again after a kill."""

    def __init__(self, url: str, folder: Path, broker: OwnBroker) -> None:
        self._folder = folder
        self._broker = broker
        self._environment = {
            **os.environ,
            "MEDKG_DATA_DIR": str(folder),
            "MEDKG_LEDGER_URL": url,
            "MEDKG_KAFKA_BROKERS": broker.brokers,
        }
        role = [sys.executable, "-m", "tests.orchestration.events.processes"]
        self._commands = {f"work {number}": [*role, "work", url, "0"] for number in range(WORKERS)}
        self._commands["list"] = [*role, "list", url, str(DOCUMENTS)]
        self._commands["relay"] = [*MEDKG, "events", "relay"]
        self.processes = {name: self._started(name) for name in self._commands}
        self._broker_starts: Thread | None = None

    def _started(self, name: str) -> subprocess.Popen[bytes]:
        log = self._folder / f"{name.split(maxsplit=1)[0]}.log"
        with log.open("ab") as lines:
            return subprocess.Popen(self._commands[name], env=self._environment, stdout=lines, stderr=lines)

    def kill(self, role: str, random: Random) -> None:
        """kill -9 of a process of this role, or of all of them as those of a host, and start it again."""
        if role == "broker":
            self.await_broker()
            self._broker.kill()
            self._broker_starts = Thread(target=self._broker.start)
            self._broker_starts.start()
            return
        of_role = [name for name in self._commands if name.split(maxsplit=1)[0] == role]
        names = list(self._commands) if role == "host" else [random.choice(of_role)]
        for name in names:
            self.processes[name].kill()
        for name in names:
            self.processes[name].wait()
            self.processes[name] = self._started(name)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return as soon as the condition holds; fails when the work ended before."""
        working = [process for name, process in self.processes.items() if name != "relay"]
        wait_until(lambda: condition() or all(process.poll() is not None for process in working))
        assert condition(), "the work was over before all kills: take more documents"

    def await_broker(self) -> None:
        """Return when a broker that was killed answers again; the others go on meanwhile."""
        if self._broker_starts is not None:
            self._broker_starts.join()

    def finish(self) -> None:
        """Return when the work is done; fails when a process ended otherwise."""
        for name, process in self.processes.items():
            if name != "relay":
                wait_until(lambda process=process: process.poll() is not None)  # type: ignore[misc]
                assert process.returncode == 0, self._log(name)

    def stop_relay(self) -> None:
        """End the relay as a host does."""
        self.processes["relay"].terminate()
        assert self.processes["relay"].wait(60) == 0, self._log("relay")

    def end(self) -> None:
        """Leave no process."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.await_broker()

    def _log(self, name: str) -> str:
        return (self._folder / f"{name.split(maxsplit=1)[0]}.log").read_text()[-4000:]


@contextmanager
def a_crew(url: str, folder: Path, broker: OwnBroker) -> Iterator[Crew]:
    crew = Crew(url, folder, broker)
    try:
        yield crew
    finally:
        crew.end()


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.sqlite"
        return
    with own_schema() as schema:
        yield schema


def test_a_consumer_has_the_ledgers_account_after_ten_kills(url: str, tmp_path: Path) -> None:
    random = Random(22)
    ledger = open_ledger(url)
    with own_broker(tmp_path / "services") as broker:
        with a_crew(url, tmp_path, broker) as crew:
            _kill_at_ten_moments(ledger, crew, random)
            crew.finish()
            wait_until(lambda: [reader.behind for reader in ledger.outbox.state().readers] == [0])
            crew.stop_relay()
        expected = _expected(ledger)
        delivered = [json.loads(m.value() or b"") for m in messages_of(TOPIC, len(expected), broker.brokers)]
    _none_is_missing_or_invented(delivered, expected)
    _each_document_is_in_order(delivered)
    _the_consumer_agrees(delivered, ledger)
    _the_ledger_has_no_more(delivered, url)
    ledger.close()


def _kill_at_ten_moments(ledger: Ledger, crew: Crew, random: Random) -> None:
    """At random numbers of facts over the first half of them, in a random order; the lister early."""
    order = ["work", "work", "work", "host", "relay", "relay", "relay"]
    random.shuffle(order)
    for place, role in ((1, "list"), (2, "broker"), (9, "broker")):
        order.insert(place, role)
    for role in order:
        moment = ledger.outbox.state().facts + random.randint(DOCUMENTS // 10, DOCUMENTS * 3 // 10)
        crew.wait_until(lambda least=moment: ledger.outbox.state().facts >= least)  # type: ignore[misc]
        crew.kill(role, random)


def _expected(ledger: Ledger) -> dict[str, Any]:
    """What the factory makes of the facts of the outbox, by id."""
    factory = CloudEventFactory()
    expected: dict[str, Any] = {}
    position = 0
    while facts := ledger.outbox.read(position, 1_000):
        assert [fact.position for fact in facts] == list(range(position + 1, position + 1 + len(facts)))
        position = facts[-1].position
        events = [event for fact in facts for event in factory.events(fact)]
        assert not expected.keys() & {event.id for event in events}
        expected |= {event.id: event.as_json() for event in events}
    return expected


def _none_is_missing_or_invented(delivered: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    assert {event["id"] for event in delivered} == expected.keys()
    assert all(event == expected[event["id"]] for event in delivered)


def _each_document_is_in_order(delivered: list[dict[str, Any]]) -> None:
    """First deliveries of the events of a key are in the order of their facts."""
    last: dict[str, str] = {}
    first_ids: set[str] = set()
    for event in delivered:
        if event["id"] not in first_ids:
            first_ids.add(event["id"])
            assert last.get(event["partitionkey"], "") < event["sequence"]
            last[event["partitionkey"]] = event["sequence"]


def _the_consumer_agrees(delivered: list[dict[str, Any]], ledger: Ledger) -> None:
    accounts = Accounts()
    for event in delivered:
        accounts.take(event)
    by_job = accounts.by_job()
    for job_id in JOBS:
        account = ledger.jobs.account(job_id).documents.model_dump()
        assert by_job[job_id] == {name: account[name] for name in PARTS}, job_id
    committed = [by_job[job_id]["committed"] for job_id in JOBS]
    assert all(committed), "the kills left work undone that a job should have done"


def _the_ledger_has_no_more(delivered: list[dict[str, Any]], url: str) -> None:
    """Windows, reports of stages, dead letters and visible documents of the tables are in the events."""
    events = {event["id"]: event for event in delivered}.values()
    of_type: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        of_type.setdefault(event["type"].removeprefix("org.medicalkg.orchestration."), []).append(event)
    engine = create_engine(url)
    with engine.begin() as connection:
        claimed = set(connection.execute(select(windows.c.window_id)).scalars())
        letters = connection.execute(select(func.count()).select_from(dead_letters)).scalar_one()
        reports = connection.execute(select(func.count()).select_from(stage_reports)).scalar_one()
        keys = select(commits.c.source, commits.c.doc_id, commits.c.version)
        visible = {f"{TENANT}/{source}/{doc}": version for source, doc, version in connection.execute(keys)}
    engine.dispose()
    assert {event["windowid"] for event in of_type["window.claimed"]} == claimed
    optional = [event for event in of_type["stage.failed"] if not event["data"]["fatal"]]
    dead = [event for event in optional if event["data"]["stage"] == "extract" and _is_a_letter(event)]
    assert len(of_type["document.failed"]) + len(dead) == letters
    ended = {(event["windowid"], event["data"]["stage"]) for event in of_type["stage.completed"]}
    assert len(ended) <= reports
    last: dict[str, str] = {}
    for event in sorted(events, key=lambda each: each["sequence"]):
        kind = event["type"].removeprefix("org.medicalkg.orchestration.")
        if kind == "document.committed":
            last[event["partitionkey"]] = event["data"]["version"]
        elif kind == "document.deleted":
            last.pop(event["partitionkey"], None)
    assert last == visible


def _is_a_letter(event: dict[str, Any]) -> bool:
    """Whether an optional stage failed for the document, not for its whole batch without an outcome."""
    return bool(event["data"]["error_code"] != PlaneUnavailableError.code)
