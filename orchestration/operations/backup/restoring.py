"""A restore: a backup into an empty data folder and an empty ledger, whatever stores these have.

Stores are filled first, under the intents of the backup; the ledger, which makes all of it visible, goes in
as one transaction in the end. Until then a mark in the data folder says that it is incomplete, and a restore
that is repeated begins again. A document that a store refuses is left out and named; it is not visible in the
restored folder, and is queued for the next run of its source.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from orchestration.contracts import Commit, SparseVectors, VectorRow, chunk_facets
from orchestration.disk_space import unwritable_named
from orchestration.errors import CopyUnusableError, DocumentsRefusedError, UsageError
from orchestration.ledger.database import HEAD
from orchestration.operations.backup.backing_up import committed_in, ledger_tables
from orchestration.operations.backup.columns import Copied
from orchestration.operations.backup.exporting import Observe
from orchestration.operations.backup.folder import MANIFEST, Manifest, read_copy
from orchestration.operations.backup.importing import context_of_copy
from orchestration.operations.backup.refusals import RefusedDocument
from orchestration.operations.backup.restore_marker import MARK
from orchestration.operations.backup.table_reader import read_documents
from orchestration.operations.backup.vocabularies import restore_vocabularies
from orchestration.operations.parts import Parts
from orchestration.records import Chunk, DocumentKey, SparseMatrix

__all__ = ["Restored", "restore"]


@dataclass(frozen=True, slots=True)
class Restored:
    """Result of a restore."""

    manifest: Manifest
    refused: Sequence[RefusedDocument]
    """Documents that a store refuses: not visible, and queued."""


def restore(parts: Parts, folder: Path, observe: Observe) -> Restored:
    """Fill the settings' data folder and ledger from a backup. Safe to interrupt and repeat.

    Raises CopyUnusableError for a backup that cannot be used, UsageError where something is there already;
    nothing is changed then.
    """
    manifest = read_copy(folder, "medkg-backup")
    if manifest.ledger_schema > HEAD:
        raise CopyUnusableError(
            f"{folder} was taken from a ledger of schema {manifest.ledger_schema}, this medkg knows {HEAD}. "
            f"Install medkg {manifest.medkg}."
        )
    mark = _Mark(parts.settings.data_dir, folder)
    started_before = mark.set()
    commits = committed_in(folder)
    if not started_before:
        _check_empty(parts, commits, mark)
        mark.own()
    restore_vocabularies(folder, manifest, parts.vocabularies)
    total, done = sum(map(len, commits.values())), 0
    refused: dict[DocumentKey, str] = {}
    for tenant_id, visible in commits.items():
        for written in _restored(parts, folder / "tenants" / tenant_id, manifest, visible, refused):
            done += written
            observe(done, total)
    parts.ledger.copies.import_tables(ledger_tables(folder))
    if refused:
        parts.index.clean(parts.ledger.documents.requeue(list(refused)))
    mark.remove()
    return Restored(manifest, [RefusedDocument.of(key, reason) for key, reason in refused.items()])


class _Mark:
    """The file that says a data folder is incomplete, and of which backup."""

    def __init__(self, data_dir: Path, backup: Path) -> None:
        self._data_dir = data_dir
        self._path = data_dir / MARK
        self._backup = str(backup.absolute())
        self._digest = hashlib.sha256((backup / MANIFEST).read_bytes()).hexdigest()

    def set(self) -> bool:
        """Begin, in an empty folder or again; whether a previous try had found ledger and stores empty.

        Raises UsageError for a folder that holds anything else, or that another backup was started with.
        """
        owned = False
        if self._path.exists():
            written = json.loads(self._path.read_text(encoding="utf-8"))
            if written["manifest"] != self._digest:
                raise UsageError(
                    f"{self._data_dir} is a restore of another backup, {written['backup']}. Restore that "
                    "one, or choose another --data-dir."
                )
            owned = written["owned"]
            _clear(self._data_dir)
        elif self._data_dir.exists() and any(self._data_dir.iterdir()):
            raise UsageError(
                f"{self._data_dir} is not empty, and a restore replaces nothing. Choose a --data-dir that "
                "does not exist yet."
            )
        self._write(owned)
        return owned

    def own(self) -> None:
        """Note that ledger and stores were empty: what they hold from now on is of this restore."""
        self._write(True)

    def remove(self) -> None:
        self._path.unlink()

    def _write(self, owned: bool) -> None:
        with unwritable_named(self._path):
            self._data_dir.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_suffix(f".{os.getpid()}")
            value = {"backup": self._backup, "manifest": self._digest, "owned": owned}
            partial.write_text(json.dumps(value), encoding="utf-8")
            partial.replace(self._path)


def _clear(data_dir: Path) -> None:
    """Remove all but the mark."""
    for path in data_dir.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != MARK:
            path.unlink()


def _check_empty(parts: Parts, tenants: Iterable[str], mark: _Mark) -> None:
    """Raise UsageError if a ledger or store outside of the folder holds anything already."""
    problem = None
    if not parts.ledger.copies.is_empty():
        problem = "the ledger (MEDKG_LEDGER_URL) is not empty; name an empty database or schema"
    for tenant_id in tenants:
        for store in (parts.stores.search, parts.stores.vectors):
            if problem is None and next(iter(store.holdings(tenant_id)), None) is not None:
                problem = (
                    f"the index holds something of tenant {tenant_id} already; choose another "
                    "MEDKG_OPENSEARCH_PREFIX or MEDKG_OBJECTS_URL"
                )
    if problem is not None:
        mark.remove()
        raise UsageError(f"{problem}. A restore replaces nothing, and nothing was restored.")


# --- stores -----------------------------------------------------------------------------------------


def _restored(
    parts: Parts,
    folder: Path,
    manifest: Manifest,
    visible: Sequence[Commit],
    refused: dict[DocumentKey, str],
) -> Iterator[int]:
    """Write what is visible of a tenant, intent by intent; yields the document count of each. The newest part
    counts. Adds to `refused` what a store refuses, with its reason.
    """
    tenant_id = folder.name
    left = set(visible)
    intents: set[str] = set()
    copied = manifest.tenants.get(tenant_id)
    for part in range(copied.parts if copied else 0, 0, -1):
        of_part: set[str] = set()
        documents = read_documents(folder, part, tenant_id)
        for intent_id, group in groupby(documents, lambda document: document.commit.intent_id):
            wanted = [each for each in group if each.commit in left]
            if wanted and intent_id not in intents:
                refused |= _write(parts, tenant_id, intent_id, wanted)
                left -= {document.commit for document in wanted}
                yield len(wanted)
            of_part.add(intent_id)
        intents |= of_part
    if left:
        key = min((commit.key for commit in left), key=lambda each: (each.source, each.doc_id))
        raise CopyUnusableError(
            f"{folder} lacks {len(left)} documents that its ledger says are visible, {key.doc_id} first. "
            "Make a new backup."
        )


def _write(
    parts: Parts, tenant_id: str, intent_id: str, documents: Sequence[Copied]
) -> dict[DocumentKey, str]:
    """Write all of an intent into every store, as it was; returns the refused documents with their reasons.

    What a store refuses leaves the intent: the others are written again without it, in both stores.
    """
    refused: dict[DocumentKey, str] = {}
    accepted = list(documents)
    while True:
        try:
            _write_entries(parts, tenant_id, intent_id, accepted)
            break
        except DocumentsRefusedError as error:
            if error.reasons.keys().isdisjoint(document.commit.key for document in accepted):
                raise
            refused |= error.reasons
            accepted = [document for document in documents if document.commit.key not in refused]
    if refused:  # a write that was refused may have written some of their entries
        parts.stores.search.discard(tenant_id, intent_id, list(refused))
        parts.stores.vectors.discard(tenant_id, intent_id, list(refused))
    parts.stores.documents.put(
        [(context_of_copy(document, intent_id), document.document) for document in accepted]
    )
    return refused


def _write_entries(parts: Parts, tenant_id: str, intent_id: str, documents: Sequence[Copied]) -> None:
    """Write an intent's chunks and vectors, in place of what it wrote before."""
    full = [document for document in documents if document.batch.chunks]
    chunks: list[tuple[DocumentKey, Chunk]] = [
        (document.commit.key, chunk) for document in full for chunk in document.batch.chunks
    ]
    if not chunks:
        return
    parts.stores.search.write(tenant_id, intent_id, chunks, _sparse(full))
    for model in sorted({document.batch.model_ids["dense"] for document in full}):
        mine = [document for document in full if document.batch.model_ids["dense"] == model]
        rows = [
            VectorRow(document.commit.key, chunk.chunk_id, chunk_facets(document.commit.key, chunk))
            for document in mine
            for chunk in document.batch.chunks
        ]
        dense = np.concatenate([document.batch.dense for document in mine])
        parts.stores.vectors.write(tenant_id, model, intent_id, rows, dense)


def _sparse(documents: Sequence[Copied]) -> SparseVectors | None:
    """The terms of an intent's chunks, which are of one model or none."""
    parts = [document.batch.sparse for document in documents if document.batch.sparse is not None]
    if not parts:
        return None
    models = {document.batch.model_ids.get("sparse", "") for document in documents}
    if len(models) != 1:
        raise CopyUnusableError(f"one write of the backup has terms of several models: {sorted(models)}.")
    rows = [part.row(number) for part in parts for number in range(len(part))]
    return SparseVectors(models.pop(), SparseMatrix.of_rows(rows, max(part.vocabulary for part in parts)))
