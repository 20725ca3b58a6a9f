"""A local web server that simulates publishers: files, landing pages, redirects, interrupted answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Answer:
    """The answer to a path."""

    content: bytes = b""
    status: int = 200
    content_type: str = "application/pdf"
    headers: dict[str, str] = field(default_factory=dict)
    breaks_after: int | None = None
    """The first answer ends after so many bytes of its body."""


@dataclass
class FileServer:
    """Paths and their answers; counts the requests."""

    url: str
    answers: dict[str, Answer]
    requests: Counter[str] = field(default_factory=Counter)
    ranges: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


@contextmanager
def serving(**answers: Answer) -> Iterator[FileServer]:
    """A server on a free port of the loopback interface; answers by the first part of a path."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # headers and body are two writes: the second would wait for an ACK

        def do_GET(self) -> None:
            name = self.path.strip("/").partition("/")[0]
            served.requests[name] += 1
            served.agents.add(self.headers.get("User-Agent", ""))
            answer = served.answers.get(name)
            if answer is None:
                self.send_error(404)
                return
            self._give(name, answer)

        def _give(self, name: str, answer: Answer) -> None:
            etag = f'"{sha256(answer.content).hexdigest()[:8]}"'
            wanted_range = self.headers.get("Range", "")
            if wanted_range:
                served.ranges.append(wanted_range)
            continues = bool(wanted_range) and self.headers.get("If-Range") == etag
            start = int(wanted_range.removeprefix("bytes=").rstrip("-")) if continues else 0
            body = answer.content[start:]
            self.send_response(206 if continues else answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", etag)
            self.send_header("Accept-Ranges", "bytes")
            if continues:
                last = len(answer.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(answer.content)}")
            for header, value in answer.headers.items():
                self.send_header(header, value)
            self.end_headers()
            breaks = answer.breaks_after is not None and served.requests[name] == 1
            self.wfile.write(body[: answer.breaks_after] if breaks else body)
            self.close_connection = breaks

        def log_message(self, *_: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = FileServer(f"http://127.0.0.1:{server.server_port}", answers)
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
