"""A local OpenTelemetry collector: POST /v1/traces with OTLP in protobuf; remembers the spans.

Comes in: a status to answer with, or an event until which it does not answer. Leaves: HTTP on 127.0.0.1, and
the spans that were accepted, as a tree for people too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Received(NamedTuple):
    """One span."""

    name: str
    service: str
    pid: int
    trace_id: str
    span_id: str
    parent_id: str
    started: int
    ended: int
    attributes: dict[str, Any]
    events: tuple[str, ...]
    failed: bool


@dataclass
class OtlpCollector:
    """Spans that a local collector accepted."""

    url: str
    spans: list[Received] = field(default_factory=list)
    requests: int = 0
    status: int = 200
    answers: Event = field(default_factory=Event)
    """While it is not set, requests are taken and not answered."""

    def named(self, name: str) -> list[Received]:
        """Spans of this name."""
        return [span for span in self.spans if span.name == name]

    def tree(self) -> str:
        """All spans, children below their parents, in the order of their starts."""
        return "\n".join(_lines(self.spans))


@contextmanager
def otlp_collector(port: int = 0) -> Iterator[OtlpCollector]:
    """Serve until the context ends."""
    lock = Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                server.requests += 1
            server.answers.wait()
            known = self.path == "/v1/traces"
            if known and server.status == 200:
                request = ExportTraceServiceRequest.FromString(body)
                with lock:
                    server.spans += _received(request)
            self.send_response(server.status if known else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    http.daemon_threads = True
    server = OtlpCollector(f"http://127.0.0.1:{http.server_port}")
    server.answers.set()
    thread = Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.answers.set()
        http.shutdown()
        http.server_close()
        thread.join()


def _received(request: ExportTraceServiceRequest) -> Iterator[Received]:
    for of_resource in request.resource_spans:
        resource = _values(of_resource.resource.attributes)
        for scope in of_resource.scope_spans:
            for span in scope.spans:
                yield Received(
                    name=span.name,
                    service=resource["service.name"],
                    pid=resource["process.pid"],
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    started=span.start_time_unix_nano,
                    ended=span.end_time_unix_nano,
                    attributes=_values(span.attributes),
                    events=tuple(event.name for event in span.events),
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def _lines(spans: Sequence[Received]) -> Iterator[str]:
    ids = {span.span_id for span in spans}
    children: dict[str, list[Received]] = defaultdict(list)
    for span in sorted(spans, key=lambda each: each.started):
        children[span.parent_id if span.parent_id in ids else ""].append(span)

    def below(parent: str, depth: int) -> Iterator[str]:
        for span in children[parent]:
            milliseconds = (span.ended - span.started) / 1e6
            marks = " FAILED" if span.failed else ""
            events = f" [{', '.join(span.events)}]" if span.events else ""
            yield f"{'  ' * depth}{span.name}  {milliseconds:.0f} ms  {span.service}{marks}{events}"
            yield from below(span.span_id, depth + 1)

    yield from below("", 0)
