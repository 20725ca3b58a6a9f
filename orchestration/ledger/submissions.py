"""Jobs and their documents: what a user asked for, what became of each item, dead letters and replay."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, func, insert, or_, select, update

from orchestration.contracts import (
    DeadLetter,
    DocumentCounts,
    Failure,
    JobState,
    JobSummary,
    StageReport,
    Submission,
)
from orchestration.errors import DuplicateDocumentError, UsageError
from orchestration.ledger.database import Database
from orchestration.ledger.rows import batches, has_key, iso, upsert
from orchestration.ledger.tables import (
    commits,
    dead_letters,
    documents,
    job_items,
    jobs,
    stage_reports,
    windows,
)
from orchestration.ledger.transitions import Status, check_move
from orchestration.records import DocumentKey, Locator, SourceItem, StageContext

__all__ = ["MOST_HAND_BACKS", "Submissions"]

MOST_HAND_BACKS: Final = 3
"""A document handed back so often within one job is left alone by that job."""

ENUMERATION: Final = "enumerate"
"""Stage name of failures found before a run: unreadable files, repeats with other content."""

Fingerprint = Callable[[SourceItem], str]


class Submissions:
    """The job half of the ledger."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    # --- jobs ---------------------------------------------------------------------------------------

    def open_job(self, submission: Submission) -> None:
        """Record a job without documents."""
        with self._database.writing() as connection:
            self._open(connection, submission)

    def _open(self, connection: Connection, submission: Submission) -> None:
        connection.execute(
            insert(jobs).values(
                job_id=submission.job_id,
                tenant_id=submission.tenant_id,
                state=JobState.ENUMERATING,
                submission=submission.model_dump_json(),
                created_at=self._now(),
            )
        )

    def set_job_state(self, job_id: str, state: JobState) -> None:
        """Record where the job stands."""
        with self._database.writing() as connection:
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(state=state))

    def settle(self, job_id: str) -> JobState:
        """Move an open job on to done or stalled when nothing of it is left to do; returns its state."""
        with self._database.writing() as connection:
            state = JobState(self._job(connection, job_id)["state"])
            if state not in (JobState.OPEN, JobState.STALLED):
                return state
            settled = self._settled_state(connection, job_id)
            if settled is not state:
                connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(state=settled))
            return settled

    def _settled_state(self, connection: Connection, job_id: str) -> JobState:
        pending = and_(job_items.c.job_id == job_id, job_items.c.outcome == "pending")
        joined = job_items.join(documents, documents.c.id == job_items.c.document_id)
        in_hand = or_(
            job_items.c.handed_back < MOST_HAND_BACKS,
            documents.c.status == Status.RUNNING,
            documents.c.lease_until > self._now(),
        )
        if connection.execute(select(job_items.c.id).where(pending).limit(1)).first() is None:
            return JobState.DONE
        going_on = select(job_items.c.id).select_from(joined).where(pending, in_hand).limit(1)
        return JobState.OPEN if connection.execute(going_on).first() else JobState.STALLED

    def jobs(self, tenant_id: str | None, states: Sequence[JobState] | None) -> list[JobSummary]:
        """Newest first; failures, stages and windows left empty."""
        query = select(jobs).order_by(jobs.c.number.desc())
        if tenant_id is not None:
            query = query.where(jobs.c.tenant_id == tenant_id)
        if states is not None:
            query = query.where(jobs.c.state.in_(states))
        with self._database.reading() as connection:
            return [
                _summary(row, self._counts(connection, row["job_id"]))
                for row in connection.execute(query).mappings().all()
            ]

    def summary(self, job_id: str) -> JobSummary:
        """Where a job stands; raises UsageError for an unknown one."""
        with self._database.reading() as connection:
            row = self._job(connection, job_id)
            failures = connection.execute(
                select(dead_letters.c.failure)
                .where(dead_letters.c.job_id == job_id)
                .order_by(dead_letters.c.id)
            ).scalars()
            reports = connection.execute(
                select(stage_reports.c.report)
                .where(stage_reports.c.job_id == job_id)
                .order_by(stage_reports.c.id)
            ).scalars()
            run_ids = connection.execute(
                select(windows.c.window_id).where(windows.c.job_id == job_id).order_by(windows.c.number)
            ).scalars()
            return _summary(
                row,
                self._counts(connection, job_id),
                failures=tuple(Failure.model_validate_json(failure) for failure in failures),
                stages=tuple(StageReport.model_validate_json(report) for report in reports),
                run_ids=tuple(run_ids),
            )

    def _job(self, connection: Connection, job_id: str) -> RowMapping:
        row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).mappings().first()
        if row is None:
            raise UsageError(f"there is no job {job_id}; `medkg status` lists the newest ones.")
        return row

    def _counts(self, connection: Connection, job_id: str) -> tuple[DocumentCounts, int]:
        rows = connection.execute(
            select(job_items.c.outcome, func.count(), func.coalesce(func.sum(job_items.c.chunks), 0))
            .where(job_items.c.job_id == job_id)
            .group_by(job_items.c.outcome)
        ).all()
        counts = {outcome: count for outcome, count, _ in rows}
        return DocumentCounts(total=sum(counts.values()), **counts), sum(chunks for _, _, chunks in rows)

    # --- enumeration --------------------------------------------------------------------------------

    def enqueue(self, job_id: str, items: Sequence[SourceItem], fingerprint: Fingerprint) -> DocumentCounts:
        """Give each item its place in the job, in one transaction; see JobLedger.enqueue."""
        with self._database.writing() as connection:
            submission = Submission.model_validate_json(self._job(connection, job_id)["submission"])
            enqueuing = _Enqueuing(connection, submission, self._now(), fingerprint)
            for batch in batches(items):
                enqueuing.add(batch)
            return enqueuing.counts()

    # --- dead letters -------------------------------------------------------------------------------

    def dead_letters(
        self, tenant_id: str, job_id: str | None = None, unreplayed: bool = True
    ) -> list[DeadLetter]:
        """Newest first."""
        query = select(dead_letters).where(dead_letters.c.tenant_id == tenant_id)
        if job_id is not None:
            query = query.where(dead_letters.c.job_id == job_id)
        if unreplayed:
            query = query.where(dead_letters.c.replayed_in.is_(None))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(dead_letters.c.id.desc())).mappings().all()
        return [
            DeadLetter(
                id=row["id"],
                failure=Failure.model_validate_json(row["failure"]),
                source_plugin=row["source_plugin"],
                locator=Locator.model_validate_json(row["locator"]),
                created_at=iso(row["created_at"]),
                replayed_in=row["replayed_in"],
            )
            for row in rows
        ]

    def replay(self, ids: Sequence[int], submission: Submission, fingerprint: Fingerprint) -> int:
        """Open a job with the documents of these dead letters, queued again; how many.

        Their version is taken anew from the input, which may have been mended since.
        """
        letters = [letter for letter in self.dead_letters(submission.tenant_id) if letter.id in set(ids)]
        with self._database.writing() as connection:
            self._open(connection, submission)
            enqueuing = _Enqueuing(connection, submission, self._now(), fingerprint)
            for letter in letters:
                plugin = letter.source_plugin
                enqueuing.add([_item_of(letter)], source_plugin=plugin)
            connection.execute(
                update(dead_letters)
                .where(dead_letters.c.id.in_([letter.id for letter in letters]))
                .values(replayed_in=submission.job_id)
            )
            connection.execute(
                update(jobs).where(jobs.c.job_id == submission.job_id).values(state=JobState.OPEN)
            )
        return len(letters)


