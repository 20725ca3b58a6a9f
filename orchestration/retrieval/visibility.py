"""Visible documents: the commit table, cached and kept current by its change log.

Comes in: a commit log. Leaves: whether a reader may see a chunk. Each search costs one small query, whatever
the number of documents.
"""

from __future__ import annotations

import threading
from collections.abc import Container

from orchestration.contracts import EVERYTHING, ChunkRef, CommitLog, Visible
from orchestration.records import DocumentKey

__all__ = ["Documents", "VisibleDocuments", "narrowed_to"]

Documents = Container[DocumentKey]
"""Documents that hits may be of."""


class VisibleDocuments:
    """One tenant's visible intents by document; thread-safe."""

    def __init__(self, log: CommitLog, tenant_id: str) -> None:
        self._log = log
        self._tenant_id = tenant_id
        self._lock = threading.Lock()
        self._sequence = 0
        self._intent_of: dict[DocumentKey, str] = {}

    def refresh(self) -> int:
        """Apply the changes since the last call; returns the number of visible documents."""
        with self._lock:
            self._sequence, changes = self._log.changes(self._tenant_id, self._sequence)
            if any(key.doc_id == EVERYTHING for key, _ in changes):
                self._intent_of.clear()
                self._sequence, changes = self._log.changes(self._tenant_id, 0)
            for key, intent_id in changes:
                if intent_id is None:
                    self._intent_of.pop(key, None)
                else:
                    self._intent_of[key] = intent_id
            return len(self._intent_of)

    def __call__(self, ref: ChunkRef) -> bool:
        return self._intent_of.get(ref.key) == ref.intent_id


def narrowed_to(visible: Visible, documents: Documents | None) -> Visible:
    """What is visible of these documents; None: of all."""
    if documents is None:
        return visible
    return lambda ref: ref.key in documents and visible(ref)
