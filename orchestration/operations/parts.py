"""The parts of a data folder that commands are written against; `assembly` makes each when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from orchestration.contracts import (
    BatchExtractor,
    CountedExtraction,
    DocumentStore,
    Extraction,
    Extractor,
    GraphWriter,
    IndexWriter,
    Ledger,
    Linker,
    ObjectStore,
    Outcome,
    SearchStore,
    TextModels,
    VectorStore,
)
from orchestration.gates.gates import Gates
from orchestration.gates.sweeps import GateSweeps
from orchestration.jobs.submission import Submissions
from orchestration.records import Chunk, Document, Fingerprints, Float32Matrix
from orchestration.settings import Settings
from orchestration.topology.loader import PipelineLoader

if TYPE_CHECKING:
    from orchestration.extraction.graph_schema import GraphSchema
    from orchestration.jobs.reading import DocumentReader
    from orchestration.projection.service import Projection
    from orchestration.stores.verify import Verification
    from orchestration.vocabularies.folder import VocabularyFolder

__all__ = ["ChunkByTopology", "Parts", "Stores"]

ChunkByTopology = Callable[[str, Sequence[Document]], Sequence[Outcome[list[Chunk]]]]
"""Cuts documents as the named topology does; one outcome per document."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The index stores of a data folder."""

    search: SearchStore
    vectors: VectorStore
    documents: DocumentStore


class Parts(Protocol):
    """What a command may take of a data folder."""

    @property
    def settings(self) -> Settings: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def submissions(self) -> Submissions: ...
    @property
    def gate_sweeps(self) -> GateSweeps: ...
    @property
    def gates(self) -> Gates: ...
    @property
    def topologies(self) -> PipelineLoader: ...
    @property
    def stores(self) -> Stores: ...
    @property
    def index(self) -> IndexWriter: ...
    @property
    def graph_writer(self) -> GraphWriter: ...
    @property
    def graph_schema(self) -> GraphSchema: ...
    @property
    def vocabularies(self) -> VocabularyFolder: ...
    @property
    def verification(self) -> Verification: ...
    @property
    def objects(self) -> ObjectStore: ...
    @property
    def projection(self) -> Projection | None:
        """The projection of the graph; None if no graph server is set."""
        ...

    def observe_search(self, tenant_id: str, seconds: Mapping[str, float], left_out: Collection[str]) -> None:
        """Note for the outbox how long a search and its legs took; returns at once."""
        ...

    def extract(self, pipeline: str, documents: Sequence[Document]) -> Sequence[Outcome[Extraction]]:
        """Mentions and claims of documents as the named topology extracts them; one outcome per document."""
        ...

    def extract_by(self, name: str, documents: Sequence[Document]) -> Sequence[Outcome[CountedExtraction]]:
        """What one extractor finds in documents, after the checks and the linker of the extract stage.

        Raises ConfigurationError for an extractor that is not installed.
        """
        ...

    def extractor(self, name: str) -> Extractor | BatchExtractor:
        """An installed extractor, for what it offers besides extraction; raises UsageError."""
        ...

    @property
    def linker(self) -> Linker | None: ...

    def store_questions(self) -> Mapping[str, Callable[[], str]]:
        """By store: a call that asks it, changes nothing and returns where the store is."""
        ...

    def reader(self) -> AbstractContextManager[DocumentReader]:
        """Documents without ledger and stores; the processes that parse end with it."""
        ...

    def models(self, legs: Collection[str], say: Callable[[str], None]) -> TextModels:
        """The running plane's models, else this process's own; those of the legs are loaded at once."""
        ...

    def own_models(self, legs: Collection[str]) -> TextModels:
        """Models of the settings in this process, whatever a plane runs; those of the legs are loaded."""
        ...

    def fingerprints(self, pipeline: str, dense_model: str) -> Mapping[str, Fingerprints]:
        """What a document of each format would have as its fingerprints under that dense model.

        Raises DagsterPipelineConfigError for a pipeline that is not there.
        """
        ...

    def graph_fingerprint(self, pipeline: str, parse: str) -> str | None:
        """That of mentions and claims which are made now of a document parsed under this fingerprint.

        Raises DagsterPipelineConfigError as `fingerprints` does.
        """
        ...

    def chunker(self, embed: Callable[[Sequence[str]], Float32Matrix]) -> ChunkByTopology:
        """What cuts documents as topologies do it, in this process; loads its tokenizer once, when called.

        `embed` is called for semantic chunk profiles only. A call raises UsageError or
        DagsterPipelineConfigError for a topology that is not there, StageContractError for one without a
        chunk stage.
        """
        ...

    def is_ledger_lost(self) -> bool:
        """Whether the ledger is empty and stores of this data folder hold documents."""
        ...

    def ledger_damage(self) -> str | None:
        """What keeps the ledger's file from being read; None if it is sound, or in a database server."""
        ...

    def set_ledger_aside(self) -> str:
        """Move the ledger's file out of the way, so that a new one is made; returns its new name."""
        ...

    def devices(self) -> Sequence[Mapping[str, Any]]:
        """The profile's GPUs; raises GpuUnavailableError when it needs one and none is fit."""
        ...

    def gpus(self) -> Sequence[Mapping[str, Any]]:
        """The GPUs of this machine, whatever the profile."""
        ...

    def model_ids(self) -> Mapping[str, str]:
        """The profile's models by leg."""
        ...

    def extraction_model(self) -> str | None:
        """Id of the model of the extractor `encoder`; None: it extracts nothing."""
        ...

    def rerank_model(self) -> str | None:
        """Id of the profile's cross-encoder; None: nothing is reranked."""
        ...

    def sparse_off(self) -> str | None:
        """Why the profile has no sparse leg; None if it has one."""
        ...