class _Enqueuing:
    """One transaction's work of giving items their place in a job."""

    def __init__(
        self, connection: Connection, submission: Submission, now: float, fingerprint: Fingerprint
    ) -> None:
        self._connection = connection
        self._submission = submission
        self._now = now
        self._fingerprint = fingerprint
        self._counts: dict[str, int] = defaultdict(int)

    def counts(self) -> DocumentCounts:
        return DocumentCounts(total=sum(self._counts.values()), **self._counts)

    def add(self, items: Sequence[SourceItem], source_plugin: str | None = None) -> None:
        """Place a batch of items; an id that occurs twice is placed once and then judged as a repeat."""
        plugin = source_plugin or self._submission.request.source
        keys = [self._key(item) for item in items]
        known = self._known(keys)
        mine = self._in_job([row["id"] for row in known.values()])
        visible = self._visible(keys)
        first: dict[DocumentKey, SourceItem] = {}
        for key, item in zip(keys, items, strict=True):
            row = known.get(key)
            if key in first or (row is not None and row["id"] in mine):
                seen = first[key].version if key in first else row["version"] if row is not None else None
                self._repeat(key, item, seen, plugin)
            else:
                first[key] = item
        self._place(first, known, visible, plugin)

    def _place(
        self,
        first: Mapping[DocumentKey, SourceItem],
        known: Mapping[DocumentKey, RowMapping],
        visible: Mapping[DocumentKey, RowMapping],
        plugin: str,
    ) -> None:
        writes: list[dict[str, Any]] = []
        outcomes: dict[DocumentKey, str] = {}
        for key, item in first.items():
            row = known.get(key)
            fingerprint = self._fingerprint(item)
            if item.error_code is not None:
                outcomes[key] = "failed"
                self._dead_letter(key, item, plugin, item.error_code, item.error_message or "")
                if row is None or row["status"] != Status.COMMITTED:
                    writes.append(self._row(key, item, Status.FAILED, fingerprint, plugin, row))
            elif row is not None and self._unchanged(item, fingerprint, row, visible.get(key)):
                outcomes[key] = "skipped"
            else:
                outcomes[key] = "pending"
                if row is None or not self._in_work(item, fingerprint, row):
                    writes.append(self._row(key, item, Status.QUEUED, fingerprint, plugin, row))
        unique = ("tenant_id", "source", "doc_id", "pipeline_name")
        upsert(self._connection, documents, writes, unique)
        ids = {key: row["id"] for key, row in self._known(list(first)).items()}
        for outcome in outcomes.values():
            self._counts[outcome] += 1
        if outcomes:
            self._connection.execute(
                insert(job_items),
                [
                    {"job_id": self._submission.job_id, "document_id": ids.get(key), "outcome": outcome}
                    for key, outcome in outcomes.items()
                ],
            )

    def _repeat(self, key: DocumentKey, item: SourceItem, seen: str | None, plugin: str) -> None:
        """An id's second item in one job: nothing to do if its content is the same, else a dead letter."""
        same = item.error_code is None and item.version is not None and item.version == seen
        outcome = "skipped" if same else "failed"
        self._counts[outcome] += 1
        self._connection.execute(
            insert(job_items).values(job_id=self._submission.job_id, document_id=None, outcome=outcome)
        )
        if same:
            return
        if item.error_code is not None:
            self._dead_letter(key, item, plugin, item.error_code, item.error_message or "")
            return
        where = item.locator.uri
        message = (
            f"{item.doc_id}: {where} holds another record of this id with different content; the first one "
            "was taken. Remove or correct one of the two, then run again."
        )
        self._dead_letter(key, item, plugin, DuplicateDocumentError.code, message)

    def _row(
        self,
        key: DocumentKey,
        item: SourceItem,
        status: Status,
        fingerprint: str,
        plugin: str,
        before: RowMapping | None,
    ) -> dict[str, Any]:
        if before is not None and before["status"] != Status.RUNNING:
            check_move(item.doc_id, before["status"], status)
        failed = status is Status.FAILED
        return {
            **key.model_dump(),
            "pipeline_name": self._submission.pipeline_name,
            "pipeline_version": self._submission.pipeline_version,
            "status": status,
            "current_stage": ENUMERATION if failed else None,
            "retry_count_per_stage": "{}",
            "missing": "[]",
            "version": item.version,
            "fingerprint": fingerprint,
            "source_plugin": plugin,
            "locator": item.locator.model_dump_json(),
            "window_id": None,
            "lease_owner": None,
            "lease_until": 0.0,
            "error_code": item.error_code,
            "error_message": item.error_message,
            "job_id": self._submission.job_id,
            "correlation_id": _correlation_id(self._submission.job_id, key),
            "created_at": before["created_at"] if before is not None else self._now,
            "updated_at": self._now,
        }

    def _in_work(self, item: SourceItem, fingerprint: str, row: RowMapping) -> bool:
        """Whether a live run is at this very content; the job then counts that run's outcome."""
        return (
            row["status"] == Status.RUNNING
            and row["lease_until"] > self._now
            and (row["version"], row["fingerprint"]) == (item.version, fingerprint)
        )

    def _unchanged(
        self, item: SourceItem, fingerprint: str, row: RowMapping, visible: RowMapping | None
    ) -> bool:
        """Whether readers see exactly what a run of this item would make."""
        if item.version is None or visible is None or row["status"] != Status.COMMITTED:
            return False
        wanted = (item.version, fingerprint, self._submission.pipeline_name)
        return wanted == (visible["version"], visible["fingerprint"], visible["pipeline"])

    def _dead_letter(self, key: DocumentKey, item: SourceItem, plugin: str, code: str, message: str) -> None:
        failure = Failure(
            ctx=StageContext(
                tenant_id=key.tenant_id,
                job_id=self._submission.job_id,
                doc_id=key.doc_id,
                correlation_id=_correlation_id(self._submission.job_id, key),
                metadata={"source": key.source},
                pipeline_name=self._submission.pipeline_name,
                pipeline_version=self._submission.pipeline_version,
            ),
            stage=ENUMERATION,
            code=code,
            message=message,
            attempts=1,
        )
        self._connection.execute(
            insert(dead_letters).values(
                tenant_id=key.tenant_id,
                job_id=self._submission.job_id,
                source=key.source,
                doc_id=key.doc_id,
                failure=failure.model_dump_json(),
                source_plugin=plugin,
                locator=item.locator.model_dump_json(),
                created_at=self._now,
            )
        )

    def _key(self, item: SourceItem) -> DocumentKey:
        return DocumentKey(tenant_id=self._submission.tenant_id, source=item.source, doc_id=item.doc_id)

    def _known(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, RowMapping]:
        if not keys:
            return {}
        rows = self._connection.execute(
            select(documents).where(
                has_key(documents, keys), documents.c.pipeline_name == self._submission.pipeline_name
            )
        ).mappings()
        return {_row_key(row): row for row in rows}

    def _visible(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, RowMapping]:
        rows = self._connection.execute(select(commits).where(has_key(commits, keys))).mappings()
        return {_row_key(row): row for row in rows}

    def _in_job(self, document_ids: Sequence[int]) -> set[int]:
        """Which documents are in this job already."""
        query = select(job_items.c.document_id).where(
            job_items.c.job_id == self._submission.job_id, job_items.c.document_id.in_(document_ids)
        )
        return set(self._connection.execute(query).scalars())


def _row_key(row: RowMapping) -> DocumentKey:
    return DocumentKey(tenant_id=row["tenant_id"], source=row["source"], doc_id=row["doc_id"])


def _correlation_id(job_id: str, key: DocumentKey) -> str:
    """Links what happens to a document in a job; short, and the same for a repeated enqueue."""
    digest = hashlib.sha256(f"{key.source}\0{key.doc_id}".encode()).hexdigest()
    return f"{job_id}-{digest[:12]}"


def _item_of(letter: DeadLetter) -> SourceItem:
    """The item that a dead letter's input was, to be read anew."""
    return SourceItem(
        doc_id=letter.failure.ctx.doc_id,
        source=letter.failure.ctx.source,
        locator=letter.locator,
    )


def _summary(row: RowMapping, counted: tuple[DocumentCounts, int], **details: Any) -> JobSummary:
    documents_counted, chunks = counted
    return JobSummary(
        submission=Submission.model_validate_json(row["submission"]),
        state=JobState(row["state"]),
        documents=documents_counted,
        chunks=chunks,
        **{"failures": (), "stages": (), "run_ids": (), **details},
    )
