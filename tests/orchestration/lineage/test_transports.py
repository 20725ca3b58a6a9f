"""Transports of lineage: what a server, a file and a broker answer, and what a wrong configuration gives."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from orchestration.errors import ConfigurationError, LineageUnavailableError, MedkgError
from orchestration.lineage.emitter import OpenLineageEmitter
from orchestration.lineage.transports import Transport, is_configured, job_namespace
from tests.orchestration.lineage.a_job import PLACES, FactsOfAJob, kinds_of
from tests.orchestration.lineage.checks import assert_runs_end, assert_tree
from tests.servers.lineage_server import LineageServer, lineage_server

pytest.importorskip("openlineage.client")


@pytest.fixture(autouse=True)
def without_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variable and file of this machine; what the library sets is removed afterwards."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    yield
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE")]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LineageServer]:
    """A server that OPENLINEAGE_URL names."""
    with lineage_server() as running:
        monkeypatch.setenv("OPENLINEAGE_URL", running.url)
        yield running


def published(facts: FactsOfAJob, state: str = "") -> str:
    """Publish through the configured transport; returns the state."""
    emitter = OpenLineageEmitter(Transport(), "medkg", PLACES, kinds_of)
    try:
        return emitter.publish(facts.facts, state)
    finally:
        emitter.close()


def test_lineage_is_off_unless_the_library_is_configured(tmp_path: Path) -> None:
    assert not is_configured({"PATH": "/bin", "OPENLINEAGE_NAMESPACE": "prod"})
    assert is_configured({"OPENLINEAGE_URL": "http://marquez:5000"})
    assert is_configured({"OPENLINEAGE__TRANSPORT__TYPE": "console"})
    assert is_configured({"OPENLINEAGE_CONFIG": "/etc/openlineage.yml"})
    assert not is_configured({"OPENLINEAGE_URL": "http://marquez:5000", "OPENLINEAGE_DISABLED": "True"})
    (tmp_path / "openlineage.yml").write_text("transport: {type: console}")
    assert is_configured({})
    assert (job_namespace({}), job_namespace({"OPENLINEAGE_NAMESPACE": "prod"})) == ("medkg", "prod")


def test_a_server_gets_every_event(server: LineageServer) -> None:
    published(FactsOfAJob().whole())
    assert_runs_end(server.events)
    assert_tree(server.events)
    assert len(server.events) == 19


def test_a_server_that_fails_for_a_while_gets_everything_and_is_asked_once_per_try(
    server: LineageServer,
) -> None:
    server.refuse = lambda _: 503
    with pytest.raises(LineageUnavailableError, match="503"):
        published(FactsOfAJob().whole())
    assert server.requests == 1
    server.refuse = lambda _: None
    published(FactsOfAJob().whole())
    assert_runs_end(server.events)


def test_a_server_that_is_unreachable_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with lineage_server() as gone:
        monkeypatch.setenv("OPENLINEAGE_URL", gone.url)
    with pytest.raises(LineageUnavailableError, match="tried again"):
        published(FactsOfAJob().whole())


def test_a_refused_event_is_left_out_logged_and_counted(server: LineageServer) -> None:
    server.refuse = lambda event: 422 if event["job"]["name"] == "auto.embed" else None
    with capture_logs() as logs:
        state = published(FactsOfAJob().whole())
    assert json.loads(state)["rejected"] == 2
    refused = [line for line in logs if line["event"] != "" and line.get("code") == "MEDKG-446"]
    assert [line["lineage_job"] for line in refused] == ["auto.embed"] * 2
    assert len(server.events) == 17
    assert {event["job"]["name"] for event in server.events} >= {"auto", "auto.index"}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_or_address_that_no_event_passes_is_a_configuration_error(
    server: LineageServer, status: int
) -> None:
    server.refuse = lambda _: status
    with pytest.raises(ConfigurationError, match=f"{status}.*Set OPENLINEAGE_URL"):
        published(FactsOfAJob().whole())


def test_the_password_of_an_address_is_in_no_message(
    server: LineageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", server.url.replace("//", "//user:geheim@"))
    server.refuse = lambda _: 403
    with pytest.raises(ConfigurationError) as error:
        published(FactsOfAJob().whole())
    assert "geheim" not in error.value.message


def test_a_file_gets_one_event_a_line(tmp_path: Path) -> None:
    path = tmp_path / "lineage.jsonl"
    (tmp_path / "openlineage.yml").write_text(
        f"transport: {{type: file, log_file_path: {path}, append: true}}"
    )
    published(FactsOfAJob().whole())
    assert_runs_end([json.loads(line) for line in path.read_text().splitlines()])


def test_a_git_repository_of_the_working_directory_is_not_sent(
    server: LineageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    published(FactsOfAJob().opened())
    assert "sourceCodeLocation" not in server.events[0]["job"]["facets"]


def _file(content: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "openlineage.yml").write_text(content)

    return write


def _variables(**values: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def set_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_them


@pytest.mark.parametrize(
    ("configure", "message"),
    [
        (_file("transport: [unclosed"), "openlineage.yml"),
        (_file("transport: {type: http}"), "`url` key not passed"),
        (_file("transport: {url: 'http://x'}"), "without the type"),
        (_file("transport: {type: carrier-pigeon}"), "cannot be opened"),
        (_file("transport: {type: async_http, url: 'http://x'}"), "async_http loses events"),
        (_variables(OPENLINEAGE_CONFIG="/nowhere/openlineage.yml"), "/nowhere/openlineage.yml"),
        (_variables(OPENLINEAGE_URL="marquez"), "Need valid url"),
    ],
)
def test_a_configuration_that_the_library_would_pass_over_is_an_error(
    configure: Callable[[Path, pytest.MonkeyPatch], None],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(tmp_path, monkeypatch)
    assert is_configured(os.environ)
    with pytest.raises(ConfigurationError, match=message):
        Transport()


@pytest.mark.parametrize(
    ("path", "error"), [("/proc/lineage.jsonl", MedkgError), ("{tmp}/no/folder.jsonl", ConfigurationError)]
)
def test_a_file_that_cannot_be_written_is_an_error(path: str, error: type[Exception], tmp_path: Path) -> None:
    (tmp_path / "openlineage.yml").write_text(
        f"transport: {{type: file, append: true, log_file_path: {path.format(tmp=tmp_path)}}}"
    )
    with pytest.raises(error, match="Failed to write"):
        published(FactsOfAJob().whole())


class _Broker:
    """A producer of confluent-kafka that gives one answer."""

    def __init__(self, answer: str | None) -> None:
        self._answer = answer
        self.sent: list[bytes] = []
        self.purged = False

    def produce(self, *, value: bytes, on_delivery: Callable[[Any, Any], None], **_: Any) -> None:
        self.sent.append(value)
        if self._answer != "silence":
            on_delivery(_KafkaError(self._answer) if self._answer else None, None)

    def flush(self, *_: Any, **__: Any) -> int:
        return 0

    def purge(self) -> None:
        self.purged = True


class _KafkaError:
    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name

    def str(self) -> str:
        return self._name.lower()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, None),
        ("_MSG_TIMED_OUT", LineageUnavailableError),
        ("silence", LineageUnavailableError),
        ("UNKNOWN_TOPIC_OR_PART", ConfigurationError),
    ],
)
def test_what_kafka_answers_counts(
    answer: str | None, error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("confluent_kafka")
    (tmp_path / "openlineage.yml").write_text(
        "transport: {type: kafka, topic: lineage, config: {bootstrap.servers: '127.0.0.1:1'}}"
    )
    transport, broker = Transport(), _Broker(answer)
    monkeypatch.setattr(transport._client.transport, "producer", broker)
    emitter = OpenLineageEmitter(transport, "medkg", PLACES, kinds_of)
    if error is None:
        emitter.publish(FactsOfAJob().whole().facts, "")
        assert_runs_end([json.loads(value) for value in broker.sent])
        return
    with pytest.raises(error, match="Kafka"):
        emitter.publish(FactsOfAJob().whole().facts, "")
    assert len(broker.sent) == 1


def test_an_opened_transport_leaves_the_environment_as_it_was(server: LineageServer) -> None:
    before = dict(os.environ)
    Transport().close()
    assert dict(os.environ) == before
