"""Syncs: the state of the enumeration of each source, and what its jobs have not finished."""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import RowMapping, func, select

from orchestration.contracts import SourceRequest, Submission, Sync, SyncKey
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.rows import upsert
from orchestration.ledger.tables import documents, jobs, syncs
from orchestration.ledger.transitions import Status
from orchestration.records import Locator, SourceItem

__all__ = ["SqlSyncs"]

_SAME_REQUEST: Final = ("plugin", "paths", "query", "limit")


class SqlSyncs(LedgerPart):
    """SyncLedger over SQL."""

    def get(self, key: SyncKey) -> Sync:
        """Return the state of that sync; see SyncLedger.get."""
        columns = select(syncs.c.cursor, syncs.c.begun_at, syncs.c.listed, syncs.c.since)
        with self._database.reading() as connection:
            row = connection.execute(columns.where(syncs.c.key == _digest(key))).mappings().first()
        return Sync() if row is None else Sync.model_validate(dict(row))

    def save(self, key: SyncKey, sync: Sync) -> None:
        """Replace the state of that sync; see SyncLedger.save."""
        row = {
            "key": _digest(key),
            "tenant_id": key.tenant_id,
            "listing": key.model_dump_json(),
            **sync.model_dump(),
        }
        with self._database.writing() as connection:
            upsert(connection, syncs, [row], ("key",))

    def find(self, tenant_id: str) -> list[tuple[SyncKey, Sync]]:
        """Return every sync of a tenant; see SyncLedger.find."""
        last = func.coalesce(syncs.c.begun_at, syncs.c.since)
        query = select(syncs).where(syncs.c.tenant_id == tenant_id).order_by(last.desc())
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            (
                SyncKey.model_validate_json(row["listing"]),
                Sync(**{name: row[name] for name in Sync.model_fields}),
            )
            for row in rows
        ]

    def unfinished(self, submission: Submission) -> list[SourceItem]:
        """Return unfinished documents of earlier jobs of the same request; see SyncLedger.unfinished."""
        left = (
            documents.c.tenant_id == submission.tenant_id,
            documents.c.status.in_((Status.QUEUED, Status.RUNNING)),
            documents.c.pipeline_name == submission.pipeline_name,
            documents.c.source_plugin == submission.request.plugin,
            documents.c.job_id != submission.job_id,
        )
        with self._database.reading() as connection:
            candidates = connection.execute(
                select(jobs.c.job_id, jobs.c.submission).where(
                    jobs.c.job_id.in_(select(documents.c.job_id).where(*left))
                )
            ).all()
            same = [job_id for job_id, text in candidates if _is_same(text, submission.request)]
            rows = connection.execute(
                select(documents).where(*left, documents.c.job_id.in_(same)).order_by(documents.c.id)
            ).mappings()
            return [_item(row) for row in rows]


def _item(row: RowMapping) -> SourceItem:
    return SourceItem(
        doc_id=row["doc_id"],
        source=row["source"],
        locator=Locator.model_validate_json(row["locator"]),
        version=row["version"],
    )


def _digest(key: SyncKey) -> str:
    return hashlib.sha256(key.model_dump_json().encode()).hexdigest()


def _is_same(submission: str, request: SourceRequest) -> bool:
    earlier = Submission.model_validate_json(submission).request
    return all(getattr(earlier, name) == getattr(request, name) for name in _SAME_REQUEST)
