"""Documents cut into chunks outside of a run, as their topology's chunk stage does it.

Comes in: a topology's name, a profile and documents. Leaves: one outcome per document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from orchestration.contracts import Outcome, PlaneUse, Vectors
from orchestration.errors import StageContractError
from orchestration.records import Chunk, Document, Float32Matrix, StageContext
from orchestration.stages.chunk import ChunkOnPlane

if TYPE_CHECKING:
    from gpu_actors.plane import LocalChunker, Profile
    from orchestration.topology.graph import TopologyGraph

__all__ = ["TopologyChunker", "context_of_document"]


class _ChunkersHere:
    """The part of a plane that chunks, in this process."""

    def __init__(self, profile: Profile, chunker: LocalChunker) -> None:
        self.profile = profile.name
        self.model_ids: Mapping[str, str] = {}
        self._chunker = chunker

    def chunk(
        self, documents: Sequence[Document], profiles: Sequence[str], timeout_seconds: float
    ) -> Sequence[Outcome[list[Chunk]]]:
        """Chunks of each document; without a time-out, since only this process waits."""
        return self._chunker.chunk(documents, profiles)

    def embed(self, texts: Sequence[str], timeout_seconds: float) -> Vectors:
        """Not what it is for."""
        raise StageContractError("a chunk stage asked for vectors, which it makes none of.")

    def use(self) -> PlaneUse:
        """Nothing is counted."""
        return PlaneUse({}, 0, 0.0)


class TopologyChunker:
    """Cuts documents as topologies do; profile and tokenizer are loaded by the first call."""

    def __init__(
        self,
        load: Callable[[str], TopologyGraph],
        profile: Callable[[], Profile],
        embed: Callable[[Sequence[str]], Float32Matrix],
    ) -> None:
        self._load = load
        self._profile = profile
        self._embed = embed

    def __call__(self, pipeline: str, documents: Sequence[Document]) -> Sequence[Outcome[list[Chunk]]]:
        """Return the chunks of documents, one outcome per document.

        Raises StageContractError for a topology whose chunks are cut by a plugin.
        """
        graph = self._load(pipeline)
        node = next((node for node in graph.nodes if node.stage_type == "chunk"), None)
        if node is None:
            raise StageContractError(f"topology {graph.name} has no stage `chunk` of medkg's own.")
        stage = ChunkOnPlane(self._plane, 0.0, **node.config)
        return stage.execute_batch(
            [(context_of_document(document, graph), document) for document in documents]
        )

    @cached_property
    def _plane(self) -> _ChunkersHere:
        from gpu_actors.plane import LocalChunker

        profile = self._profile()
        return _ChunkersHere(profile, LocalChunker(profile, self._embed))


def context_of_document(document: Document, graph: TopologyGraph) -> StageContext:
    """The context in which a stage sees a document that is parsed already."""
    return StageContext(
        tenant_id=document.tenant_id,
        job_id="repair",
        doc_id=document.doc_id,
        correlation_id=document.doc_id,
        metadata={"source": document.source},
        pipeline_name=graph.name,
        pipeline_version=graph.version,
    )
