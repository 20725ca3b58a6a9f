"""A local server that simulates web services, with latency, faults and throttling, and records its requests.

Comes in: what a service answers to a path with its parameters. Leaves: HTTP on 127.0.0.1. Faults come by a
seeded chance, so that a run can be repeated: 500, 502, 503, a truncated body, a connection that is
reset, JSON or XML that is truncated under a right length. More requests per second than `most_per_second`
get 429 with Retry-After. No answer of a real service is kept here: services answer in their shape.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

Parameters = Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """One answer of a service."""

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Service = Callable[[str, Parameters], Reply]
"""The answer to a path (without the host) with its query or form parameters."""


@dataclass(frozen=True)
class ReceivedRequest:
    """One request that the server received."""

    moment: float
    path: str
    parameters: Parameters
    outcome: str
    """`good`, `throttled` or the fault."""
    agent: str


@dataclass
class Conditions:
    """Rates of faults and throttling, and the latency."""

    fault_rate: float = 0.0
    latency_seconds: float = 0.0
    throttle_rate: float = 0.0
    """Share of requests that are throttled, however fast they come."""
    most_per_second: int | None = None
    retry_after: str = "1"
    faults: tuple[str, ...] = ("500", "502", "503", "interrupted", "reset", "truncated")


class ReplayServer:
    """A service on its own port; `received` grows with every request."""

    def __init__(self, service: Service, conditions: Conditions | None = None, seed: int = 7) -> None:
        self.service = service
        self.conditions = conditions or Conditions()
        self.received: list[ReceivedRequest] = []
        self.next_outcomes: list[str] = []
        """Outcomes of the next requests, before those by chance: `good`, `throttled`, `503` ..."""
        self.hold: Callable[[], bool] | None = None
        """While it returns True, requests wait; they are dropped unanswered when `hold` is taken away."""
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._server = _server(self)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def most_in(self, seconds: float) -> int:
        """The most requests that came within so many seconds, wherever they begin.

        A busy machine delays some and so brings others together: over some seconds that evens out.
        """
        moments = sorted(request.moment for request in self.received)
        ends = [bisect_left(moments, start + seconds) for start in moments]
        return max((end - at for at, end in enumerate(ends)), default=0)

    def next_outcome(self) -> str:
        """Outcome of the next request: `good`, `throttled` or a fault."""
        conditions = self.conditions
        with self._lock:
            if self.next_outcomes:
                return self.next_outcomes.pop(0)
            now = time.monotonic()
            recent = sum(now - request.moment < 1 for request in self.received[-100:])
            if conditions.most_per_second is not None and recent >= conditions.most_per_second:
                return "throttled"
            if self._chance.random() < conditions.throttle_rate:
                return "throttled"
            if self._chance.random() < conditions.fault_rate:
                return self._chance.choice(conditions.faults)
            return "good"

    def held(self) -> bool:
        """Whether a request had to wait, by a client that may be gone by now; returns when none has to."""
        waited = False
        while (hold := self.hold) is not None and hold():
            waited = True
            time.sleep(0.01)
        return waited

    def record(self, path: str, parameters: Parameters, outcome: str, agent: str) -> None:
        with self._lock:
            self.received.append(ReceivedRequest(time.monotonic(), path, dict(parameters), outcome, agent))


@contextmanager
def replaying(service: Service, conditions: Conditions | None = None) -> Iterator[ReplayServer]:
    """The server for as long as it is needed."""
    server = ReplayServer(service, conditions)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: the second would wait for an ACK
    replay: ReplayServer

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        self._answer(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)))

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self._answer(dict(parse_qsl(form, keep_blank_values=True)))

    def _answer(self, parameters: Parameters) -> None:
        path = urlsplit(self.path).path
        if self.replay.held():
            self.close_connection = True
            return
        outcome = self.replay.next_outcome()
        self.replay.record(path, parameters, outcome, self.headers.get("User-Agent") or "")
        time.sleep(self.replay.conditions.latency_seconds)
        if outcome == "good":
            self._send(self.replay.service(path, parameters))
        elif outcome == "throttled":
            self._send(Reply(b"", 429, headers={"Retry-After": self.replay.conditions.retry_after}))
        elif outcome == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif outcome == "interrupted":
            self._send(self.replay.service(path, parameters), half=True)
        elif outcome == "truncated":
            whole = self.replay.service(path, parameters)
            self._send(Reply(whole.body[: len(whole.body) // 2], whole.status, whole.media_type))
        else:
            self._send(Reply(b"out of order", int(outcome), "text/plain"))

    def _send(self, reply: Reply, *, half: bool = False) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.media_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if half else reply.body)
        self.close_connection = self.close_connection or half


def _server(replay: ReplayServer) -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"replay": replay})

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """Clients that are killed break connections off; that is not this server's matter."""

    return Server(("127.0.0.1", 0), handler)
