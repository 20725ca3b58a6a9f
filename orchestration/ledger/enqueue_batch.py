"""What is to be written for a batch of enumerated items; does not access the database.

Comes in: items of a source with what the ledger knows of their documents. Leaves: job items, documents rows
to queue, dead letters, and what other items and revisions supersede.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import RowMapping

from orchestration.contracts import Branch, Failure, Submission, is_newer, is_older, newest
from orchestration.errors import DuplicateDocumentError
from orchestration.ledger.rows import correlation_id, dead_letter_row, key_of, storable
from orchestration.ledger.skipping import is_unchanged, work_due
from orchestration.ledger.transitions import Status, check_move
from orchestration.records import DocumentKey, Fingerprints, Locator, SourceItem, StageContext

__all__ = [
    "DELETED",
    "SUPERSEDED",
    "UNFINISHED",
    "Batch",
    "EnumeratedItem",
    "FingerprintsOf",
    "First",
    "restored",
]

ENUMERATION: Final = "enumerate"
"""Stage of failures found before a run: unreadable records, repeats with other content."""

SUPERSEDED: Final = "superseded"
DELETED: Final = "deleted"
"""Reasons of skipped items."""

UNFINISHED: Final = frozenset({Status.QUEUED, Status.RUNNING, Status.WAITING})

FingerprintsOf = Callable[[SourceItem], Fingerprints]


@dataclass(frozen=True, slots=True)
class EnumeratedItem:
    """One item with the plugin that can fetch it."""

    key: DocumentKey
    item: SourceItem
    source_plugin: str
    again: bool = False
    """Process it even if it is unchanged since its commit: a replay."""


@dataclass(frozen=True, slots=True)
class First:
    """The item of an id that stands in a job so far, with which further ones are compared."""

    version: str | None
    locator: str
    revision: str | None = None
    deleted: bool = False


class Batch:
    """Decides item by item."""

    def __init__(
        self,
        submission: Submission,
        now: float,
        known: Mapping[DocumentKey, RowMapping],
        visible: Mapping[DocumentKey, RowMapping],
        first: dict[DocumentKey, First],
    ) -> None:
        self._submission = submission
        self._now = now
        self.known = known
        self.visible = visible
        self._first = first
        self._standing: dict[DocumentKey, dict[str, Any]] = {}
        """Items of this batch that stand for their document."""
        self.writes: dict[DocumentKey, dict[str, Any]] = {}
        self.items: list[dict[str, Any]] = []
        self.letters: list[tuple[list[tuple[str, int]], dict[str, Any]]] = []
        self.unchanged: dict[DocumentKey, RowMapping] = {}
        self.tried: dict[DocumentKey, None] = {}
        self.again: set[DocumentKey] = set()
        self.alone: dict[DocumentKey, Branch] = {}
        """Queued documents that are due for one branch."""
        self.superseded: list[DocumentKey] = []
        """Documents whose item of an earlier batch stands no longer."""
        self._plugins: dict[DocumentKey, str] = {}
        """Source plugins that listed unchanged documents."""
        self.revisions: dict[DocumentKey, str] = {}
        """Newer revisions with the committed content."""
        self.deletions: dict[DocumentKey, SourceItem] = {}
        """Announced deletions of known documents."""

    def add(self, ordinal: int, listed: EnumeratedItem, fingerprints: FingerprintsOf) -> None:
        key, item = listed.key, listed.item
        if item.error_code is not None:
            self._broken(ordinal, listed, item.error_code, item.error_message or "")
        elif item.deleted:
            self._deleted(ordinal, listed)
        elif key in self._first:
            self._repeat(ordinal, listed, self._first[key], fingerprints)
        else:
            self._take(ordinal, listed, fingerprints)

    def moved(self) -> list[dict[str, Any]]:
        """Changes of unchanged documents whose bytes are elsewhere than before: the place as listed last."""
        return [
            {"row_id": row["id"], "locator": self._first[key].locator, "source_plugin": self._plugins[key]}
            for key, row in self.unchanged.items()
            if row["locator"] != self._first[key].locator
        ]

    def _broken(self, ordinal: int, listed: EnumeratedItem, code: str, message: str) -> None:
        """Add a dead letter, and a failed row unless the document has a row with more information."""
        self._item(ordinal, "failed")
        self._letter(ordinal, listed, code, message)
        row = self.known.get(listed.key)
        says_nothing = row is None or row["status"] in (Status.FAILED, Status.DELETED)
        if listed.key not in self._first and says_nothing:
            self.writes[listed.key] = self._row(listed, Status.FAILED, None)

    def _repeat(
        self, ordinal: int, listed: EnumeratedItem, first: First, fingerprints: FingerprintsOf
    ) -> None:
        """Add another item of an id in one job: the newer revision stands, of the same content the first."""
        key, item = listed.key, listed.item
        if not first.deleted and _same(item, first):
            self._item(ordinal, "skipped")
            self._first[key] = replace(first, revision=newest(first.revision, item.revision))
            if key in self.writes:
                self.writes[key]["revision"] = self._first[key].revision
        elif item.revision is None or first.revision is None:
            self._item(ordinal, "failed")
            message = (
                f"{item.doc_id}: {item.locator.uri} holds another record of this id, not known to be the "
                "same as the first one, which was taken. Remove or correct one of the two, then run again."
            )
            self._letter(ordinal, listed, DuplicateDocumentError.code, message)
        elif is_older(item.revision, first.revision):
            self._item(ordinal, "skipped", reason=SUPERSEDED)
        else:
            self._supersede(key)
            self._take(ordinal, listed, fingerprints)

    def _supersede(self, key: DocumentKey) -> None:
        """Let the item that stands for a document in this job stand no longer."""
        standing = self._standing.pop(key, None)
        if standing is None:
            self.superseded.append(key)
        else:
            standing.update(document_id=None, outcome="skipped", reason=SUPERSEDED)
        for of_document in (
            self.writes,
            self.unchanged,
            self.tried,
            self.revisions,
            self.deletions,
            self.alone,
        ):
            of_document.pop(key, None)

    def _deleted(self, ordinal: int, listed: EnumeratedItem) -> None:
        """Add an announced deletion: it supersedes older items of the job, and marks a known document."""
        key, item = listed.key, listed.item
        first, visible = self._first.get(key), self.visible.get(key)
        committed = visible["revision"] if visible is not None else None
        if is_older(item.revision, first.revision if first else None) or is_older(item.revision, committed):
            self._item(ordinal, "skipped", reason=SUPERSEDED)
            return
        if first is not None and not first.deleted:
            self._supersede(key)
        is_known = key in self.known and not (first is not None and first.deleted)
        self._item(ordinal, "skipped", key if is_known else None, reason=DELETED)
        self._first[key] = First(None, item.locator.model_dump_json(), item.revision, deleted=True)
        if key in self.known:
            self.deletions[key] = item

    def _take(self, ordinal: int, listed: EnumeratedItem, fingerprints: FingerprintsOf) -> None:
        """Let an item stand for its document, unless what is committed is the same or newer."""
        key, item = listed.key, listed.item
        self._first[key] = First(item.version, item.locator.model_dump_json(), item.revision)
        row = self.known.get(key)
        if row is not None and row["status"] in UNFINISHED and is_older(item.revision, row["revision"]):
            listed = _as_queued(listed, row)  # the newer one that waits is worked on in its place
            item = listed.item
        now = fingerprints(item)
        if row is not None and not listed.again and self._is_unchanged(item, now, row):
            self._item(ordinal, "skipped", key, item.version)
            self.unchanged[key] = row
            self._plugins[key] = listed.source_plugin
            self._note_revision(key, item)
            return
        newer = self._newer_than(item, row)
        if newer is not None:
            self._item(ordinal, "skipped", key if row is not None else None, item.version, reason=newer)
            return
        attached = self._attached_outcome(item, now, row) if row is not None else None
        self._item(ordinal, attached or "pending", key, item.version)
        branches = self._due_branches(item, now, row)
        if listed.again and (item.version is None or not branches):
            self.again.add(key)
        if attached is None:
            self.writes[key] = self._row(listed, Status.QUEUED, now)
            self.tried[key] = None
            if len(branches) == 1:
                (self.alone[key],) = branches

    def _newer_than(self, item: SourceItem, row: RowMapping | None) -> str | None:
        """Why the item is outdated by what the ledger knows: a newer commit, or a newer deletion."""
        visible = self.visible.get(
            DocumentKey(tenant_id=self._submission.tenant_id, source=item.source, doc_id=item.doc_id)
        )
        if visible is not None and is_older(item.revision, visible["revision"]):
            return SUPERSEDED
        announced = row is not None and row["status"] == Status.DELETED and row["deleted_at_source"]
        if row is not None and announced and is_older(item.revision, row["revision"]):
            return DELETED
        return None

    def _note_revision(self, key: DocumentKey, item: SourceItem) -> None:
        if item.revision and is_newer(item.revision, self.visible[key]["revision"]):
            self.revisions[key] = item.revision

    def _is_unchanged(self, item: SourceItem, now: Fingerprints, row: RowMapping) -> bool:
        visible = self.visible.get(key_of(row))
        return is_unchanged(item.version, now, self._submission.pipeline_name, row, visible)

    def _due_branches(self, item: SourceItem, now: Fingerprints, row: RowMapping | None) -> frozenset[Branch]:
        """The branches that a run would find to be due by itself."""
        if row is None:
            return frozenset(Branch)
        visible = self.visible.get(key_of(row))
        return work_due(item.version, now, self._submission.pipeline_name, row, visible).branches

    def _attached_outcome(self, item: SourceItem, now: Fingerprints, row: RowMapping) -> str | None:
        """Return `pending` or `waiting` when another job works on the same content, whose outcome counts here
        too; None when the document is to be queued for this job."""
        same_version = item.version is None or row["version"] in (None, item.version)
        if not same_version or (row["fingerprint"], row["graph_fingerprint"]) != (now.index, now.graph):
            return None
        if row["status"] == Status.WAITING:
            return "waiting"
        reserved = row["status"] == Status.QUEUED and row["lease_until"] > self._now
        return "pending" if reserved or row["status"] == Status.RUNNING else None

    def _item(
        self,
        ordinal: int,
        outcome: str,
        key: DocumentKey | None = None,
        version: str | None = None,
        reason: str | None = None,
    ) -> None:
        item = {
            "job_id": self._submission.job_id,
            "ordinal": ordinal,
            "document_id": key,  # its row may not exist yet
            "version": version,
            "outcome": outcome,
            "reason": reason,
            "handed_back": 0,
            "chunks": 0,
        }
        self.items.append(item)
        if key is not None:
            self._standing[key] = item

    def _letter(self, ordinal: int, listed: EnumeratedItem, code: str, message: str) -> None:
        submission = self._submission
        ctx = StageContext(
            tenant_id=submission.tenant_id,
            job_id=submission.job_id,
            doc_id=listed.key.doc_id,
            correlation_id=correlation_id(submission.job_id, listed.key),
            metadata={"source": listed.key.source},
            pipeline_name=submission.pipeline_name,
            pipeline_version=submission.pipeline_version,
        )
        failure = Failure(ctx=ctx, stage=ENUMERATION, code=code, message=message, attempts=1)
        locator = listed.item.locator.model_dump_json()
        letter = dead_letter_row(failure, listed.source_plugin, locator, self._now)
        self.letters.append(([(submission.job_id, ordinal)], letter))

    def _row(self, listed: EnumeratedItem, status: Status, now: Fingerprints | None) -> dict[str, Any]:
        """The documents row of an item that is queued or broken."""
        key, item = listed.key, listed.item
        before = self.known.get(key)
        if before is not None:
            check_move(key.doc_id, before["status"], status)
        return {
            **key.model_dump(),
            "pipeline_name": self._submission.pipeline_name,
            "pipeline_version": self._submission.pipeline_version,
            "status": status,
            "current_stage": ENUMERATION if status is Status.FAILED else None,
            "retry_count_per_stage": "{}",
            "missing_stages": "[]" if before is None else before["missing_stages"],
            "version": item.version,
            "revision": item.revision,
            "deleted_at_source": None,
            "fingerprint": now.index if now else None,
            "graph_fingerprint": now.graph if now else None,
            "source_plugin": listed.source_plugin,
            "locator": item.locator.model_dump_json(),
            "pdf_downloaded": False,
            "pdf_ir_ready": False,
            "gate": None,
            "gate_since": None,
            "gate_passed_at": None,
            "gate_payload": None,
            "window_id": None,
            "lease_owner": None,
            "lease_until": 0.0,
            "error_code": item.error_code,
            "error_message": storable(item.error_message) if item.error_message else None,
            "job_id": self._submission.job_id,
            "correlation_id": correlation_id(self._submission.job_id, key),
            "created_at": self._now,
            "updated_at": self._now,
        }


def _same(item: SourceItem, first: First) -> bool:
    """Whether the content is the same; where it is not known, whether the place is."""
    if item.version is None or first.version is None:
        return item.locator.model_dump_json() == first.locator
    return item.version == first.version


def _as_queued(listed: EnumeratedItem, row: RowMapping) -> EnumeratedItem:
    """The item with the content of a document's row."""
    content = {
        "version": row["version"],
        "revision": row["revision"],
        "locator": Locator.model_validate_json(row["locator"]),
    }
    return replace(listed, item=listed.item.model_copy(update=content), source_plugin=row["source_plugin"])


def restored(row: RowMapping, visible: RowMapping | None) -> dict[str, Any]:
    """Columns of a document whose content is the committed one again."""
    return {
        "window_id": None,
        "version": row["committed_version"],
        "fingerprint": row["committed_fingerprint"],
        "graph_fingerprint": (visible if visible is not None else row)["graph_fingerprint"],
        "revision": visible["revision"] if visible is not None else row["revision"],
        "error_code": None,
        "error_message": None,
    }
