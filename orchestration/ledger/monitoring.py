"""Counts for monitoring, each part from an index; see contracts/monitoring.py.

Comes in: nothing. Leaves: one LedgerReading over all tenants, read in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Select, func, literal_column, select

from orchestration.contracts.jobs import JobState, StageReport
from orchestration.contracts.monitoring import GateAge, LedgerReading
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.dead_letters import WAITS
from orchestration.ledger.tables import dead_letters, documents, jobs, pdf_tasks, stage_reports
from orchestration.ledger.transitions import Status

__all__ = ["SqlMonitoring"]

UNFINISHED: Final = [state for state in JobState if state not in (JobState.DONE, JobState.CANCELLED)]

BY_STATE: Final = select(documents.c.pipeline_name, documents.c.status, func.count()).group_by(
    documents.c.pipeline_name, documents.c.status
)

LEASES: Final = documents.c.lease_until > 0

TENANTS: Final = select(jobs.c.tenant_id).distinct()
"""Lets the database use indexes that begin with the tenant."""

DEAD_LETTERS: Final = (
    select(dead_letters.c.stage, dead_letters.c.code, func.count())
    .where(dead_letters.c.tenant_id.in_(TENANTS), WAITS)
    .group_by(dead_letters.c.stage, dead_letters.c.code)
)

GATES: Final = (
    select(
        documents.c.pipeline_name,
        documents.c.gate,
        func.count().label("waiting"),
        func.min(documents.c.gate_since).label("since"),
    )
    .where(documents.c.gate.is_not(None), documents.c.status == Status.WAITING)
    .group_by(documents.c.pipeline_name, documents.c.gate)
)


class SqlMonitoring(LedgerPart):
    """MonitoringLedger over SQL."""

    def read(self) -> LedgerReading:
        """Read all of it; see MonitoringLedger.read."""
        with self._database.snapshot() as connection:
            states = _pairs(connection, BY_STATE)
            queued = [pipeline for (pipeline, status) in states if status == Status.QUEUED]
            in_jobs = select(jobs.c.state, func.count()).where(jobs.c.state.in_(UNFINISHED))
            tasks = select(pdf_tasks.c.state, func.count()).group_by(pdf_tasks.c.state)
            leases, expired, windows = connection.execute(_leases(self._now())).one()
            return LedgerReading(
                documents=states,
                queued_since={name: _queued_since(connection, name) for name in sorted(queued)},
                jobs=_singles(connection, in_jobs.group_by(jobs.c.state)),
                windows=windows,
                leases=leases,
                expired=expired,
                dead_letters=_pairs(connection, DEAD_LETTERS),
                gates=tuple(
                    GateAge(pipeline_name=name, gate=gate, documents=waiting, since=since)
                    for name, gate, waiting, since in connection.execute(GATES)
                ),
                pdf_tasks=_singles(connection, tasks),
            )

    def recent_stages(self, since: float, limit: int) -> list[StageReport]:
        """The last reports of stages; see MonitoringLedger.recent_stages."""
        newest = select(stage_reports.c.report).order_by(stage_reports.c.number.desc()).limit(limit)
        with self._database.reading() as connection:
            reports = map(StageReport.model_validate_json, connection.execute(newest).scalars().all())
        return [report for report in reports if report.started_at + report.seconds >= since]


def _pairs(connection: Connection, query: Select[Any]) -> dict[tuple[str, str], int]:
    return {(first, second): count for first, second, count in connection.execute(query)}


def _singles(connection: Connection, query: Select[Any]) -> Mapping[str, int]:
    return {name: count for name, count in connection.execute(query)}  # noqa: C416 - rows are no pairs for mypy


def _leases(now: float) -> Select[int, int, int]:
    ended = func.count().filter(documents.c.lease_until < now)
    return select(func.count(), ended, func.count(documents.c.window_id.distinct())).where(LEASES)


def _queued_since(connection: Connection, pipeline: str) -> float:
    query = select(func.min(documents.c.updated_at)).where(
        documents.c.pipeline_name == pipeline, documents.c.status == literal_column("'queued'")
    )
    return float(connection.execute(query).scalar_one())
