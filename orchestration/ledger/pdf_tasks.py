"""Conversions of PDFs: requests, leases of the process that drives the converter, and results.

Comes in: requests of the pdf_ir stage, and results of converters. Leaves: pdf_ir_ready on the document, in
the transaction that ends its conversion. One row per document: a new request replaces the previous one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, or_, select, update

from orchestration.contracts import AskedConverter, PdfTask, PdfTaskRequest, PdfTaskState
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.outcomes import running_of_jobs
from orchestration.ledger.rows import batches, has_key, key_of, storable, upsert
from orchestration.ledger.tables import documents, pdf_tasks
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey

__all__ = ["SqlPdfTasks", "pdf_task_of"]

UNDER_WAY: Final = pdf_tasks.c.state.in_((PdfTaskState.QUEUED, PdfTaskState.SUBMITTED))

UNENDED: Final = documents.c.status.in_((Status.QUEUED, Status.RUNNING, Status.WAITING))


class SqlPdfTasks(LedgerPart):
    """PdfTaskLedger over SQL."""

    def request(
        self, requested: AskedConverter, stage: str, max_attempts: int, requests: Sequence[PdfTaskRequest]
    ) -> None:
        """Request the conversion of these PDFs; see PdfTaskLedger.request."""
        with self._database.writing() as connection:
            running = running_of_jobs(connection, [request.ctx for request in requests])
            now = self._now()
            current = [request for request in requests if request.ctx.key in running]
            fresh = {
                "converter": requested.name,
                "options": requested.options,
                "stage": stage,
                "max_attempts": max_attempts,
                "task_id": None,
                "attempts": 0,
                "error_code": None,
                "error_message": None,
                "asked_at": now,
                "changed_at": now,
                "lease_owner": None,
                "lease_until": 0.0,
            }
            rows = [
                {
                    **fresh,
                    "document_id": running[request.ctx.key]["id"],
                    "tenant_id": request.ctx.tenant_id,
                    "pdf_key": request.pdf_key,
                    "ir_key": request.ir_key,
                    "state": PdfTaskState.DONE if request.done else PdfTaskState.QUEUED,
                }
                for request in current
            ]
            upsert(connection, pdf_tasks, rows, ("document_id",))
            for done in (True, False):
                numbers = [running[request.ctx.key]["id"] for request in current if request.done is done]
                for batch in batches(numbers):
                    connection.execute(
                        update(documents).where(documents.c.id.in_(batch)).values(pdf_ir_ready=done)
                    )

    def lease(
        self, requested: AskedConverter, owner: str, most_submitted: int, is_alive: Callable[[str], bool]
    ) -> list[PdfTask]:
        """Lease the submitted and queued tasks of a converter; see PdfTaskLedger.lease."""
        of_converter = and_(
            pdf_tasks.c.converter == requested.name, pdf_tasks.c.options == requested.options, UNDER_WAY
        )
        with self._database.writing() as connection:
            leased = pdf_tasks.c.lease_owner
            owners = select(leased).where(of_converter, leased.is_not(None)).distinct()
            dead = [
                leaser for leaser in connection.execute(owners).scalars() if leaser and not is_alive(leaser)
            ]
            now = self._now()
            free = or_(leased.is_(None), leased == owner, leased.in_(dead), pdf_tasks.c.lease_until <= now)
            submitted = _due(connection, and_(of_converter, free), PdfTaskState.SUBMITTED, None)
            room = max(0, most_submitted - len(submitted))
            queued = _due(connection, and_(of_converter, free), PdfTaskState.QUEUED, room) if room else []
            taken = [*submitted, *queued]
            for batch in batches([row["document_id"] for row in taken]):
                connection.execute(
                    update(pdf_tasks)
                    .where(pdf_tasks.c.document_id.in_(batch))
                    .values(lease_owner=owner, lease_until=now + self._lease_seconds)
                )
            return [pdf_task_of(row, key_of(row), row["correlation_id"]) for row in taken]

    def mark_submitted(self, task: PdfTask, task_id: str) -> None:
        """Record that the converter has the task."""
        self._change(task, {"state": PdfTaskState.SUBMITTED, "task_id": task_id})

    def mark_done(self, task: PdfTask) -> None:
        """Record that the object of the task exists, and set pdf_ir_ready."""
        with self._database.writing() as connection:
            done = {"state": PdfTaskState.DONE, "error_code": None, "error_message": None}
            if _changed(connection, task, done, self._now()):
                connection.execute(
                    update(documents)
                    .where(documents.c.id == task.document_id, UNENDED)
                    .values(pdf_ir_ready=True)
                )

    def mark_failed(self, task: PdfTask, code: str, message: str, *, for_good: bool) -> None:
        """Count an attempt; see PdfTaskLedger.mark_failed."""
        attempts = task.attempts + 1
        failed = for_good or attempts >= task.max_attempts
        self._change(
            task,
            {
                "state": PdfTaskState.FAILED if failed else PdfTaskState.QUEUED,
                "task_id": None,
                "attempts": attempts,
                "error_code": code,
                "error_message": storable(message),
            },
        )

    def submitted(self, task_ids: Sequence[str]) -> list[PdfTask]:
        """Return the submitted tasks with these ids whose documents have not ended."""
        query = _tasks().where(pdf_tasks.c.state == PdfTaskState.SUBMITTED, UNENDED)
        with self._database.reading() as connection:
            rows = [
                row
                for batch in batches(task_ids)
                for row in connection.execute(query.where(pdf_tasks.c.task_id.in_(batch))).mappings()
            ]
        return [pdf_task_of(row, key_of(row), row["correlation_id"]) for row in rows]

    def converters(self) -> list[AskedConverter]:
        """Return the converters that have queued or submitted tasks."""
        columns = pdf_tasks.c.converter, pdf_tasks.c.options
        query = select(*columns).where(UNDER_WAY).distinct().order_by(*columns)
        with self._database.reading() as connection:
            rows = connection.execute(query)
            return [AskedConverter(name=row.converter, options=row.options) for row in rows]

    def objects_of(self, keys: Sequence[DocumentKey]) -> list[str]:
        """Return keys of objects of these documents and of no others; see PdfTaskLedger.objects_of."""
        with self._database.reading() as connection:
            mine = _objects(connection, has_key(documents, keys))
            named = pdf_tasks.c.pdf_key.in_([pdf_key for pdf_key, _ in mine])
            others = _objects(connection, and_(named, ~has_key(documents, keys)))
        shared = {pdf_key for pdf_key, _ in others}
        return sorted({key for pair in mine if pair[0] not in shared for key in pair})

    def _change(self, task: PdfTask, values: Mapping[str, Any]) -> None:
        with self._database.writing() as connection:
            _changed(connection, task, values, self._now())


def pdf_task_of(row: RowMapping | Mapping[str, Any], key: DocumentKey, correlation_id: str) -> PdfTask:
    """The conversion of a pdf_tasks row."""
    names = PdfTask.model_fields.keys() - {"key", "requested", "correlation_id"}
    requested = AskedConverter(name=row["converter"], options=row["options"])
    columns = {name: row[name] for name in names}
    return PdfTask(key=key, requested=requested, correlation_id=correlation_id, **columns)


def _tasks() -> Select[Any]:
    """Rows of pdf_tasks with the keys of their documents."""
    columns = (documents.c.tenant_id, documents.c.source, documents.c.doc_id, documents.c.correlation_id)
    own = [column for column in pdf_tasks.c if column.name != "tenant_id"]
    return select(*own, *columns).join(documents, documents.c.id == pdf_tasks.c.document_id)


def _due(
    connection: Connection, which: ColumnElement[bool], state: PdfTaskState, limit: int | None
) -> Sequence[RowMapping]:
    """PdfTasks in a state whose documents have not ended, oldest first."""
    query = (
        _tasks()
        .where(which, pdf_tasks.c.state == state, UNENDED)
        .order_by(pdf_tasks.c.asked_at, pdf_tasks.c.document_id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=pdf_tasks)
    )
    return connection.execute(query).mappings().all()


def _changed(connection: Connection, task: PdfTask, values: Mapping[str, Any], now: float) -> bool:
    """Change the row unless a new request replaced it; returns whether it was changed."""
    same = and_(
        pdf_tasks.c.document_id == task.document_id,
        pdf_tasks.c.asked_at == task.asked_at,
        UNDER_WAY,
    )
    changed = connection.execute(update(pdf_tasks).where(same).values(**values, changed_at=now))
    return bool(changed.rowcount)


def _objects(connection: Connection, which: ColumnElement[bool]) -> list[tuple[str, str]]:
    query = (
        select(pdf_tasks.c.pdf_key, pdf_tasks.c.ir_key)
        .join(documents, documents.c.id == pdf_tasks.c.document_id)
        .where(which)
    )
    return [(row.pdf_key, row.ir_key) for row in connection.execute(query)]
