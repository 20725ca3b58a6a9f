"""Example facts and messages for docs/asyncapi.yaml: one fact per kind, all about one small job.

Comes in: nothing. Leaves: the same records every time; nothing in them is of a real document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orchestration.contracts import DocumentCounts, JobState, StageReport, facts
from orchestration.contracts.facts import Fact, FactBody, FactDocument, StageFailure
from orchestration.contracts.pdf_queue import (
    CompletedData,
    ConversionCompleted,
    ConversionFailed,
    ConversionRequested,
    FailedData,
    PdfMessage,
    RequestData,
)
from orchestration.contracts.sources import SourceRequest
from orchestration.errors import (
    ConversionFailedError,
    DagsterResourceUnavailableError,
    DagsterStageTimeoutError,
    GpuUnavailableError,
    MalformedDocumentError,
)
from orchestration.records import DocumentKey

__all__ = ["example_facts", "example_messages"]

BEGAN: Final = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
LEDGER: Final = "3f0c9f5e-6a0e-4c0b-9d0a-0c3f4f1f7a11"
JOB: Final = "0b6f8a52-51a5-4a58-8f0b-6c1f1d9c2e01"
WINDOW: Final = "b7f6f0d4-2c2b-4b7a-9a44-0d3c5e8f9a02"
KEYS: Final = tuple(DocumentKey(tenant_id="default", source="pmc", doc_id=f"PMC990000{n}") for n in (1, 2))
DOCUMENTS: Final = tuple(
    FactDocument(key=key, correlation_id=f"{JOB}/{key.source}/{key.doc_id}") for key in KEYS
)
COUNTS: Final = DocumentCounts(total=2, committed=1, failed=1)
LISTED: Final = DocumentCounts(total=2, pending=2)
FAILURE: Final = StageFailure(
    index=1,
    stage="parse",
    code=MalformedDocumentError.code,
    message="PMC9900002: the record ends within an element. Fetch it again.",
    attempts=1,
)
REPORT: Final = StageReport(
    job_id=JOB,
    window_id=WINDOW,
    stage="parse",
    documents_in=2,
    documents_out=1,
    failed=1,
    retried=0,
    items_out=1,
    started_at=BEGAN.timestamp() + 4,
    seconds=0.25,
    cpu_seconds=0.2,
)

OF_NO_DOCUMENT: Final[Sequence[FactBody]] = (
    facts.JobOpened(
        source="files", attended=False, request=SourceRequest(plugin="files", paths=("articles",))
    ),
    facts.JobListed(counts=LISTED),
    facts.JobChanged(state=JobState.DONE, counts=COUNTS, seconds=12.5),
)
OF_DOCUMENTS: Final[Sequence[FactBody]] = (
    facts.DocumentQueued(),
    facts.WindowClaimed(),
    facts.WindowLeased(),
    facts.StageStarted(stage="parse"),
    facts.StageRetried(stage="embed", attempt=1, backoff_ms=500, codes={DagsterStageTimeoutError.code: 2}),
    facts.StageFinished(report=REPORT, outputs=(1, 0), failures=(FAILURE,)),
    facts.StageAbandoned(
        stage="embed",
        code=DagsterResourceUnavailableError.code,
        message="The engine does not answer. Start it; documents wait.",
    ),
    facts.DocumentCommitted(
        chunks=(12, 9),
        mentions=(40, 31),
        claims=(3, 2),
        versions=tuple(hashlib.sha256(key.doc_id.encode()).hexdigest() for key in KEYS),
    ),
    facts.DocumentFailed(failures=(FAILURE.model_copy(update={"index": 0}), FAILURE)),
    facts.DocumentDisplaced(),
    facts.DocumentSkipped(reason="unchanged"),
    facts.DocumentHandedBack(reason="The run was stopped."),
    facts.DeadLetterReplayed(),
    facts.GateReached(gate="pdf_ir_ready"),
    facts.GateOpened(gate="pdf_ir_ready", waited=(61.5, 70.0)),
    facts.DocumentDeleted(),
)
OBSERVED: Final[Sequence[FactBody]] = (
    facts.BreakerChanged(
        stage="web", resource="api.example.org", state="open", code=DagsterResourceUnavailableError.code
    ),
    facts.ServiceWaited(stage="embed", code=DagsterResourceUnavailableError.code, wait_ms=2000),
    facts.RateLimited(stage="fetch", waits=(0.5, 0.25)),
    facts.ResourceChanged(
        resource="gpu 0",
        available=False,
        code=GpuUnavailableError.code,
        message="The GPU does not answer. Reset it.",
    ),
    facts.AlertChanged(
        alert="MedkgDeadLetters", firing=True, severity="warning", summary="Documents became dead letters."
    ),
    facts.SearchServed(legs={"total": (0.02,)}),
    facts.OutboxDropped(reader="kafka", facts=250),
)
ERASED: Final = facts.DocumentErased(key_hashes=(hashlib.sha256(b"default/pmc/PMC9900002").hexdigest(),))


def example_facts() -> list[Fact]:
    """One fact per kind of FactBody, in an order in which they could happen."""
    of_job: dict[str, Any] = {
        "tenant_id": "default",
        "job_id": JOB,
        "pipeline_name": "literature",
        "pipeline_version": "1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    of_window = of_job | {"window_id": WINDOW, "documents": DOCUMENTS}
    described = [
        *((body, of_job) for body in OF_NO_DOCUMENT),
        *((body, of_window) for body in OF_DOCUMENTS),
        (ERASED, {"tenant_id": "default"}),
        *((body, {}) for body in OBSERVED),
    ]
    return [
        Fact(
            sequence=number,
            position=number,
            ledger=LEDGER,
            happened_at=BEGAN.timestamp() + number,
            body=body,
            **context,
        )
        for number, (body, context) in enumerate(described, 1)
    ]


def example_messages() -> list[PdfMessage]:
    """A conversion that is asked for, one that succeeded and one that failed."""
    key = KEYS[0]
    result = f"pdf-ir/{key.doc_id}.json"
    task = f"{key.doc_id}/1"
    converter = "mineru/1+mineru-3.4.4-pipeline"
    request = RequestData(
        task_id=task,
        document=key,
        converter="mineru",
        pdf_key=f"pdf/{key.doc_id}.pdf",
        pdf_sha256=hashlib.sha256(b"pdf").hexdigest(),
        result_key=result,
    )
    completed = CompletedData(
        task_id=task,
        document=key,
        result_key=result,
        result_sha256=hashlib.sha256(b"pdf-ir").hexdigest(),
        converter=converter,
    )
    failed = FailedData(
        task_id=task,
        document=key,
        error_code=ConversionFailedError.code,
        error_class=ConversionFailedError.__name__,
        error_message="The PDF has no pages. Fetch it again.",
    )
    context: dict[str, Any] = {"subject": key.doc_id, "correlationid": DOCUMENTS[0].correlation_id}
    worker = context | {"source": "/mineru-worker/gpu-1", "time": BEGAN + timedelta(seconds=70)}
    return [
        ConversionRequested(
            id=f"{task}/requested", source="/medkg/host-1", time=BEGAN, data=request, **context
        ),
        ConversionCompleted(id=f"{task}/completed", data=completed, **worker),
        ConversionFailed(id=f"{task}/failed", data=failed, **worker),
    ]
