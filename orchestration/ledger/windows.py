"""Windows and leases: which run works on which documents.

A claimed window is reserved: it has no owner yet, but may name the process that will launch its run. It is
leased when the process of a run takes it, and handed back when that run or process ends without finishing.
A document keeps the id of its last window, so that a re-executed run finds what no later window claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from orchestration.contracts import Phase, Submission, TenantLoad, Window, WindowDocument
from orchestration.contracts.facts import DocumentHandedBack, WindowLeased
from orchestration.errors import LeaseLostError, UsageError
from orchestration.ledger.accounts import UNRESOLVED
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.jobs import MOST_HAND_BACKS, submission_of
from orchestration.ledger.outbox.recording import NAMED, record_documents, record_window
from orchestration.ledger.rows import batches, context_of
from orchestration.ledger.tables import documents, job_items, jobs, windows
from orchestration.ledger.transitions import Status
from orchestration.records import Locator

__all__ = ["SqlWindows"]

RESERVED_OR_LEASED: Final = documents.c.lease_until > literal_column("0")
"""Reserved or leased; a literal, so that SQLite uses the partial index."""

LATELY: Final = 1000
"""Number of recent claims that the round robin considers: far more than there are tenants with work."""

UNFINISHED: Final = documents.c.status.in_((Status.QUEUED, Status.RUNNING))

PHASES: Final = {
    Phase.FIRST: documents.c.gate_passed_at.is_(None),
    Phase.SECOND: documents.c.gate_passed_at.is_not(None),
}
"""Condition of the documents that a window of each phase takes."""


class SqlWindows(LedgerPart):
    """WindowLedger over SQL."""

    def claim(
        self, job_id: str, limit: int, reserved_by: str | None = None, phase: Phase = Phase.FIRST
    ) -> str | None:
        """Reserve up to `limit` queued documents of a job under a new window id; see WindowLedger.claim."""
        with self._database.writing() as connection:
            now = self._now()
            in_phase = PHASES[phase]
            fresh = documents.c.window_id.is_(None)
            claimed = _claimable(connection, job_id, and_(in_phase, fresh), now, limit)
            if len(claimed) < limit:
                claimed += _claimable(connection, job_id, and_(in_phase, ~fresh), now, limit - len(claimed))
            if not claimed:
                return None
            window_id = str(uuid4())
            row = {"window_id": window_id, "job_id": job_id, "created_at": now, "holder": reserved_by}
            connection.execute(insert(windows).values(**row, resumed=phase is Phase.SECOND))
            reserved = {"window_id": window_id, "lease_owner": None, "lease_until": now + self._lease_seconds}
            for batch in batches([row.id for row in claimed]):
                connection.execute(
                    update(documents).where(documents.c.id.in_(batch)).values(**reserved, updated_at=now)
                )
            record_window(connection, submission_of(connection, job_id), window_id, claimed, now)
            return window_id

    def tenant_loads(self) -> dict[str, TenantLoad]:
        """Return the load by tenant; see WindowLedger.tenant_loads.

        From the last 1,000 claims; a tenant that made none of them and has nothing in work is left out.
        """
        newest = select(func.max(windows.c.number)).scalar_subquery()
        last_claims = (
            select(jobs.c.tenant_id, func.max(windows.c.number).label("number"))
            .join(jobs, jobs.c.job_id == windows.c.job_id)
            .where(windows.c.number > newest - LATELY)
            .group_by(jobs.c.tenant_id)
        )
        in_work = (
            select(documents.c.tenant_id, func.count(documents.c.window_id.distinct()).label("windows"))
            .where(RESERVED_OR_LEASED, documents.c.lease_until > self._now())
            .group_by(documents.c.tenant_id)
        )
        with self._database.reading() as connection:
            last = {row.tenant_id: row.number for row in connection.execute(last_claims)}
            busy = {row.tenant_id: row.windows for row in connection.execute(in_work)}
        return {tenant: TenantLoad(busy.get(tenant, 0), last.get(tenant, 0)) for tenant in {*last, *busy}}

    def extend_reservations(self, window_ids: Sequence[str]) -> None:
        """Extend reservations whose runs have not started; see WindowLedger.extend_reservations."""
        with self._database.writing() as connection:
            now = self._now()
            connection.execute(
                update(documents)
                .where(
                    documents.c.window_id.in_(window_ids),
                    documents.c.status == Status.QUEUED,
                    documents.c.lease_until > now,
                )
                .values(lease_until=now + self._lease_seconds)
            )

    def lease(self, window_id: str, owner: str) -> Window:
        """Lease the window's unfinished documents to `owner`; see WindowLedger.lease.

        Raises UsageError for a window that this ledger does not have.
        """
        with self._database.writing() as connection:
            submission = _submission_of(connection, window_id)
            taken = _not_leased_by(connection, window_id, owner)
            self._lease(connection, window_id, owner, submission.job_id)
            query = (
                select(documents)
                .join(job_items, job_items.c.document_id == documents.c.id)
                .where(_leased_to(window_id, owner), job_items.c.job_id == submission.job_id)
                .order_by(job_items.c.ordinal)
            )
            rows = connection.execute(query).mappings().all()
            newly = [row for row in rows if row["id"] in taken]
            record_documents(connection, newly, lambda _: WindowLeased(), self._now())
            return Window(
                window_id=window_id,
                job_id=submission.job_id,
                pipeline_name=submission.pipeline_name,
                pipeline_version=submission.pipeline_version,
                documents=tuple(
                    WindowDocument(
                        ctx=context_of(row, submission.job_id),
                        source_plugin=row["source_plugin"],
                        locator=Locator.model_validate_json(row["locator"]),
                    )
                    for row in rows
                ),
            )

    def renew(self, window_id: str, owner: str) -> None:
        """Extend the lease of the window; see WindowLedger.renew."""
        with self._database.writing() as connection:
            job_id = _submission_of(connection, window_id).job_id
            if self._lease(connection, window_id, owner, job_id) or _is_finished(connection, window_id):
                return
        raise LeaseLostError(
            f"window {window_id} passed to another run while {owner} worked on it. Nothing is lost: that run "
            "finishes its documents."
        )

    def _lease(self, connection: Connection, window_id: str, owner: str, job_id: str) -> int:
        """Lease what no other live owner has of the window; returns the number of documents."""
        now = self._now()
        free = or_(
            documents.c.lease_owner.is_(None),
            documents.c.lease_owner == owner,
            documents.c.lease_until <= now,
        )
        leased = connection.execute(
            update(documents)
            .where(documents.c.window_id == window_id, UNFINISHED, free)
            .values(
                status=Status.RUNNING,
                lease_owner=owner,
                lease_until=now + self._lease_seconds,
                job_id=job_id,
                updated_at=now,
            )
        )
        return int(leased.rowcount)

    def release(self, window_id: str, reason: str) -> int:
        """Return the unfinished documents of the window to the queue; see WindowLedger.release."""
        with self._database.writing() as connection:
            released = self._hand_back(
                connection, and_(documents.c.window_id == window_id, RESERVED_OR_LEASED), True, reason
            )
            if released:
                connection.execute(
                    update(windows).where(windows.c.window_id == window_id).values(released_because=reason)
                )
            return released

    def reclaim(self, is_alive: Callable[[str], bool]) -> int:
        """Queue again what expired, or what dead processes reserved or leased; see WindowLedger.reclaim.

        Documents of started runs count as handed back; a reservation that no run took does not.
        """
        owned, reserved_by = documents.c.lease_owner, windows.c.holder
        with self._database.reading() as connection:
            owners = connection.execute(
                select(owned).where(RESERVED_OR_LEASED, owned.is_not(None)).distinct()
            ).scalars()
            dead_owners = [owner for owner in owners if owner is not None and not is_alive(owner)]
            not_started = and_(
                RESERVED_OR_LEASED, owned.is_(None), documents.c.window_id == windows.c.window_id
            )
            named = select(reserved_by).where(not_started, reserved_by.is_not(None)).distinct()
            launchers = connection.execute(named).scalars()
            dead_launchers = [
                launcher for launcher in launchers if launcher is not None and not is_alive(launcher)
            ]
            abandoned = select(windows.c.window_id).where(reserved_by.in_(dead_launchers))
            lost = and_(
                RESERVED_OR_LEASED,
                or_(
                    documents.c.lease_until <= self._now(),
                    owned.in_(dead_owners),
                    and_(owned.is_(None), documents.c.window_id.in_(abandoned)),
                ),
            )
            if connection.execute(select(documents.c.id).where(lost).limit(1)).first() is None:
                return 0
        with self._database.writing() as connection:
            return self._hand_back(connection, lost, False, "")

    def _hand_back(
        self, connection: Connection, which: ColumnElement[bool], even_if_not_started: bool, reason: str
    ) -> int:
        """Queue documents again, and count it in every job that waits for those whose run had started."""
        query = select(*NAMED).where(which, UNFINISHED)
        rows = connection.execute(query.order_by(documents.c.id).with_for_update()).mappings().all()
        started = [row for row in rows if row["status"] == Status.RUNNING]
        record_documents(connection, started, lambda _: DocumentHandedBack(reason=reason), self._now())
        for batch in batches(rows):
            counted = [row["id"] for row in batch if even_if_not_started or row["status"] == Status.RUNNING]
            connection.execute(
                update(documents)
                .where(documents.c.id.in_([row["id"] for row in batch]))
                .values(status=Status.QUEUED, lease_owner=None, lease_until=0.0, updated_at=self._now())
            )
            connection.execute(
                update(job_items)
                .where(job_items.c.document_id.in_(counted), UNRESOLVED)
                .values(handed_back=job_items.c.handed_back + 1)
            )
        return len(rows)

    def in_work(self, job_id: str) -> list[str]:
        """Return the windows of a job that are reserved or leased; see WindowLedger.in_work."""
        held = exists().where(documents.c.window_id == windows.c.window_id, RESERVED_OR_LEASED)
        query = select(windows.c.window_id).where(windows.c.job_id == job_id, held).order_by(windows.c.number)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def job_of(self, window_id: str) -> str | None:
        """Return the job that the window was claimed for."""
        with self._database.reading() as connection:
            query = select(windows.c.job_id).where(windows.c.window_id == window_id)
            return connection.execute(query).scalar()

    def phase_of(self, window_id: str) -> Phase:
        """Return the phase of the topology that the window runs; see WindowLedger.phase_of."""
        with self._database.reading() as connection:
            query = select(windows.c.resumed).where(windows.c.window_id == window_id)
            return Phase.SECOND if connection.execute(query).scalar() else Phase.FIRST


def _claimable(
    connection: Connection, job_id: str, which: ColumnElement[bool], now: float, limit: int
) -> list[Row[Any]]:
    """Free documents of the job, in its order: id, source, doc_id and correlation_id."""
    query = (
        select(documents.c.id, documents.c.source, documents.c.doc_id, documents.c.correlation_id)
        .join(job_items, job_items.c.document_id == documents.c.id)
        .where(
            job_items.c.job_id == job_id,
            job_items.c.outcome == "pending",
            job_items.c.handed_back < MOST_HAND_BACKS,
            documents.c.status == Status.QUEUED,
            documents.c.lease_until <= now,
            which,
        )
        .order_by(job_items.c.ordinal)
        .limit(limit)
        .with_for_update(skip_locked=True, of=documents)
    )
    return list(connection.execute(query))


def _leased_to(window_id: str, owner: str) -> ColumnElement[bool]:
    return and_(
        documents.c.window_id == window_id,
        documents.c.lease_owner == owner,
        documents.c.status == Status.RUNNING,
    )


def _not_leased_by(connection: Connection, window_id: str, owner: str) -> set[int]:
    """Ids of the window's unfinished documents that another owner, or none, has."""
    other = or_(documents.c.lease_owner.is_(None), documents.c.lease_owner != owner)
    query = select(documents.c.id).where(documents.c.window_id == window_id, UNFINISHED, other)
    return set(connection.execute(query).scalars())


def _is_finished(connection: Connection, window_id: str) -> bool:
    """Whether the window still has documents and all of them ended: then there is no lease to lose."""
    query: Any = select(func.count(), func.count().filter(UNFINISHED)).where(
        documents.c.window_id == window_id
    )
    total, unfinished = connection.execute(query).one()
    return bool(total) and not unfinished


def _submission_of(connection: Connection, window_id: str) -> Submission:
    query = select(jobs.c.submission).join(windows, windows.c.job_id == jobs.c.job_id)
    submission = connection.execute(query.where(windows.c.window_id == window_id)).scalar()
    if submission is None:
        raise UsageError(
            f"there is no window {window_id} in this ledger, so its run has nothing to work on. Launch the "
            "job without a window id, or `medkg run` its source again."
        )
    return Submission.model_validate_json(submission)
