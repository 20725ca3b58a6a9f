"""What a window run reports to the UI: counts as metadata of its ops, asset events, and the account check.

Input: a stage's report, the receipts of a commit, a job's summary. Output: plain metadata and Dagster events.
The ledger keeps the truth; these are for the run's page and the catalog.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dagster import AssetCheckEvaluation, AssetMaterialization

from orchestration.contracts import JobState, JobSummary, StageReport
from orchestration.dagster.assets import (
    GRAPH,
    INDEX,
    documents_key,
    graph_part_key,
    search_index_key,
    vector_index_key,
)
from orchestration.runs.artifacts import WindowBatch
from orchestration.topology.nodes import StageNode

__all__ = [
    "ACCOUNT_CHECK",
    "account_evaluation",
    "account_problem",
    "commit_events",
    "graph_counts",
    "index_counts",
    "job_metadata",
    "stage_events",
    "stage_metadata",
]

Numbers = dict[str, int | float | str]

ACCOUNT_CHECK = "account"
CHUNKED = ("chunks", "embeddings", "index_receipt")
"""Kinds of values whose items are chunks."""
IN_GRAPH = ("extraction", "graph_receipt")
"""Outputs whose size is in mentions and claims."""


def stage_metadata(node: StageNode, report: StageReport) -> Numbers:
    """Counts and seconds of one stage, for its op's output; seconds are rounded to milliseconds."""
    counts: Numbers = {
        "documents_in": report.documents_in,
        "documents_out": report.documents_out,
        "failed": report.failed,
        "retried": report.retried,
    }
    if node.is_source:
        counts["skipped"] = report.documents_in - report.documents_out - report.failed
    if node.gives in CHUNKED:
        counts["chunks"] = report.items_out
    if report.reused:
        counts["reused"] = report.reused
    if node.gives in IN_GRAPH:
        counts |= _graph_counts(report)
    return {
        **counts,
        "seconds": round(report.seconds, 3),
        "cpu_seconds": round(report.cpu_seconds, 3),
        "model_cpu_seconds": round(report.model_cpu_seconds, 3),
    }


def _graph_counts(report: StageReport) -> Numbers:
    """Mentions and claims, what was dropped, its share of all that was proposed, and mentions per second."""
    dropped = sum(report.dropped.values())
    proposed = report.mentions + report.claims + dropped
    counts: Numbers = {"mentions": report.mentions, "claims": report.claims}
    if report.seconds:
        counts["mentions_per_second"] = round(report.mentions / report.seconds, 1)
    if not report.dropped:
        return counts
    reasons = "; ".join(f"{count} {reason}" for reason, count in sorted(report.dropped.items()))
    return counts | {
        "ungrounded": dropped,
        "ungrounded_share": round(dropped / proposed, 4),
        "ungrounded_by_reason": reasons,
    }


def stage_events(
    node: StageNode, report: StageReport, *, keeps_documents: bool
) -> Iterable[AssetMaterialization]:
    """Materializations of what a stage wrote: documents, chunks and vectors, or mentions and claims.

    Empty if it wrote nothing.
    """
    if not report.documents_out:
        return
    written: Numbers = {
        "documents": report.documents_out,
        "seconds": round(report.seconds, 3),
        "window": report.window_id,
    }
    if keeps_documents:
        yield AssetMaterialization(
            documents_key(node.pipeline),
            description="Documents that this window parsed, checked and kept.",
            metadata={**written, "failed": report.failed},
        )
    if node.gives == "index_receipt":
        rate = report.documents_out / report.seconds if report.seconds else 0.0
        written = {**written, "chunks": report.items_out, "documents_per_second": round(rate, 1)}
        yield AssetMaterialization(
            search_index_key(node.pipeline),
            description="Documents and chunks that this window wrote to the search store.",
            metadata=written,
        )
        yield AssetMaterialization(
            vector_index_key(node.pipeline),
            description="Vectors of chunks that this window wrote to the vector store.",
            metadata=written,
        )
    if node.gives == "graph_receipt":
        yield AssetMaterialization(
            graph_part_key(node.pipeline),
            description="Mentions and claims that this window wrote to the graph.",
            metadata={**written, **_graph_counts(report)},
        )


def commit_events(
    topology: str, receipts: Mapping[str, WindowBatch], committed: int, summary: JobSummary
) -> Iterable[AssetMaterialization | AssetCheckEvaluation]:
    """Materializations of index and graph, where anything became visible, and the account of the job."""
    for batch in receipts.values() if committed else ():
        if not batch.items:
            continue
        key, description, counts = (
            (INDEX, "Documents that this window made visible to searches.", index_counts(batch))
            if batch.kind == "index_receipt"
            else (GRAPH, "Documents whose mentions and claims this window made visible.", graph_counts(batch))
        )
        yield AssetMaterialization(
            key,
            description=description,
            metadata={
                "documents": min(committed, len(batch.items)),
                **counts,
                "topology": topology,
                "tenant": summary.submission.tenant_id,
                "source": summary.submission.request.plugin,
                "job": summary.submission.job_id,
                "window": batch.window_id,
            },
        )
    yield account_evaluation(topology, summary)


def account_evaluation(topology: str, summary: JobSummary) -> AssetCheckEvaluation:
    """Whether every document that the job listed is accounted for exactly once."""
    problem = account_problem(summary)
    return AssetCheckEvaluation(
        asset_key=documents_key(topology),
        check_name=ACCOUNT_CHECK,
        passed=problem is None,
        description=problem or "in = committed + failed + skipped + waiting + pending",
        metadata=account_metadata(summary),
    )


def index_counts(batch: WindowBatch) -> Numbers:
    """Chunks of the receipts of an index stage."""
    return {"chunks": sum(receipt.chunk_count for _, receipt in batch.items)}


def graph_counts(batch: WindowBatch) -> Numbers:
    """Mentions and claims of the receipts of a kg stage."""
    receipts = [receipt for _, receipt in batch.items]
    return {
        "mentions": sum(receipt.entity_count for receipt in receipts),
        "claims": sum(receipt.claim_count for receipt in receipts),
    }


def job_metadata(summary: JobSummary) -> Numbers:
    """The window's job and its account so far, in one line, for an op that shows its own counts."""
    account = summary.documents.model_dump(exclude={"superseded", "deleted"})  # parts of the skipped
    total = account.pop("total")
    parts = " + ".join(f"{count} {name}" for name, count in account.items())
    return {"job": summary.submission.job_id, "job_account": f"{total} in = {parts}"}


def account_metadata(summary: JobSummary) -> Numbers:
    """The account of a job, with the job it is of."""
    counts: Mapping[str, int] = summary.documents.model_dump()
    account = {"in" if name == "total" else name: count for name, count in counts.items()}
    return {
        **account,
        "chunks": summary.chunks,
        "state": str(summary.state),
        "job": summary.submission.job_id,
    }


def account_problem(summary: JobSummary) -> str | None:
    """What is wrong with a job's account; None if it adds up and agrees with the job's state."""
    documents, job_id = summary.documents, summary.submission.job_id
    if documents.total != documents.accounted:
        return (
            f"job {job_id}: {documents.total} documents in, but {documents.accounted} accounted for. This is "
            "a defect of medkg; please report it with the ledger."
        )
    unresolved = documents.pending + documents.waiting
    if summary.state is JobState.DONE and unresolved:
        return f"job {job_id} is done, but {unresolved} of its documents are not: `medkg status` shows it."
    return None
