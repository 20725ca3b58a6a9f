"""Copies of the ledger: documents that came from another one, and all of its tables at one moment.

Comes in: commits of copied documents with their origins, or whole tables. Leaves: the same. Imported
documents look as if they had been run here, so a later run of their source skips them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Table, delete, func, insert, or_, select, text, update

from orchestration.contracts import Commit, ImportedDocuments, LedgerTable, Origin, Place
from orchestration.errors import ConfigurationError
from orchestration.ledger.accounts import end_documents
from orchestration.ledger.commits import make_visible, note_intents
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.enqueueing import lock_queue
from orchestration.ledger.graph.counting import discard_rows, recount
from orchestration.ledger.graph.tables import graph_documents
from orchestration.ledger.outbox.recording import record_commits, skipped
from orchestration.ledger.outbox.tables import outbox, outbox_readers, outbox_rosters
from orchestration.ledger.places import KEPT, PLACE_KEY, place_row
from orchestration.ledger.rows import batches, commit_of, correlation_id, has_key, key_of, upsert
from orchestration.ledger.tables import (
    commits,
    dead_letters,
    documents,
    intents,
    ledger_identity,
    metadata,
    places,
    windows,
)
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey, Locator

__all__ = ["SqlCopies"]

ROWS_AT_ONCE: Final = 1000
"""Rows of a table that are in memory at a time."""

NOT_COPIED: Final = frozenset({ledger_identity, outbox, outbox_readers, outbox_rosters})

COPIED: Final = tuple(table for table in metadata.sorted_tables if table not in NOT_COPIED)
"""Tables of a copy: a restored ledger is another one than the copied, with its own numbers and facts."""

InPipeline = tuple[DocumentKey, str]
"""A document in a pipeline."""

Copy = tuple[Commit, Origin]
"""A commit and what is known of its document."""

Known = Mapping[InPipeline, RowMapping]
"""Rows of documents."""


class SqlCopies(LedgerPart):
    """CopyLedger over SQL."""

    def origins(self, commits: Sequence[Commit]) -> list[Origin | None]:
        """What is known of committed documents beside their commits; see CopyLedger."""
        origins: dict[InPipeline, Origin] = {}
        with self._database.reading() as connection:
            for batch in batches(commits):
                rows = connection.execute(_rows([commit.key for commit in batch])).mappings()
                origins.update(((key_of(row), row["pipeline_name"]), _origin(row)) for row in rows)
        return [origins.get((commit.key, commit.pipeline)) for commit in commits]

    def import_documents(self, import_id: str, copied: Sequence[Copy], *, replace: bool) -> ImportedDocuments:
        """Commit documents that came from elsewhere; see CopyLedger."""

        def choose(connection: Connection, batch: Sequence[Copy], known: Known) -> Sequence[Copy]:
            stay = self._staying(connection, batch, known.values(), replace)
            return [(commit, origin) for commit, origin in batch if commit.key not in stay]

        return self._commit(import_id, copied, choose)

    def restore_commits(self, restore_id: str, proven: Sequence[Copy]) -> ImportedDocuments:
        """Commit what stores hold and this ledger does not know; see CopyLedger."""

        def choose(connection: Connection, batch: Sequence[Copy], known: Known) -> Sequence[Copy]:
            busy = self._busy(known.values())
            taken = []
            for commit, origin in batch:
                row = known.get((commit.key, commit.pipeline))
                if commit.key not in busy:
                    taken.append((commit, origin if row is None else _origin(row)))
            note_intents(connection, [commit for commit, _ in taken], self._now())
            return taken

        return self._commit(restore_id, proven, choose)

    def _commit(
        self,
        job_id: str,
        copied: Sequence[Copy],
        choose: Callable[[Connection, Sequence[Copy], Known], Sequence[Copy]],
    ) -> ImportedDocuments:
        """Commit the documents that `choose` takes of each batch, given the locked rows of the batch."""
        superseded: list[Commit] = []
        not_replaced: set[DocumentKey] = set()
        with self._database.writing() as connection:
            for tenant_id in sorted({commit.key.tenant_id for commit, _ in copied}):
                lock_queue(connection, tenant_id)
            for batch in batches(copied):
                query = _rows([commit.key for commit, _ in batch]).order_by(documents.c.id)
                rows = connection.execute(query.with_for_update()).mappings().all()
                known = {(key_of(row), row["pipeline_name"]): row for row in rows}
                taken = choose(connection, batch, known)
                commits_taken = [commit for commit, _ in taken]
                not_replaced |= {commit.key for commit, _ in batch} - {each.key for each in commits_taken}
                superseded += make_visible(connection, commits_taken)
                self._write_rows(connection, job_id, taken, known)
        return ImportedDocuments(superseded, frozenset(not_replaced))

    def _staying(
        self,
        connection: Connection,
        batch: Sequence[Copy],
        rows: Iterable[RowMapping],
        replace: bool,
    ) -> set[DocumentKey]:
        """Documents that are not replaced: a run works on them, they are the same, or `replace` is false."""
        stay = self._busy(rows)
        query = select(commits).where(has_key(commits, [commit.key for commit, _ in batch]))
        visible_commits = {key_of(row): commit_of(row) for row in connection.execute(query).mappings()}
        for commit, _ in batch:
            visible = visible_commits.get(commit.key)
            if visible is not None and (not replace or _made(visible) == _made(commit)):
                stay.add(commit.key)
        return stay

    def _write_rows(
        self,
        connection: Connection,
        import_id: str,
        taken: Sequence[Copy],
        known: Known,
    ) -> None:
        """Write rows as committed, and resolve the items of jobs that waited for these documents."""
        new = []
        for commit, origin in taken:
            columns = _columns(import_id, commit, origin)
            row = known.get((commit.key, commit.pipeline))
            if row is None:
                new.append({**columns, **_place(commit), "created_at": origin.created_at})
            elif row["status"] in (Status.COMMITTED, Status.DELETED):  # as new: no job waits for it
                connection.execute(update(documents).where(documents.c.id == row["id"]).values(columns))
            else:
                end_documents(
                    connection,
                    [(row, columns)],
                    Status.COMMITTED,
                    "skipped",
                    self._now(),
                    skipped("superseded"),
                )
        if new:
            connection.execute(insert(documents), new)
        record_commits(connection, import_id, [commit for commit, _ in taken], self._now())
        if taken:
            _note_places(connection, [commit.key for commit, _ in taken])
        for commit, _ in taken:
            connection.execute(
                update(dead_letters)
                .where(
                    has_key(dead_letters, [commit.key]),
                    dead_letters.c.pipeline_name == commit.pipeline,
                    dead_letters.c.replayed_in.is_(None),
                )
                .values(replayed_in=import_id)
            )

    def _busy(self, rows: Iterable[RowMapping]) -> set[DocumentKey]:
        """Documents that a run works on."""
        now = self._now()
        return {key_of(row) for row in rows if row["status"] == Status.RUNNING or row["lease_until"] > now}

    # --- everything ---------------------------------------------------------------------------------

    @contextmanager
    def export_tables(self) -> Iterator[Iterator[LedgerTable]]:
        """Every table as of one moment; see CopyLedger."""
        with self._database.snapshot() as connection:
            yield (
                LedgerTable(
                    table.name,
                    {column.name: column.type.python_type for column in table.columns},
                    _read(connection, table),
                )
                for table in COPIED
            )

    def import_tables(self, tables: Mapping[str, LedgerTable]) -> None:
        """Replace everything by these tables, in one transaction; see CopyLedger."""
        with self._database.writing() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
            for table in COPIED:
                copied = tables.get(table.name)
                for rows in copied.rows if copied is not None else ():
                    connection.execute(insert(table), list(rows))
            if "places" not in tables:
                _note_places(connection)
            if "documents" in tables and "gate_passed_at" not in tables["documents"].columns:
                _note_passed_gates(connection)
            if "graph_documents" in tables and "graph_concepts" not in tables:
                _count_graph(connection)
            invisible = [
                ~select(column).where(column == intents.c.intent_id).exists()
                for column in (commits.c.intent_id, commits.c.graph_intent_id)
            ]
            connection.execute(delete(intents).where(*invisible))
            discard_rows(connection, ~graph_documents.c.visible)  # of these intents, or superseded
            if connection.dialect.name == "postgresql":
                for table in metadata.sorted_tables:
                    _go_on(connection, table)

    def is_empty(self) -> bool:
        """Whether no table has a row."""
        with self._database.reading() as connection:
            return not any(connection.execute(select(table).limit(1)).first() for table in COPIED)


def _rows(keys: Sequence[DocumentKey]) -> Any:
    return select(documents).where(has_key(documents, keys))


def _made(commit: Commit) -> tuple[str, str]:
    return commit.version, commit.fingerprint


def _origin(row: RowMapping) -> Origin:
    return Origin(
        pipeline_version=row["pipeline_version"],
        current_stage=row["current_stage"],
        missing_stages=tuple(json.loads(row["missing_stages"])),
        source_plugin=row["source_plugin"],
        locator=Locator.model_validate_json(row["locator"]),
        pdf_downloaded=row["pdf_downloaded"],
        pdf_ir_ready=row["pdf_ir_ready"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _place(commit: Commit) -> dict[str, Any]:
    return {**commit.key.model_dump(), "pipeline_name": commit.pipeline}


def _columns(import_id: str, commit: Commit, origin: Origin) -> dict[str, Any]:
    """A documents row as a run would have left it, apart from where it stands."""
    return {
        "pipeline_version": origin.pipeline_version,
        "status": Status.COMMITTED,
        "current_stage": origin.current_stage,
        "retry_count_per_stage": "{}",
        "missing_stages": json.dumps(list(origin.missing_stages)),
        "version": commit.version,
        "fingerprint": commit.fingerprint,
        "graph_fingerprint": commit.graph_fingerprint,
        "revision": commit.revision,
        "deleted_at_source": None,
        "committed_version": commit.version,
        "committed_fingerprint": commit.fingerprint,
        "source_plugin": origin.source_plugin,
        "locator": origin.locator.model_dump_json(),
        "pdf_downloaded": origin.pdf_downloaded,
        "pdf_ir_ready": origin.pdf_ir_ready,
        "window_id": None,
        "lease_owner": None,
        "lease_until": 0.0,
        "error_code": None,
        "error_message": None,
        "job_id": import_id,
        "correlation_id": correlation_id(import_id, commit.key),
        "updated_at": origin.updated_at,
    }


def _read(connection: Connection, table: Table) -> Iterator[Sequence[Mapping[str, Any]]]:
    """All rows in the order of their keys, so that numbers come in order."""
    query = select(table).order_by(*table.primary_key.columns)
    result = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
    for rows in result.mappings().partitions(ROWS_AT_ONCE):
        yield [dict(row) for row in rows]


def _note_passed_gates(connection: Connection) -> None:
    """Set when gates opened in rows from before migration 0006, as that migration does."""
    second = select(windows.c.window_id).where(windows.c.resumed)
    unfinished = documents.c.status.in_((Status.QUEUED, Status.RUNNING))
    connection.execute(
        update(documents)
        .where(
            documents.c.gate.is_not(None),
            documents.c.status != Status.WAITING,
            or_(unfinished, documents.c.window_id.in_(second)),
        )
        .values(gate_passed_at=documents.c.updated_at)
    )


def _count_graph(connection: Connection) -> None:
    """Mark and count what is visible in copies from before migration 0012, as that migration does."""
    tenants = select(graph_documents.c.tenant_id).distinct().order_by(graph_documents.c.tenant_id)
    for tenant_id in connection.execute(tenants).scalars().all():
        recount(connection, tenant_id)


def _note_places(connection: Connection, keys: Sequence[DocumentKey] | None = None) -> None:
    """Give documents of files the place that their locator names, as migration 0008 does."""
    query = select(documents).where(
        documents.c.source_plugin == "files", documents.c.status != Status.DELETED
    )
    if keys is not None:
        query = query.where(has_key(documents, keys))
    rows: dict[Place, Mapping[str, Any]] = {}
    for row in connection.execute(query).mappings():
        uri = json.loads(row["locator"]).get("uri")
        if uri is None:
            continue
        place = Place(key_of(row), uri)
        rows[place] = place_row(place, row["job_id"])
    for batch in batches(rows.values()):
        upsert(connection, places, batch, PLACE_KEY, KEPT)


def _go_on(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows after the existing ones; SQLite does so by itself."""
    column = table.autoincrement_column
    if column is None:
        return
    newest = connection.execute(select(func.max(column))).scalar()
    sequence = connection.execute(
        text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
    ).scalar()
    if sequence is None:
        raise ConfigurationError(
            f"{table.name}.{column.name} of the ledger has no sequence: its tables were not made by medkg. "
            "Restore into a new database."
        )
    connection.execute(
        text("SELECT setval(CAST(:sequence AS regclass), :newest, :used)"),
        {"sequence": sequence, "newest": newest or 1, "used": newest is not None},
    )
