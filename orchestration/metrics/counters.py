"""Counters and histograms as a fold over the ledger's facts: the state is the metrics.

Comes in: facts in the order of their positions. Leaves: the state as JSON text, which the ledger keeps
together with the reader's position, so that totals neither lose nor repeat a fact over kill -9.

Guarantees: the state depends on the sequence of facts alone, not on how it was cut into batches.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from orchestration.contracts.facts import (
    BreakerChanged,
    DeadLetterReplayed,
    DocumentCommitted,
    DocumentDeleted,
    DocumentFailed,
    DocumentHandedBack,
    DocumentQueued,
    DocumentSkipped,
    Fact,
    GateOpened,
    JobChanged,
    JobOpened,
    RateLimited,
    ResourceChanged,
    SearchServed,
    ServiceWaited,
    StageAbandoned,
    StageFailure,
    StageFinished,
    StageRetried,
    StageStarted,
    WindowClaimed,
)
from orchestration.contracts.jobs import JobState, StageReport
from orchestration.metrics.names import METRICS, MOST_SERIES, OTHER
from orchestration.tracing.places import TRACEPARENT

__all__ = ["Counters", "Exemplar", "MetricsSink", "Series"]

BREAKER_STATES: Final = ("open", "half-open", "closed")

JOB_STATUSES: Final = ("succeeded", "partial", "failed", "stalled", "cancelled")
STAGE_STATUSES: Final = ("success", "partial", "failed")
OUTCOMES: Final = ("committed", "failed", "skipped", "handed-back", "deleted")
STAGE_OUTCOMES: Final = ("passed", "reused", "failed")
OF_PIPELINE: Final = (
    "medkg_documents_queued_total",
    "medkg_windows_claimed_total",
    "medkg_chunks_committed_total",
    "medkg_mentions_committed_total",
    "medkg_claims_committed_total",
)

ENDED: Final = (JobState.DONE, JobState.STALLED, JobState.CANCELLED)

Labels = tuple[str, ...]
Exemplar = tuple[str, float, float]
"""Trace id, value, seconds since the epoch."""
Series = dict[str, Any]
"""`value`; of a histogram `counts` per bucket, the last for +Inf, `sum`, and `exemplars` by bucket."""


class Counters:
    """The metrics that facts make; not thread-safe."""

    def __init__(self, state: str = "") -> None:
        """Start from a state of `text`; '': from nothing."""
        known: dict[str, Any] = json.loads(state) if state else {}
        self._series: dict[str, dict[Labels, Series]] = {
            name: {tuple(labels): series for labels, series in rows} for name, rows in known.items()
        }

    def text(self) -> str:
        """The state, which `Counters` takes; the same for the same facts."""
        rows = {
            name: [[list(labels), series] for labels, series in sorted(of_name.items())]
            for name, of_name in sorted(self._series.items())
        }
        return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    def series(self, name: str) -> Mapping[tuple[str, ...], Series]:
        """Series of one metric by their label values."""
        return self._series.get(name, {})

    def fold(self, facts: Sequence[Fact]) -> None:
        """Add facts."""
        for fact in facts:
            self._add("medkg_facts_total", (fact.body.kind,))
            self._fold(fact)

    def _fold(self, fact: Fact) -> None:
        body = fact.body
        match body:
            case JobChanged():
                self._job(fact, body)
            case StageFinished():
                self._stage(fact, body.report, body.failures)
            case StageAbandoned():
                self._add("medkg_stage_abandoned_total", (body.stage, body.code))
            case StageRetried():
                for code, times in body.codes.items():
                    self._add("dagster_retry_attempts_total", (body.stage, code), times)
            case JobOpened():
                self._show_pipeline(fact.pipeline_name)
            case StageStarted():
                self._show_stage(body.stage)
            case WindowClaimed():
                self._add("medkg_windows_claimed_total", (fact.pipeline_name,))
            case GateOpened():
                for seconds in body.waited:
                    self._observe("medkg_gate_wait_seconds", (fact.pipeline_name, body.gate), seconds, fact)
            case _:
                self._documents(fact)
                self._observed(fact)

    def _documents(self, fact: Fact) -> None:
        body, pipeline = fact.body, fact.pipeline_name
        match body:
            case DocumentQueued():
                self._add("medkg_documents_queued_total", (pipeline,), len(fact.documents))
            case DocumentCommitted():
                self._finished(fact, "committed")
                self._add("medkg_chunks_committed_total", (pipeline,), sum(body.chunks))
                self._add("medkg_mentions_committed_total", (pipeline,), sum(body.mentions))
                self._add("medkg_claims_committed_total", (pipeline,), sum(body.claims))
            case DocumentFailed():
                self._finished(fact, "failed")
                self._dead_letters(body.failures)
            case DocumentSkipped():
                self._finished(fact, "skipped")
            case DocumentHandedBack():
                self._finished(fact, "handed-back")
            case DocumentDeleted():
                self._finished(fact, "deleted")
            case DeadLetterReplayed():
                self._add("medkg_dead_letters_replayed_total", (), len(fact.documents))

    def _observed(self, fact: Fact) -> None:
        body = fact.body
        match body:
            case BreakerChanged():
                self._breaker(body.stage, body.resource, body.state)
            case ServiceWaited():
                self._add("medkg_service_waits_total", (body.stage, body.code))
            case RateLimited():
                for seconds in body.waits:
                    self._observe("dagster_rate_limit_wait_seconds", (body.stage,), seconds, fact)
            case ResourceChanged():
                self._set("medkg_resource_available", (body.resource,), float(body.available))
            case SearchServed():
                for leg, times in body.legs.items():
                    for seconds in times:
                        self._observe("medkg_search_seconds", (leg,), seconds, fact)
                for leg, times_left_out in body.degraded.items():
                    self._add("medkg_search_degraded_total", (leg,), times_left_out)

    def _job(self, fact: Fact, body: JobChanged) -> None:
        if body.state in ENDED:
            labels = (fact.pipeline_name, _job_status(body))
            self._observe("dagster_job_duration_seconds", labels, body.seconds, fact)

    def _stage(self, fact: Fact, report: StageReport, failures: Sequence[StageFailure]) -> None:
        labels = (report.stage, _stage_status(report))
        self._observe("dagster_stage_duration_seconds", labels, report.seconds, fact)
        self._add("medkg_stage_cpu_seconds_total", (report.stage,), report.cpu_seconds)
        outcomes = {
            "passed": report.documents_out - report.reused,
            "reused": report.reused,
            "failed": report.failed,
        }
        for outcome, documents in outcomes.items():
            if documents > 0:
                self._add("medkg_stage_documents_total", (report.stage, outcome), documents)
        self._dead_letters([failure for failure in failures if not failure.fatal])
        if report.documents_out > report.reused:  # calls get through, also of a process that has taken over
            self._close_breakers(f"{fact.pipeline_name}/{report.stage}")

    def _finished(self, fact: Fact, outcome: str) -> None:
        labels = (fact.pipeline_name, outcome)
        self._add("medkg_documents_finished_total", labels, len(fact.documents))

    def _dead_letters(self, failures: Sequence[StageFailure]) -> None:
        for failure in failures:
            self._add("medkg_dead_letters_total", (failure.stage, failure.code))

    # --- breakers -----------------------------------------------------------------------------------

    def _breaker(self, stage: str, resource: str, state: str) -> None:
        """Keep the state of each resource's breaker with the series of its stage."""
        name = "dagster_circuit_breaker_state"
        resources = dict(self._at(name, (stage, "closed"), _no_resources)["resources"])
        resources[resource] = state
        self._set_breakers(stage, resources)

    def _close_breakers(self, stage: str) -> None:
        known = self.series("dagster_circuit_breaker_state").get((stage, "closed"))
        if known is not None:
            self._set_breakers(stage, dict.fromkeys(known["resources"], "closed"))

    def _set_breakers(self, stage: str, resources: Mapping[str, str]) -> None:
        for state in BREAKER_STATES:
            series = self._at("dagster_circuit_breaker_state", (stage, state), _no_resources)
            series["value"] = float(sum(each == state for each in resources.values()))
        self._at("dagster_circuit_breaker_state", (stage, "closed"), _no_resources)["resources"] = dict(
            resources
        )

    # --- zeros --------------------------------------------------------------------------------------

    def _show_pipeline(self, pipeline: str) -> None:
        """Start the series of a pipeline at zero: Prometheus sees no increase in one that begins at 1."""
        for status in JOB_STATUSES:
            self._start("dagster_job_duration_seconds", (pipeline, status))
        for outcome in OUTCOMES:
            self._start("medkg_documents_finished_total", (pipeline, outcome))
        for name in OF_PIPELINE:
            self._start(name, (pipeline,))

    def _show_stage(self, stage: str) -> None:
        for status in STAGE_STATUSES:
            self._start("dagster_stage_duration_seconds", (stage, status))
        for outcome in STAGE_OUTCOMES:
            self._start("medkg_stage_documents_total", (stage, outcome))

    def _start(self, name: str, labels: Labels) -> None:
        metric = METRICS[name]
        zero = partial(_histogram, len(metric.buckets)) if metric.kind == "histogram" else _zero
        self._at(name, labels, zero)

    # --- series -------------------------------------------------------------------------------------

    def _at(self, name: str, labels: Labels, new: Any) -> Series:
        """The series of these labels; beyond MOST_SERIES of them, one for all others."""
        of_name = self._series.setdefault(name, {})
        if labels not in of_name and len(of_name) >= MOST_SERIES:
            labels = tuple(OTHER for _ in labels)
        return of_name.setdefault(labels, new())

    def _add(self, name: str, labels: Labels, amount: float = 1) -> None:
        series = self._at(name, labels, _zero)
        series["value"] += amount

    def _set(self, name: str, labels: Labels, value: float) -> None:
        self._at(name, labels, _zero)["value"] = value

    def _observe(self, name: str, labels: Labels, value: float, fact: Fact) -> None:
        bounds = METRICS[name].buckets
        series = self._at(name, labels, partial(_histogram, len(bounds)))
        bucket = bisect_left(bounds, value)
        series["counts"][bucket] += 1
        series["sum"] += value
        trace_id = _trace_id(fact.traceparent)
        if trace_id:
            series["exemplars"][str(bucket)] = [trace_id, value, fact.happened_at]


