"""Builders of facts."""

from __future__ import annotations

from orchestration.contracts.facts import (
    BreakerChanged,
    DocumentCommitted,
    DocumentFailed,
    Fact,
    FactBody,
    FactDocument,
    GateOpened,
    JobChanged,
    RateLimited,
    SearchServed,
    StageFailure,
    StageFinished,
    StageRetried,
)
from orchestration.contracts.jobs import DocumentCounts, JobState, StageReport
from orchestration.records import DocumentKey

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def a_fact(body: FactBody, position: int = 1, documents: int = 1, traced: bool = True) -> Fact:
    """A fact about some documents of pipeline `auto`."""
    return Fact(
        sequence=position,
        position=position,
        ledger="ledger",
        happened_at=1_000.0 + position,
        tenant_id="default",
        pipeline_name="auto",
        traceparent=f"00-{TRACE}-00f067aa0ba902b7-01" if traced else "",
        documents=tuple(
            FactDocument(
                key=DocumentKey(tenant_id="default", source="files", doc_id=f"d{number}"), correlation_id="c"
            )
            for number in range(documents)
        ),
        body=body,
    )


def a_report(stage: str = "parse", seconds: float = 0.3, passed: int = 2, failed: int = 0) -> StageReport:
    return StageReport(
        job_id="job",
        window_id="window",
        stage=stage,
        documents_in=passed + failed,
        documents_out=passed,
        failed=failed,
        retried=0,
        items_out=passed,
        started_at=1.0,
        seconds=seconds,
        cpu_seconds=0.125,
    )


def a_failure(code: str = "MEDKG-200", stage: str = "parse", *, fatal: bool = True) -> StageFailure:
    return StageFailure(index=0, stage=stage, code=code, message="broken", attempts=1, fatal=fatal)


def a_stage(**report: object) -> StageFinished:
    return StageFinished(report=a_report(**report), outputs=())  # type: ignore[arg-type]


def a_job(
    state: JobState = JobState.DONE, seconds: float = 7.0, failed: int = 0, committed: int = 2
) -> JobChanged:
    counts = DocumentCounts(total=committed + failed, committed=committed, failed=failed)
    return JobChanged(state=state, counts=counts, seconds=seconds)


def one_of_each() -> list[Fact]:
    """Facts of a small run with a failure, a retry, an open breaker, a gate and a search."""
    bodies: list[FactBody] = [
        a_stage(),
        a_stage(stage="embed", seconds=4.0, passed=1, failed=1),
        StageRetried(stage="embed", attempt=1, backoff_ms=10, codes={"MEDKG-400": 3}),
        BreakerChanged(stage="auto/embed", resource="vllm", state="open", code="MEDKG-400"),
        RateLimited(stage="ingest", waits=(0.2, 1.5)),
        DocumentCommitted(chunks=(3,), mentions=(5,), claims=(1,), versions=("v",)),
        DocumentFailed(failures=(a_failure(),)),
        GateOpened(gate="pdf_ir_ready", waited=(12.0,)),
        SearchServed(legs={"bm25": (0.01,), "total": (0.02,)}, degraded={"dense": 1}),
        a_job(failed=1),
    ]
    return [a_fact(body, position) for position, body in enumerate(bodies, start=1)]
