"""Between rows and records: keys, JSON columns, times, and the statements both databases take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    RowMapping,
    Table,
    Text,
    TypeDecorator,
    and_,
    bindparam,
    delete,
    false,
    insert,
    or_,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from orchestration.batching import batched
from orchestration.contracts import Commit, DeadLetter, Failure, LedgerDocument
from orchestration.ledger.tables import commit_changes
from orchestration.records import DocumentKey, Locator, StageContext

T = TypeVar("T")

BATCH: Final = 1000
"""Values of one condition, or rows of one statement; SQLite takes 32,766 parameters a statement."""

MESSAGE_CHARACTERS: Final = 4000
"""Longest error message that is kept."""


# --- statements -------------------------------------------------------------------------------------


class _Values(TypeDecorator[Any]):
    """Values as one parameter: an array, or JSON for SQLite, which has no arrays."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type that the driver is given."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(self.item))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The parameter of some values."""
        return json.dumps(list(value)) if dialect.name == "sqlite" else list(value)


class _OneOf(FunctionElement[bool]):
    """Condition: a column has one of the values of a parameter."""

    name = "one_of"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> _OneOf:
        """The condition itself; a function would be compared with 1 where there are no booleans."""
        return self


@compiles(_OneOf)
def _one_of_sql(element: _OneOf, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    if compiler.dialect.name == "sqlite":
        return f"({column} IN (SELECT value FROM json_each({values})))"
    return f"({column} = ANY ({values}))"


def one_of(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Condition: the column has one of the values, texts or integers.

    All values are one parameter, so the statement is the same for any number of them: SQLAlchemy compiles it
    once, where `in_` writes a parameter per value at each call.
    """
    return _OneOf(column, bindparam(None, list(values), type_=_values_of(column), unique=True))


def one_of_parameter(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The same condition for the values of a named parameter."""
    return _OneOf(column, bindparam(name, type_=_values_of(column)))


class _OneOfPairs(_OneOf):
    """Condition: two columns have one of the pairs of a JSON list."""

    name = "one_of_pairs"
    inherit_cache = True


@compiles(_OneOfPairs)
def _one_of_pairs_sql(element: _OneOfPairs, compiler: Any, **options: Any) -> str:
    first, second, pairs = (compiler.process(clause, **options) for clause in element.clauses)
    listed = (
        f"SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each({pairs})"
        if compiler.dialect.name == "sqlite"
        else f"SELECT pair ->> 0, pair ->> 1 FROM json_array_elements(CAST({pairs} AS json)) AS pair"
    )
    return f"(({first}, {second}) IN ({listed}))"


def one_of_pairs(first: ColumnElement[str], second: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Condition: the two columns have one of the pairs of texts in a named parameter, a JSON list of lists.

    Both databases look each pair up in an index of the two columns.
    """
    return _OneOfPairs(first, second, bindparam(name, type_=Text()))


def _values_of(column: ColumnElement[Any]) -> _Values:
    return _Values(BigInteger() if isinstance(column.type, Integer) else Text())


def batches(values: Iterable[T]) -> Iterator[list[T]]:
    """Iterate over lists of as many values as one statement takes."""
    return batched(values, BATCH)


def has_key(table: Table, keys: Sequence[DocumentKey]) -> ColumnElement[bool]:
    """Condition: the row is of one of these documents; of none, no row meets it."""
    by_source: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        by_source.setdefault((key.tenant_id, key.source), []).append(key.doc_id)
    columns = table.c
    return or_(
        false(),
        *(
            and_(columns.tenant_id == tenant_id, columns.source == source, one_of(columns.doc_id, doc_ids))
            for (tenant_id, source), doc_ids in by_source.items()
        ),
    )


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    key: Sequence[str],
    insert_only: Sequence[str] = (),
) -> None:
    """Insert rows, or update those whose `key` columns exist, all but their `insert_only` columns."""
    if not rows:
        return
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    changed = {name: insert.excluded[name] for name in rows[0] if name not in (*key, *insert_only)}
    statement = (
        insert.on_conflict_do_update(index_elements=list(key), set_=changed)
        if changed
        else insert.on_conflict_do_nothing(index_elements=list(key))
    )
    connection.execute(statement, list(rows))


