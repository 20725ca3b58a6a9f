"""Erasure in the outbox: no fact names an erased document, nor quotes it in a message.

Comes in: documents. Leaves: null in their place in rosters and facts, and one fact with the hashes of their
keys, by which a consumer that knows them can erase them too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, and_, or_, select, update

from orchestration.contracts.facts import DocumentErased, JobOpened, StageFailure, fact_body
from orchestration.ledger.outbox.recording import record
from orchestration.ledger.outbox.tables import outbox, outbox_rosters
from orchestration.ledger.rows import batches
from orchestration.records import DocumentKey

__all__ = ["forget_in_outbox", "key_hash"]

ERASED: Final = "(erased)"
"""Replaces messages about an erased document."""


def key_hash(key: DocumentKey) -> str:
    """sha256 of `TENANT/SOURCE/DOC_ID`, UTF-8, hexadecimal."""
    return sha256(f"{key.tenant_id}/{key.source}/{key.doc_id}".encode()).hexdigest()


def forget_in_outbox(
    connection: Connection, keys: Sequence[DocumentKey], paths: set[str], now: float
) -> None:
    """Remove these documents from rosters, facts and messages, and their `paths` from requests.

    Writes that they were erased.
    """
    for tenant_id in sorted({key.tenant_id for key in keys}):
        mine = {(key.source, key.doc_id) for key in keys if key.tenant_id == tenant_id}
        gone = _forget_in_rosters(connection, tenant_id, mine)
        _forget_in_facts(connection, tenant_id, mine, gone)
        _forget_in_requests(connection, tenant_id, paths)
        hashes = tuple(sorted(key_hash(key) for key in keys if key.tenant_id == tenant_id))
        record(connection, DocumentErased(key_hashes=hashes), now, tenant_id=tenant_id)


def _forget_in_rosters(
    connection: Connection, tenant_id: str, mine: set[tuple[str, str]]
) -> dict[str, set[int]]:
    """Remove documents from rosters; their row ids by window."""
    gone: dict[str, set[int]] = {}
    for row in _naming(connection, outbox_rosters, outbox_rosters.c.documents, tenant_id, mine):
        roster = json.loads(row["documents"])
        ids = {number for number, name in roster.items() if name is not None and tuple(name[:2]) in mine}
        if ids:
            roster |= dict.fromkeys(ids)
            values = {"documents": json.dumps(roster, ensure_ascii=False, separators=(",", ":"))}
            same = outbox_rosters.c.window_id == row["window_id"]
            connection.execute(update(outbox_rosters).where(same).values(values))
            gone[row["window_id"]] = set(map(int, ids))
    return gone


def _forget_in_facts(
    connection: Connection, tenant_id: str, mine: set[tuple[str, str]], gone: Mapping[str, set[int]]
) -> None:
    facts = {row["sequence"]: row for row in _of_windows(connection, sorted(gone))}
    for column in (outbox.c.documents, outbox.c.body):
        named = _naming(connection, outbox, column, tenant_id, mine)
        facts |= {row["sequence"]: row for row in named}
    for sequence, row in facts.items():
        columns = json.loads(row["documents"])
        places = _places(columns, mine, gone.get(row["window_id"], set()))
        for place in places if "named" in columns else ():
            columns["named"][place] = None
        values = {
            "documents": json.dumps(columns, ensure_ascii=False, separators=(",", ":")),
            "body": _without_messages(row["body"], places, {doc_id for _, doc_id in mine}),
        }
        if values != {name: row[name] for name in values}:
            connection.execute(update(outbox).where(outbox.c.sequence == sequence).values(values))


def _forget_in_requests(connection: Connection, tenant_id: str, paths: set[str]) -> None:
    """Remove paths from what jobs asked for."""
    requests = and_(outbox.c.tenant_id == tenant_id, outbox.c.kind == "job.opened")
    for path in sorted(paths):
        named = outbox.c.body.contains(json.dumps(path, ensure_ascii=False)[1:-1], autoescape=True)
        for row in connection.execute(select(outbox).where(requests, named)).mappings().all():
            body = fact_body(row["body"])
            assert isinstance(body, JobOpened)
            if body.request is None:
                continue
            left = tuple(ERASED if each in paths else each for each in body.request.paths)
            changed = body.model_copy(update={"request": body.request.model_copy(update={"paths": left})})
            same = outbox.c.sequence == row["sequence"]
            connection.execute(update(outbox).where(same).values(body=changed.model_dump_json()))


def _places(columns: Mapping[str, Any], mine: set[tuple[str, str]], gone: set[int]) -> set[int]:
    """Places of the documents in a fact."""
    if "named" in columns:
        names = enumerate(columns["named"])
        return {place for place, name in names if name is not None and tuple(name[:2]) in mine}
    ids = (number for first, count in columns["rows"] for number in range(first, first + count))
    return {place for place, number in enumerate(ids) if number in gone}


def _without_messages(body: str, places: set[int], doc_ids: set[str]) -> str:
    """The body without messages about these documents, also where one is quoted elsewhere."""
    fact = fact_body(body)
    failures = getattr(fact, "failures", ())
    changes: dict[str, Any] = {}
    if any(failure.index in places for failure in failures):
        changes["failures"] = tuple(
            failure.model_copy(update={"message": ERASED}) if failure.index in places else failure
            for failure in failures
        )
    for name in ("message", "reason", "summary"):
        value = getattr(fact, name, "")
        if any(doc_id in value for doc_id in doc_ids):
            changes[name] = ERASED
    changes |= _quoting(changes.get("failures", failures), doc_ids)
    return fact.model_copy(update=changes).model_dump_json() if changes else body


def _quoting(failures: Sequence[StageFailure], doc_ids: set[str]) -> dict[str, Any]:
    """Failures of other documents without messages that quote one of these."""
    if not any(doc_id in failure.message for failure in failures for doc_id in doc_ids):
        return {}
    return {
        "failures": tuple(
            failure.model_copy(update={"message": ERASED})
            if any(doc_id in failure.message for doc_id in doc_ids)
            else failure
            for failure in failures
        )
    }


def _of_windows(connection: Connection, window_ids: Sequence[str]) -> Iterator[Any]:
    for batch in batches(window_ids):
        yield from connection.execute(select(outbox).where(outbox.c.window_id.in_(batch))).mappings().all()


def _naming(
    connection: Connection,
    table: Table,
    column: ColumnElement[str],
    tenant_id: str,
    mine: set[tuple[str, str]],
) -> Iterator[Any]:
    """Rows of the tenant whose column has one of the ids; may be of others that contain it."""
    for batch in batches(sorted({doc_id for _, doc_id in mine})):
        for some in (batch[start : start + 50] for start in range(0, len(batch), 50)):
            quoted = [
                column.contains(json.dumps(doc_id, ensure_ascii=False)[1:-1], autoescape=True)
                for doc_id in some
            ]
            query = select(table).where(table.c.tenant_id == tenant_id, or_(*quoted))
            yield from connection.execute(query).mappings().all()
