"""Facts for readers: positions in the order of commits, leases and places of readers, and what expires.

Comes in: rows of the outbox. Leaves: facts with their documents. A position is given when a fact is first
read, under a lock and in the order of the rows' numbers, so that no fact appears behind a reader's place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from orchestration.contracts.facts import Fact, FactDocument, OutboxDropped, fact_body
from orchestration.contracts.outbox import Observation, OutboxReader, OutboxState, ReadFrom
from orchestration.errors import LeaseLostError, UsageError
from orchestration.ledger.database import LedgerPart, lock
from orchestration.ledger.ledger_id import ledger_id
from orchestration.ledger.outbox.recording import fact_row, named, record
from orchestration.ledger.outbox.tables import outbox, outbox_readers, outbox_rosters
from orchestration.ledger.rows import BATCH, batches, correlation_id, upsert
from orchestration.ledger.tables import ledger_identity
from orchestration.records import DocumentKey

__all__ = ["SqlOutbox"]

NUMBERED_AT_ONCE: Final = 5_000
"""Facts that get a position in one transaction."""

SEARCHED: Final = 100_000
"""Facts, the newest, among which those of some kinds are looked for: kinds have no index."""

NEW: Final = outbox.c.position.is_(None)

Roster = Mapping[str, Sequence[str | None] | None]
"""[source, doc_id, correlation id or null] by the id of the document's row; null: erased."""


