"""Facts written within the transaction that makes them true.

Comes in: rows of documents as the transaction locked them, before it changed them. Leaves: one row of
the outbox per batch. The lock comes first: facts of one document are numbered in the order in which they
happened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Row, RowMapping, insert

from orchestration.contracts import Commit, Failure, Submission
from orchestration.contracts.facts import (
    DocumentCommitted,
    DocumentDeleted,
    DocumentFailed,
    DocumentSkipped,
    FactBody,
    SkipReason,
    StageFailure,
    WindowClaimed,
)
from orchestration.ledger.outbox.tables import outbox, outbox_rosters
from orchestration.ledger.rows import batches, correlation_id, key_of, storable
from orchestration.ledger.tables import documents
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey
from orchestration.tracing import traceparent

__all__ = [
    "NAMED",
    "BodyOf",
    "Named",
    "as_json",
    "committed",
    "deleted",
    "fact_row",
    "failed",
    "named",
    "record",
    "record_commits",
    "record_documents",
    "record_listed",
    "record_of_job",
    "record_window",
    "skipped",
    "stage_failure",
]

Rows: TypeAlias = Sequence[RowMapping]
BodyOf: TypeAlias = Callable[[Rows], FactBody]
"""The body of a fact about these rows, whose lists follow their order."""

Named: TypeAlias = Sequence[tuple[DocumentKey, str]]
"""Documents with their correlation ids."""

NAMES: Final = ("tenant_id", "job_id", "pipeline_name", "pipeline_version")

NAMED: Final = tuple(
    documents.c[name] for name in ("id", "source", "doc_id", "correlation_id", "window_id", "status", *NAMES)
)
"""What a fact about documents is made of."""


def record(
    connection: Connection,
    body: FactBody,
    now: float,
    *,
    tenant_id: str = "",
    job_id: str = "",
    window_id: str = "",
    pipeline: tuple[str, str] = ("", ""),
    documents: Mapping[str, Any] | None = None,
) -> None:
    """Write one fact; `documents` as in the table's column, none by default."""
    row = fact_row(
        body,
        now,
        tenant_id=tenant_id,
        job_id=job_id,
        window_id=window_id,
        pipeline=pipeline,
        documents=documents,
    )
    connection.execute(insert(outbox), [row])


