"""Facts of jobs, authored, and the emitter that tests give them to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from orchestration.contracts import DocumentCounts, GpuUse, JobState, SourceRequest, StageReport
from orchestration.contracts.facts import (
    DocumentCommitted,
    DocumentFailed,
    DocumentHandedBack,
    Fact,
    FactBody,
    FactDocument,
    JobChanged,
    JobOpened,
    StageFailure,
    StageFinished,
    StageStarted,
    WindowClaimed,
    WindowLeased,
)
from orchestration.lineage.datasets import Places
from orchestration.lineage.runs import DatasetName
from orchestration.records import DocumentKey

JOB = str(uuid5(NAMESPACE_URL, "job"))
WINDOW = str(uuid5(NAMESPACE_URL, "window"))
GPU = GpuUse(index=0, uuid="GPU-1", name="H200", mean_percent=61.5, peak_percent=98, used_gib=20.25)

KINDS: dict[str, tuple[str | None, str]] = {
    "ingest": (None, "payloads"),
    "parse": ("payloads", "document"),
    "chunk": ("document", "chunks"),
    "embed": ("chunks", "embeddings"),
    "index": ("embeddings", "index_receipt"),
    "extract": ("document", "extraction"),
    "kg": ("extraction", "graph_receipt"),
}

PLACES = Places(
    artifacts=DatasetName("file", "/data/artifacts"),
    search_index=lambda tenant: DatasetName("file", f"/data/search/{tenant}.sqlite"),
    vectors=lambda tenant: DatasetName("opensearch://search:9200", f"medkg-vectors.{tenant}"),
    mentions=DatasetName("postgres://db:5432", "medkg.public.graph_mentions"),
    claims=DatasetName("postgres://db:5432", "medkg.public.graph_claims"),
)


def kinds_of(pipeline: str, version: str, stage: str) -> tuple[str | None, str] | None:
    """What stages take and give."""
    return KINDS.get(stage)


def a_document(number: int) -> FactDocument:
    """A document."""
    key = DocumentKey(tenant_id="oncology", source="files", doc_id=f"trial-{number}.md")
    return FactDocument(key=key, correlation_id=f"c{number}")


@dataclass
class FactsOfAJob:
    """Writes facts in order, a second apart."""

    documents: Sequence[FactDocument | None] = field(
        default_factory=lambda: [a_document(number) for number in range(3)]
    )
    facts: list[Fact] = field(default_factory=list)

    def add(
        self,
        body: FactBody,
        documents: Sequence[FactDocument | None] = (),
        *,
        window: str = "",
        job: str = JOB,
    ) -> FactsOfAJob:
        """Append a fact."""
        number = len(self.facts) + 1
        fact = Fact(
            sequence=number,
            position=number,
            ledger="ledger-1",
            happened_at=1_780_000_000.0 + number,
            tenant_id="oncology",
            job_id=job,
            window_id=window,
            pipeline_name="auto",
            pipeline_version="2026-11-28",
            documents=tuple(documents),
            body=body,
        )
        self.facts.append(fact)
        return self

    def opened(self, *paths: str, source: str = "files") -> FactsOfAJob:
        """The job is opened."""
        request = SourceRequest(plugin=source, paths=paths or ("/home/me/trials",))
        return self.add(JobOpened(source=source, attended=True, request=request))

    def leased(self, window: str = WINDOW) -> FactsOfAJob:
        """A window is claimed and taken."""
        self.add(WindowClaimed(), self.documents, window=window)
        return self.add(WindowLeased(), self.documents, window=window)

    def started(self, stage: str, window: str = WINDOW) -> FactsOfAJob:
        """A stage starts."""
        return self.add(StageStarted(stage=stage), self.documents, window=window)

    def finished(
        self, stage: str, failed: Sequence[int] = (), window: str = WINDOW, **report: Any
    ) -> FactsOfAJob:
        """A stage ends; the documents at `failed` with MEDKG-200."""
        failures = tuple(
            StageFailure(index=index, stage=stage, code="MEDKG-200", message="broken", attempts=1)
            for index in failed
        )
        values: dict[str, Any] = {
            "documents_out": len(self.documents) - len(failed),
            "retried": 0,
            "items_out": 7,
            "started_at": 1_780_000_000.0,
            "seconds": 2,
            "cpu_seconds": 1,
            **report,
        }
        body = StageFinished(
            report=StageReport(
                job_id=JOB,
                window_id=window,
                stage=stage,
                documents_in=len(self.documents),
                failed=len(failed),
                **values,
            ),
            outputs=(1,) * len(self.documents),
            failures=failures,
        )
        self.add(body, self.documents, window=window)
        if failures:
            at_zero = tuple(each.model_copy(update={"index": place}) for place, each in enumerate(failures))
            self.add(
                DocumentFailed(failures=at_zero), [self.documents[index] for index in failed], window=window
            )
            self.documents = [each for index, each in enumerate(self.documents) if index not in failed]
        return self

    def committed(self, window: str = WINDOW) -> FactsOfAJob:
        """What is left is committed: each document with two chunks, three mentions and one claim."""
        each = len(self.documents)
        body = DocumentCommitted(
            chunks=(2,) * each, mentions=(3,) * each, claims=(1,) * each, versions=("v",) * each
        )
        return self.add(body, self.documents, window=window)

    def handed_back(self, reason: str = "", window: str = WINDOW) -> FactsOfAJob:
        """What is left is queued again."""
        return self.add(DocumentHandedBack(reason=reason), self.documents, window=window)

    def changed(self, state: JobState, **counts: int) -> FactsOfAJob:
        """The job has another state."""
        total = sum(counts.values())
        return self.add(
            JobChanged(state=state, counts=DocumentCounts(total=total, **counts), seconds=len(self.facts))
        )

    def whole(self) -> FactsOfAJob:
        """A job of three documents, of which one fails, from its opening to its end."""
        models = {"dense": "all-MiniLM-L6-v2@1", "sparse": "splade-mini@2"}
        self.opened().changed(JobState.OPEN, pending=3).leased()
        self.started("ingest").finished("ingest")
        self.started("parse").finished("parse", failed=[1])
        self.started("chunk").finished("chunk").started("embed")
        self.finished("embed", models=models, gpus=(GPU,), model_cpu_seconds=1.5, retried=2, attempts=3)
        self.started("index").finished("index", items_out=4)
        self.started("extract").finished("extract", mentions=6, claims=2, items_out=8)
        self.started("kg").finished("kg", mentions=6, claims=2, items_out=8)
        return self.committed().changed(JobState.DONE, committed=2, failed=1)
