"""Jobs: requests of users, their states and their accounts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, insert, or_, select, update

from orchestration.contracts import (
    DocumentCounts,
    Failure,
    JobState,
    JobSummary,
    StageReport,
    Submission,
)
from orchestration.contracts.facts import JobChanged, JobOpened
from orchestration.errors import UsageError
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.enqueueing import Enqueueing, EnumeratedItem
from orchestration.ledger.outbox.recording import record_of_job
from orchestration.ledger.rows import failure_of
from orchestration.ledger.tables import (
    dead_letters,
    documents,
    item_dead_letters,
    job_items,
    jobs,
    stage_reports,
    windows,
)
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey, Fingerprints, SourceItem

__all__ = ["MOST_HAND_BACKS", "SqlJobs", "insert_job", "submission_of"]

MOST_HAND_BACKS: Final = 3
"""A job does not claim a document again that was handed back so many times within it."""

SETTLING: Final = (JobState.OPEN, JobState.WAITING, JobState.STALLED)
"""States of jobs that `settle` updates."""

OUTCOMES: Final = ("committed", "failed", "skipped", "waiting", "pending")
"""They add up to a job's total; other counts are parts of one of them."""

Account = tuple[DocumentCounts, int]
"""A job's counts and its committed chunks."""


class SqlJobs(LedgerPart):
    """JobLedger over SQL."""

    def open(self, submission: Submission) -> None:
        """Record a job without documents, in state `enumerating`."""
        with self._database.writing() as connection:
            insert_job(connection, submission, JobState.ENUMERATING, self._now())

    def enqueue(
        self, job_id: str, items: Sequence[SourceItem], fingerprints: Callable[[SourceItem], Fingerprints]
    ) -> DocumentCounts:
        """Add items to the job; see JobLedger.enqueue."""
        with self._database.writing() as connection:
            submission = submission_of(connection, job_id)
            enqueueing = Enqueueing(connection, submission, fingerprints, self._now())
            tenant_id, plugin = submission.tenant_id, submission.request.plugin
            return enqueueing.add(
                EnumeratedItem(
                    DocumentKey(tenant_id=tenant_id, source=item.source, doc_id=item.doc_id), item, plugin
                )
                for item in items
            )

    def set_state(self, job_id: str, state: JobState) -> None:
        """Record the state of a job; see JobLedger.set_state."""
        with self._database.writing() as connection:
            _job(connection, job_id)
            not_cancelled = jobs.c.state != JobState.CANCELLED
            self._change(connection, job_id, state, not_cancelled)

    def note_removed(self, job_id: str, removed: int) -> None:
        """Count documents that a mirror removed; see JobLedger.note_removed."""
        with self._database.writing() as connection:
            _job(connection, job_id)
            counted = {"removed": jobs.c.removed + removed}
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(counted))

    def cancel(self, job_id: str) -> None:
        """Stop a job unless it is done; see JobLedger.cancel."""
        with self._database.writing() as connection:
            state = JobState(_job(connection, job_id)["state"])
            if state in SETTLING:
                state = _settled_state(connection, job_id, self._now())
            ended = JobState.DONE if state is JobState.DONE else JobState.CANCELLED
            self._change(connection, job_id, ended)

    def settle(self, job_id: str) -> JobState:
        """Move an open or stalled job on; see JobLedger.settle."""
        with self._database.reading() as connection:
            state = JobState(_job(connection, job_id)["state"])
            if state not in SETTLING:
                return state
            settled = _settled_state(connection, job_id, self._now())
        if settled is state:
            return state
        with self._database.writing() as connection:
            settled = _settled_state(connection, job_id, self._now())
            self._change(connection, job_id, settled, jobs.c.state.in_(SETTLING))
            return JobState(_job(connection, job_id)["state"])

    def _change(
        self, connection: Connection, job_id: str, state: JobState, *conditions: ColumnElement[bool]
    ) -> None:
        """Set the state of a job for which the conditions hold, unless it has that state."""
        changed = connection.execute(
            update(jobs)
            .where(jobs.c.job_id == job_id, jobs.c.state != state, *conditions)
            .values(state=state)
        )
        if not changed.rowcount:
            return
        job = _job(connection, job_id)
        counts, _ = _account(connection, job)
        submission = Submission.model_validate_json(job["submission"])
        seconds = max(0.0, self._now() - job["created_at"])
        changed_to = JobChanged(state=state, counts=counts, seconds=seconds)
        record_of_job(connection, submission, changed_to, self._now())

    def find(
        self, tenant_id: str | None, states: Sequence[JobState] | None, limit: int | None = None
    ) -> list[JobSummary]:
        """Newest first; failures, stages and windows left empty."""
        query = select(jobs).order_by(jobs.c.number.desc()).limit(limit)
        if tenant_id is not None:
            query = query.where(jobs.c.tenant_id == tenant_id)
        if states is not None:
            query = query.where(jobs.c.state.in_(states))
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
            reasons = [_handed_back_because(connection, row["job_id"]) for row in rows]
            accounts = [_account(connection, row) for row in rows]
        return [
            _summary(row, account, reason=reason)
            for row, account, reason in zip(rows, accounts, reasons, strict=True)
        ]

    def beginning_with(self, tenant_id: str, beginning: str) -> list[str]:
        """Ids of jobs that begin so; see JobLedger.beginning_with."""
        same = func.substr(jobs.c.job_id, 1, len(beginning)) == beginning
        query = select(jobs.c.job_id).where(jobs.c.tenant_id == tenant_id, same)
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(jobs.c.number.desc())).scalars())

    def account(self, job_id: str) -> JobSummary:
        """As `summary`, without failures, stages and windows; its cost does not grow with windows."""
        with self._database.reading() as connection:
            row = _job(connection, job_id)
            return _summary(row, _account(connection, row))

    def summary(self, job_id: str) -> JobSummary:
        """Where a job stands, failures in input order; raises UsageError for an unknown one."""
        with self._database.reading() as connection:
            row = _job(connection, job_id)
            account = _account(connection, row)
            failures = connection.execute(failures_of(job_id)).mappings().all()
            reports = connection.execute(
                select(stage_reports.c.report)
                .where(stage_reports.c.job_id == job_id)
                .order_by(stage_reports.c.number)
            ).scalars()
            run_ids = connection.execute(
                select(windows.c.window_id).where(windows.c.job_id == job_id).order_by(windows.c.number)
            ).scalars()
            return _summary(
                row,
                account,
                tuple(map(failure_of, failures)),
                tuple(map(StageReport.model_validate_json, reports)),
                tuple(run_ids),
                _handed_back_because(connection, job_id),
            )


