"""PdfTasks of PDFs: what is asked of a converter, who has it in hand, and what came of it.

Comes in: requests of the pdf_ir stage and news from whoever drives the converter. Leaves: pdf_ir_ready on the
document, in the transaction that ends its conversion. A row a document: asking again takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, or_, select, update

from orchestration.contracts import AskedConverter, PdfTask, PdfTaskRequest, PdfTaskState
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.outcomes import held_for_jobs
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
        self, asked: AskedConverter, stage: str, max_attempts: int, requests: Sequence[PdfTaskRequest]
    ) -> None:
        """Note that these PDFs are to be converted; see PdfTaskLedger.request."""
        with self._database.writing() as connection:
            held = held_for_jobs(connection, [request.ctx for request in requests])
            now = self._now()
            mine = [request for request in requests if request.ctx.key in held]
            fresh = {
                "converter": asked.name,
                "options": asked.options,
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
                    "document_id": held[request.ctx.key]["id"],
                    "tenant_id": request.ctx.tenant_id,
                    "pdf_key": request.pdf_key,
                    "ir_key": request.ir_key,
                    "state": PdfTaskState.DONE if request.done else PdfTaskState.QUEUED,
                }
                for request in mine
            ]
            upsert(connection, pdf_tasks, rows, ("document_id",))
            for done in (True, False):
                numbers = [held[request.ctx.key]["id"] for request in mine if request.done is done]
                for batch in batches(numbers):
                    connection.execute(
                        update(documents).where(documents.c.id.in_(batch)).values(pdf_ir_ready=done)
                    )

    def lease(
        self, asked: AskedConverter, owner: str, most_submitted: int, is_alive: Callable[[str], bool]
    ) -> list[PdfTask]:
        """Lease to `owner` what a converter has, and queued ones; see PdfTaskLedger.lease."""
        of_converter = and_(
            pdf_tasks.c.converter == asked.name, pdf_tasks.c.options == asked.options, UNDER_WAY
        )
        with self._database.writing() as connection:
            leased = pdf_tasks.c.lease_owner
            owners = select(leased).where(of_converter, leased.is_not(None)).distinct()
            dead = [one for one in connection.execute(owners).scalars() if one and not is_alive(one)]
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
            return [pdf_task_of(row, key_of(row)) for row in taken]

    def mark_submitted(self, task: PdfTask, task_id: str) -> None:
        """The converter has it."""
        self._change(task, {"state": PdfTaskState.SUBMITTED, "task_id": task_id})

    def mark_done(self, task: PdfTask) -> None:
        """Its object is there: pdf_ir_ready, in the same transaction."""
        with self._database.writing() as connection:
            done = {"state": PdfTaskState.DONE, "error_code": None, "error_message": None}
            if _changed(connection, task, done, self._now()):
                connection.execute(
                    update(documents)
                    .where(documents.c.id == task.document_id, UNENDED)
                    .values(pdf_ir_ready=True)
                )

    def mark_failed(self, task: PdfTask, code: str, message: str, *, for_good: bool) -> None:
        """Counts an attempt: queued again, or failed after the last one or `for_good`."""
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

    def converters(self) -> list[AskedConverter]:
        """Converters that have something in hand, or are to get it."""
        columns = pdf_tasks.c.converter, pdf_tasks.c.options
        query = select(*columns).where(UNDER_WAY).distinct().order_by(*columns)
        with self._database.reading() as connection:
            rows = connection.execute(query)
            return [AskedConverter(name=row.converter, options=row.options) for row in rows]

    def objects_of(self, keys: Sequence[DocumentKey]) -> list[str]:
        """Objects that hold the PDF or converted document of these documents and of no others."""
        with self._database.reading() as connection:
            mine = _objects(connection, has_key(documents, keys))
            named = pdf_tasks.c.pdf_key.in_([pdf_key for pdf_key, _ in mine])
            others = _objects(connection, and_(named, ~has_key(documents, keys)))
        shared = {pdf_key for pdf_key, _ in others}
        return sorted({key for pair in mine if pair[0] not in shared for key in pair})

    def _change(self, task: PdfTask, values: Mapping[str, Any]) -> None:
        with self._database.writing() as connection:
            _changed(connection, task, values, self._now())


def pdf_task_of(row: RowMapping | Mapping[str, Any], key: DocumentKey) -> PdfTask:
    """The conversion of a pdf_tasks row."""
    names = PdfTask.model_fields.keys() - {"key", "asked"}
    asked = AskedConverter(name=row["converter"], options=row["options"])
    return PdfTask(key=key, asked=asked, **{name: row[name] for name in names})


def _due(
    connection: Connection, which: ColumnElement[bool], state: PdfTaskState, limit: int | None
) -> Sequence[RowMapping]:
    """PdfTasks in a state whose documents have not ended, oldest first."""
    columns = (documents.c.tenant_id, documents.c.source, documents.c.doc_id)
    own = [column for column in pdf_tasks.c if column.name != "tenant_id"]
    query = (
        select(*own, *columns)
        .join(documents, documents.c.id == pdf_tasks.c.document_id)
        .where(which, pdf_tasks.c.state == state, UNENDED)
        .order_by(pdf_tasks.c.asked_at, pdf_tasks.c.document_id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=pdf_tasks)
    )
    return connection.execute(query).mappings().all()


def _changed(connection: Connection, task: PdfTask, values: Mapping[str, Any], now: float) -> bool:
    """Change the row if it still is what the caller has in hand; asking anew makes it another."""
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
