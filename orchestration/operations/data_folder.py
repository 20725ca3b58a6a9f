"""What a command may ask of a data folder: jobs, documents, dead letters, search, verification, health.

Comes in: the parts that `assembly` puts together, as contracts. Leaves: records and plain JSON values. It
prints nothing, and needs neither the host nor dagster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestration.contracts import (
    Commit,
    DocumentCounts,
    Filters,
    JobLedger,
    LedgerDocument,
    SourceRequest,
    Submission,
)
from orchestration.errors import StoreCorruptError, UsageError
from orchestration.gates.gates import Gates
from orchestration.gates.sweeps import GateLooks
from orchestration.jobs.submission import Submissions
from orchestration.jobs.syncing import shown_sync
from orchestration.operations.parts import Parts, Stores
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.records import Chunk, Document, DocumentKey
from orchestration.topology.graph import TopologyGraph
from orchestration.topology.loader import PipelineLoader

if TYPE_CHECKING:
    from orchestration.collection.chunk_collection import ChunkCollection
    from orchestration.jobs.reading import Unread
    from orchestration.operations.backup.copies import Copies
    from orchestration.operations.reembedding import Reembedded
    from orchestration.retrieval.search import Found, HybridSearch

__all__ = ["DataFolder"]

SHOWN_JOBS: Final = 10
MODEL_LEGS: Final = ("sparse", "dense")


class DataFolder:
    """Operations on one data folder; each is a few ledger and store calls."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.settings = parts.settings

    @property
    def ledger(self) -> JobLedger:
        return self._parts.ledger

    @property
    def submissions(self) -> Submissions:
        return self._parts.submissions

    @property
    def gate_looks(self) -> GateLooks:
        return self._parts.gate_looks

    @property
    def gates(self) -> Gates:
        return self._parts.gates

    @property
    def topologies(self) -> PipelineLoader:
        return self._parts.topologies

    @property
    def _stores(self) -> Stores:
        return self._parts.stores

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

    def submit_to_dagster(
        self,
        topology: str,
        request: SourceRequest,
        window_size: int | None = None,
        observe: Callable[[DocumentCounts], None] = lambda counts: None,
    ) -> Submission:
        """Queue documents for the daemon's submission sensor; returns when the source is listed.

        `observe` hears what became of each batch that is listed, which is durable by then. Raises
        DagsterPipelineConfigError for a topology, UsageError for a source that is not there.
        """
        graph = self.topologies.load(topology)
        submission = self.open_job(graph, request, window_size, attended=False)
        for counts in self.submissions.enqueue(submission, graph):
            observe(counts)
        return submission

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
        """Documents by status and the newest jobs; settles those that killed commands left open."""
        self.submissions.end_abandoned(is_alive)
        jobs = self.ledger.jobs(self.settings.tenant, None, limit=SHOWN_JOBS)
        return {
            "data_dir": str(self.settings.data_dir),
            "profile": self.settings.profile,
            "tenant": self.settings.tenant,
            "documents": self.ledger.status_counts(self.settings.tenant),
            "vectors": self.ledger.namespaces(self.settings.tenant),
            "syncs": [shown_sync(*one) for one in self.ledger.syncs(self.settings.tenant)[:SHOWN_JOBS]],
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

    def read(self, request: SourceRequest) -> Iterator[Document | Unread]:
        """The documents of a source, parsed, once each; nothing is written anywhere."""
        with self._parts.reader() as reader:
            yield from reader.read(request)

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
                f"the document store lost {doc_id}. `medkg verify --repair` queues it again; then run "
                "its source."
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
                self._stores.vectors.discard(key.tenant_id, withdrawn.intent_id, [key])
        return keys

    def erase(self, doc_id: str, source: str | None, say: Callable[[str], None]) -> list[DocumentKey]:
        """Remove a document with every trace, also one that is deleted; raises what `erase` raises."""
        from orchestration.operations.erasure import erase

        rows = self._rows(doc_id, source, deleted=True)
        return erase(self._parts, rows, say)

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

    def _rows(self, doc_id: str, source: str | None, *, deleted: bool = False) -> list[LedgerDocument]:
        """The document's rows, with `deleted` those of a deleted one too; raises UsageError without any."""
        tenant = self.settings.tenant
        rows = self.ledger.find_documents(tenant, doc_id=doc_id, source=source)
        if deleted:
            rows += self.ledger.find_documents(tenant, doc_id=doc_id, source=source, status="deleted")
        if not rows:
            where = f" of source {source}" if source else ""
            raise UsageError(f"there is no document {doc_id}{where}; `medkg docs list` shows what there is.")
        return rows

    def chunk_collection(self, pipeline_name: str, say: Callable[[str], None]) -> ChunkCollection:
        """The tenant's chunks one by one, for a program that writes its own; models are loaded if it does.

        `pipeline_name` is how the ledger names what is written.
        """
        from orchestration.collection.chunk_collection import ChunkCollection
        from orchestration.collection.chunk_vectors import ChunkVectors
        from orchestration.collection.direct_writes import DirectWrites

        tenant_id, stores = self.settings.tenant, self._stores
        owner, index = own_identity(), self._parts.index
        writes = DirectWrites(tenant_id, pipeline_name, self.ledger, stores.documents, index, owner, is_alive)
        models = cache(lambda: self._parts.models(MODEL_LEGS, say))
        vectors = ChunkVectors(models, self._parts.sparse_off())
        return ChunkCollection(tenant_id, self.ledger, stores.search, stores.documents, writes, vectors)

    # --- search and verification --------------------------------------------------------------------

    def search(
        self,
        query: str,
        top: int,
        filters: Filters,
        legs: Sequence[str] | None,
        say: Callable[[str], None],
        *,
        fusion: str | None = None,
        group: bool = False,
        rerank: bool = False,
    ) -> Found:
        """The best chunks for a question, or with `group` documents; models are loaded only if a leg asks.

        Raises UsageError for a fusion that is not there or for reranking without a model, and what
        HybridSearch raises.
        """
        from orchestration.retrieval.fusion import fusion_named

        chosen = fusion_named(fusion) if fusion is not None else None
        return self.searcher(legs, say, rerank=rerank).search(
            self.settings.tenant, query, top, filters, legs, fusion=chosen, group=group, rerank=rerank
        )

    def evaluate(
        self,
        questions: Path,
        say: Callable[[str], None],
        fusions: Sequence[str] = (),
        *,
        rerank: bool = False,
    ) -> dict[str, Any]:
        """Measures by leg, of the hybrid, with `rerank` reranked too, and of named fusions, as JSON values.

        Raises what `search` raises.
        """
        from orchestration.retrieval.evaluation import evaluate, read_questions
        from orchestration.retrieval.fusion import fusion_named

        named = {name: fusion_named(name) for name in fusions}
        asked = read_questions(questions)
        search = self.searcher(None, say, rerank=rerank)
        return evaluate(search, self.settings.tenant, asked, named, rerank=rerank).as_json()

    def searcher(
        self, legs: Sequence[str] | None, say: Callable[[str], None], *, rerank: bool = False
    ) -> HybridSearch:
        """A search over this folder for many questions, its models loaded; the caller closes it.

        Raises UsageError if it is to rerank and no model is set for that.
        """
        from orchestration.operations.searcher import open_searcher

        return open_searcher(self._parts, legs, say, rerank=rerank)

    def verify(self, repair: bool, say: Callable[[str], None]) -> dict[str, Any]:
        """Differences between ledger and stores; with `repair` they are mended, and what is left is told."""
        from orchestration.stores.verify import Verification

        tenant_id = self.settings.tenant
        check = Verification(
            self.ledger, self._stores.search, self._stores.vectors, self._stores.documents, is_alive
        )
        found = check.differences(tenant_id)
        left = found
        if repair and found:
            models = cache(lambda: self._parts.models(("dense",), say))
            requeued = check.repair(
                tenant_id,
                lambda texts: models().embed_texts(texts),
                self.ledger.requeue,
            )
            left = check.differences(tenant_id)
            if requeued:
                names = ", ".join(key.doc_id for key in requeued[:SHOWN_JOBS])
                say(f"{len(requeued)} documents were lost and are due again; run their sources: {names}")
        shown = [{"doc_id": one.key.doc_id, "store": one.store, "kind": one.kind} for one in found]
        return {"consistent": not left, "differences": shown, "repaired": len(found) - len(left)}

    def reembed(self, say: Callable[[str], None], *, drop_former: bool) -> Reembedded:
        """Vectors of the set model for all tenants, then the switch; raises what `reembed` raises."""
        from orchestration.operations.reembedding import reembed

        models = cache(lambda: self._parts.own_models(("dense",)))
        return reembed(self._parts, models, say, drop_former=drop_former)

    def compact(self) -> int:
        """Build the tenant's vector indexes that are due; how many were. Minutes for a million vectors."""
        return self._stores.vectors.compact(self.settings.tenant)

    @property
    def copies(self) -> Copies:
        """Exports, imports, backups and restores of this folder."""
        from orchestration.operations.backup.copies import Copies

        return Copies(self._parts)

    # --- health -------------------------------------------------------------------------------------

    def describe_profile(self) -> str:
        """One line on what the profile uses; raises GpuUnavailableError when its device is not there."""
        devices = self._parts.devices()
        models = " and ".join(filter(None, [*self._parts.model_ids().values(), self._parts.rerank_model()]))
        cluster = f"Ray cluster {self.settings.ray_address}" if self.settings.ray_address else "the CPU"
        where = ", ".join(device["name"] for device in devices) or cluster
        reason = self._parts.sparse_off()
        without = f", without a sparse leg ({reason})" if reason else ""
        return (
            f"profile {self.settings.profile}: {models} on {where}{without}; data in {self.settings.data_dir}"
        )

    def model_ids(self) -> Mapping[str, str]:
        """The models that are set, by leg."""
        return self._parts.model_ids()

    def rerank_model(self) -> str | None:
        """The cross-encoder that is set."""
        return self._parts.rerank_model()

    def doctor(self) -> list[dict[str, Any]]:
        """Checks of machine, data folder, plugins, topologies, models and devices."""
        from orchestration.operations.doctor import Doctor

        return Doctor(self._parts).checks()

    def gpus(self) -> Sequence[Mapping[str, Any]]:
        """The GPUs of this machine as they are now."""
        return self._parts.gpus()
