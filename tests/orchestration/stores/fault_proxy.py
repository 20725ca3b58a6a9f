"""A proxy before OpenSearch that breaks one write: as a killed server, a lost answer, a full disk would."""

from __future__ import annotations

import json
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

__all__ = ["FAULTS", "FaultProxy"]

FAULTS: Final = ("killed before", "answer lost", "half taken", "throttled", "disk full")


class FaultProxy(ThreadingHTTPServer):
    """Forwards requests to a server; bulk writes meet the fault from write `at` (from 0) until `repair`."""

    daemon_threads = True

    def __init__(self, server: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(server).netloc
        self.fault = ""
        self._left = 0
        self._guard = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def break_from(self, at: int, fault: str) -> None:
        self._left, self.fault = at, fault

    def repair(self) -> None:
        self.fault = ""

    def meets_fault(self) -> str:
        """The fault that a write meets now, '' for none."""
        with self._guard:
            if self.fault and self._left == 0:
                return self.fault
            self._left -= 1
            return ""

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True  # headers and body are two writes: the second would wait for an ACK
    server: FaultProxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        fault = self.server.meets_fault() if self.path.split("?")[0].endswith("/_bulk") else ""
        if fault == "killed before":
            self.close_connection = True
            return
        if fault == "disk full":
            reason = "index blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]"
            self._answer(403, {"error": {"type": "cluster_block_exception", "reason": reason}, "status": 403})
            return
        if fault == "throttled":
            self._answer(
                429, {"error": {"type": "circuit_breaking_exception", "reason": "busy"}, "status": 429}
            )
            return
        if fault == "half taken":
            lines = body.splitlines(keepends=True)
            forwarded = lines[: max(2, len(lines) // 4 * 2)]
            status, answer = self._forward(b"".join(forwarded))
            result = json.loads(answer)
            for line in lines[len(forwarded) :: 2]:
                rejected = {"type": "rejected_execution_exception", "reason": "queue full"}
                result["items"].append(
                    {"index": {**json.loads(line)["index"], "status": 429, "error": rejected}}
                )
            self._answer(status, {**result, "errors": True})
            return
        status, answer = self._forward(body)
        if fault == "answer lost":
            self.close_connection = True
            return
        self._send(status, answer)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - http.server's names

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection(self.server.target, timeout=60)
        headers = {"content-type": self.headers.get("content-type", "application/json")}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def _answer(self, status: int, value: object) -> None:
        self._send(status, json.dumps(value).encode())

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return
