"""What OpenSearch may answer: overloaded, full, refused, some items not taken. A small server plays it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from orchestration.errors import (
    ConfigurationError,
    DagsterResourceUnavailableError,
    MedkgError,
    RequestRejectedError,
    StoreUnwritableError,
)
from orchestration.stores.opensearch import connection as module
from orchestration.stores.opensearch.connection import Connection

Answer = Callable[[list[str]], tuple[int, dict[str, Any]]]
"""From the lines of a request's body to status and body of the answer."""


class Played(ThreadingHTTPServer):
    """Answers every request by `answer`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Answer = lambda lines: (200, {})

    @property
    def url(self) -> str:
        return f"http://someone:secret@127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        status, answer = self.server.answer(body.splitlines())  # type: ignore[attr-defined]
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815 - http.server's name

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Played]:
    played = Played()
    threading.Thread(target=played.serve_forever, args=(0.01,), daemon=True).start()
    yield played
    played.shutdown()
    played.server_close()


@pytest.fixture
def connection(server: Played) -> Iterator[Connection]:
    opened = Connection(server.url)
    yield opened
    opened.close()


def actions(count: int) -> list[dict[str, Any]]:
    return [{"_index": "i", "_id": str(number), "word": "sleep"} for number in range(count)]


def taken(number: str, status: int = 201, kind: str = "", reason: str = "") -> dict[str, Any]:
    error = {"error": {"type": kind, "reason": reason}} if kind else {}
    return {"index": {"_id": number, "status": status, **error}}


def ids(lines: list[str]) -> list[str]:
    """Ids of the documents in a bulk request."""
    return [json.loads(line)["index"]["_id"] for line in lines[::2]]


def test_all_is_sent_in_requests_of_bounded_size(server: Played, connection: Connection) -> None:
    requests: list[list[str]] = []

    def answer(lines: list[str]) -> tuple[int, dict[str, Any]]:
        requests.append(ids(lines))
        return 200, {"errors": False, "items": [taken(number) for number in ids(lines)]}

    server.answer = answer
    connection.bulk(actions(1_100))
    assert sorted(int(number) for request in requests for number in request) == list(range(1_100))
    assert max(map(len, requests)) <= module.ACTIONS


def test_an_item_that_is_never_taken_is_reported_with_its_reason(
    server: Played, connection: Connection
) -> None:
    def answer(lines: list[str]) -> tuple[int, dict[str, Any]]:
        items = [
            taken(doc_id, 400, "mapper_parsing_exception", "no such date") if doc_id == "7" else taken(doc_id)
            for doc_id in ids(lines)
        ]
        return 200, {"errors": True, "items": items}

    server.answer = answer
    with pytest.raises(RequestRejectedError, match="1 items: 400 mapper_parsing_exception: no such date"):
        connection.bulk(actions(20))


def test_a_server_that_throttles_items_is_one_to_wait_for(server: Played, connection: Connection) -> None:
    server.answer = lambda lines: (
        200,
        {"errors": True, "items": [taken(doc_id, 429, "rejected", "queue full") for doc_id in ids(lines)]},
    )
    with pytest.raises(DagsterResourceUnavailableError, match="3 items: 429 rejected: queue full"):
        connection.bulk(actions(3))


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (429, "circuit_breaking_exception", DagsterResourceUnavailableError),
        (503, "cluster_manager_not_discovered_exception", DagsterResourceUnavailableError),
        (403, "cluster_block_exception", StoreUnwritableError),
        (403, "security_exception", ConfigurationError),
        (401, "security_exception", ConfigurationError),
        (400, "parsing_exception", RequestRejectedError),
    ],
)
def test_a_refusal_is_named_with_server_and_reason(
    server: Played, connection: Connection, status: int, kind: str, error: type[MedkgError]
) -> None:
    server.answer = lambda lines: (
        status,
        {"error": {"root_cause": [{"type": kind, "reason": "because"}]}, "status": status},
    )
    named = rf"127\.0\.0\.1:{server.server_address[1]}.*because"
    with pytest.raises(error, match=named) as caught, connection.errors_named() as client:
        client.search(index="i", body={})
    assert "secret" not in caught.value.message
    with pytest.raises(error):
        connection.bulk(actions(2))


def test_a_server_that_is_unavailable_is_unavailable() -> None:
    connection = Connection("http://127.0.0.1:1")
    with pytest.raises(DagsterResourceUnavailableError, match=r"127\.0\.0\.1:1 does not answer"):
        connection.bulk(actions(1))
    with (
        pytest.raises(DagsterResourceUnavailableError, match="Start it"),
        connection.errors_named() as client,
    ):
        client.search(index="i", body={})


@pytest.mark.parametrize("url", ["", "localhost:9200", "ftp://host", "http://"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MEDKG_OPENSEARCH_URL"):
        Connection(url)