def fact_row(
    body: FactBody,
    now: float,
    *,
    tenant_id: str = "",
    job_id: str = "",
    window_id: str = "",
    pipeline: tuple[str, str] = ("", ""),
    documents: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The row of a fact; see `record`."""
    return {
        "kind": body.kind,
        "tenant_id": tenant_id,
        "job_id": job_id,
        "window_id": window_id,
        "pipeline_name": pipeline[0],
        "pipeline_version": pipeline[1],
        "happened_at": now,
        "traceparent": traceparent(),
        "documents": as_json(documents or {"rows": []}),
        "body": body.model_dump_json(),
    }


def record_of_job(
    connection: Connection,
    submission: Submission,
    body: FactBody,
    now: float,
    *,
    window_id: str = "",
    documents: Mapping[str, Any] | None = None,
) -> None:
    """Write one fact of a job, or of a window of it; see `record`."""
    record(
        connection,
        body,
        now,
        tenant_id=submission.tenant_id,
        job_id=submission.job_id,
        window_id=window_id,
        pipeline=(submission.pipeline_name, submission.pipeline_version),
        documents=documents,
    )


def record_documents(
    connection: Connection,
    rows: Iterable[RowMapping],
    body_of: BodyOf,
    now: float,
    *,
    job_id: str | None = None,
) -> None:
    """Write a fact about documents; `job_id` instead of that of the rows.

    Documents that run are named by the roster of their window, one fact each; others by themselves, one fact
    per job and pipeline.
    """

    def group(row: RowMapping) -> tuple[str, ...]:
        if (
            row["status"] == Status.RUNNING
        ):  # attached ones may have come under another version of the topology
            return (*(str(row[name]) for name in NAMES[:-1]), "", row["window_id"])
        return (*(str(row[name]) for name in NAMES), "")

    for (tenant, job, name, _, window), members in groupby(sorted(rows, key=group), key=group):
        ordered = sorted(members, key=lambda row: int(row["id"]))
        version = max(row["pipeline_version"] for row in ordered)
        its_job = job if job_id is None else job_id
        for batch in [ordered] if window else batches(ordered):
            record(
                connection,
                body_of(batch),
                now,
                tenant_id=tenant,
                job_id=its_job,
                window_id=window,
                pipeline=(name, version),
                documents={"rows": _runs([row["id"] for row in batch])}
                if window
                else named(_name(key_of(row), its_job, row["correlation_id"]) for row in batch),
            )


def record_listed(
    connection: Connection, submission: Submission, body: FactBody, of: Named, now: float
) -> None:
    """Write a fact of a job about documents that have no row, or not yet, or that another job works on."""
    names = (_name(key, submission.job_id, correlation) for key, correlation in of)
    record_of_job(connection, submission, body, now, documents=named(names))


def record_window(
    connection: Connection, submission: Submission, window_id: str, claimed: Sequence[Row[Any]], now: float
) -> None:
    """Write the documents of a new window, and that it was claimed.

    `claimed`: rows with id, source, doc_id and correlation_id.
    """
    roster = {
        row.id: _name(
            DocumentKey(tenant_id=submission.tenant_id, source=row.source, doc_id=row.doc_id),
            submission.job_id,
            row.correlation_id,
        )
        for row in claimed
    }
    connection.execute(
        insert(outbox_rosters).values(
            window_id=window_id, tenant_id=submission.tenant_id, created_at=now, documents=as_json(roster)
        )
    )
    documents = {"rows": _runs(sorted(roster))}
    record_of_job(connection, submission, WindowClaimed(), now, window_id=window_id, documents=documents)


def record_commits(connection: Connection, job_id: str, commits: Sequence[Commit], now: float) -> None:
    """Write that these became visible, without a run."""

    def group(commit: Commit) -> tuple[str, str]:
        return commit.key.tenant_id, commit.pipeline

    for (tenant, pipeline), members in groupby(sorted(commits, key=group), key=group):
        for batch in batches(members):
            record(
                connection,
                _committed(batch),
                now,
                tenant_id=tenant,
                job_id=job_id,
                pipeline=(pipeline, ""),
                documents=named((commit.key.source, commit.key.doc_id, None) for commit in batch),
            )


# --- bodies ------------------------------------------------------------------------------------------------


def skipped(reason: SkipReason) -> BodyOf:
    """Nothing was to be done."""
    return lambda _: DocumentSkipped(reason=reason)


def deleted(_: Rows) -> FactBody:
    """They were removed."""
    return DocumentDeleted()


def failed(failures: Mapping[int, Failure]) -> BodyOf:
    """Dead letters by document id."""
    return lambda rows: DocumentFailed(
        failures=tuple(stage_failure(index, failures[row["id"]]) for index, row in enumerate(rows))
    )


def committed(commits: Mapping[int, Commit]) -> BodyOf:
    """Commits by document id."""
    return lambda rows: _committed([commits[row["id"]] for row in rows])


def _committed(commits: Sequence[Commit]) -> DocumentCommitted:
    return DocumentCommitted(
        chunks=tuple(commit.chunk_count for commit in commits),
        mentions=tuple(commit.entity_count for commit in commits),
        claims=tuple(commit.claim_count for commit in commits),
        versions=tuple(commit.version for commit in commits),
    )


def stage_failure(index: int, failure: Failure) -> StageFailure:
    """A dead letter of the document at a position."""
    return StageFailure(
        index=index,
        stage=failure.stage,
        code=failure.code,
        message=storable(failure.message),
        attempts=failure.attempts,
        fatal=failure.fatal,
    )


def named(names: Iterable[tuple[str, str, str | None]]) -> dict[str, Any]:
    """Value of the column `documents` with (source, doc_id, correlation id or None)s."""
    return {"named": [list(name) for name in names]}


def as_json(value: Any) -> str:
    """A value of the columns of documents."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _name(key: DocumentKey, job_id: str, correlation: str) -> tuple[str, str, str | None]:
    """Source, id, and the correlation id unless it is that of the document in the job."""
    return key.source, key.doc_id, None if correlation == correlation_id(job_id, key) else correlation


def _runs(ids: Sequence[int]) -> list[list[int]]:
    """Ascending numbers as [first, count]s."""
    runs: list[list[int]] = []
    for number in ids:
        if runs and number == runs[-1][0] + runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return runs
