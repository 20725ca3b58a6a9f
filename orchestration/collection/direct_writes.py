"""Documents that a program hands over, chunked and embedded: committed by this process, in own windows.

Comes in: documents with their embedding batches. Leaves: what a run leaves, by the same way: a job whose
account adds up, ledger rows, intent, search rows, vectors, commit, and superseded entries cleaned. What dies
on the way has made nothing visible, and the next write cleans up after it. A document that a store refuses
fails alone: the others are written, then DocumentsRefusedError names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from orchestration.batching import batched
from orchestration.contracts import (
    Commit,
    DocumentStore,
    IndexWriter,
    JobState,
    Ledger,
    SourceRequest,
    Submission,
    WindowDocument,
)
from orchestration.errors import DocumentsRefusedError, LeaseLostError, MedkgError
from orchestration.records import (
    Document,
    DocumentKey,
    EmbeddingBatch,
    Fingerprints,
    IndexReceipt,
    Locator,
    SourceItem,
    StageContext,
)
from orchestration.stores.deletion import delete_documents
from orchestration.stores.entry_limits import MOST_NAMED, refusal_reason

__all__ = ["DirectWrites", "PassedDocument"]

WINDOW: Final = 500
"""Documents of one commit, so of one intent and one segment."""

REFUSED_NAMED: Final = 5
"""Refused documents that an error message names; `DocumentsRefusedError.reasons` has all."""

VERSION: Final = "1"
"""Of what this module makes of documents; stands where a topology's version stands."""


@dataclass(frozen=True, slots=True)
class PassedDocument:
    """One document, ready to be indexed."""

    document: Document
    batch: EmbeddingBatch
    fingerprint: str
    """Everything that shaped the batch: the same version and fingerprint is not written again."""

    @property
    def key(self) -> DocumentKey:
        document = self.document
        return DocumentKey(tenant_id=document.tenant_id, source=document.source, doc_id=document.doc_id)


