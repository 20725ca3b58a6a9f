"""A local OpenLineage server, as Marquez receives: POST /api/v1/lineage, 201; remembers the events.

Comes in: status codes to answer with. Leaves: HTTP on 127.0.0.1, and the events that were accepted. An event
without run, job and eventTime gets 400, as from a real server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

NEEDED = {"run", "job", "eventTime", "producer", "schemaURL"}


@dataclass
class LineageServer:
    """Events that a local server accepted."""

    url: str
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    refuse: Callable[[dict[str, Any]], int | None] = lambda _: None
    """Status code with which an event is refused; None: it is accepted."""


@contextmanager
def lineage_server(port: int = 0) -> Iterator[LineageServer]:
    """Serve until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(_status(server, self.path, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server = LineageServer(f"http://127.0.0.1:{http.server_port}")
    thread = Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _status(server: LineageServer, path: str, body: bytes) -> int:
    server.requests += 1
    if path != "/api/v1/lineage":
        return 404
    event = json.loads(body)
    if not event.keys() >= NEEDED:
        return 400
    refused = server.refuse(event)
    if refused is None:
        server.events.append(event)
    return refused or 201
