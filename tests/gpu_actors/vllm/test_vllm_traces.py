"""A vLLM server gets the trace of its requests and the collector's address; here a stand-in for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gpu_actors.vllm.server import ServerOptions, VllmServer
from orchestration.tracing import continued

A_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OPTIONS = ServerOptions(runner="pooling", device="cpu", dtype="float32", max_tokens=8, batch_tokens=8)

STAND_IN = """#!{python}
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
log = open({record!r}, "a")
named = {{name: os.environ.get(name) for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_SERVICE_NAME")}}
print(json.dumps({{"argv": sys.argv, "environment": named}}), file=log, flush=True)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b"")
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        print(json.dumps({{"traceparent": self.headers["traceparent"]}}), file=log, flush=True)
        self.answer(bytes(8))
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


class StandIn:
    """An executable that answers as a vLLM server and records what it was given."""

    def __init__(self, folder: Path) -> None:
        self._record = folder / "record.jsonl"
        self.executable = folder / "vllm"
        self.executable.write_text(
            STAND_IN.format(python=sys.executable, record=str(self._record)), encoding="utf-8"
        )
        self.executable.chmod(0o755)

    def served(self, traceparent: str) -> list[dict[str, object]]:
        """What it recorded of its start and of one request."""
        server = VllmServer(str(self.executable), self.executable.parent, OPTIONS)
        try:
            with continued(traceparent):
                assert np.array_equal(server.embed([[1, 2]]), np.zeros((1, 2), np.float32))
        finally:
            server.close()
        return [json.loads(line) for line in self._record.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    return StandIn(tmp_path)


def test_a_request_carries_the_trace_and_the_server_knows_the_collector(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/")
    start, request = stand_in.served(A_PARENT)
    argv = start["argv"]
    assert isinstance(argv, list)
    assert argv[argv.index("--otlp-traces-endpoint") + 1] == "http://127.0.0.1:4318/v1/traces"
    assert start["environment"] == {
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "medkg-vllm",
    }
    assert request == {"traceparent": A_PARENT}


def test_without_a_collector_there_is_neither(stand_in: StandIn) -> None:
    start, request = stand_in.served("")
    assert "--otlp-traces-endpoint" not in str(start["argv"])
    assert request == {"traceparent": None}
