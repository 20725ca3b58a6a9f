"""Windows and leases: which run works on which documents, what its stages reported, what it finished.

A window is held when it is claimed (no owner yet), leased when a run's process takes it, and handed back
when that run or process ends without finishing. A document keeps its last window's id, so that a
re-executed run finds what is still its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Select, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.engine import RowMapping

from orchestration.contracts import Commit, Failure, StageReport, Submission, Window, WindowDocument
from orchestration.errors import LeaseLostError, UsageError
from orchestration.ledger.commits import record_commits
from orchestration.ledger.database import Database
from orchestration.ledger.rows import batches, context_of, has_key, key_of
from orchestration.ledger.submissions import MOST_HAND_BACKS
from orchestration.ledger.tables import (
    commits,
    dead_letters,
    documents,
    intent_documents,
    intents,
    job_items,
    jobs,
    stage_reports,
    windows,
)
from orchestration.ledger.transitions import Status, check_move
from orchestration.records import DocumentKey, Locator, StageContext

__all__ = ["Windows"]


class Windows:
    """The window half of the ledger."""

    def __init__(self, database: Database, now: Callable[[], float], lease_seconds: float) -> None:
        self._database = database
        self._now = now
        self._lease_seconds = lease_seconds

    # --- claiming -----------------------------------------------------------------------------------

    def claim_window(self, job_id: str, limit: int) -> str | None:
        """Hold up to `limit` queued documents of a job under a new window id; None when there are none."""
        with self._database.writing() as connection:
            claimable = connection.execute(self._claimable(job_id, limit)).scalars().all()
            if not claimable:
                return None
            window_id = str(uuid4())
            now = self._now()
            connection.execute(insert(windows).values(window_id=window_id, job_id=job_id, created_at=now))
            for batch in batches(claimable):
                connection.execute(
                    update(documents)
                    .where(documents.c.id.in_(batch))
                    .values(
                        window_id=window_id,
                        job_id=job_id,
                        lease_owner=None,
                        lease_until=now + self._lease_seconds,
                        updated_at=now,
                    )
                )
            return window_id

    def _claimable(self, job_id: str, limit: int) -> Select[tuple[int]]:
        query = (
            select(documents.c.id)
            .select_from(job_items.join(documents, documents.c.id == job_items.c.document_id))
            .where(
                job_items.c.job_id == job_id,
                job_items.c.outcome == "pending",
                job_items.c.handed_back < MOST_HAND_BACKS,
                documents.c.status == Status.QUEUED,
                documents.c.lease_until <= self._now(),
            )
            .order_by(job_items.c.id)
            .limit(limit)
        )
        return query if self._database.is_sqlite else query.with_for_update(skip_locked=True, of=documents)

    def window(self, window_id: str, owner: str) -> Window:
        """Lease the window's unfinished documents to `owner`; see WindowLedger.window."""
        with self._database.writing() as connection:
            submission = self._submission_of(connection, window_id)
            now = self._now()
            mine = and_(
                documents.c.window_id == window_id,
                documents.c.status.in_((Status.QUEUED, Status.RUNNING)),
                or_(
                    documents.c.lease_owner.is_(None),
                    documents.c.lease_owner == owner,
                    documents.c.lease_until < now,
                ),
            )
            connection.execute(
                update(documents)
                .where(mine)
                .values(status=Status.RUNNING, lease_owner=owner, lease_until=now + self._lease_seconds)
            )
            rows = connection.execute(
                select(documents)
                .where(documents.c.window_id == window_id, documents.c.lease_owner == owner)
                .where(documents.c.status == Status.RUNNING)
                .order_by(documents.c.id)
            ).mappings()
            return Window(
                window_id=window_id,
                job_id=submission.job_id,
                pipeline_name=submission.pipeline_name,
                pipeline_version=submission.pipeline_version,
                documents=tuple(_window_document(row) for row in rows),
            )

    def renew(self, window_id: str, owner: str) -> None:
        """Push the lease's end; raises LeaseLostError if nothing of the window is leased to `owner`."""
        with self._database.writing() as connection:
            renewed = connection.execute(
                update(documents)
                .where(documents.c.window_id == window_id, documents.c.lease_owner == owner)
                .values(lease_until=self._now() + self._lease_seconds)
            )
            if renewed.rowcount == 0 and self._has_running(connection, window_id):
                raise LeaseLostError(
                    f"window {window_id} passed to another run. Nothing is lost: that run finishes it."
                )

    def _has_running(self, connection: Connection, window_id: str) -> bool:
        query = select(documents.c.id).where(
            documents.c.window_id == window_id, documents.c.status == Status.RUNNING
        )
        return connection.execute(query.limit(1)).first() is not None

    def release(self, window_id: str, reason: str) -> int:
        """Hand the window's unfinished documents back to queued; returns how many. Idempotent."""
        with self._database.writing() as connection:
            connection.execute(
                update(windows).where(windows.c.window_id == window_id).values(released_because=reason)
            )
            leased = and_(
                documents.c.window_id == window_id,
                or_(
                    documents.c.status == Status.RUNNING,
                    and_(documents.c.status == Status.QUEUED, documents.c.lease_until > 0),
                ),
            )
            return self._hand_back(connection, leased)

    def reclaim(self, is_alive: Callable[[str], bool]) -> int:
        """Queue again what expired leases and holds, or owners that are not alive any more, held."""
        now = self._now()
        with self._database.reading() as connection:
            owners = connection.execute(
                select(documents.c.lease_owner).where(documents.c.lease_owner.is_not(None)).distinct()
            ).scalars()
            dead = [owner for owner in owners if owner is not None and not is_alive(owner)]
            expired = and_(documents.c.lease_until > 0, documents.c.lease_until < now)
            lost = or_(expired, documents.c.lease_owner.in_(dead))
            unfinished = documents.c.status.in_((Status.QUEUED, Status.RUNNING))
            if connection.execute(select(documents.c.id).where(unfinished, lost).limit(1)).first() is None:
                return 0
        with self._database.writing() as connection:
            return self._hand_back(connection, and_(unfinished, lost))

    def _hand_back(self, connection: Connection, which: Any) -> int:
        """Queue documents again; those that a run had begun count it against their jobs' bound."""
        rows = connection.execute(
            select(documents.c.id, documents.c.doc_id, documents.c.status).where(which)
        ).all()
        for batch in batches(rows):
            for row in batch:
                check_move(row.doc_id, row.status, Status.QUEUED)
            begun = [row.id for row in batch if row.status == Status.RUNNING]
            connection.execute(
                update(documents)
                .where(documents.c.id.in_([row.id for row in batch]))
                .values(status=Status.QUEUED, lease_owner=None, lease_until=0.0, updated_at=self._now())
            )
            connection.execute(
                update(job_items)
                .where(job_items.c.document_id.in_(begun), job_items.c.outcome == "pending")
                .values(handed_back=job_items.c.handed_back + 1)
            )
        return len(rows)

    def job_of_window(self, window_id: str) -> str | None:
        """The job that a window was claimed for."""
        with self._database.reading() as connection:
            query = select(windows.c.job_id).where(windows.c.window_id == window_id)
            return connection.execute(query).scalar()

    # --- stages -------------------------------------------------------------------------------------

    def fetched(self, contexts: Sequence[StageContext]) -> list[StageContext]:
        """Record versions set by ingest; returns the contexts that still need work."""
        if not contexts:
            return []
        with self._database.writing() as connection:
            held = self._held_of(connection, contexts)
            visible = self._visible(connection, [ctx.key for ctx in contexts])
            unchanged = {
                ctx.key
                for ctx in contexts
                if visible.get(ctx.key) == (ctx.version, ctx.fingerprint, ctx.pipeline_name)
            }
            rows = [
                {"row_id": held[ctx.key]["id"], "version": ctx.version} for ctx in contexts if ctx.key in held
            ]
            if rows:
                connection.execute(
                    update(documents)
                    .where(documents.c.id == bindparam("row_id"))
                    .values(version=bindparam("version")),
                    rows,
                )
            self._end(
                connection, [held[key] for key in unchanged if key in held], Status.COMMITTED, "skipped"
            )
            return [ctx for ctx in contexts if ctx.key in held and ctx.key not in unchanged]

    def _visible(
        self, connection: Connection, keys: Sequence[DocumentKey]
    ) -> dict[DocumentKey, tuple[str, str, str]]:
        found: dict[DocumentKey, tuple[str, str, str]] = {}
        for batch in batches(keys):
            for row in connection.execute(select(commits).where(has_key(commits, batch))).mappings():
                found[key_of(row)] = (row["version"], row["fingerprint"], row["pipeline"])
        return found

    def advance(
        self,
        window_id: str,
        stage: str,
        survivors: Sequence[StageContext],
        failures: Sequence[Failure],
        retries: Mapping[str, int],
    ) -> None:
        """Record a stage's outcome for a batch, in one transaction."""
        with self._database.writing() as connection:
            held = self._held_in(connection, window_id)
            updates = [
                {
                    "row_id": held[ctx.key]["id"],
                    "retry_count_per_stage": _added(
                        held[ctx.key]["retry_count_per_stage"], stage, retries.get(ctx.doc_id, 0)
                    ),
                }
                for ctx in [*survivors, *(failure.ctx for failure in failures)]
                if ctx.key in held
            ]
            if updates:
                connection.execute(
                    update(documents)
                    .where(documents.c.id == bindparam("row_id"))
                    .values(
                        current_stage=stage,
                        retry_count_per_stage=bindparam("retry_count_per_stage"),
                        updated_at=self._now(),
                    ),
                    updates,
                )
            for failure in failures:
                if failure.ctx.key in held:
                    self._fail(connection, held[failure.ctx.key], failure)

    def _fail(self, connection: Connection, row: RowMapping, failure: Failure) -> None:
        """Keep a dead letter; a fatal failure ends the document, another leaves it incomplete."""
        connection.execute(
            insert(dead_letters).values(
                tenant_id=row["tenant_id"],
                job_id=row["job_id"],
                source=row["source"],
                doc_id=row["doc_id"],
                failure=failure.model_dump_json(),
                source_plugin=row["source_plugin"],
                locator=row["locator"],
                created_at=self._now(),
            )
        )
        noted = update(documents).where(documents.c.id == row["id"])
        if failure.fatal:
            connection.execute(noted.values(error_code=failure.code, error_message=failure.message))
            self._end(connection, [row], Status.FAILED, "failed")
        else:
            missing = json.dumps(sorted({*json.loads(row["missing"]), failure.stage}))
            connection.execute(noted.values(missing=missing))

    def report(self, report: StageReport) -> None:
        """Keep a stage's report."""
        with self._database.writing() as connection:
            connection.execute(
                insert(stage_reports).values(job_id=report.job_id, report=report.model_dump_json())
            )

    def finish(self, window_id: str, owner: str, committed: Sequence[Commit]) -> list[Commit]:
        """Visibility and status of the window's documents in one transaction; what was superseded.

        Documents that this window does not hold any more are left to whoever does; LeaseLostError is raised
        when that is all of them.
        """
        with self._database.writing() as connection:
            held = {
                key: row
                for key, row in self._held_in(connection, window_id).items()
                if row["lease_owner"] == owner
            }
            mine = [commit for commit in committed if commit.key in held]
            if committed and not mine:
                raise LeaseLostError(
                    f"window {window_id} passed to another run before its commit. Nothing is lost: that run "
                    "finishes it."
                )
            superseded = record_commits(connection, mine)
            for commit in mine:
                self._end(
                    connection, [held[commit.key]], Status.COMMITTED, "committed", commit.chunk_count, commit
                )
            self._close_intents(connection, {commit.intent_id for commit in mine})
            return superseded

    def _close_intents(self, connection: Connection, intent_ids: set[str]) -> None:
        """Forget intents all of whose documents are visible: nothing of them is left to clean."""
        for intent_id in intent_ids:
            wanted = connection.execute(
                select(intent_documents.c.source, intent_documents.c.doc_id).where(
                    intent_documents.c.intent_id == intent_id
                )
            ).all()
            seen = connection.execute(
                select(commits.c.source, commits.c.doc_id).where(commits.c.intent_id == intent_id)
            ).all()
            if set(map(tuple, wanted)) <= set(map(tuple, seen)):
                connection.execute(delete(intent_documents).where(intent_documents.c.intent_id == intent_id))
                connection.execute(delete(intents).where(intents.c.intent_id == intent_id))

    def _end(
        self,
        connection: Connection,
        rows: Sequence[RowMapping],
        status: Status,
        outcome: str,
        chunks: int = 0,
        commit: Commit | None = None,
    ) -> None:
        """A document's end in this window: its row, and the account of every job that waits for it."""
        if not rows:
            return
        for row in rows:
            check_move(row["doc_id"], row["status"], status)
        values: dict[str, Any] = {
            "status": status,
            "lease_owner": None,
            "lease_until": 0.0,
            "updated_at": self._now(),
        }
        if status is Status.COMMITTED:
            values |= {"error_code": None, "error_message": None}
        if commit is not None:
            values |= {"committed_version": commit.version, "committed_fingerprint": commit.fingerprint}
            self._resolve_dead_letters(connection, commit.key, rows[0]["job_id"])
        ids = [row["id"] for row in rows]
        for batch in batches(ids):
            connection.execute(update(documents).where(documents.c.id.in_(batch)).values(values))
            connection.execute(
                update(job_items)
                .where(job_items.c.document_id.in_(batch), job_items.c.outcome == "pending")
                .values(outcome=outcome, chunks=chunks)
            )

    def _resolve_dead_letters(self, connection: Connection, key: DocumentKey, job_id: str) -> None:
        """A committed document's former failures need no replay; this job's own are kept open."""
        connection.execute(
            update(dead_letters)
            .where(
                dead_letters.c.tenant_id == key.tenant_id,
                dead_letters.c.doc_id == key.doc_id,
                dead_letters.c.source == key.source,
                dead_letters.c.replayed_in.is_(None),
                dead_letters.c.job_id != job_id,
            )
            .values(replayed_in=job_id)
        )

    # --- rows of a window ---------------------------------------------------------------------------

    def _submission_of(self, connection: Connection, window_id: str) -> Submission:
        query = select(jobs.c.submission).select_from(windows.join(jobs, jobs.c.job_id == windows.c.job_id))
        found = connection.execute(query.where(windows.c.window_id == window_id)).scalar()
        if found is None:
            raise UsageError(f"there is no window {window_id} in this ledger; launch the job without it.")
        return Submission.model_validate_json(found)

    def _held_in(self, connection: Connection, window_id: str) -> dict[DocumentKey, RowMapping]:
        rows = connection.execute(
            select(documents).where(documents.c.window_id == window_id, documents.c.status == Status.RUNNING)
        ).mappings()
        return {key_of(row): row for row in rows}

    def _held_of(
        self, connection: Connection, contexts: Sequence[StageContext]
    ) -> dict[DocumentKey, RowMapping]:
        held: dict[DocumentKey, RowMapping] = {}
        for batch in batches([ctx.key for ctx in contexts]):
            rows = connection.execute(
                select(documents).where(
                    has_key(documents, batch),
                    documents.c.pipeline_name == contexts[0].pipeline_name,
                    documents.c.job_id == contexts[0].job_id,
                    documents.c.status == Status.RUNNING,
                )
            ).mappings()
            held.update({key_of(row): row for row in rows})
        return held


def _window_document(row: RowMapping) -> WindowDocument:
    return WindowDocument(
        ctx=context_of(row),
        source_plugin=row["source_plugin"],
        locator=Locator.model_validate_json(row["locator"]),
    )


def _added(counts: str, stage: str, repeats: int) -> str:
    if not repeats:
        return counts
    before: dict[str, int] = json.loads(counts)
    return json.dumps({**before, stage: before.get(stage, 0) + repeats})
