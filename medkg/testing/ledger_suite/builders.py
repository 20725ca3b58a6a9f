"""Arranges ledgers for the suite: submissions, items, claimed, leased and committed windows, and gates.

A builder of a record gives something valid and ordinary. One that takes a `ledger` calls it, and returns what
the test goes on with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from medkg.testing import builders
from medkg.testing.builders import TENANT
from orchestration.contracts import (
    UNKNOWN,
    AskedConverter,
    Commit,
    Conditions,
    DocumentCounts,
    Failure,
    Gate,
    GateSweep,
    JobState,
    JobSummary,
    Ledger,
    PdfTask,
    PdfTaskRequest,
    Phase,
    SourceRequest,
    Submission,
    SyncKey,
)
from orchestration.records import DocumentKey, Fingerprints, Locator, SourceItem, StageContext

OWNER, OTHER = "host/boot/1/1", "host/boot/2/2"
LEASE_SECONDS = 60.0
GATE = Gate(pipeline_name="auto", pipeline_version="2026-11-23", name="pdf_ready")
MINERU = AskedConverter(name="mineru")
READY: Conditions = {"pdf_ir_ready": True}
TIMEOUT = 900.0
"""Seconds that a document may wait at GATE."""


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def everyone_alive(owner: str) -> bool:
    return True


def a_submission(
    job_id: str = "job-1",
    pipeline: str = "auto",
    tenant_id: str = TENANT,
    version: str = "2026-11-23",
    attended: bool = True,
) -> Submission:
    return Submission(
        job_id=job_id,
        tenant_id=tenant_id,
        pipeline_name=pipeline,
        pipeline_version=version,
        topology_hash="h",
        request=SourceRequest(plugin="files", paths=("x",)),
        window_size=500,
        attended=attended,
    )


def an_item(
    doc_id: str,
    version: str | None = "v1",
    uri: str = "x.jsonl",
    source: str = "pubmed",
    revision: str | None = None,
) -> SourceItem:
    locator = Locator(uri=uri, format="pubmed-jsonl")
    return SourceItem(doc_id=doc_id, source=source, locator=locator, version=version, revision=revision)


def a_deletion(doc_id: str, revision: str = UNKNOWN, uri: str = "deletions.xml") -> SourceItem:
    """The announcement of a source that it deleted a record."""
    return an_item(doc_id, None, uri, revision=revision).model_copy(update={"deleted": True})


def a_broken_item(doc_id: str, message: str = "cut off") -> SourceItem:
    return an_item(doc_id, None).model_copy(update={"error_code": "MEDKG-200", "error_message": message})


def a_key(doc_id: str) -> DocumentKey:
    return a_context(doc_id).key


def a_context(doc_id: str) -> StageContext:
    """The context of `an_item(doc_id)`."""
    return builders.a_context(doc_id, source="pubmed", version="v1", fingerprint="f1")


def fingerprint_of(item: SourceItem) -> Fingerprints:
    return Fingerprints("p1", "f1")


def made_as(
    index: str = "f1", graph: str | None = None, parse: str = "p1"
) -> Callable[[SourceItem], Fingerprints]:
    """Gives every item these fingerprints."""
    return lambda item: Fingerprints(parse, index, graph)


def a_job(
    ledger: Ledger,
    *items: SourceItem,
    job_id: str = "job-1",
    pipeline: str = "auto",
    tenant_id: str = TENANT,
) -> str:
    ledger.jobs.open(a_submission(job_id, pipeline, tenant_id))
    ledger.jobs.enqueue(job_id, items, fingerprint_of)
    ledger.jobs.set_state(job_id, JobState.OPEN)
    return job_id


def claimed(ledger: Ledger, job_id: str, limit: int = 100) -> str:
    window_id = ledger.windows.claim(job_id, limit)
    assert window_id is not None
    return window_id


def taken(ledger: Ledger, window_id: str, owner: str = OWNER) -> list[StageContext]:
    return [document.ctx for document in ledger.windows.lease(window_id, owner).documents]


def doc_ids(contexts: Iterable[StageContext]) -> list[str]:
    return [ctx.doc_id for ctx in contexts]


def a_commit(
    ctx: StageContext, intent_id: str = "i1", chunks: int = 2, namespace: str = "minilm@1"
) -> Commit:
    return Commit(
        key=ctx.key,
        version=ctx.version,
        fingerprint=ctx.fingerprint,
        pipeline=ctx.pipeline_name,
        intent_id=intent_id,
        chunk_count=chunks,
        namespace=namespace,
        revision=ctx.revision,
    )


def a_failure(
    ctx: StageContext,
    stage: str = "parse",
    message: str = "bad",
    fatal: bool = True,
    attempts: int = 1,
    code: str = "MEDKG-200",
) -> Failure:
    return Failure(ctx=ctx, stage=stage, code=code, message=message, attempts=attempts, fatal=fatal)


def commit_all(ledger: Ledger, window_id: str, intent_id: str = "i1", owner: str = OWNER) -> list[Commit]:
    contexts = taken(ledger, window_id, owner)
    return ledger.outcomes.finish(window_id, owner, [a_commit(ctx, intent_id) for ctx in contexts])


def a_sync_key() -> SyncKey:
    return SyncKey(
        tenant_id=TENANT,
        pipeline_name="auto",
        fingerprint="f1",
        plugin="clinicaltrials",
        origin="https://trials.example",
        query="EGFR",
        limit=None,
    )


def job_ids(summaries: Sequence[JobSummary]) -> list[str]:
    return [summary.submission.job_id for summary in summaries]


def counts(ledger: Ledger, job_id: str) -> DocumentCounts:
    return ledger.jobs.summary(job_id).documents


def status_of(ledger: Ledger, doc_id: str) -> str:
    return ledger.documents.find(TENANT, doc_id=doc_id)[0].status


def at_the_gate(
    ledger: Ledger, *ids: str, done: bool = False, converter: str = "mineru", job_id: str = "job-1"
) -> str:
    """Returns the id of a job whose documents wait at GATE; their conversions are requested, or done."""
    a_job(ledger, *map(an_item, ids), job_id=job_id)
    window_id = claimed(ledger, job_id)
    contexts = taken(ledger, window_id)
    request_conversions(ledger, contexts, done=done, converter=converter)
    wait_at_gate(ledger, window_id, contexts)
    return job_id


def request_conversions(
    ledger: Ledger, contexts: list[StageContext], done: bool = False, converter: str = "mineru"
) -> None:
    requests = [
        PdfTaskRequest(
            ctx=ctx, pdf_key=f"pdfs/{ctx.doc_id}", ir_key=f"pdf-ir/{ctx.doc_id}/{converter}", done=done
        )
        for ctx in contexts
    ]
    ledger.pdf_tasks.request(AskedConverter(name=converter), "pdf_ir", 2, requests)


def wait_at_gate(ledger: Ledger, window_id: str, contexts: list[StageContext], owner: str = OWNER) -> int:
    return ledger.gates.wait_at(window_id, owner, GATE.name, "gates/w.parquet", [ctx.key for ctx in contexts])


def sweep(ledger: Ledger, opens: bool = True) -> GateSweep:
    return ledger.gates.sweep(GATE, READY, TIMEOUT, opens=opens)


def leased_tasks(ledger: Ledger, most: int = 10, owner: str = OWNER) -> list[PdfTask]:
    return ledger.pdf_tasks.lease(MINERU, owner, most, everyone_alive)


def convert(ledger: Ledger) -> None:
    for task in leased_tasks(ledger):
        ledger.pdf_tasks.mark_submitted(task, f"task-{task.key.doc_id}")
    for task in leased_tasks(ledger):
        ledger.pdf_tasks.mark_done(task)


def resumed(ledger: Ledger, job_id: str) -> str:
    window_id = ledger.windows.claim(job_id, 100, phase=Phase.SECOND)
    assert window_id is not None
    return window_id
