"""Spans reach a collector with their parents; without a collector they cost nothing and keep nothing back."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from structlog.testing import capture_logs

from ops.observability.otlp_collector import OtlpCollector, otlp_collector
from orchestration import tracing
from orchestration.errors import SearchLegTimeoutError
from orchestration.tracing import (
    configure_tracing,
    continued,
    current_span,
    flush,
    is_tracing,
    span,
    trace_ids,
    traceparent,
    tracing_problem,
)

A_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


@pytest.fixture(autouse=True)
def _off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_exporting", None)
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpCollector]:
    with otlp_collector() as started:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", started.url)
        configure_tracing("test")
        yield started


# --- off --------------------------------------------------------------------------------------------


def test_without_an_endpoint_nothing_is_recorded() -> None:
    configure_tracing("test")
    with span("work", {"medkg.documents": 3}) as work:
        work.set({"medkg.documents": 4})
        work.event("retry")
        work.fail("MEDKG-400")
        assert (is_tracing(), traceparent(), trace_ids()) == (False, "", None)


def test_a_trace_context_passes_through_a_process_that_records_nothing() -> None:
    with continued(A_PARENT), span("work"):
        assert traceparent() == A_PARENT
    assert traceparent() == ""


@pytest.mark.parametrize(
    "value", ["", "00-xyz", A_PARENT.upper(), A_PARENT.replace("b7ad6b7169203331", "0" * 16)]
)
def test_what_is_no_trace_context_is_ignored(value: str) -> None:
    with continued(value):
        assert traceparent() == ""


def test_the_sdk_is_switched_off_by_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    configure_tracing("test")
    assert not is_tracing()


@pytest.mark.parametrize(
    "module", ["orchestration.cli.main", "orchestration.tracing", "orchestration.resilience.guard"]
)
def test_no_opentelemetry_is_imported_while_it_is_off(module: str) -> None:
    code = f"import sys, {module}; print(sorted(m for m in sys.modules if m.startswith('opentelemetry')))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- on ---------------------------------------------------------------------------------------------


def test_spans_have_parents_attributes_events_and_errors(collector: OtlpCollector) -> None:
    with span("job", {"medkg.job": "j1"}, kind="producer") as job:
        with pytest.raises(SearchLegTimeoutError), span("stage"):
            current_span().event("retry", {"medkg.attempt": 1})
            raise SearchLegTimeoutError("leg dense did not answer: a secret text.")
        job.set({"medkg.committed": 2})
    flush()
    (job_span,), (stage,) = collector.named("job"), collector.named("stage")
    assert (job_span.parent_id, stage.parent_id) == ("", job_span.span_id)
    assert (job_span.service, job_span.attributes) == (
        "medkg-test",
        {"medkg.job": "j1", "medkg.committed": 2},
    )
    assert (stage.failed, stage.events) == (True, ("retry",))
    assert stage.attributes == {"error.type": SearchLegTimeoutError.code}


def test_a_span_goes_on_in_the_trace_of_a_message(collector: OtlpCollector) -> None:
    with continued(A_PARENT), span("window") as _:
        assert trace_ids() == ("0af7651916cd43dd8448eb211c80319c", traceparent()[36:52])
    flush()
    (window,) = collector.named("window")
    assert (window.trace_id, window.parent_id) == (A_PARENT[3:35], A_PARENT[36:52])


def test_a_thread_goes_on_in_the_context_of_its_caller(collector: OtlpCollector) -> None:
    def work() -> None:
        with span("in the thread"):
            current_span().set({"medkg.rows": 1})

    with span("caller"), ThreadPoolExecutor(1) as thread:
        thread.submit(copy_context().run, work).result()
    flush()
    (caller,), (inside,) = collector.named("caller"), collector.named("in the thread")
    assert inside.parent_id == caller.span_id


def test_a_trace_that_its_caller_did_not_sample_is_not_sent(collector: OtlpCollector) -> None:
    with continued(NOT_SAMPLED), span("window"):
        assert traceparent().endswith("-00")
    flush()
    assert collector.spans == []


def test_a_ratio_of_zero_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    with otlp_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        configure_tracing("test")
        with span("job"), span("stage"):
            assert traceparent().endswith("-00")
        flush()
        assert (collector.spans, collector.requests) == ([], 0)


# --- collectors that do not work --------------------------------------------------------------------


def test_a_collector_that_is_not_there_is_logged_once_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT", f"http://key:hidden@127.0.0.1:{unused.getsockname()[1]}"
        )
        configure_tracing("test")
        with capture_logs() as lines:
            for _ in range(3):
                with span("work"):
                    pass
                flush(60)  # returns at the first refusal
    assert [line["event"] for line in lines] == ["traces are not delivered"]
    assert "hidden" not in json.dumps(lines)


def test_a_collector_that_does_not_answer_delays_the_end_by_a_bound(collector: OtlpCollector) -> None:
    collector.answers.clear()
    with span("work"):
        pass
    started = time.monotonic()
    flush(0.2)
    assert time.monotonic() - started < 5  # the collector would take for ever


def test_a_collector_that_refuses_is_logged_by_its_status(collector: OtlpCollector) -> None:
    collector.status = 400
    with capture_logs() as lines:
        with span("work"):
            pass
        flush(60)
    assert [(line["event"], line["reason"]) for line in lines] == [("traces are not delivered", "status 400")]


def test_more_spans_than_the_queue_holds_are_dropped_without_a_word(
    collector: OtlpCollector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.answers.clear()
    for _ in range(6_000):
        with span("work"):
            pass
    assert caplog.records == []


# --- what is asked for and not there ------------------------------------------------------------------


def test_an_endpoint_without_the_exporter_is_a_problem_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setattr("orchestration.tracing.environment._is_installed", lambda _: False)
    with capture_logs() as lines:
        configure_tracing("test")
    assert not is_tracing()
    assert "pip install 'medkg[otel]'" in (tracing_problem() or "")
    assert [line["event"] for line in lines] == ["no traces"]


def test_a_protocol_that_is_not_http_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert "http/protobuf" in (tracing_problem() or "")
