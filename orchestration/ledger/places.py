"""Places: where documents were listed.

Comes in: enumerated items with their places. Leaves: which documents have which places, and which of them a
complete listing did not name. Places are found by their hash, since paths may be longer than an index takes.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, false, func, or_, select, update

from orchestration.contracts import Place, Submission
from orchestration.ledger.database import LedgerPart
from orchestration.ledger.rows import batches, has_key, key_of, upsert
from orchestration.ledger.tables import dead_letters, documents, item_dead_letters, jobs, places
from orchestration.ledger.transitions import Status
from orchestration.records import DocumentKey

__all__ = [
    "KEPT",
    "PLACE_KEY",
    "SqlPlaces",
    "beneath",
    "forget_documents",
    "forget_places",
    "note_places",
    "place_key",
    "place_row",
]

PLACE_KEY: Final = ("tenant_id", "source", "doc_id", "place_key")
"""Columns that identify a place."""

KEPT: Final = ("place", "job_id")
"""Columns of a known place that stay when it is recorded again; only a mirror records its job there."""


class SqlPlaces(LedgerPart):
    """PlaceLedger over SQL."""

    def of(self, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, tuple[str, ...]]:
        """Places by document; see PlaceLedger.of."""
        with self._database.reading() as connection:
            return {key: tuple(sorted(names)) for key, names in _places_of(connection, keys).items()}

    def listed_at(self, job_id: str, origin: str) -> bool:
        """Whether the job listed something there; see PlaceLedger.listed_at."""
        with self._database.reading() as connection:
            query = select(places.c.place).where(places.c.job_id == job_id, beneath([origin]))
            return connection.execute(query.limit(1)).first() is not None

    def unlisted(self, job_id: str, origins: Sequence[str]) -> list[Place]:
        """Places that a mirror's listing did not name; see PlaceLedger.unlisted."""
        with self._database.reading() as connection:
            tenant_id = select(jobs.c.tenant_id).where(jobs.c.job_id == job_id).scalar_subquery()
            query = select(places).where(
                places.c.tenant_id == tenant_id, places.c.job_id != job_id, beneath(origins)
            )
            return [_place(row) for row in connection.execute(query.order_by(places.c.place)).mappings()]

    def unread(self, job_id: str) -> set[str]:
        """Places of the job's failures before any run; see PlaceLedger.unread."""
        query = (
            select(dead_letters.c.locator)
            .join(item_dead_letters, item_dead_letters.c.dead_letter_id == dead_letters.c.id)
            .where(item_dead_letters.c.job_id == job_id, dead_letters.c.stage == "enumerate")
        )
        with self._database.reading() as connection:
            return {json.loads(locator)["uri"] for locator in connection.execute(query).scalars()}

    def moved_from(self, job_id: str) -> list[Place]:
        """Other places of documents that the job listed; see PlaceLedger.moved_from."""
        listed = places.alias("listed")
        same = [listed.c[name] == places.c[name] for name in ("tenant_id", "source", "doc_id")]
        query = select(places).distinct().join(listed, and_(*same, listed.c.job_id == job_id))
        with self._database.reading() as connection:
            rows = connection.execute(query.where(places.c.job_id != job_id)).mappings()
            return [_place(row) for row in rows]

    def only_at(self, places: Sequence[Place]) -> list[DocumentKey]:
        """Documents without another place; see PlaceLedger.only_at."""
        leaving: dict[DocumentKey, set[str]] = defaultdict(set)
        for key, place in places:
            leaving[key].add(place)
        with self._database.reading() as connection:
            known = _places_of(connection, list(leaving))
        only = [key for key, names in leaving.items() if not known.get(key, set()) - names]
        return sorted(only, key=lambda key: (key.source, key.doc_id))

    def forget(self, places: Sequence[Place]) -> None:
        """Remove places; see PlaceLedger.forget."""
        with self._database.writing() as connection:
            forget_places(connection, places)
            left = {(place.key, place.place) for place in places}
            for batch in batches({key for key, _ in left}):
                _move_locators(connection, batch, left)


def place_key(place: str) -> str:
    """The hash by which a place is found."""
    return hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()


def place_row(place: Place, job_id: str) -> dict[str, Any]:
    """Return the row of a place that a job listed."""
    return {
        **place.key.model_dump(),
        "place_key": place_key(place.place),
        "place": place.place,
        "job_id": job_id,
    }


def beneath(origins: Sequence[str]) -> ColumnElement[bool]:
    """Condition: the place is one of these origins, or beneath one that is a folder; of none, no place is."""
    conditions: list[ColumnElement[bool]] = [false()]
    for origin in origins:
        conditions.append(places.c.place == origin)
        folders = [origin.rstrip("/") + "/"] if origin.startswith(("/", "file://")) else []
        if origin.startswith("/"):
            folders.append(Path(origin).as_uri().rstrip("/") + "/")
        for folder in folders:
            conditions.append(func.substr(places.c.place, 1, len(folder)) == folder)
    return or_(*conditions)


def note_places(connection: Connection, submission: Submission, listed: Iterable[Place]) -> None:
    """Record places that a job listed; a mirror also records that it listed the known ones."""
    rows = [place_row(place, submission.job_id) for place in dict.fromkeys(listed)]
    upsert(connection, places, rows, PLACE_KEY, ("place",) if submission.request.mirror else KEPT)


def forget_places(connection: Connection, forgotten: Sequence[Place]) -> None:
    """Remove rows of places; locators stay."""
    rows = [
        {f"of_{name}": value for name, value in place_row(place, "").items() if name in PLACE_KEY}
        for place in forgotten
    ]
    if rows:
        same = [places.c[name] == bindparam(f"of_{name}") for name in PLACE_KEY]
        connection.execute(delete(places).where(*same), rows)


def forget_documents(connection: Connection, keys: Sequence[DocumentKey]) -> None:
    """Remove all places of documents."""
    for batch in batches(keys):
        connection.execute(delete(places).where(has_key(places, batch)))


def _places_of(connection: Connection, keys: Sequence[DocumentKey]) -> dict[DocumentKey, set[str]]:
    names: dict[DocumentKey, set[str]] = defaultdict(set)
    for batch in batches(keys):
        for row in connection.execute(select(places).where(has_key(places, batch))).mappings():
            names[key_of(row)].add(row["place"])
    return names


def _move_locators(
    connection: Connection, keys: Sequence[DocumentKey], left: set[tuple[DocumentKey, str]]
) -> None:
    """Let documents whose bytes were at a place that they left be fetched from another of their places.

    The record is found there by its id: its position in that file is not known.
    """
    names = _places_of(connection, keys)
    query = select(documents).where(has_key(documents, keys), documents.c.status != Status.DELETED)
    for row in connection.execute(query).mappings().all():
        key, locator = key_of(row), json.loads(row["locator"])
        if (key, locator["uri"]) not in left or not names.get(key):
            continue
        moved = locator | {"uri": min(names[key]), "start": None, "length": None}
        connection.execute(
            update(documents).where(documents.c.id == row["id"]).values(locator=json.dumps(moved))
        )


def _place(row: Mapping[Any, Any]) -> Place:
    return Place(key_of(row), row["place"])
