"""Gates: which documents wait, for what, since when, and how they leave.

Comes in: documents whose first phase has ended. Leaves: queued documents of the second phase, each claimed
once, or dead letters of those whose condition was not met in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, select, update

from orchestration.contracts import (
    Conditions,
    Failure,
    Gate,
    GateSweep,
    PdfTaskState,
    WaitingDocument,
)
from orchestration.contracts.facts import GateOpened, GateReached
from orchestration.errors import DagsterGateConditionError, LeaseLostError
from orchestration.ledger.accounts import change_documents, end_documents, keep_dead_letters, move_items
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.outbox.recording import BodyOf, failed, record_documents
from orchestration.ledger.pdf_tasks import pdf_task_of
from orchestration.ledger.rows import batches, context_of, dead_letter_row, has_key, key_of, storable
from orchestration.ledger.tables import documents, job_items, pdf_tasks
from orchestration.ledger.transitions import Status, check_move
from orchestration.records import DocumentKey

__all__ = ["SqlGates"]

WAITS: Final = documents.c.status == Status.WAITING

FIELDS: Final = {"pdf_downloaded": documents.c.pdf_downloaded, "pdf_ir_ready": documents.c.pdf_ir_ready}
"""Ledger fields that gates may ask for."""

TASK_COLUMNS: Final = [column.label(f"task_{column.name}") for column in pdf_tasks.c]


class SqlGates(LedgerPart):
    """GateLedger over SQL."""

    def set_field(self, window_id: str, field: str, keys: Sequence[DocumentKey]) -> None:
        """Set a ledger field of running documents of the window; see GateLedger.set_field."""
        with self._database.writing() as connection:
            for batch in batches(keys):
                connection.execute(
                    update(documents)
                    .where(
                        documents.c.window_id == window_id,
                        documents.c.status == Status.RUNNING,
                        has_key(documents, batch),
                    )
                    .values({FIELDS[field]: True})
                )

    def wait_at(
        self, window_id: str, owner: str, gate: str, payload: str, keys: Sequence[DocumentKey]
    ) -> int:
        """Let documents that `owner` leases wait at a gate; see GateLedger.wait_at."""
        if not keys:
            return 0
        with self._database.writing() as connection:
            rows = [row for batch in batches(keys) for row in _leased(connection, window_id, owner, batch)]
            if not rows:
                raise LeaseLostError(
                    f"window {window_id} passed to another run before its documents came to gate {gate}. "
                    "Nothing is lost: that run takes them there."
                )
            now = self._now()
            at_gate = {
                "status": Status.WAITING,
                "gate": gate,
                "gate_since": now,
                "gate_passed_at": None,
                "gate_payload": payload,
                "lease_owner": None,
                "lease_until": 0.0,
                "updated_at": now,
            }
            for row in rows:
                check_move(row["doc_id"], row["status"], Status.WAITING)
            change_documents(connection, [{"row_id": row["id"], **at_gate} for row in rows])
            move_items(connection, [row["id"] for row in rows], "pending", "waiting")
            record_documents(connection, rows, lambda _: GateReached(gate=gate), now)
            return len(rows)

    def payloads(self, window_id: str) -> dict[DocumentKey, str]:
        """Return the artifact that each document of a second-phase window starts with."""
        query = select(documents).where(
            documents.c.window_id == window_id, documents.c.gate_payload.is_not(None)
        )
        with self._database.reading() as connection:
            return {key_of(row): row["gate_payload"] for row in connection.execute(query).mappings()}

    def needed_payloads(self) -> set[str]:
        """Return the keys of artifacts that unfinished documents still need."""
        query = select(documents.c.gate_payload).where(
            documents.c.gate.is_not(None),
            documents.c.status.in_((Status.WAITING, Status.QUEUED, Status.RUNNING)),
        )
        with self._database.reading() as connection:
            return {key for key in connection.execute(query.distinct()).scalars() if key is not None}

    def occupied(self, job_id: str | None = None) -> list[Gate]:
        """Gates at which documents wait; see GateLedger.occupied."""
        columns = (documents.c.pipeline_name, documents.c.pipeline_version, documents.c.gate)
        query = select(*columns).where(documents.c.gate.is_not(None), WAITS).distinct().order_by(*columns)
        if job_id is not None:
            query = query.where(
                documents.c.id == job_items.c.document_id,
                documents.c.id == pdf_tasks.c.document_id,
                job_items.c.job_id == job_id,
                job_items.c.outcome == "waiting",
            )
        with self._database.reading() as connection:
            return [
                Gate(pipeline_name=row.pipeline_name, pipeline_version=row.pipeline_version, name=row.gate)
                for row in connection.execute(query)
            ]

    def sweep(
        self, gate: Gate, conditions: Conditions, timeout_seconds: float, *, opens: bool = True
    ) -> GateSweep:
        """Open the gate for documents that meet its condition; see GateLedger.sweep."""
        with self._database.writing() as connection:
            opened = _open(connection, _ready(connection, gate, conditions), self._now()) if opens else 0
            failed = self._fail_unconverted(connection, gate)
            overdue = self._fail_overdue(connection, gate, conditions, timeout_seconds)
            left = select(func.count()).where(_at(gate))
            waiting = int(connection.execute(left).scalar_one())
            return GateSweep(opened=opened, failed=failed, overdue=overdue, waiting=waiting)

    def waiting(
        self, tenant_id: str, keys: Sequence[DocumentKey] | None = None, limit: int | None = None
    ) -> list[WaitingDocument]:
        """Return documents at gates, the longest waiting first."""
        if keys is not None and not keys:
            return []
        query = _with_tasks().where(documents.c.tenant_id == tenant_id, WAITS)
        if keys is not None:
            query = query.where(has_key(documents, keys))
        query = query.order_by(documents.c.gate_since, documents.c.id).limit(limit)
        with self._database.reading() as connection:
            return [_waiting_of(row) for row in connection.execute(query).mappings()]

    def let_pass(self, waiting: Sequence[WaitingDocument]) -> int:
        """Open the gate for these documents whatever their fields; see GateLedger.let_pass."""
        with self._database.writing() as connection:
            opened = 0
            for document in waiting:
                query = _rows(_at(document.gate), has_key(documents, [document.key]))
                opened += _open(connection, connection.execute(query).mappings().all(), self._now())
            return opened

    def _fail_unconverted(self, connection: Connection, gate: Gate) -> int:
        query = _with_tasks().where(_at(gate), pdf_tasks.c.state == PdfTaskState.FAILED)
        rows = connection.execute(query.with_for_update(of=documents)).mappings().all()
        failures = [
            Failure(
                ctx=context_of(row, row["job_id"]),
                stage=row["task_stage"],
                code=row["task_error_code"],
                message=row["task_error_message"],
                attempts=row["task_attempts"],
            )
            for row in rows
        ]
        return _fail(connection, rows, failures, self._now())

    def _fail_overdue(
        self, connection: Connection, gate: Gate, conditions: Conditions, timeout_seconds: float
    ) -> int:
        now = self._now()
        query = _with_tasks().where(_at(gate), documents.c.gate_since <= now - timeout_seconds)
        rows = connection.execute(query.with_for_update(of=documents)).mappings().all()
        failures = [
            Failure(
                ctx=context_of(row, row["job_id"]),
                stage=gate.name,
                code=DagsterGateConditionError.code,
                message=_overdue(_waiting_of(row), conditions, now),
                attempts=0,
            )
            for row in rows
        ]
        return _fail(connection, rows, failures, now)


def _at(gate: Gate) -> ColumnElement[bool]:
    return and_(
        documents.c.pipeline_name == gate.pipeline_name,
        documents.c.pipeline_version == gate.pipeline_version,
        documents.c.gate == gate.name,
        WAITS,
    )


def _rows(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(documents).where(*conditions).order_by(documents.c.id).with_for_update()


def _with_tasks() -> Select[Any]:
    """Documents, each with the conversion of its PDF if it has one."""
    joined = documents.outerjoin(pdf_tasks, pdf_tasks.c.document_id == documents.c.id)
    return select(documents, *TASK_COLUMNS).select_from(joined)


def _leased(
    connection: Connection, window_id: str, owner: str, keys: Sequence[DocumentKey]
) -> Sequence[RowMapping]:
    query = _rows(
        documents.c.window_id == window_id,
        documents.c.lease_owner == owner,
        documents.c.status == Status.RUNNING,
        has_key(documents, keys),
    )
    return connection.execute(query).mappings().all()


def _ready(connection: Connection, gate: Gate, conditions: Conditions) -> Sequence[RowMapping]:
    wanted = [FIELDS[field].is_(value) for field, value in conditions.items()]
    return connection.execute(_rows(_at(gate), *wanted)).mappings().all()


def _open(connection: Connection, rows: Sequence[RowMapping], now: float) -> int:
    """Queue documents for the second phase, and move their items to `pending` in every job."""
    for row in rows:
        check_move(row["doc_id"], row["status"], Status.QUEUED)
    queued = {"status": Status.QUEUED, "gate_passed_at": now, "window_id": None, "updated_at": now}
    change_documents(connection, [{"row_id": row["id"], **queued} for row in rows])
    move_items(connection, [row["id"] for row in rows], "waiting", "pending")
    record_documents(connection, rows, _opened(now), now)
    return len(rows)


def _opened(now: float) -> BodyOf:
    return lambda rows: GateOpened(
        gate=rows[0]["gate"], waited=tuple(max(0.0, now - row["gate_since"]) for row in rows)
    )


def _fail(connection: Connection, rows: Sequence[RowMapping], failures: Sequence[Failure], now: float) -> int:
    letters = [
        (row["id"], dead_letter_row(failure, row["source_plugin"], row["locator"], now))
        for row, failure in zip(rows, failures, strict=True)
    ]
    keep_dead_letters(connection, letters)
    endings = [
        (row, {"error_code": failure.code, "error_message": storable(failure.message)})
        for row, failure in zip(rows, failures, strict=True)
    ]
    of_documents = {row["id"]: failure for row, failure in zip(rows, failures, strict=True)}
    end_documents(connection, endings, Status.FAILED, "failed", now, failed(of_documents))
    return len(rows)


def _waiting_of(row: RowMapping) -> WaitingDocument:
    task = {column.name: row[f"task_{column.name}"] for column in pdf_tasks.c}
    return WaitingDocument(
        key=key_of(row),
        gate=Gate(
            pipeline_name=row["pipeline_name"], pipeline_version=row["pipeline_version"], name=row["gate"]
        ),
        since=row["gate_since"],
        pdf_downloaded=row["pdf_downloaded"],
        pdf_ir_ready=row["pdf_ir_ready"],
        job_id=row["job_id"],
        correlation_id=row["correlation_id"],
        pdf_task=pdf_task_of(task, key_of(row), row["correlation_id"])
        if task["document_id"] is not None
        else None,
    )


def _overdue(document: WaitingDocument, conditions: Conditions, now: float) -> str:
    lacking = ", ".join(document.lacks(conditions)) or "`medkg gate open`"
    message = (
        f"{document.key.doc_id} waited {now - document.since:.0f} s at gate {document.gate.name} of "
        f"{document.gate.pipeline_name} for {lacking}."
    )
    task = document.pdf_task
    if task is not None and task.state in (PdfTaskState.QUEUED, PdfTaskState.SUBMITTED):
        message += (
            f" Converter {task.requested.name} has its PDF as {task.state}, {task.attempts} attempts failed"
        )
        message += f"; the last: {task.error_message}" if task.error_message else "."
    return f"{message} See `medkg gate list` and the converter's own log, then `medkg dlq replay`."
