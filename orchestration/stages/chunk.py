"""The chunk stage: documents to the plane's chunkers, each under the chunk profile of its origin.

Comes in: a Document. Leaves: its chunks, whose bodies are exact slices of its text, with its facets. The
topology's `profiles` maps the origin of a record (clinicaltrials, pmc, ...) to a chunk profile; `default`
applies to all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from orchestration.contracts import (
    IDENTIFIER,
    Isolation,
    Outcome,
    Plane,
    facets_of_metadata,
    identifiers_of_metadata,
)
from orchestration.errors import ConfigurationError, EmptyDocumentError, MedkgError
from orchestration.records import Chunk, Document, StageContext
from orchestration.stages.services import StageServices


class ChunkOnPlane:
    """ChunkStage over the plane's chunker pool."""

    version = "4"
    isolation = Isolation.PLANE

    def __init__(self, plane: Plane, timeout_seconds: float, profiles: Mapping[str, str]) -> None:
        if "default" not in profiles:
            raise ConfigurationError(
                "the chunk stage's `profiles` has no `default`; add e.g. `default: default`."
            )
        self._plane = plane
        self._timeout_seconds = timeout_seconds
        self._profiles = profiles

    @classmethod
    def from_services(cls, config: Mapping[str, Any], services: StageServices) -> Self:
        return cls(services.plane, services.timeout_seconds, **config)

    def execute(self, ctx: StageContext, document: Document) -> list[Chunk]:
        """The chunks of one document; raises what the chunker raises."""
        (outcome,) = self.execute_batch([(ctx, document)])
        if isinstance(outcome, MedkgError):
            raise outcome
        return outcome

    def execute_batch(self, items: Sequence[tuple[StageContext, Document]]) -> Sequence[Outcome[list[Chunk]]]:
        """All documents in one call; the plane divides them into micro-batches."""
        documents = [document for _, document in items]
        profiles = [self._profiles.get(document.source, self._profiles["default"]) for document in documents]
        outcomes = self._plane.chunk(documents, profiles, self._timeout_seconds)
        return [
            EmptyDocumentError(f"{ctx.doc_id}: no chunk could be cut from it; it has no indexable text.")
            if outcome == []
            else _with_facets(outcome, document)
            for (ctx, document), outcome in zip(items, outcomes, strict=True)
        ]


def _with_facets(outcome: Outcome[list[Chunk]], document: Document) -> Outcome[list[Chunk]]:
    """The chunks with the facets and identifiers of their document."""
    facets = facets_of_metadata(document.metadata)
    if identifiers := identifiers_of_metadata(document.metadata):
        facets[IDENTIFIER] = identifiers
    if isinstance(outcome, MedkgError) or not facets:
        return outcome
    return [chunk.model_copy(update={"metadata": {**facets, **chunk.metadata}}) for chunk in outcome]
