"""HybridSearch: legs side by side, fused, with their chunks; a slow or dead leg is left out and named.

Comes in: a question. Leaves: hits that cite document, section and characters, each with its rank in every
leg that found it. Legs run in threads of their own, so none can hold another up.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from orchestration.contracts import ANYTHING, Candidate, ChunkRef, CommitLog, Filters, SearchStore
from orchestration.errors import DagsterResourceUnavailableError, IndexMissingError, MedkgError, UsageError
from orchestration.records import Chunk
from orchestration.retrieval.fusion import CANDIDATES, Fusion
from orchestration.retrieval.leg_threads import LegThreads
from orchestration.retrieval.legs import Leg
from orchestration.retrieval.visibility import VisibleDocuments

__all__ = ["Found", "Hit", "HybridSearch"]


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
            "title": chunk.title_path[0] if chunk.title_path else "",
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
        self._threads = {leg.name: LegThreads(leg.name) for leg in legs}
        self._logger = structlog.get_logger(__name__)

    def close(self) -> None:
        """Let the legs' threads end; a search after that is an error of the caller."""
        for threads in self._threads.values():
            threads.close()

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
        hits = self._hits(tenant_id, self._fusion(found), found, top)
        milliseconds = (time.perf_counter() - started) * 1000
        return Found(tuple(hits), tuple(failed), milliseconds)

    def _chosen(self, query: str, names: Sequence[str] | None) -> list[Leg]:
        if not query.strip():
            raise UsageError("the query is empty; say what to look for.")
        unknown = [name for name in names or () if name not in self._legs]
        if unknown:
            raise UsageError(f"no leg {', '.join(unknown)}; there are {', '.join(self._legs)}.")
        return [self._legs[name] for name in dict.fromkeys(names or self._legs)]

    def _candidates(
        self,
        legs: Sequence[Leg],
        tenant_id: str,
        query: str,
        limit: int,
        filters: Filters,
        visible: VisibleDocuments,
    ) -> tuple[dict[str, list[Candidate]], list[str]]:
        """Candidates by leg, and the legs left out; raises when that is all of them."""
        running: dict[str, Future[list[Candidate]]] = {
            leg.name: self._threads[leg.name].submit(
                partial(leg.search, tenant_id, query, limit, filters, visible)
            )
            for leg in legs
        }
        wait(running.values(), timeout=self._deadline_seconds)
        found: dict[str, list[Candidate]] = {}
        failed: dict[str, BaseException] = {}
        for name, future in running.items():
            error = self._error(name, future)
            if error is None:
                found[name] = future.result()
            else:
                failed[name] = error
        if not found:
            raise _worst(failed.values())
        return found, list(failed)

    def _error(self, name: str, future: Future[list[Candidate]]) -> BaseException | None:
        """Why a leg is left out, told in the log; None if it answered."""
        error: BaseException | None
        if future.done():
            error = future.exception()
        else:
            future.cancel()
            error = DagsterResourceUnavailableError(
                f"leg {name} did not answer within {self._deadline_seconds:g} s. Try again, or leave it out "
                "with --legs."
            )
        if isinstance(error, MedkgError):
            self._logger.warning("leg left out", leg=name, code=error.code, message=error.message)
        elif error is not None:
            self._logger.error("leg left out", leg=name, error=type(error).__name__, exc_info=error)
        return error

    def _hits(
        self,
        tenant_id: str,
        fused: Sequence[tuple[ChunkRef, float]],
        found: Mapping[str, Sequence[Candidate]],
        top: int,
    ) -> list[Hit]:
        """The best with their text; of passages with the same words in one document, the first alone."""
        ranks = {
            name: {candidate.ref: rank for rank, candidate in enumerate(candidates, start=1)}
            for name, candidates in found.items()
        }
        hits: list[Hit] = []
        told: set[tuple[str, str, str]] = set()
        for start in range(0, len(fused), max(1, top)):
            page = fused[start : start + top]
            chunks = self._store.chunks(tenant_id, [ref for ref, _ in page])
            for (ref, score), chunk in zip(page, chunks, strict=True):
                if chunk is None:  # superseded and removed since the legs answered
                    continue
                words = (ref.key.source, ref.key.doc_id, " ".join(chunk.body.split()))
                if words in told:
                    continue
                told.add(words)
                by_leg = {name: of_leg[ref] for name, of_leg in ranks.items() if ref in of_leg}
                hits.append(Hit(len(hits) + 1, score, ref.key.source, chunk, by_leg))
                if len(hits) == top:
                    return hits
        return hits


def _worst(errors: Iterable[BaseException]) -> BaseException:
    """The error to tell when no leg answered: a defect before an outage."""
    told = sorted(errors, key=lambda error: isinstance(error, MedkgError))
    return told[0]