class MetricsSink:
    """FactSink `metrics`: facts become the state of counters, which the ledger keeps."""

    def __init__(self) -> None:
        self.name = "metrics"
        self._counters = Counters()
        self._state = ""

    def publish(self, facts: Sequence[Fact], state: str) -> str:
        """Fold facts into `state` and return the new one; has no other effect."""
        if state != self._state:
            self._counters = Counters(state)
        self._counters.fold(facts)
        self._state = self._counters.text()
        return self._state

    def close(self) -> None:
        """Nothing is open."""


def _zero() -> Series:
    return {"value": 0.0}


def _no_resources() -> Series:
    return {"value": 0.0, "resources": {}}


def _histogram(buckets: int) -> Series:
    return {"counts": [0] * (buckets + 1), "sum": 0.0, "exemplars": {}}


def _job_status(body: JobChanged) -> str:
    if body.state in (JobState.STALLED, JobState.CANCELLED):
        return str(body.state)
    if not body.counts.failed:
        return "succeeded"
    return "partial" if body.counts.committed or body.counts.skipped else "failed"


def _stage_status(report: StageReport) -> str:
    if not report.failed:
        return "success"
    return "partial" if report.documents_out else "failed"


def _trace_id(traceparent: str) -> str:
    """Trace id of a W3C trace context; '' for none."""
    match = TRACEPARENT.fullmatch(traceparent)
    return match[1] if match else ""
