"""HybridSearch: legs side by side, fused, with their chunks; a slow or dead leg is left out and named.

Comes in: a question. Leaves: hits that cite document, section and characters.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final

import structlog

from orchestration.contracts import Candidate, ChunkRef, CommitLog, Filters, SearchStore
from orchestration.errors import IndexMissingError, MedkgError, UsageError
from orchestration.records import Chunk
from orchestration.retrieval.fusion import Fusion
from orchestration.retrieval.legs import Leg
from orchestration.retrieval.visibility import VisibleDocuments

__all__ = ["Found", "Hit", "HybridSearch"]

CANDIDATES: Final = 100
"""Candidates a leg gives to the fusion."""

ANYTHING: Final = Filters()


@dataclass(frozen=True, slots=True)
class Hit:
    """One chunk that answers, and where it stands."""

    rank: int
    score: float
    source: str
    chunk: Chunk
    legs: Mapping[str, int]
    """Rank in each leg that found it, from 1."""

    def as_json(self) -> dict[str, Any]:
        """The stable JSON of `medkg search`."""
        chunk = self.chunk
        return {
            "rank": self.rank,
            "score": round(self.score, 6),
            "chunk_id": chunk.chunk_id,
            "doc_id": chunk.doc_id,
            "title": chunk.title_path[0],
            "section": chunk.section,
            "text": chunk.body,
            "start_char": chunk.start_char,
            "end_char": chunk.end_char,
            "source": self.source,
            "legs": dict(self.legs),
        }


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to one question."""

    hits: tuple[Hit, ...]
    degraded: tuple[str, ...]
    """Legs that were left out because they failed or were too slow."""
    milliseconds: float


class HybridSearch:
    """Searches one data folder; thread-safe."""

    def __init__(
        self,
        log: CommitLog,
        store: SearchStore,
        legs: Sequence[Leg],
        fusion: Fusion,
        deadline_seconds: float = 5.0,
    ) -> None:
        self._log = log
        self._store = store
        self._legs = {leg.name: leg for leg in legs}
        self._fusion = fusion
        self._deadline_seconds = deadline_seconds
        self._visible: dict[str, VisibleDocuments] = {}
        self._threads = ThreadPoolExecutor(max_workers=2 * len(legs), thread_name_prefix="leg")
        self._logger = structlog.get_logger(__name__)

    @property
    def legs(self) -> tuple[str, ...]:
        """Names of the legs there are."""
        return tuple(self._legs)

    def search(
        self,
        tenant_id: str,
        query: str,
        top: int = 10,
        filters: Filters = ANYTHING,
        legs: Sequence[str] | None = None,
    ) -> Found:
        """The best `top` chunks by the named legs (default: all).

        Raises UsageError for an empty query or an unknown leg, IndexMissingError when nothing is indexed,
        and the error of a leg when no leg could answer.
        """
        started = time.perf_counter()
        chosen = self._chosen(query, legs)
        visible = self._visible.setdefault(tenant_id, VisibleDocuments(self._log, tenant_id))
        if visible.refresh() == 0:
            raise IndexMissingError(
                f"nothing is indexed for tenant {tenant_id!r} in this data folder. Ingest something first: "
                "medkg run auto --path YOUR_FILES"
            )
        found, failed = self._candidates(chosen, tenant_id, query, max(CANDIDATES, top), filters, visible)
        fused = self._fusion(found)[:top]
        hits = self._hits(tenant_id, fused, found)
        milliseconds = (time.perf_counter() - started) * 1000
        return Found(tuple(hits), tuple(failed), milliseconds)

    def _chosen(self, query: str, names: Sequence[str] | None) -> list[Leg]:
        if not query.strip():
            raise UsageError("the query is empty; say what to look for.")
        unknown = [name for name in names or () if name not in self._legs]
        if unknown:
            raise UsageError(f"no leg {', '.join(unknown)}; there are {', '.join(self._legs)}.")
        return [self._legs[name] for name in names or self._legs]

    def _candidates(
        self,
        legs: Sequence[Leg],
        tenant_id: str,
        query: str,
        limit: int,
        filters: Filters,
        visible: VisibleDocuments,
    ) -> tuple[dict[str, list[Candidate]], dict[str, MedkgError | None]]:
        """Candidates by leg, and the legs left out with their error (None: too slow)."""
        running: dict[str, Future[list[Candidate]]] = {
            leg.name: self._threads.submit(leg.search, tenant_id, query, limit, filters, visible)
            for leg in legs
        }
        wait(running.values(), timeout=self._deadline_seconds)
        found: dict[str, list[Candidate]] = {}
        failed: dict[str, MedkgError | None] = {}
        for name, future in running.items():
            if not future.done():
                future.cancel()
                failed[name] = None
                continue
            error = future.exception()
            if error is None:
                found[name] = future.result()
            elif isinstance(error, MedkgError):
                failed[name] = error
                self._logger.warning("leg left out", leg=name, code=error.code, message=error.message)
            else:
                raise error
        errors = [error for error in failed.values() if error is not None]
        if not found and errors:
            raise errors[0]
        return found, failed

    def _hits(
        self,
        tenant_id: str,
        fused: Sequence[tuple[ChunkRef, float]],
        found: Mapping[str, Sequence[Candidate]],
    ) -> list[Hit]:
        ranks = {
            name: {candidate.ref: rank for rank, candidate in enumerate(candidates, start=1)}
            for name, candidates in found.items()
        }
        chunks = self._store.chunks(tenant_id, [ref for ref, _ in fused])
        hits: list[Hit] = []
        for (ref, score), chunk in zip(fused, chunks, strict=True):
            if chunk is not None:  # superseded and removed since the legs answered
                by_leg = {name: of_leg[ref] for name, of_leg in ranks.items() if ref in of_leg}
                hits.append(Hit(len(hits) + 1, score, ref.key.source, chunk, by_leg))
        return hits
