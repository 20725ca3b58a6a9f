"""A local OpenAI-compatible server with one scripted answer, which can be stopped and started again.

Comes in: the content of every answer but that to the probe. Leaves: HTTP on a fixed port of 127.0.0.1.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from orchestration.extraction.llm.server import PROBE_ANSWER


class ChatServer:
    """Takes connections between `start` and `stop`; connections that were open end with `stop`."""

    def __init__(self, answer: str, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self._answer, self._port = answer, port
        self._running: tuple[ThreadingHTTPServer, Thread] | None = None

    def start(self) -> None:
        """Serve."""
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                content = PROBE_ANSWER if "probe" in request["messages"][-1]["content"] else answer
                choice = {"message": {"content": content}, "finish_reason": "stop"}
                body = json.dumps({"choices": [choice]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

        server = Server(("127.0.0.1", self._port), Handler)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self._running = (server, thread)

    def stop(self) -> None:
        """Refuse connections. Idempotent."""
        if self._running is not None:
            server, thread = self._running
            server.shutdown()
            server.server_close()
            thread.join()
            self._running = None
