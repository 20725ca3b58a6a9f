"""Dashboards: whole, over the registry, and every query answered by a Prometheus that scraped medkg."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from medkg.testing.ledger_suite.builders import a_failure, a_job, an_item, at_the_gate, claimed, taken
from ops.observability.dashboards import files
from ops.observability.servers import alertmanager, free_port, missing_programs, prometheus
from orchestration.contracts.facts import (
    DeadLetterReplayed,
    DocumentQueued,
    FactBody,
    JobOpened,
    ResourceChanged,
    ServiceWaited,
    StageAbandoned,
    StageStarted,
    WindowClaimed,
)
from orchestration.formats.last_checks import note_check
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.metrics.counters import MetricsSink
from orchestration.metrics.endpoint import MetricsEndpoint
from orchestration.metrics.names import METRICS, RAY_METRICS
from orchestration.metrics.readings import DagsterTicks
from orchestration.settings import Settings
from tests.ops.prometheus import OF_PROMETHEUS, PANELS, QUERIES, answered, names_of, rules, unanswered_rules
from tests.orchestration.metrics.facts import a_fact, one_of_each
from tests.orchestration.metrics.hosts import a_status
from tests.orchestration.metrics.outbox import SetOutbox, a_reader

RECORDED = {rule["record"] for rule in rules() if "record" in rule}


def test_the_files_are_what_the_panels_say() -> None:
    assert {path: path.read_text(encoding="utf-8") for path in files()} == files()


def test_queries_and_rules_use_known_metrics_alone() -> None:
    series = {series for metric in METRICS.values() for series in metric.series}
    known = series | set(RAY_METRICS) | RECORDED | OF_PROMETHEUS
    used = set().union(*map(names_of, [*QUERIES, *(rule["expr"] for rule in rules())]))
    assert used <= known


def test_every_metric_is_shown_or_used_by_a_rule() -> None:
    used = set().union(*map(names_of, [*QUERIES, *(rule["expr"] for rule in rules())]))
    assert {name for name, metric in METRICS.items() if not used & set(metric.series)} == set()


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_a_dashboard_has_unique_ids_no_overlap_and_a_datasource_by_variable(path: Path) -> None:
    panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    shown = [panel for panel in panels if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in shown} == {"${datasource}"}


# --- a Prometheus that scrapes ----------------------------------------------------------------------


@dataclass
class Parts:
    monitoring: Any
    outbox: Any


@contextmanager
def served_ray() -> Iterator[int]:
    """The plane's metrics as Ray names them; the test of the plane itself starts Ray."""
    registry, port = CollectorRegistry(), free_port()
    moves: list[Callable[[], None]] = []
    for name in RAY_METRICS:
        if name.endswith("_bucket"):
            histogram = Histogram(name.removesuffix("_bucket"), "h", ["pool"], registry=registry)
            moves.append(partial(histogram.labels("embedder").observe, 1))
        elif name.endswith("_total"):
            moves.append(Counter(name, "c", ["pool"], registry=registry).labels("embedder").inc)
        else:
            moves.append(Gauge(name, "g", ["pool"], registry=registry).labels("embedder").inc)
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.5):
            for move in moves:
                move()

    working = threading.Thread(target=work)
    working.start()
    server, thread = start_http_server(port, "127.0.0.1", registry)
    yield port
    ended.set()
    working.join()
    server.shutdown()
    thread.join()


