"""What a command may ask of a data folder: jobs, documents, dead letters, search, verification, health.

Comes in: the parts that `assembly` puts together, as contracts. Leaves: records and plain JSON values. It
prints nothing, and needs neither the host nor dagster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.contracts import (
    Commit,
    DocumentStore,
    JobLedger,
    JobState,
    LedgerDocument,
    SearchStore,
    SourceRequest,
    Submission,
    VectorStore,
)
from orchestration.errors import IndexMissingError, MedkgError, StoreCorruptError, UsageError
from orchestration.records import Chunk, Document, DocumentKey
from orchestration.settings import Settings
from orchestration.submission import Submissions
from orchestration.topology.graph import TopologyGraph
from orchestration.topology.loader import PipelineLoader

__all__ = ["ControlPlane", "Stores"]

SHOWN_JOBS = 10


@dataclass(frozen=True, slots=True)
class Stores:
    """The index stores of a data folder."""

    search: SearchStore
    vectors: VectorStore
    documents: DocumentStore


class ControlPlane:
    """Operations on one data folder; each is a few ledger and store calls."""

    def __init__(
        self,
        settings: Settings,
        ledger: JobLedger,
        submissions: Submissions,
        topologies: PipelineLoader,
        stores: Stores,
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.submissions = submissions
        self.topologies = topologies
        self._stores = stores

    # --- jobs ---------------------------------------------------------------------------------------

    def open_job(
        self, topology: TopologyGraph, request: SourceRequest, window_size: int | None, *, attended: bool
    ) -> Submission:
        """A new job of the settings' tenant; no documents in it yet."""
        return self.submissions.open(
            topology,
            request,
            tenant_id=self.settings.tenant,
            window_size=window_size or self.settings.window_size,
            attended=attended,
        )

    def replay(self, ids: Sequence[int] | None) -> list[Submission]:
        """A job for each topology that the dead letters (all, without ids) failed in, documents queued.

        Raises UsageError for a number that is no dead letter, or was replayed already.
        """
        letters = {letter.id: letter for letter in self.ledger.dead_letters(self.settings.tenant)}
        unknown = sorted(set(ids or ()) - letters.keys())
        if unknown:
            raise UsageError(
                f"no dead letter {', '.join(map(str, unknown))} waits for replay; see `medkg dlq list`."
            )
        by_topology: dict[str, list[int]] = defaultdict(list)
        for number in ids or letters:
            by_topology[letters[number].failure.ctx.pipeline_name].append(number)
        return [
            self.submissions.replay(
                numbers,
                self.topologies.load(topology_name),
                tenant_id=self.settings.tenant,
                window_size=self.settings.window_size,
            )
            for topology_name, numbers in by_topology.items()
        ]

    def status(self) -> dict[str, Any]:
        """Documents by status and the newest jobs."""
        jobs = self.ledger.jobs(self.settings.tenant, None, limit=SHOWN_JOBS)
        return {
            "data_dir": str(self.settings.data_dir),
            "profile": self.settings.profile,
            "tenant": self.settings.tenant,
            "documents": self.ledger.status_counts(self.settings.tenant),
            "jobs": [
                {
                    "job_id": job.submission.job_id,
                    "pipeline": f"{job.submission.pipeline_name}@{job.submission.pipeline_version}",
                    "state": str(job.state),
                    "in": job.documents.total,
                    **job.documents.model_dump(exclude={"total"}),
                }
                for job in jobs
            ],
        }

    # --- documents ----------------------------------------------------------------------------------

    def titles(self, rows: Sequence[LedgerDocument]) -> list[str | None]:
        """Titles of ledger rows, as far as the document store has them."""
        known = [(row.key, row.version) for row in rows if row.version is not None]
        found = dict(zip(known, self._stores.documents.titles(known), strict=True))
        return [found.get((row.key, row.version)) if row.version else None for row in rows]

    def show(self, doc_id: str, source: str | None) -> tuple[LedgerDocument, Document, list[Chunk]]:
        """A committed document and its visible chunks; raises UsageError if there is none."""
        row, commit = self._committed(doc_id, source)
        document = self._stores.documents.get(commit.key, commit.version, commit.fingerprint)
        if document is None:
            raise StoreCorruptError(
                f"the document store lost {doc_id}. `medkg verify --repair` queues it again; then run its source."
            )
        return row, document, self._stores.search.document_chunks(commit.key, commit.intent_id)

    def delete(self, doc_id: str, source: str | None) -> list[DocumentKey]:
        """Remove a document everywhere; raises UsageError if there is none."""
        keys = sorted({row.key for row in self._rows(doc_id, source)}, key=lambda key: key.source)
        for key in keys:
            withdrawn = self.ledger.find(key)
            self.ledger.delete_document(key)
            self._stores.documents.discard(key, None)
            if withdrawn is not None:
                self._stores.search.discard(key.tenant_id, withdrawn.intent_id, [key])
        return keys

    def _committed(self, doc_id: str, source: str | None) -> tuple[LedgerDocument, Commit]:
        rows = self._rows(doc_id, source)
        sources = sorted({row.key.source for row in rows})
        if len(sources) > 1:
            raise UsageError(f"{doc_id} exists in {', '.join(sources)}; say which with --source.")
        commit = self.ledger.find(rows[0].key)
        if commit is None:
            row = rows[0]
            because = f": {row.error_code} {row.error_message}" if row.status == "failed" else ""
            raise UsageError(f"{doc_id} is {row.status}, so there is nothing to show{because}")
        return next((row for row in rows if row.pipeline_name == commit.pipeline), rows[0]), commit

    def _rows(self, doc_id: str, source: str | None) -> list[LedgerDocument]:
        rows = self.ledger.find_documents(self.settings.tenant, doc_id=doc_id, source=source)
        rows = [row for row in rows if row.status != "deleted"]
        if not rows:
            where = f" of source {source}" if source else ""
            raise UsageError(f"there is no document {doc_id}{where}; `medkg docs list` shows what there is.")
        return rows