class DirectWrites:
    """Writes and deletes documents of one tenant; the stores may be any pairing."""

    def __init__(
        self,
        tenant_id: str,
        pipeline_name: str,
        ledger: Ledger,
        documents: DocumentStore,
        index: IndexWriter,
        owner: str,
        is_alive: Callable[[str], bool],
    ) -> None:
        """`pipeline_name` identifies the writer in the ledger; `owner` is this process's identity."""
        self._tenant_id = tenant_id
        self._pipeline_name = pipeline_name
        self._ledger = ledger
        self._documents = documents
        self._index = index
        self._owner = owner
        self._is_alive = is_alive
        self._recovered = False

    def write(self, handed: Sequence[PassedDocument]) -> None:
        """Durable and visible when it returns; each window of 500 documents at once, or not at all.

        Raises DocumentsRefusedError when a store refuses some of the documents, which stay as they were, and
        LeaseLostError when another process has leased some; all others are written by then.
        """
        if not handed:
            return
        self._recover()
        by_key = {document.key: document for document in handed}
        job_id = self._open_job()
        refused: dict[DocumentKey, str] = {}
        windows_of_refused: list[str] = []
        try:
            self._enqueue(job_id, by_key)
            while window_id := self._ledger.windows.claim(job_id, WINDOW, self._owner):
                if reasons := self._write_window(window_id, by_key):
                    refused |= reasons
                    windows_of_refused.append(window_id)  # leased until the end, so not claimed again
        except BaseException:
            self._ledger.jobs.cancel(job_id)
            raise
        finally:
            for window_id in windows_of_refused:
                self._ledger.windows.release(window_id, "a store refuses the document")
        if refused:
            self._ledger.jobs.cancel(job_id)
            raise _error_of(refused, len(by_key))
        if self._ledger.jobs.settle(job_id) is not JobState.DONE:
            pending = self._ledger.jobs.summary(job_id).documents.pending
            raise LeaseLostError(
                f"{pending} of {len(by_key)} documents are in the hands of another writer just now. What it "
                "writes stands; write them again to have yours."
            )

    def delete(self, keys: Sequence[DocumentKey]) -> None:
        """Delete documents from ledger and stores. Idempotent."""
        delete_documents(self._ledger.documents, self._index, self._documents, keys)

    def _recover(self) -> None:
        """Reclaim the windows of dead writers; remove what they left, before the first write."""
        self._ledger.windows.reclaim(self._is_alive)
        if not self._recovered:
            self._index.recover(self._is_alive)
            self._recovered = True

    def _open_job(self) -> str:
        submission = Submission(
            job_id=str(uuid4()),
            tenant_id=self._tenant_id,
            pipeline_name=self._pipeline_name,
            pipeline_version=VERSION,
            topology_hash="",
            request=SourceRequest(plugin=self._pipeline_name),
            window_size=WINDOW,
            attended=True,  # no other process can launch its windows
            lister=self._owner,
        )
        self._ledger.jobs.open(submission)
        return submission.job_id

    def _enqueue(self, job_id: str, by_key: dict[DocumentKey, PassedDocument]) -> None:
        def fingerprints(item: SourceItem) -> Fingerprints:
            key = DocumentKey(tenant_id=self._tenant_id, source=item.source, doc_id=item.doc_id)
            return Fingerprints(parse="", index=by_key[key].fingerprint)

        items = [self._item(passed.document) for passed in by_key.values()]
        for batch in batched(items, WINDOW):
            self._ledger.jobs.enqueue(job_id, batch, fingerprints)
        self._ledger.jobs.set_state(job_id, JobState.OPEN)

    def _item(self, document: Document) -> SourceItem:
        uri = f"{self._pipeline_name}:{document.doc_id}"
        return SourceItem(
            doc_id=document.doc_id,
            source=document.source,
            locator=Locator(uri=uri, format=self._pipeline_name),
            version=document.version,
        )

    def _write_window(
        self, window_id: str, by_key: dict[DocumentKey, PassedDocument]
    ) -> dict[DocumentKey, str]:
        """Dual write and commit of a window, handed back if it fails; returns refusals with reasons."""
        try:
            leased = self._ledger.windows.lease(window_id, self._owner).documents
            superseded, refused = self._commit(
                window_id, [(document, by_key[document.ctx.key]) for document in leased]
            )
        except BaseException as error:
            self._ledger.windows.release(window_id, f"the write failed: {error}")
            raise
        self._index.clean(superseded)
        return refused

    def _commit(
        self, window_id: str, leased: Sequence[tuple[WindowDocument, PassedDocument]]
    ) -> tuple[list[Commit], dict[DocumentKey, str]]:
        """Stage and commit what no store refuses; returns superseded commits, and refusals with reasons."""
        items = [(window_document.ctx, handed.batch) for window_document, handed in leased]
        accepted: list[tuple[StageContext, Document, IndexReceipt]] = []
        refused: dict[DocumentKey, str] = {}
        outcomes = self._index.stage(self._tenant_id, self._owner, items)
        for (window_document, handed), outcome in zip(leased, outcomes, strict=True):
            if isinstance(outcome, MedkgError):
                refused[handed.key] = refusal_reason(handed.key, outcome)
            else:
                accepted.append((window_document.ctx, handed.document, outcome))
        if not accepted:
            return [], refused
        self._documents.put([(ctx, document) for ctx, document, _ in accepted])
        commits = [Commit.of(ctx, receipt) for ctx, _, receipt in accepted]
        return self._ledger.outcomes.finish(window_id, self._owner, commits), refused


def _error_of(refused: Mapping[DocumentKey, str], total: int) -> DocumentsRefusedError:
    named = [f"{key.doc_id[:MOST_NAMED]}: {reason}" for key, reason in refused.items()]
    others = f"; and {len(named) - REFUSED_NAMED} more" if len(named) > REFUSED_NAMED else ""
    return DocumentsRefusedError(
        f"a store refuses {len(named)} of {total} documents, and the others are written. "
        f"{'; '.join(named[:REFUSED_NAMED])}{others}. Correct them and write them again.",
        refused,
    )