def insert_job(connection: Connection, submission: Submission, state: JobState, now: float) -> None:
    """Insert a job's row."""
    connection.execute(
        insert(jobs).values(
            job_id=submission.job_id,
            tenant_id=submission.tenant_id,
            state=state,
            submission=submission.model_dump_json(),
            created_at=now,
        )
    )
    request = submission.request
    opened = JobOpened(source=request.plugin, attended=submission.attended, request=request)
    record_of_job(connection, submission, opened, now)


def submission_of(connection: Connection, job_id: str) -> Submission:
    """Return the submission of a job; raises UsageError for an unknown one."""
    return Submission.model_validate_json(_job(connection, job_id)["submission"])


def failures_of(job_id: str) -> Select[tuple[object]]:
    """The dead letters that a job counts, in input order: its own, and those of documents that another
    job's window worked on for both."""
    return (
        select(dead_letters)
        .join(item_dead_letters, item_dead_letters.c.dead_letter_id == dead_letters.c.id)
        .where(item_dead_letters.c.job_id == job_id)
        .order_by(item_dead_letters.c.ordinal, dead_letters.c.id)
    )


def _job(connection: Connection, job_id: str) -> RowMapping:
    row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).mappings().first()
    if row is None:
        raise UsageError(f"there is no job {job_id}; `medkg status` lists the newest ones.")
    return row


def _handed_back_because(connection: Connection, job_id: str) -> str | None:
    reason = windows.c.released_because
    query = select(reason).where(windows.c.job_id == job_id, reason.is_not(None))
    return connection.execute(query.order_by(windows.c.number.desc()).limit(1)).scalar()


def _settled_state(connection: Connection, job_id: str, now: float) -> JobState:
    pending = and_(job_items.c.job_id == job_id, job_items.c.outcome == "pending")
    if connection.execute(select(job_items.c.ordinal).where(pending).limit(1)).first() is None:
        waiting = and_(job_items.c.job_id == job_id, job_items.c.outcome == "waiting")
        waits = connection.execute(select(job_items.c.ordinal).where(waiting).limit(1)).first()
        return JobState.WAITING if waits else JobState.DONE
    goes_on = or_(
        job_items.c.handed_back < MOST_HAND_BACKS,
        documents.c.status == Status.RUNNING,
        documents.c.lease_until > now,
    )
    query = select(job_items.c.ordinal).join(documents, documents.c.id == job_items.c.document_id)
    going_on = connection.execute(query.where(pending, goes_on).limit(1)).first()
    return JobState.OPEN if going_on else JobState.STALLED


def _account(connection: Connection, job: RowMapping) -> Account:
    """The account of a job, whose row has the sums of the items that are gone."""
    rows = connection.execute(
        select(job_items.c.outcome, job_items.c.reason, func.count(), func.sum(job_items.c.chunks))
        .where(job_items.c.job_id == job["job_id"])
        .group_by(job_items.c.outcome, job_items.c.reason)
    ).all()
    counts: Counter[str] = Counter(json.loads(job["folded"]) if job["folded"] else {})
    chunks = counts.pop("chunks", 0) + sum(of_outcome for *_, of_outcome in rows)
    for outcome, reason, count, _ in rows:
        counts[outcome] += count
        if reason is not None:
            counts[reason] += count
    total = sum(counts[outcome] for outcome in OUTCOMES)
    return DocumentCounts(total=total, **counts), chunks


def _summary(
    row: RowMapping,
    account: Account,
    failures: tuple[Failure, ...] = (),
    stages: tuple[StageReport, ...] = (),
    run_ids: tuple[str, ...] = (),
    reason: str | None = None,
) -> JobSummary:
    counts, chunks = account
    return JobSummary(
        submission=Submission.model_validate_json(row["submission"]),
        state=JobState(row["state"]),
        created_at=row["created_at"],
        removed=row["removed"],
        documents=counts,
        chunks=chunks,
        failures=failures,
        stages=stages,
        run_ids=run_ids,
        handed_back_because=reason,
    )
