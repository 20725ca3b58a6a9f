"""What telemetry costs: launches with traces, events, lineage, to receivers that answer, are gone or silent.

Of each variant two hosts are kept at a time, one of them publishing nothing. Rounds run the same documents
through both, in a new tenant and in alternating order; the first round warms up and does not count. A run's
seconds are those of its report; its CPU seconds are those of the host's process tree, relay and replicas
included, until SETTLE_SECONDS after it. Figures are medians of the rounds, and of the rounds' ratios. Idle
CPU is what the publishing host takes a minute with nothing to do, less what the other takes. Beside them the
time of a span itself.

Kafka is that of MEDKG_TEST_KAFKA_BOOTSTRAP; where the variable is not set, the variants that need it are left
out and named.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import Any, Final
from uuid import uuid4

from ..bench import Bench
from ..load.command_line import CommandLine
from ..load.process_tree import ProcessTree

ROUNDS: Final = 3
SETTLE_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 15.0
KAFKA: Final = "MEDKG_TEST_KAFKA_BOOTSTRAP"

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

Figures = dict[str, Any]


def measure(bench: Bench) -> Figures:
    """Seconds and CPU seconds of launches by variant, their ratios to silence, and nanoseconds per span."""
    bench.close()  # each host brings its plane
    broker = os.environ.get(KAFKA)
    with ExitStack() as stack:
        answering = stack.enter_context(_receiver())
        gone, silent = _refusing_port(), stack.enter_context(_silent_port())
        variants: dict[str, dict[str, str]] = {
            "traces": _traces(answering),
            "lineage": _lineage(answering),
            **({"events_to_kafka": _kafka(broker), "all": _all(answering, broker)} if broker else {}),
            "all_gone": _all(f"http://{gone}", gone),
            "all_silent": _all(f"http://{silent}", silent),
        }
        figures = {name: _compared(bench, name, variables) for name, variables in variants.items()}
        spans = {"off": _span({}), "on": _span(_traces(answering))}
    return {
        "launches": figures,
        "left_out": {} if broker else {"events_to_kafka, all": f"{KAFKA} is not set"},
        "nanoseconds_per_span": spans,
    }


def _traces(address: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": address}


def _lineage(address: str) -> dict[str, str]:
    return {"OPENLINEAGE_URL": address}


def _kafka(broker: str) -> dict[str, str]:
    return {"MEDKG_KAFKA_BROKERS": broker}


def _all(address: str, broker: str) -> dict[str, str]:
    """Traces, lineage, and events to Kafka and a webhook."""
    webhook = {"MEDKG_EVENTS_WEBHOOK": f"{address}/events"}
    return _traces(address) | _lineage(address) | _kafka(broker) | webhook


def _compared(bench: Bench, name: str, variables: Mapping[str, str]) -> Figures:
    """A host of a variant beside one that publishes nothing."""
    hosts = {
        "off": CommandLine.at(bench.folder / f"{name}-off", {}),
        "on": CommandLine.at(bench.folder / name, variables),
    }
    rounds: list[dict[str, tuple[float, float]]] = []
    with ExitStack() as stack:
        for host in hosts.values():
            stack.enter_context(host.kept())
        trees = {key: ProcessTree(host.answer("status")["host"]) for key, host in hosts.items()}
        for number in range(ROUNDS + 1):
            order = sorted(hosts, reverse=bool(number % 2))
            rounds.append({key: _run(bench, hosts[key], trees[key]) for key in order})
        idle = _idle(trees)
    counted = rounds[1:]
    return {
        unit: {
            "off": round(median(run["off"][index] for run in counted), 3),
            "on": round(median(run["on"][index] for run in counted), 3),
            "ratio": round(median(run["on"][index] / run["off"][index] for run in counted), 3),
            "ratios": [round(run["on"][index] / run["off"][index], 3) for run in counted],
        }
        for index, unit in enumerate(("seconds", "cpu_seconds"))
    } | {"idle_cpu_seconds_a_minute": round((idle["on"] - idle["off"]) * 60 / IDLE_SECONDS, 2)}


def _run(bench: Bench, host: CommandLine, tree: ProcessTree) -> tuple[float, float]:
    """Seconds of a run, and CPU seconds of the host until a little after it."""
    before = tree.cpu_seconds()
    report = host.run(bench.path, "--limit", str(bench.limit), "--tenant", f"round-{uuid4().hex[:8]}")
    time.sleep(SETTLE_SECONDS)
    return report["seconds"], tree.cpu_seconds() - before


def _idle(trees: Mapping[str, ProcessTree]) -> dict[str, float]:
    before = {key: tree.cpu_seconds() for key, tree in trees.items()}
    time.sleep(IDLE_SECONDS)
    return {key: tree.cpu_seconds() - before[key] for key, tree in trees.items()}


def _span(variables: Mapping[str, str]) -> float:
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
def _receiver() -> Iterator[str]:
    """The address of a server that takes every POST."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
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
        server.shutdown()
        server.server_close()
        thread.join()


def _refusing_port() -> str:
    """HOST:PORT where no process listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def _silent_port() -> Iterator[str]:
    """HOST:PORT where the kernel takes connections, and no process reads or answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=4096)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"
