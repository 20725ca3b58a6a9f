"""One endpoint: what it answers, in both formats, and what it does when a part cannot be read."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as families

from medkg.testing.ledger_suite.builders import a_job, an_item
from orchestration.errors import HostUnavailableError, MetricsAddressError, StoreUnwritableError
from orchestration.ledger import SqlLedger, open_ledger
from orchestration.metrics.counters import MetricsSink
from orchestration.metrics.endpoint import MetricsEndpoint
from orchestration.metrics.names import LABELS, METRICS
from orchestration.metrics.readings import DagsterTicks
from orchestration.settings import Settings
from tests.orchestration.metrics.facts import TRACE, one_of_each
from tests.orchestration.metrics.hosts import a_status
from tests.orchestration.metrics.outbox import SetOutbox, a_reader
from tests.waiting import wait_until


@dataclass
class Parts:
    monitoring: Any
    outbox: Any


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    a_job(opened, an_item("1"), an_item("2"))
    yield opened
    opened.close()


Serve = Callable[..., MetricsEndpoint]


@pytest.fixture
def serve(tmp_path: Path, ledger: SqlLedger) -> Iterator[Serve]:
    started: list[MetricsEndpoint] = []

    def start(**parts: Any) -> MetricsEndpoint:
        settings = Settings(data_dir=tmp_path, metrics_port=None)
        endpoint = MetricsEndpoint(
            settings,
            Parts(parts.get("monitoring", ledger.monitoring), SetOutbox(a_reader(), facts=9)),
            parts.get("host", lambda: a_status(with_gpu=True)),
            lambda: DagsterTicks({"submission_sensor": 5.0}, {"sensor": 6.0}),
            parts.get("state", lambda: MetricsSink().publish(one_of_each(), "")),
        )
        endpoint.start()
        started.append(endpoint)
        return endpoint

    yield start
    for endpoint in started:
        endpoint.close()


def values(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *_ordered(sample.labels)): sample.value
        for family in families(text)
        for sample in family.samples
    }


def _ordered(labels: dict[str, str]) -> list[str]:
    """Values in the alphabetical order of the labels."""
    return [labels[label] for label in sorted(labels)]


def test_a_scrape_has_counters_gauges_and_the_state_of_every_part(serve: Serve) -> None:
    scraped = values(httpx.get(serve().url).text)
    assert scraped["dagster_retry_attempts_total", "MEDKG-400", "embed"] == 3
    assert scraped["dagster_stage_duration_seconds_bucket", "0.5", "parse", "success"] == 1
    assert scraped["medkg_documents", "auto", "queued"] == 2
    assert scraped["medkg_outbox_behind_facts", "kafka"] == 7
    assert scraped["medkg_outbox_dropped_total", "kafka"] == 2
    assert scraped["medkg_gpu_memory_used_bytes", "0"] == 60 * 2**30
    assert scraped["medkg_gpu_slowed", "0", "heat (driver)"] == 1
    assert scraped["medkg_process_up", "webserver"] == 0
    assert scraped["medkg_window_workers", "busy"] == 1
    assert scraped["medkg_sensor_last_tick_timestamp_seconds", "submission_sensor"] == 5
    parts = {"facts", "ledger", "outbox", "host", "dagster", "machine"}
    assert {part: scraped["medkg_scrape_part_up", part] for part in parts} == dict.fromkeys(parts, 1)


def test_every_sample_has_the_labels_of_the_registry(serve: Serve) -> None:
    for family in families(httpx.get(serve().url).text):
        for sample in family.samples:
            name = sample.name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
            assert name in METRICS
            assert set(sample.labels) - {"le"} == set(METRICS[name].labels)


def test_openmetrics_has_exemplars_with_trace_ids(serve: Serve) -> None:
    answer = httpx.get(serve().url, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    exemplars = [s.exemplar.labels for f in openmetrics(answer.text) for s in f.samples if s.exemplar]
    assert {"trace_id": TRACE} in exemplars


def test_a_host_that_does_not_answer_is_a_zero(serve: Serve) -> None:
    scraped = values(httpx.get(serve(host=lambda: HostUnavailableError("none runs")).url).text)
    assert scraped["medkg_host_up",] == 0
    assert scraped["medkg_scrape_part_up", "host"] == 1
    assert not any(name == "medkg_process_up" for name, *_ in scraped)


def test_a_part_that_cannot_be_read_hides_no_other(serve: Serve) -> None:
    class Locked:
        def read(self) -> None:
            raise StoreUnwritableError("the ledger is locked")

    scraped = values(httpx.get(serve(monitoring=Locked()).url).text)
    assert scraped["medkg_scrape_part_up", "ledger"] == 0
    assert scraped["medkg_host_up",] == 1


def test_counters_that_are_unknown_are_absent_not_zero(serve: Serve) -> None:
    scraped = values(httpx.get(serve(state=lambda: None).url).text)
    assert scraped["medkg_scrape_part_up", "facts"] == 0
    assert not any(name.startswith("dagster_retry") for name, *_ in scraped)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("POST", "/metrics", 501)])
def test_nothing_else_is_answered(serve: Serve, method: str, path: str, status: int) -> None:
    assert httpx.request(method, serve().url.replace("/metrics", path)).status_code == status


def test_a_head_has_no_body(serve: Serve) -> None:
    answer = httpx.head(serve().url)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_port_in_use_is_an_error_that_names_it(tmp_path: Path, ledger: SqlLedger) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = Settings(data_dir=tmp_path, metrics_port=port)
        endpoint = MetricsEndpoint(settings, Parts(ledger.monitoring, SetOutbox()), a_status)
        with pytest.raises(MetricsAddressError, match=f"127.0.0.1:{port}.*MEDKG_METRICS_PORT"):
            endpoint.start()
        endpoint.close()


def test_labels_are_documented_and_name_no_documents_runs_or_tenants() -> None:
    labels = {label for metric in METRICS.values() for label in metric.labels}
    assert labels <= LABELS.keys()
    assert not labels & {"doc_id", "document", "job", "job_id", "run", "run_id", "window", "tenant"}


def test_every_metric_has_a_sample_in_a_whole_scrape(serve: Serve) -> None:
    present = {family.name for family in families(httpx.get(serve().url).text)}
    sampled = {name for name in METRICS if name in present or name.removesuffix("_total") in present}
    from_facts = {name for name, metric in METRICS.items() if metric.source == "facts"}
    assert {name for name in METRICS if METRICS[name].source in ("host", "dagster", "scrape")} <= sampled
    assert len(from_facts & sampled) > len(from_facts) / 2


def test_sizes_of_stores_come_with_a_later_scrape(serve: Serve) -> None:
    endpoint = serve()

    def sized() -> dict[tuple[str, ...], float]:
        scraped = values(httpx.get(endpoint.url).text)
        return {key: value for key, value in scraped.items() if key[0] == "medkg_store_bytes"}

    wait_until(sized)
    assert sized()["medkg_store_bytes", "ledger"] > 0


def test_a_part_that_fails_in_an_unknown_way_hides_no_other(serve: Serve) -> None:
    class Damaged:
        def read(self) -> None:
            raise RuntimeError("a table is missing")

    scraped = values(httpx.get(serve(monitoring=Damaged()).url).text)
    assert scraped["medkg_scrape_part_up", "ledger"] == 0
    assert scraped["medkg_scrape_part_up", "machine"] == 1