def lock_commits(connection: Connection) -> None:
    """Let sequence numbers appear in their order, so that a reader that asks for more misses none.

    PostgreSQL gives them out before the commit, so commits wait for one another; readers do not.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE commit_changes IN SHARE ROW EXCLUSIVE MODE"))


def note_changes(connection: Connection, intent_of: Mapping[DocumentKey, str | None]) -> None:
    """Give the newest state of each document a new number, replacing its previous entry."""
    connection.execute(delete(commit_changes).where(has_key(commit_changes, list(intent_of))))
    connection.execute(
        insert(commit_changes),
        [{**key.model_dump(), "intent_id": intent_id} for key, intent_id in intent_of.items()],
    )


# --- values -----------------------------------------------------------------------------------------


def iso(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def storable(message: str) -> str:
    """A message that both databases take: no NUL, not endless."""
    return message.replace("\0", "\ufffd")[:MESSAGE_CHARACTERS]


def correlation_id(job_id: str, key: DocumentKey) -> str:
    """Links what happens to a document in a job; always the same for the two."""
    return f"{job_id}-{sha256(f'{key.source}/{key.doc_id}'.encode()).hexdigest()[:12]}"


# --- records ----------------------------------------------------------------------------------------


def key_of(row: RowMapping | Mapping[str, Any]) -> DocumentKey:
    """The document that a row is about."""
    return DocumentKey(tenant_id=row["tenant_id"], source=row["source"], doc_id=row["doc_id"])


def context_of(row: RowMapping, job_id: str) -> StageContext:
    """The stage context of a documents row in a job."""
    metadata = {"source": row["source"], "fingerprint": row["fingerprint"]}
    for name in ("version", "revision", "graph_fingerprint"):
        if row[name] is not None:
            metadata[name] = row[name]
    return StageContext(
        tenant_id=row["tenant_id"],
        job_id=job_id,
        doc_id=row["doc_id"],
        correlation_id=correlation_id(job_id, key_of(row)),
        metadata=metadata,
        pipeline_name=row["pipeline_name"],
        pipeline_version=row["pipeline_version"],
    )


def commit_of(row: RowMapping) -> Commit:
    """The commit of a commits row."""
    return Commit(
        key=key_of(row),
        version=row["version"],
        fingerprint=row["fingerprint"],
        pipeline=row["pipeline"],
        intent_id=row["intent_id"],
        chunk_count=row["chunk_count"],
        namespace=row["namespace"],
        revision=row["revision"],
        graph_intent_id=row["graph_intent_id"],
        entity_count=row["entity_count"],
        claim_count=row["claim_count"],
        parse_fingerprint=row["parse_fingerprint"],
        graph_fingerprint=row["graph_fingerprint"],
    )


def commit_row(commit: Commit) -> dict[str, Any]:
    """The commits row of a commit."""
    return {**commit.key.model_dump(), **commit.model_dump(exclude={"key"})}


def document_of(row: RowMapping) -> LedgerDocument:
    """What a reader sees of a documents row."""
    return LedgerDocument(
        key=key_of(row),
        pipeline_name=row["pipeline_name"],
        status=row["status"],
        current_stage=row["current_stage"],
        version=row["version"],
        fingerprint=row["fingerprint"],
        error_code=row["error_code"],
        error_message=row["error_message"],
        retry_count_per_stage=json.loads(row["retry_count_per_stage"]),
        missing_stages=json.loads(row["missing_stages"]),
        revision=row["revision"],
        deleted_at_source=row["deleted_at_source"],
        job_id=row["job_id"],
        correlation_id=row["correlation_id"],
        updated_at=iso(row["updated_at"]),
    )


def failure_of(row: RowMapping) -> Failure:
    """The failure of a dead_letters row."""
    return Failure(
        ctx=StageContext(
            tenant_id=row["tenant_id"],
            job_id=row["job_id"],
            doc_id=row["doc_id"],
            correlation_id=row["correlation_id"],
            metadata=json.loads(row["context"]),
            pipeline_name=row["pipeline_name"],
            pipeline_version=row["pipeline_version"],
        ),
        stage=row["stage"],
        code=row["code"],
        message=row["message"],
        attempts=row["attempts"],
        fatal=row["fatal"],
    )


def dead_letter_of(row: RowMapping) -> DeadLetter:
    """The dead letter of a dead_letters row with `deleted` and `settled`."""
    return DeadLetter(
        id=row["id"],
        failure=failure_of(row),
        source_plugin=row["source_plugin"],
        locator=Locator.model_validate_json(row["locator"]),
        created_at=iso(row["created_at"]),
        replayed_in=row["replayed_in"],
        deleted=row["deleted"],
        settled=row["settled"],
    )


def dead_letter_row(failure: Failure, source_plugin: str, locator: str, now: float) -> dict[str, Any]:
    """The dead_letters row of a failure; `locator` is JSON."""
    ctx = failure.ctx
    return {
        **ctx.key.model_dump(),
        "pipeline_name": ctx.pipeline_name,
        "pipeline_version": ctx.pipeline_version,
        "job_id": ctx.job_id,
        "correlation_id": ctx.correlation_id,
        "context": json.dumps(ctx.metadata),
        "stage": failure.stage,
        "code": failure.code,
        "message": storable(failure.message),
        "attempts": failure.attempts,
        "fatal": failure.fatal,
        "source_plugin": source_plugin,
        "locator": locator,
        "created_at": now,
    }
