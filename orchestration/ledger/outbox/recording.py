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

from sqlalchemy import Connection, RowMapping, insert, select

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
from orchestration.ledger.rows import batches, correlation_id, storable
from orchestration.ledger.tables import documents
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey
from orchestration.tracing import traceparent

__all__ = [
    "BodyOf",
    "Named",
    "committed",
    "deleted",
    "failed",
    "record",
    "record_commits",
    "record_documents",
    "record_listed",
    "record_window",
    "skipped",
]

Rows: TypeAlias = Sequence[RowMapping]
BodyOf: TypeAlias = Callable[[Rows], FactBody]
"""The body of a fact about these rows, whose lists follow their order."""

Named: TypeAlias = Sequence[tuple[DocumentKey, str]]
"""Documents with their correlation ids."""

NAMES: Final = ("tenant_id", "job_id", "pipeline_name", "pipeline_version")


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
    connection.execute(
        insert(outbox).values(
            kind=body.kind,
            tenant_id=tenant_id,
            job_id=job_id,
            window_id=window_id,
            pipeline_name=pipeline[0],
            pipeline_version=pipeline[1],
            happened_at=now,
            traceparent=traceparent(),
            documents=json.dumps(documents or {"rows": []}, ensure_ascii=False, separators=(",", ":")),
            body=body.model_dump_json(),
        )
    )


def record_documents(
    connection: Connection,
    rows: Iterable[RowMapping],
    body_of: BodyOf,
    now: float,
    *,
    job_id: str | None = None,
) -> None:
    """Write a fact about documents, one per job, pipeline and window; `job_id` instead of that of the rows.

    Documents that run are named by the roster of their window, others by themselves.
    """

    def group(row: RowMapping) -> tuple[str, ...]:
        window = row["window_id"] if row["status"] == Status.RUNNING else None
        return (*(str(row[name]) for name in NAMES), window or "")

    for (tenant, job, name, version, window), members in groupby(sorted(rows, key=group), key=group):
        ordered = sorted(members, key=lambda row: int(row["id"]))
        for batch in [ordered] if window else batches(ordered):
            record(
                connection,
                body_of(batch),
                now,
                tenant_id=tenant,
                job_id=job if job_id is None else job_id,
                window_id=window,
                pipeline=(name, version),
                documents={"rows": _runs(batch)} if window else named(map(_name, batch)),
            )


def record_listed(
    connection: Connection, submission: Submission, body: FactBody, of: Named, now: float
) -> None:
    """Write a fact of a job about documents that have no row, or not yet, or that another job works on."""
    names = (
        (
            key.source,
            key.doc_id,
            None if correlation == correlation_id(submission.job_id, key) else correlation,
        )
        for key, correlation in of
    )
    record(
        connection,
        body,
        now,
        tenant_id=submission.tenant_id,
        job_id=submission.job_id,
        pipeline=(submission.pipeline_name, submission.pipeline_version),
        documents=named(names),
    )


def record_window(
    connection: Connection, submission: Submission, window_id: str, ids: Sequence[int], now: float
) -> None:
    """Write the documents of a new window, and that it was claimed."""
    columns = (documents.c.id, documents.c.source, documents.c.doc_id, documents.c.correlation_id)
    roster: dict[int, tuple[str, str, str | None]] = {}
    for batch in batches(ids):
        for number, source, doc_id, correlation in connection.execute(
            select(*columns).where(documents.c.id.in_(batch))
        ):
            key = DocumentKey(tenant_id=submission.tenant_id, source=source, doc_id=doc_id)
            same = correlation == correlation_id(submission.job_id, key)
            roster[number] = (source, doc_id, None if same else correlation)
    connection.execute(
        insert(outbox_rosters).values(
            window_id=window_id,
            tenant_id=submission.tenant_id,
            created_at=now,
            documents=json.dumps(roster, ensure_ascii=False, separators=(",", ":")),
        )
    )
    record(
        connection,
        WindowClaimed(),
        now,
        tenant_id=submission.tenant_id,
        job_id=submission.job_id,
        window_id=window_id,
        pipeline=(submission.pipeline_name, submission.pipeline_version),
        documents={"rows": _runs_of(sorted(ids))},
    )


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


def _name(row: RowMapping) -> tuple[str, str, str | None]:
    key = DocumentKey(tenant_id=row["tenant_id"], source=row["source"], doc_id=row["doc_id"])
    correlation = row["correlation_id"]
    return (
        row["source"],
        row["doc_id"],
        None if correlation == correlation_id(row["job_id"], key) else correlation,
    )


def _runs(rows: Rows) -> list[list[int]]:
    return _runs_of([row["id"] for row in rows])


def _runs_of(ids: Sequence[int]) -> list[list[int]]:
    """Ascending numbers as [first, count]s."""
    runs: list[list[int]] = []
    for number in ids:
        if runs and number == runs[-1][0] + runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return runs