class Counting:
    """The state of the metrics reader while facts come: some more at each scrape."""

    def __init__(self) -> None:
        opened: list[FactBody] = [
            JobOpened(source="files", attended=True),
            StageStarted(stage="parse"),
            StageStarted(stage="embed"),
        ]
        self._sink = MetricsSink()
        self._state = self._sink.publish([a_fact(body) for body in opened], "")
        self._guard = threading.Lock()
        rest: list[FactBody] = [
            DocumentQueued(),
            WindowClaimed(),
            DeadLetterReplayed(),
            ServiceWaited(stage="embed", code="MEDKG-400", wait_ms=5),
            StageAbandoned(stage="embed", code="MEDKG-400", message="unavailable"),
            ResourceChanged(resource="vllm", available=False),
        ]
        self._facts = [*one_of_each(), *(a_fact(body) for body in rest)]
        self._scrapes = 0

    def __call__(self) -> str:
        with self._guard:
            self._scrapes += 1
            if self._scrapes > 2:
                self._state = self._sink.publish(self._facts, self._state)
            return self._state


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook: its address, and the bodies that were posted to it."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(202)
            self.end_headers()
            self.wfile.write(b'{"status": "success"}')

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", bodies
    server.shutdown()
    server.server_close()


def filled_ledger(ledger: SqlLedger) -> None:
    """Documents that wait, one that failed, and one at a gate."""
    window = claimed(ledger, a_job(ledger, an_item("1"), an_item("2")))
    first, _ = taken(ledger, window)
    ledger.outcomes.advance(window, "parse", [], [a_failure(first)], {})
    at_the_gate(ledger, "3", job_id="job-2")
    a_job(ledger, an_item("4"), job_id="job-3")


def until(seconds: float, look: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if look():
            return True
        threading.Event().wait(0.3)
    return look()


@pytest.mark.skipif(
    bool(missing_programs()), reason=f"not installed: {missing_programs()} (apt-get install prometheus ...)"
)
def test_every_panel_and_rule_is_answered_and_an_alert_arrives(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    ledger = open_ledger(f"sqlite:///{data / 'ledger.sqlite'}")
    filled_ledger(ledger)
    note_check(data, "backup")
    note_check(data, "verify")
    note_check(data, "verify", 2)
    settings = Settings(data_dir=data, metrics_port=free_port())
    endpoint = MetricsEndpoint(
        settings,
        Parts(ledger.monitoring, SetOutbox(a_reader(), facts=9)),
        lambda: a_status(with_gpu=True),
        lambda: DagsterTicks({"submission_sensor": time.time()}, {"sensor": time.time()}),
        Counting(),
    )
    endpoint.start()
    key = tmp_path / "secret"
    key.write_text("0123456789abcdef0123456789abcdef")
    with served_ray() as ray, receiver() as (hook, hooked), receiver() as (pager, paged):
        changes: dict[str, dict[str, Any]] = {
            "webhook": {"url": hook, "http_config": {"authorization": {"credentials_file": str(key)}}},
            "pagerduty": {"url": pager, "routing_key_file": str(key)},
        }
        with (
            alertmanager(tmp_path, changes, "1s") as alerts,
            prometheus(
                tmp_path, [f"127.0.0.1:{settings.metrics_port}"], [f"127.0.0.1:{ray}"], alerts, "1s"
            ) as address,
        ):
            assert until(60, lambda: "MedkgStoresDiffer" in json.dumps(hooked) and bool(paged))
            assert until(30, lambda: answered(address) == set(QUERIES)), set(QUERIES) - answered(address)
            assert unanswered_rules(address) == []
            exemplars = httpx.get(
                f"{address}/api/v1/query_exemplars",
                params={
                    "query": "dagster_stage_duration_seconds_bucket",
                    "start": 0,
                    "end": time.time() + 60,
                },
            ).json()
            assert exemplars["data"]
    (page,) = [body for body in paged if "differences" in body["payload"]["summary"]][:1]
    assert page["event_action"] == "trigger"
    assert page["payload"]["custom_details"]["runbook"].endswith("#medkgstoresdiffer")
    endpoint.close()
    ledger.close()


def test_rows_of_the_overview_follow_the_specification() -> None:
    titles = " ".join(panel.title for panel in PANELS)
    for wanted in (
        "by pipeline",
        "P50",
        "P95",
        "P99",
        "Retries by stage",
        "Circuit breakers",
        "Sensors",
        "Outbox",
    ):
        assert wanted in titles
    assert all(first != second for first, second in pairwise(sorted(panel.title for panel in PANELS)))
