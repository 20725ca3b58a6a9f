"""Erasure in the outbox: no fact names an erased document, nor quotes it in a message.

Comes in: documents, with the paths of those that are whole files. Leaves: null in their place in rosters and
facts, no message that has an id or a path of them, and one fact with the hashes of their keys, by which a
consumer that knows them can erase them too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, or_, select, update

from orchestration.batching import batched
from orchestration.contracts.facts import DocumentErased, JobOpened, fact_body
from orchestration.ledger.outbox.recording import as_json, record
from orchestration.ledger.outbox.tables import outbox, outbox_readers, outbox_rosters
from orchestration.ledger.rows import batches
from orchestration.records import DocumentKey

__all__ = ["ERASED", "forget_in_outbox", "without_paths"]

ERASED: Final = "(erased)"
"""Replaces messages about an erased document, and its path in requests."""

CONDITIONS: Final = 50
"""Texts that one statement looks for."""


def forget_in_outbox(
    connection: Connection, keys: Sequence[DocumentKey], paths: Collection[str], now: float
) -> None:
    """Remove these documents from rosters, facts and messages, and their `paths` from requests.

    Writes that they were erased. What sinks answered may quote a document, so it goes too.
    """
    for tenant_id in sorted({key.tenant_id for key in keys}):
        mine = {(key.source, key.doc_id) for key in keys if key.tenant_id == tenant_id}
        gone = _forget_in_rosters(connection, tenant_id, mine)
        _forget_in_facts(connection, tenant_id, mine, gone, paths)
        hashes = tuple(sorted(_key_hash(key) for key in keys if key.tenant_id == tenant_id))
        record(connection, DocumentErased(key_hashes=hashes), now, tenant_id=tenant_id)
    connection.execute(update(outbox_readers).values(problem=None))


def without_paths(named: Sequence[str], paths: Collection[str]) -> list[str]:
    """The paths of a request, with those of erased documents replaced."""
    return [ERASED if path in paths else path for path in named]


def _key_hash(key: DocumentKey) -> str:
    return sha256(f"{key.tenant_id}/{key.source}/{key.doc_id}".encode()).hexdigest()


def _forget_in_rosters(
    connection: Connection, tenant_id: str, mine: set[tuple[str, str]]
) -> dict[str, set[int]]:
    """Remove documents from rosters; their row ids by window."""
    gone: dict[str, set[int]] = {}
    ids = [as_json(doc_id) for _, doc_id in mine]
    for row in _containing(connection, outbox_rosters, outbox_rosters.c.documents, tenant_id, ids):
        roster = json.loads(row["documents"])
        numbers = {number for number, name in roster.items() if name is not None and tuple(name[:2]) in mine}
        if numbers:
            values = {"documents": as_json(roster | dict.fromkeys(numbers))}
            same = outbox_rosters.c.window_id == row["window_id"]
            connection.execute(update(outbox_rosters).where(same).values(values))
            gone[row["window_id"]] = set(map(int, numbers))
    return gone


def _forget_in_facts(
    connection: Connection,
    tenant_id: str,
    mine: set[tuple[str, str]],
    gone: Mapping[str, set[int]],
    paths: Collection[str],
) -> None:
    ids = [doc_id for _, doc_id in mine]
    quoted = _quoting([*ids, *paths])
    texts = [as_json(text)[1:-1] for text in (*ids, *paths)]
    facts = {row["sequence"]: row for row in _of_windows(connection, sorted(gone))}
    for column, wanted in ((outbox.c.documents, list(map(as_json, ids))), (outbox.c.body, texts)):
        containing = _containing(connection, outbox, column, tenant_id, wanted)
        facts |= {row["sequence"]: row for row in containing}
    for sequence, row in facts.items():
        columns = json.loads(row["documents"])
        places = _places(columns, mine, gone.get(row["window_id"], set()))
        for place in places if "named" in columns else ():
            columns["named"][place] = None
        values = {
            "documents": as_json(columns),
            "body": _without_traces(row["body"], places, quoted, paths),
        }
        if values != {name: row[name] for name in values}:
            connection.execute(update(outbox).where(outbox.c.sequence == sequence).values(values))


def _places(columns: Mapping[str, Any], mine: set[tuple[str, str]], gone: set[int]) -> set[int]:
    """Places of the documents in a fact."""
    if "named" in columns:
        names = enumerate(columns["named"])
        return {place for place, name in names if name is not None and tuple(name[:2]) in mine}
    numbers = (number for first, count in columns["rows"] for number in range(first, first + count))
    return {place for place, number in enumerate(numbers) if number in gone}


def _without_traces(body: str, places: set[int], quoted: re.Pattern[str], paths: Collection[str]) -> str:
    """The body without messages about these documents, messages that quote them, and their paths."""
    fact = fact_body(body)
    changes: dict[str, Any] = {}
    if failures := getattr(fact, "failures", ()):
        changes["failures"] = tuple(
            failure.model_copy(update={"message": ERASED})
            if failure.index in places or quoted.search(failure.message)
            else failure
            for failure in failures
        )
    for name in ("message", "reason", "summary"):
        if quoted.search(getattr(fact, name, "")):
            changes[name] = ERASED
    if isinstance(fact, JobOpened) and fact.request is not None:
        left = tuple(without_paths(fact.request.paths, paths))
        changes["request"] = fact.request.model_copy(update={"paths": left})
    return fact.model_copy(update=changes).model_dump_json()


def _quoting(texts: Collection[str]) -> re.Pattern[str]:
    """Finds one of these texts, whole: an id of one digit is not found within a number."""
    longest_first = sorted(filter(None, texts), key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")


def _of_windows(connection: Connection, window_ids: Sequence[str]) -> Iterator[RowMapping]:
    for batch in batches(window_ids):
        yield from connection.execute(select(outbox).where(outbox.c.window_id.in_(batch))).mappings().all()


def _containing(
    connection: Connection, table: Table, column: ColumnElement[str], tenant_id: str, texts: Collection[str]
) -> Iterator[RowMapping]:
    """Rows of the tenant whose column contains one of the texts."""
    for some in batched(sorted(texts), CONDITIONS):
        contained = or_(*(column.contains(text, autoescape=True) for text in some))
        query = select(table).where(table.c.tenant_id == tenant_id, contained)
        yield from connection.execute(query).mappings().all()
