"""Intents and commits: which dual writes were started, and which version of each document is visible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from orchestration.contracts import Commit, Intent, IntentCount, is_older
from orchestration.errors import LeaseLostError
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.graph.counting import show
from orchestration.ledger.graph.noting import note_noticed, noticed_by
from orchestration.ledger.rows import (
    batches,
    commit_of,
    commit_row,
    has_key,
    key_of,
    lock_commits,
    note_changes,
    upsert,
)
from orchestration.ledger.tables import (
    cleaned_intents,
    commit_changes,
    commits,
    documents,
    intent_documents,
    intents,
)
from orchestration.records import DocumentKey

__all__ = [
    "SqlCommits",
    "make_visible",
    "note_intents",
    "note_revisions",
    "outdated",
    "visible_commits",
    "withdraw_commits",
]

_NAMED_BY_COMMITS = (commits.c.intent_id, commits.c.graph_intent_id)
"""Columns of intents that commits make visible."""

RESTORED = "restored"
"""Owner of intents that were made again from what stores hold; no process."""

ROWS_AT_ONCE = 1000
"""Commits read ahead while a tenant's are listed."""


class SqlCommits(LedgerPart):
    """CommitLog over SQL."""

    def open_intent(self, tenant_id: str, owner: str, keys: Sequence[DocumentKey]) -> Intent:
        """Record that `owner` begins to write these documents; durable when it returns."""
        intent = Intent(
            intent_id=str(uuid4()),
            tenant_id=tenant_id,
            owner=owner,
            keys=tuple(dict.fromkeys(keys)),
            created_at=self._now(),
        )
        with self._database.writing() as connection:
            connection.execute(
                insert(intents).values(
                    intent_id=intent.intent_id,
                    tenant_id=tenant_id,
                    owner=owner,
                    created_at=intent.created_at,
                )
            )
            rows = [
                {"intent_id": intent.intent_id, "source": key.source, "doc_id": key.doc_id}
                for key in intent.keys
            ]
            if rows:
                connection.execute(insert(intent_documents), rows)
        return intent

    def intents(self, tenant_id: str | None = None) -> list[Intent]:
        """Intents not yet closed, oldest first."""
        query = select(intents).order_by(intents.c.number)
        of_intents = select(intent_documents, intents.c.tenant_id).join(
            intents, intents.c.intent_id == intent_documents.c.intent_id
        )
        if tenant_id is not None:
            query = query.where(intents.c.tenant_id == tenant_id)
            of_intents = of_intents.where(intents.c.tenant_id == tenant_id)
        keys: dict[str, list[DocumentKey]] = defaultdict(list)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
            for row in connection.execute(of_intents).mappings():
                keys[row["intent_id"]].append(key_of(row))
        return [
            Intent(
                intent_id=row["intent_id"],
                tenant_id=row["tenant_id"],
                owner=row["owner"],
                keys=tuple(keys[row["intent_id"]]),
                created_at=row["created_at"],
            )
            for row in rows
        ]

    def recorded(self, intent_ids: Collection[str]) -> set[str]:
        """Those of the intents that are open, visible or cleaned; see CommitLog."""
        known: set[str] = set()
        with self._database.reading() as connection:
            for batch in batches(sorted(intent_ids)):
                for column in (*_NAMED_BY_COMMITS, intents.c.intent_id, cleaned_intents.c.intent_id):
                    query = select(column).where(column.in_(batch))
                    known.update(connection.execute(query).scalars())
        return known

    def begin_cleaning(self, intent_ids: Sequence[str]) -> None:
        """From now on nothing becomes visible under these intents; what is visible stays."""
        rows = [{"intent_id": intent_id, "cleaned_at": self._now()} for intent_id in intent_ids]
        with self._database.writing() as connection:
            lock_commits(connection)
            upsert(connection, cleaned_intents, rows, ("intent_id",), insert_only=())

    def close_intents(self, intent_ids: Sequence[str]) -> None:
        """Forget intents whose leftovers have been cleaned; one with visible documents stays."""
        with self._database.writing() as connection:
            for batch in batches(intent_ids):
                invisible = [
                    ~select(column).where(column == intents.c.intent_id).exists()
                    for column in _NAMED_BY_COMMITS
                ]
                connection.execute(delete(intents).where(intents.c.intent_id.in_(batch), *invisible))

    def commit(self, new: Sequence[Commit]) -> list[Commit]:
        """Make documents visible in one transaction; returns the commits that these superseded."""
        with self._database.writing() as connection:
            return make_visible(connection, new)

    def relabel(self, changes: Sequence[tuple[Commit, Commit]]) -> list[Commit]:
        """Put commits in the place of others of the same entries, where those still stand; see CommitLog."""
        done: list[Commit] = []
        with self._database.writing() as connection:
            lock_commits(connection)
            for batch in batches(changes):
                keys = [previous.key for previous, _ in batch]
                rows = connection.execute(select(commits).where(has_key(commits, keys))).mappings()
                now = {commit.key: commit for commit in map(commit_of, rows)}
                due = [(previous, new) for previous, new in batch if now.get(previous.key) == previous]
                _relabel(connection, due)
                _move(connection, due)
                _show(connection, [new.key for _, new in due])
                done += [new for _, new in due]
        return done

    def namespaces(self, tenant_id: str) -> dict[str, int]:
        """Visible documents with chunks by the model of their vectors."""
        query = (
            select(commits.c.namespace, func.count())
            .where(commits.c.tenant_id == tenant_id, commits.c.chunk_count > 0)
            .group_by(commits.c.namespace)
        )
        with self._database.reading() as connection:
            return dict(map(tuple, connection.execute(query)))

    def counts_by_intent(self, tenant_id: str) -> list[IntentCount]:
        """Visible documents with chunks and their chunks, by intent and model."""
        query = (
            select(
                commits.c.intent_id,
                commits.c.namespace,
                func.count().label("documents"),
                func.sum(commits.c.chunk_count).label("chunks"),
            )
            .where(commits.c.tenant_id == tenant_id, commits.c.chunk_count > 0)
            .group_by(commits.c.intent_id, commits.c.namespace)
        )
        with self._database.reading() as connection:
            return [IntentCount(**row) for row in connection.execute(query).mappings()]

    def sources(self, tenant_id: str) -> list[str]:
        """Sources of the tenant's visible documents, by name."""
        query = select(commits.c.source).distinct().where(commits.c.tenant_id == tenant_id)
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(commits.c.source)).scalars())

    def tenants(self) -> list[str]:
        """Tenants that have visible documents, by name."""
        query = select(commits.c.tenant_id).distinct().order_by(commits.c.tenant_id)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def committed(self, tenant_id: str) -> Iterator[Commit]:
        """Every visible document of a tenant, from one consistent view; reads on as it is consumed."""
        query = select(commits).where(commits.c.tenant_id == tenant_id)
        with self._database.reading() as connection:
            rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query).mappings()
            for row in rows:
                yield commit_of(row)

    def find(self, key: DocumentKey) -> Commit | None:
        """The visible commit of a document."""
        with self._database.reading() as connection:
            row = connection.execute(select(commits).where(has_key(commits, [key]))).mappings().first()
            return None if row is None else commit_of(row)

    def find_all(self, keys: Sequence[DocumentKey]) -> list[Commit]:
        """The visible commits of documents, as of one moment."""
        with self._database.reading() as connection:
            return visible_commits(connection, keys)

    def changes(self, tenant_id: str, after: int) -> tuple[int, list[tuple[DocumentKey, str | None]]]:
        """What became visible or invisible after a sequence number, oldest first, with the newest number.

        One entry per document, its newest; `after` 0 gives everything.
        """
        query = (
            select(commit_changes)
            .where(commit_changes.c.tenant_id == tenant_id, commit_changes.c.sequence > after)
            .order_by(commit_changes.c.sequence)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        newest = rows[-1]["sequence"] if rows else after
        return newest, [(key_of(row), row["intent_id"]) for row in rows]


def note_intents(connection: Connection, visible: Sequence[Commit], now: float) -> None:
    """Open the intents of commits that this ledger does not know; no process writes under them any more."""
    of_intent: dict[tuple[str, str], list[DocumentKey]] = defaultdict(list)
    for commit in visible:
        for intent_id in commit.intent_ids:
            of_intent[(commit.key.tenant_id, intent_id)].append(commit.key)
    for (tenant_id, intent_id), keys in of_intent.items():
        row = {"intent_id": intent_id, "tenant_id": tenant_id, "owner": RESTORED, "created_at": now}
        upsert(connection, intents, [row], ("intent_id",), insert_only=("tenant_id", "owner", "created_at"))
        rows = [{"intent_id": intent_id, "source": key.source, "doc_id": key.doc_id} for key in keys]
        upsert(connection, intent_documents, rows, ("intent_id", "source", "doc_id"))


def visible_commits(connection: Connection, keys: Sequence[DocumentKey]) -> list[Commit]:
    """The visible commits of documents; unordered."""
    return [
        commit_of(row)
        for batch in batches(keys)
        for row in connection.execute(select(commits).where(has_key(commits, batch))).mappings()
    ]


def make_visible(connection: Connection, new: Sequence[Commit]) -> list[Commit]:
    """Upsert commit rows and note the changes; the commits of other intents that these replaced."""
    if new:
        lock_commits(connection)
        _refuse_cleaned(connection, {intent_id for commit in new for intent_id in commit.intent_ids})
    superseded: list[Commit] = []
    for batch in batches(new):
        keys = [commit.key for commit in batch]
        before = connection.execute(select(commits).where(has_key(commits, keys))).mappings().all()
        intent_of = {commit.key: commit.intent_id for commit in batch}
        named = {commit.key: set(commit.intent_ids) for commit in batch}
        superseded += [old for old in map(commit_of, before) if not set(old.intent_ids) <= named[old.key]]
        upsert(connection, commits, list(map(commit_row, batch)), ("tenant_id", "source", "doc_id"))
        note_changes(connection, intent_of)
        _show(connection, keys)
    return superseded


def _relabel(connection: Connection, changes: Sequence[tuple[Commit, Commit]]) -> None:
    """In commits, and in the documents' rows, whose committed fingerprint is compared with it."""
    if not changes:
        return
    upsert(connection, commits, [commit_row(new) for _, new in changes], ("tenant_id", "source", "doc_id"))
    same = [documents.c[name] == bindparam(f"of_{name}") for name in ("tenant_id", "source", "doc_id")]
    statement = (
        update(documents)
        .where(
            *same,
            documents.c.pipeline_name == bindparam("of_pipeline"),
            documents.c.committed_version == bindparam("of_version"),
            documents.c.committed_fingerprint == bindparam("of_fingerprint"),
        )
        .values(committed_fingerprint=bindparam("new_fingerprint"))
    )
    rows = [
        {
            **{f"of_{name}": value for name, value in previous.key.model_dump().items()},
            "of_pipeline": previous.pipeline,
            "of_version": previous.version,
            "of_fingerprint": previous.fingerprint,
            "new_fingerprint": new.fingerprint,
        }
        for previous, new in changes
    ]
    connection.execute(statement, rows)


def _move(connection: Connection, changes: Sequence[tuple[Commit, Commit]]) -> None:
    """Have readers take the entries of other intents, of index or graph, where the commit names them."""
    moved = {new.key: new.intent_id for old, new in changes if old.intent_ids != new.intent_ids}
    fresh = {name for old, new in changes for name in set(new.intent_ids) - set(old.intent_ids)}
    if fresh:
        _refuse_cleaned(connection, fresh)
    if moved:
        note_changes(connection, moved)


def withdraw_commits(connection: Connection, keys: Sequence[DocumentKey]) -> list[Commit]:
    """Delete commit rows and note the changes; the commits as they were."""
    if keys:
        lock_commits(connection)
    withdrawn: list[Commit] = []
    for batch in batches(keys):
        rows = connection.execute(select(commits).where(has_key(commits, batch))).mappings().all()
        if rows:
            withdrawn += map(commit_of, rows)
            connection.execute(delete(commits).where(has_key(commits, batch)))
            note_changes(connection, dict.fromkeys(map(key_of, rows)))
            _show(connection, batch)
    return withdrawn


def _show(connection: Connection, keys: Sequence[DocumentKey]) -> None:
    """Let readers of the graph see what the commits name now; note what that retracts, or no longer does."""
    if not keys:
        return
    before = noticed_by(connection, keys)
    show(connection, keys)
    note_noticed(connection, before ^ noticed_by(connection, keys))


def _refuse_cleaned(connection: Connection, intent_ids: Collection[str]) -> None:
    """Raise LeaseLostError when an intent's entries were cleaned, or are being cleaned now."""
    query = select(cleaned_intents.c.intent_id).where(cleaned_intents.c.intent_id.in_(sorted(intent_ids)))
    if connection.execute(query).first() is not None:
        raise LeaseLostError(
            "the index entries of this window were cleaned after their writer died. Nothing is lost: its "
            "documents are queued again."
        )


def outdated(connection: Connection, new: Sequence[Commit]) -> dict[DocumentKey, RowMapping]:
    """The visible commits of which `new` holds an older revision; no other commit comes between."""
    lock_commits(connection)
    newer: dict[DocumentKey, RowMapping] = {}
    for batch in batches(commit for commit in new if commit.revision):
        revision_of = {commit.key: commit.revision for commit in batch}
        rows = connection.execute(select(commits).where(has_key(commits, list(revision_of)))).mappings()
        newer |= {key_of(row): row for row in rows if is_older(revision_of[key_of(row)], row["revision"])}
    return newer


def note_revisions(connection: Connection, revisions: Mapping[DocumentKey, str]) -> None:
    """Record newer revisions whose content is what is committed, so that none in between replaces it."""
    rows = [
        {**{f"of_{name}": value for name, value in key.model_dump().items()}, "new_revision": revision}
        for key, revision in revisions.items()
    ]
    for table in (commits, documents) if rows else ():
        same = [table.c[name] == bindparam(f"of_{name}") for name in ("tenant_id", "source", "doc_id")]
        connection.execute(update(table).where(*same).values(revision=bindparam("new_revision")), rows)
