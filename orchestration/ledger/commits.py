"""Intents and commits: what dual writes were begun, and which version of each document readers see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from uuid import uuid4

from sqlalchemy import Connection, delete, func, insert, select

from orchestration.contracts import Commit, Intent
from orchestration.ledger.database import Database
from orchestration.ledger.rows import batches, commit_of, commit_row, has_key, key_of, upsert
from orchestration.ledger.tables import commit_changes, commits, intent_documents, intents
from orchestration.records import DocumentKey

__all__ = ["Commits", "record_commits"]


class Commits:
    """The commit log; the only truth about what is visible."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    def open_intent(self, tenant_id: str, owner: str, keys: Sequence[DocumentKey]) -> Intent:
        """Record that `owner` begins to write these documents; durable when it returns."""
        intent = Intent(intent_id=str(uuid4()), tenant_id=tenant_id, owner=owner, keys=tuple(keys))
        with self._database.writing() as connection:
            connection.execute(
                insert(intents).values(
                    intent_id=intent.intent_id, tenant_id=tenant_id, owner=owner, created_at=self._now()
                )
            )
            if keys:
                connection.execute(
                    insert(intent_documents),
                    [
                        {"intent_id": intent.intent_id, "source": key.source, "doc_id": key.doc_id}
                        for key in keys
                    ],
                )
        return intent

    def commit(self, new: Sequence[Commit]) -> list[Commit]:
        """Make documents visible in one transaction; returns the commits that these superseded."""
        with self._database.writing() as connection:
            return record_commits(connection, new)

    def withdraw(self, keys: Sequence[DocumentKey]) -> list[Commit]:
        """Make documents invisible in one transaction; returns their former commits."""
        with self._database.writing() as connection:
            return withdraw_commits(connection, keys)

    def committed(self, tenant_id: str) -> list[Commit]:
        """Every visible document of a tenant."""
        with self._database.reading() as connection:
            rows = connection.execute(select(commits).where(commits.c.tenant_id == tenant_id)).mappings()
            return [commit_of(row) for row in rows]

    def find(self, key: DocumentKey) -> Commit | None:
        """The visible commit of a document."""
        with self._database.reading() as connection:
            row = connection.execute(select(commits).where(has_key(commits, [key]))).mappings().first()
            return commit_of(row) if row is not None else None

    def changes(self, tenant_id: str, after: int) -> tuple[int, list[tuple[DocumentKey, str | None]]]:
        """What became visible or invisible after a sequence number, oldest first, with the newest number."""
        with self._database.reading() as connection:
            newest = connection.execute(select(func.max(commit_changes.c.sequence))).scalar() or 0
            if newest <= after:
                return newest, []
            rows = connection.execute(
                select(commit_changes)
                .where(commit_changes.c.tenant_id == tenant_id, commit_changes.c.sequence > after)
                .order_by(commit_changes.c.sequence)
            ).mappings()
            return newest, [(key_of(row), row["intent_id"]) for row in rows]

    def intents(self, tenant_id: str | None = None) -> list[Intent]:
        """Intents not yet closed, oldest first."""
        query = select(intents).order_by(intents.c.number)
        if tenant_id is not None:
            query = query.where(intents.c.tenant_id == tenant_id)
        with self._database.reading() as connection:
            keys = defaultdict(list)
            rows = connection.execute(query).mappings().all()
            tenants = {row["intent_id"]: row["tenant_id"] for row in rows}
            for row in connection.execute(select(intent_documents)).mappings():
                if row["intent_id"] in tenants:
                    keys[row["intent_id"]].append(
                        DocumentKey(
                            tenant_id=tenants[row["intent_id"]], source=row["source"], doc_id=row["doc_id"]
                        )
                    )
            return [
                Intent(
                    intent_id=row["intent_id"],
                    tenant_id=row["tenant_id"],
                    owner=row["owner"],
                    keys=tuple(keys[row["intent_id"]]),
                )
                for row in rows
            ]

    def close_intents(self, intent_ids: Sequence[str]) -> None:
        """Forget intents whose leftovers have been cleaned."""
        with self._database.writing() as connection:
            for batch in batches(intent_ids):
                connection.execute(delete(intent_documents).where(intent_documents.c.intent_id.in_(batch)))
                connection.execute(delete(intents).where(intents.c.intent_id.in_(batch)))


def record_commits(connection: Connection, new: Sequence[Commit]) -> list[Commit]:
    """Upsert commit rows and note the changes; the commits of other intents that these replaced."""
    superseded: list[Commit] = []
    for batch in batches(new):
        keys = [commit.key for commit in batch]
        before = connection.execute(select(commits).where(has_key(commits, keys))).mappings()
        intent_of = {commit.key: commit.intent_id for commit in batch}
        superseded += [old for old in map(commit_of, before) if old.intent_id != intent_of[old.key]]
        upsert(
            connection, commits, [commit_row(commit) for commit in batch], ("tenant_id", "source", "doc_id")
        )
        connection.execute(
            insert(commit_changes),
            [{**commit.key.model_dump(), "intent_id": commit.intent_id} for commit in batch],
        )
    return superseded


def withdraw_commits(connection: Connection, keys: Sequence[DocumentKey]) -> list[Commit]:
    """Delete commit rows and note the changes; the commits as they were."""
    withdrawn: list[Commit] = []
    for batch in batches(keys):
        rows = connection.execute(select(commits).where(has_key(commits, batch))).mappings().all()
        if not rows:
            continue
        withdrawn += [commit_of(row) for row in rows]
        connection.execute(delete(commits).where(has_key(commits, batch)))
        connection.execute(
            insert(commit_changes), [{**key_of(row).model_dump(), "intent_id": None} for row in rows]
        )
    return withdrawn