class SqlOutbox(LedgerPart):
    """OutboxLedger over SQL."""

    def note(self, observations: Sequence[Observation]) -> None:
        """Add observed facts; see OutboxLedger.note."""
        if not observations:
            return
        rows = [
            fact_row(
                observation.body,
                observation.happened_at,
                tenant_id=observation.tenant_id,
                job_id=observation.job_id,
                pipeline=(observation.pipeline_name, ""),
                documents=named((source, doc_id, None) for source, doc_id in observation.doc_ids),
            )
            for observation in observations
        ]
        with self._database.writing() as connection:
            connection.execute(insert(outbox), rows)

    def read(self, after: int, limit: int) -> list[Fact]:
        """Facts behind a position; see OutboxLedger.read."""
        self._number()
        query = select(outbox).where(outbox.c.position > after).order_by(outbox.c.position).limit(limit)
        return self._facts(query)

    def recent(self, kinds: Collection[str], since: float, limit: int) -> list[Fact]:
        """The newest facts of some kinds; see OutboxLedger.recent."""
        self._number_all()
        last = select(func.coalesce(func.max(outbox.c.sequence), 0)).scalar_subquery()
        query = (
            select(outbox)
            .where(
                outbox.c.sequence > last - SEARCHED,
                outbox.c.position.is_not(None),
                outbox.c.kind.in_(kinds),
                outbox.c.happened_at >= since,
            )
            .order_by(outbox.c.sequence.desc())
            .limit(limit)
        )
        return self._facts(query)

    def _facts(self, query: Select[Any]) -> list[Fact]:
        """Facts of the rows of a query, in its order."""
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings().all()
            if not rows:
                return []
            rosters = _rosters(connection, {row["window_id"] for row in rows} - {""})
            known = connection.execute(select(ledger_identity.c.identity)).scalar()
        identity = ledger_id(self._database) if known is None else str(known)
        return [_fact(row, rosters.get(row["window_id"], {}), identity) for row in rows]

    def _number_all(self) -> None:
        """Give positions to all facts that are committed now."""
        while self._number() == NUMBERED_AT_ONCE:
            continue

    def _number(self) -> int:
        """Give positions to committed facts that have none; returns their number, which is bounded."""
        with self._database.reading() as connection:
            if connection.execute(select(outbox.c.sequence).where(NEW).limit(1)).first() is None:
                return 0
        with self._database.writing() as connection:
            lock(connection, "outbox")
            last = connection.execute(select(func.max(outbox.c.position))).scalar()
            read = connection.execute(select(func.max(outbox_readers.c.position))).scalar()
            first = max(last or 0, read or 0) + 1
            query = select(outbox.c.sequence).where(NEW).order_by(outbox.c.sequence).limit(NUMBERED_AT_ONCE)
            new = connection.execute(query).scalars().all()
            numbers = [{"its": sequence, "place": first + index} for index, sequence in enumerate(new)]
            if numbers:
                connection.execute(_NUMBERED, numbers)
            return len(numbers)

    def lease(
        self, reader: str, owner: str, is_alive: Callable[[str], bool] = lambda _: True
    ) -> ReadFrom | None:
        """Take a reader; see OutboxLedger.lease."""
        with self._database.writing() as connection:
            now = self._now()
            row = connection.execute(_reader(reader).with_for_update()).mappings().first()
            other = row is not None and row["owner"] not in (None, owner) and row["lease_until"] > now
            if row is not None and other and is_alive(row["owner"]):
                return None
            leased = {"owner": owner, "lease_until": now + self._lease_seconds}
            if row is None:
                fresh = {"name": reader, "position": 0, "state": "", "dropped": 0, **leased}
                upsert(
                    connection,
                    outbox_readers,
                    [fresh],
                    ("name",),
                    insert_only=("position", "state", "dropped"),
                )
                return ReadFrom(0, "")
            connection.execute(update(outbox_readers).where(outbox_readers.c.name == reader).values(leased))
            return ReadFrom(row["position"], row["state"])

    def advance(self, reader: str, owner: str, position: int, state: str = "") -> None:
        """Record a reader's place; see OutboxLedger.advance."""
        with self._database.writing() as connection:
            moved = connection.execute(
                update(outbox_readers)
                .where(outbox_readers.c.name == reader, outbox_readers.c.owner == owner)
                .values(
                    position=position,
                    state=state,
                    lease_until=self._now() + self._lease_seconds,
                    problem=None,
                )
            )
        if not moved.rowcount:
            raise LeaseLostError(
                f"the reader {reader} of the outbox passed to another process, which goes on from its place. "
                "Nothing is lost: what was published since may be published again, under the same ids."
            )

    def release(self, reader: str, owner: str, problem: str | None = None) -> None:
        """Give a reader back; see OutboxLedger.release."""
        with self._database.writing() as connection:
            connection.execute(
                update(outbox_readers)
                .where(outbox_readers.c.name == reader, outbox_readers.c.owner == owner)
                .values(owner=None, lease_until=0.0, problem=problem)
            )

    def note_problem(self, reader: str, owner: str, problem: str | None) -> None:
        """Say why a reader does not come on, and extend its lease; see OutboxLedger.note_problem."""
        with self._database.writing() as connection:
            connection.execute(
                update(outbox_readers)
                .where(outbox_readers.c.name == reader, outbox_readers.c.owner == owner)
                .values(problem=problem, lease_until=self._now() + self._lease_seconds)
            )

    def rewind(self, reader: str, position: int) -> None:
        """Let a reader read again; see OutboxLedger.rewind. A process that reads for it loses its lease."""
        with self._database.writing() as connection:
            values = {"position": max(0, position), "owner": None, "lease_until": 0.0}
            moved = connection.execute(
                update(outbox_readers).where(outbox_readers.c.name == reader).values(values)
            )
        if not moved.rowcount:
            raise _unknown(reader)

    def forget(self, reader: str) -> None:
        """Remove a reader; see OutboxLedger.forget."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(outbox_readers).where(outbox_readers.c.name == reader))
        if not gone.rowcount:
            raise _unknown(reader)

    def position_at(self, moment: float) -> int:
        """Position of the last fact before a moment; see OutboxLedger.position_at."""
        self._number_all()
        before = select(func.max(outbox.c.position)).where(outbox.c.happened_at < moment)
        with self._database.reading() as connection:
            return int(connection.execute(before).scalar() or 0)

    def state(self) -> OutboxState:
        """How full it is; see OutboxLedger.state."""
        with self._database.reading() as connection:
            facts = connection.execute(select(func.count()).select_from(outbox)).scalar_one()
            first = select(outbox.c.happened_at).order_by(outbox.c.sequence).limit(1)
            oldest = connection.execute(first).scalar()
            readers = connection.execute(select(outbox_readers).order_by(outbox_readers.c.name)).mappings()
            return OutboxState(
                facts=facts,
                oldest_at=oldest,
                readers=tuple(_reader_of(connection, row, self._now()) for row in readers.all()),
            )

    def prune(self, before: float, most: int, readers: Sequence[str]) -> Mapping[str, int]:
        """Remove what expired and what is too much; see OutboxLedger.prune."""
        self._number_all()
        with self._database.reading() as connection:
            newest = connection.execute(select(func.max(outbox.c.position))).scalar() or 0
            places = dict(connection.execute(select(outbox_readers.c.name, outbox_readers.c.position)).all())
        places = {name: place for name, place in places.items() if name in readers}
        had = min([*places.values(), newest - 1])
        self._remove(and_(outbox.c.position <= had, outbox.c.happened_at < before))
        limit = newest - most
        dropped = {name: self._count(place, limit) for name, place in places.items() if place < limit}
        if limit > 0:
            dropped = self._note_dropped({name: count for name, count in dropped.items() if count}, limit)
            self._remove(outbox.c.position <= limit)
        self._remove_rosters()
        return dropped

    def _count(self, after: int, until: int) -> int:
        query = select(func.count()).where(outbox.c.position > after, outbox.c.position <= until)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def _note_dropped(self, dropped: Mapping[str, int], limit: int) -> dict[str, int]:
        """Move readers that are behind to the limit; those that had come on meanwhile drop nothing."""
        noted = {}
        with self._database.writing() as connection:
            for name, count in dropped.items():
                moved = connection.execute(
                    update(outbox_readers)
                    .where(outbox_readers.c.name == name, outbox_readers.c.position < limit)
                    .values(position=limit, dropped=outbox_readers.c.dropped + count)
                )
                if moved.rowcount:
                    record(connection, OutboxDropped(reader=name, facts=count), self._now())
                    noted[name] = count
        return noted

    def _remove(self, which: Any) -> None:
        """Remove facts, a bounded number per transaction."""
        some = select(outbox.c.sequence).where(which).limit(BATCH)
        while True:
            with self._database.reading() as connection:
                numbers = connection.execute(some).scalars().all()
            if not numbers:
                break
            with self._database.writing() as connection:
                connection.execute(delete(outbox).where(outbox.c.sequence.in_(numbers)))

    def _remove_rosters(self) -> None:
        """Remove rosters that no fact needs."""
        needed = exists().where(outbox.c.window_id == outbox_rosters.c.window_id)
        with self._database.writing() as connection:
            connection.execute(
                delete(outbox_rosters).where(~needed, outbox_rosters.c.created_at < self._now() - DAY)
            )


DAY: Final = 86_400.0
"""A roster stays for so long without facts: its window may be in work."""

_NUMBERED: Final = (
    update(outbox).where(outbox.c.sequence == bindparam("its")).values(position=bindparam("place"))
)


def _reader(name: str) -> Any:
    return select(outbox_readers).where(outbox_readers.c.name == name)


def _unknown(reader: str) -> UsageError:
    return UsageError(
        f"no reader {reader!r} has read events here; `medkg events status` lists those that have."
    )


def _reader_of(connection: Connection, row: RowMapping, now: float) -> OutboxReader:
    behind, oldest = 0, None
    for left, order in ((outbox.c.position > row["position"], outbox.c.position), (NEW, outbox.c.sequence)):
        behind += connection.execute(select(func.count()).where(left)).scalar_one()
        if oldest is None:
            first = select(outbox.c.happened_at).where(left).order_by(order).limit(1)
            oldest = connection.execute(first).scalar()
    return OutboxReader(
        name=row["name"],
        position=row["position"],
        behind=behind,
        oldest_at=oldest,
        dropped=row["dropped"],
        owner=row["owner"] if row["lease_until"] > now else None,
        problem=row["problem"],
    )


def _rosters(connection: Connection, window_ids: set[str]) -> dict[str, Roster]:
    rosters: dict[str, Roster] = {}
    for batch in batches(sorted(window_ids)):
        query = select(outbox_rosters.c.window_id, outbox_rosters.c.documents)
        for window_id, names in connection.execute(query.where(outbox_rosters.c.window_id.in_(batch))):
            rosters[window_id] = json.loads(names)
    return rosters


def _fact(row: RowMapping, roster: Roster, identity: str) -> Fact:
    columns = json.loads(row["documents"])
    names: list[Sequence[str | None] | None]
    if "named" in columns:
        names = columns["named"]
    else:
        names = [
            roster.get(str(number))
            for first, count in columns["rows"]
            for number in range(first, first + count)
        ]
    return Fact(
        sequence=row["sequence"],
        position=row["position"],
        ledger=identity,
        happened_at=row["happened_at"],
        tenant_id=row["tenant_id"],
        job_id=row["job_id"],
        window_id=row["window_id"],
        pipeline_name=row["pipeline_name"],
        pipeline_version=row["pipeline_version"],
        traceparent=row["traceparent"],
        documents=tuple(_document(row, name) for name in names),
        body=fact_body(row["body"]),
    )


def _document(row: RowMapping, name: Sequence[str | None] | None) -> FactDocument | None:
    if name is None:
        return None
    source, doc_id, correlation = name
    key = DocumentKey(tenant_id=row["tenant_id"], source=source or "", doc_id=doc_id or "")
    return FactDocument(key=key, correlation_id=correlation or correlation_id(row["job_id"], key))
