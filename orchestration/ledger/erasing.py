"""Erasure: no row of the ledger names a document any more, and no byte of it stays on disk.

Comes in: documents that no store has any more. Leaves: a ledger whose sums are unchanged, since the items
of jobs keep their outcome and lose only their document.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, or_, select, update

from orchestration.contracts import EVERYTHING
from orchestration.ledger.commits import withdraw_commits
from orchestration.ledger.graph.counting import OF_DOCUMENT, discard_rows
from orchestration.ledger.graph.tables import graph_concepts, graph_documents, graph_names
from orchestration.ledger.outbox.erasing import forget_in_outbox, without_paths
from orchestration.ledger.outbox.tables import outbox, outbox_rosters
from orchestration.ledger.places import forget_documents
from orchestration.ledger.rows import batches, has_key, note_changes
from orchestration.ledger.tables import (
    commit_changes,
    dead_letters,
    documents,
    intent_documents,
    intents,
    item_dead_letters,
    job_items,
    jobs,
    pdf_tasks,
    places,
)
from orchestration.records import DocumentKey

__all__ = ["ERASED_FROM", "erase_documents"]

ERASED_FROM: Final = (
    commit_changes,
    dead_letters,
    documents,
    graph_concepts,
    graph_documents,
    graph_names,
    *OF_DOCUMENT,
    intent_documents,
    item_dead_letters,
    job_items,
    jobs,
    outbox,
    outbox_rosters,
    pdf_tasks,
    places,
)
"""Tables whose files may hold rows that erasure removed or changed."""


def erase_documents(connection: Connection, keys: Sequence[DocumentKey], now: float) -> None:
    """Remove every row about these documents; caches of the commit log have to read everything again."""
    for batch in batches(keys):
        withdraw_commits(connection, batch)
        connection.execute(delete(commit_changes).where(has_key(commit_changes, batch)))
        forget_documents(connection, batch)
        _forget_intents(connection, batch)
        discard_rows(connection, has_key(graph_documents, batch))
        _forget_dead_letters(connection, batch)
        paths = _forget_rows(connection, batch)
        forget_in_outbox(connection, batch, paths, now)
    for tenant_id in sorted({key.tenant_id for key in keys}):
        every = DocumentKey(tenant_id=tenant_id, source=EVERYTHING, doc_id=EVERYTHING)
        note_changes(connection, {every: None})


def _forget_intents(connection: Connection, keys: Sequence[DocumentKey]) -> None:
    for key in keys:
        mine = select(intents.c.intent_id).where(intents.c.tenant_id == key.tenant_id)
        connection.execute(
            delete(intent_documents).where(
                intent_documents.c.source == key.source,
                intent_documents.c.doc_id == key.doc_id,
                intent_documents.c.intent_id.in_(mine),
            )
        )


def _forget_dead_letters(connection: Connection, keys: Sequence[DocumentKey]) -> None:
    letters = select(dead_letters.c.id).where(has_key(dead_letters, keys))
    connection.execute(delete(item_dead_letters).where(item_dead_letters.c.dead_letter_id.in_(letters)))
    connection.execute(delete(dead_letters).where(has_key(dead_letters, keys)))


def _forget_rows(connection: Connection, keys: Sequence[DocumentKey]) -> set[str]:
    """Remove rows of documents, and their paths from requests; those paths."""
    rows = select(documents.c.id, documents.c.locator).where(has_key(documents, keys))
    matches = connection.execute(rows).all()
    every_path = {path for row in matches if (path := _path(row.locator))}
    for batch in batches([row.id for row in matches]):
        mine = job_items.c.document_id.in_(batch)
        named = connection.execute(select(job_items.c.job_id).where(mine).distinct()).scalars().all()
        connection.execute(update(job_items).where(mine).values(document_id=None, version=None))
        connection.execute(delete(pdf_tasks).where(pdf_tasks.c.document_id.in_(batch)))
        connection.execute(delete(documents).where(documents.c.id.in_(batch)))
        paths = {_path(row.locator) for row in matches}
        _forget_paths(connection, [*named, *_folded(connection, keys, paths)], paths)
    return every_path


def _folded(connection: Connection, keys: Sequence[DocumentKey], paths: set[str]) -> list[str]:
    """Jobs whose items became sums and whose requests name one of these paths."""
    tenants = {key.tenant_id for key in keys}
    query = select(jobs.c.job_id).where(jobs.c.tenant_id.in_(tenants), jobs.c.folded.is_not(None))
    named = [
        jobs.c.submission.contains(json.dumps(path, ensure_ascii=False)[1:-1], autoescape=True)
        for path in paths
        if path
    ]
    return list(connection.execute(query.where(or_(*named))).scalars()) if named else []


def _forget_paths(connection: Connection, job_ids: Sequence[str], paths: set[str]) -> None:
    """Remove the paths of the documents from the requests of jobs."""
    for job_id in job_ids:
        submitted = connection.execute(select(jobs.c.submission).where(jobs.c.job_id == job_id)).scalar_one()
        submission = json.loads(submitted)
        previous_paths = submission["request"]["paths"]
        submission["request"]["paths"] = without_paths(previous_paths, paths)
        if submission["request"]["paths"] != previous_paths:
            values = {"submission": json.dumps(submission)}
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(values))


def _path(locator: str) -> str:
    """Return the file of a document that is a whole file, else ""."""
    place = json.loads(locator)
    return str(place["uri"]) if place.get("start") is None else ""
