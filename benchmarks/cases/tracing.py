"""What traces cost: launches with tracing off, on, and towards a collector that is gone or does not answer.

Four hosts are kept, each with its environment. Rounds run the same documents through each of them in turn,
in a new tenant and in an order that rotates; the first round warms up and does not count. Rates are medians,
and the ratios to `off` are medians of the rounds' ratios. Beside them the time of a span itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import Any, Final

from ..bench import Bench
from ..load.command_line import CommandLine

ROUNDS: Final = 4
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
GONE: Final = "http://127.0.0.1:9"

SPAN: Final = """
import json, time
from orchestration.tracing import configure_tracing, span
configure_tracing("bench")
def once(count):
    started = time.perf_counter()
    for _ in range(count):
        with span("work", {"medkg.documents": 1}):
            pass
    return (time.perf_counter() - started) / count
once(200)
print(json.dumps(min(once(1000) for _ in range(5)) * 1e9))
"""
"""Prints nanoseconds per span."""


def measure(bench: Bench) -> dict[str, Any]:
    """Seconds of launches by variant, their ratios to `off`, and nanoseconds per span."""
    bench.close()  # each host brings its plane
    with ExitStack() as stack:
        answering = stack.enter_context(_collector())
        silent = stack.enter_context(_collector(answers=False))
        endpoints = {"on": answering, "gone": GONE, "silent": silent}
        variants: dict[str, dict[str, str]] = {"off": {}} | {
            name: {ENDPOINT: endpoint} for name, endpoint in endpoints.items()
        }
        hosts = {name: CommandLine.at(bench.folder / name, variables) for name, variables in variants.items()}
        for host in hosts.values():
            stack.enter_context(host.kept())
        names = list(hosts)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for number in range(ROUNDS):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                options = ("--limit", str(bench.limit), "--tenant", f"round{number}")
                seconds[name].append(hosts[name].run(bench.path, *options)["seconds"])
        counted = {name: values[1:] for name, values in seconds.items()}
        spans = {"off": _span({}), "on": _span({ENDPOINT: answering})}
    return {
        "seconds": {name: [round(value, 2) for value in values] for name, values in counted.items()},
        "median_seconds": {name: round(median(values), 3) for name, values in counted.items()},
        "ratio_to_off": {
            name: round(median(a / b for a, b in zip(values, counted["off"], strict=True)), 3)
            for name, values in counted.items()
        },
        "nanoseconds_per_span": spans,
    }


def _span(variables: dict[str, str]) -> float:
    """Nanoseconds per span in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", SPAN],
        env={**os.environ, **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    return round(float(json.loads(done.stdout)))


@contextmanager
def _collector(*, answers: bool = True) -> Iterator[str]:
    """A collector that takes everything, or takes requests and never answers."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if not answers:
                ended.wait()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
