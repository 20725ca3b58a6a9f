"""HybridSearch: legs side by side, fused, perhaps reranked; what is slow or dead is left out and named.

Comes in: a question. Leaves: hits that cite document, section and characters, each with its rank in every
leg that found it. Legs run in threads of their own, so none can hold another up, each within its own time
budget and the search's; reranking likewise, and without it the ranking is the fusion's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from orchestration.contracts import ANYTHING, Candidate, CommitLog, Filters, SearchStore
from orchestration.errors import DagsterResourceUnavailableError, IndexMissingError, MedkgError, UsageError
from orchestration.retrieval.budgets import Budgets
from orchestration.retrieval.fusion import CANDIDATES, Fusion
from orchestration.retrieval.hits import Found, Hit, Match, best_of_each_document, every_chunk, hits_of
from orchestration.retrieval.leg_threads import LegThreads
from orchestration.retrieval.legs import Leg
from orchestration.retrieval.narrowing import Matching, NarrowedLeg
from orchestration.retrieval.reranking import RERANK, Reranker
from orchestration.retrieval.visibility import VisibleDocuments

__all__ = ["Found", "Hit", "HybridSearch"]

DEEPER: Final = 4
"""How many times as many candidates are asked for when those there are come from too few documents."""

Candidates = dict[str, list[Candidate]]
"""By leg, best first."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What legs are asked, and until when (seconds of the monotonic clock) in all."""

    tenant_id: str
    query: str
    filters: Filters
    visible: VisibleDocuments
    matching: Matching | None
    ends: float
    top: int


class HybridSearch:
    """Searches one data folder; thread-safe."""

    def __init__(
        self,
        log: CommitLog,
        store: SearchStore,
        legs: Sequence[Leg],
        fusion: Fusion,
        budgets: Budgets | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self._log = log
        self._store = store
        self._legs = {leg.name: leg for leg in legs}
        self._fusion = fusion
        self._budgets = budgets or Budgets()
        self._visible: dict[str, VisibleDocuments] = {}
        self._reranker = reranker
        self._threads = {name: LegThreads(name) for name in (*self._legs, RERANK)}
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
        *,
        fusion: Fusion | None = None,
        group: bool = False,
        matching: Matching | None = None,
        rerank: bool = False,
    ) -> Found:
        """The best `top` chunks by the named legs (default: all) and fusion (default: the search's own).

        With `group` the best `top` documents, each with its best chunk; legs are asked deeper until there
        are as many, the legs have no more, or time is over. `matching` says which chunks may be hits, where
        filters cannot. With `rerank` the best of these are ranked anew.
        Raises UsageError for an empty query, an unknown leg, or reranking where there is no reranker,
        IndexMissingError when nothing is indexed, and the error of a leg when none answers.
        """
        return self.search_by_each(
            [fusion], tenant_id, query, top, filters, legs, group=group, matching=matching, rerank=rerank
        )[0]

    def search_by_each(
        self,
        fusions: Sequence[Fusion | None],
        tenant_id: str,
        query: str,
        top: int = 10,
        filters: Filters = ANYTHING,
        legs: Sequence[str] | None = None,
        *,
        group: bool = False,
        matching: Matching | None = None,
        rerank: bool = False,
    ) -> list[Found]:
        """What `search` finds by each fusion, in order; legs are asked once, their time counts for each."""
        started = time.monotonic()
        if rerank and self._reranker is None:
            raise UsageError(
                "there is nothing to rerank with. Set MEDKG_RERANK_MODEL to the folder or hub id of a "
                "cross-encoder."
            )
        chosen = self._chosen(query, legs)
        visible = self._visible.setdefault(tenant_id, VisibleDocuments(self._log, tenant_id))
        if visible.refresh() == 0:
            raise IndexMissingError(
                f"nothing is indexed for tenant {tenant_id!r} in this data folder. Ingest something first: "
                "medkg run auto --path YOUR_FILES"
            )
        ends = started + self._budgets.total_seconds
        asked = _Asked(tenant_id, query, filters, visible, matching, ends, top)
        limit = max(CANDIDATES, top)
        found, failed = self._candidates(chosen, asked, limit)
        if not found:
            raise _worst(failed.values())
        late = self._deepened(found, asked, limit) if group else []
        seconds = time.monotonic() - started
        answers = []
        for fusion in fusions:
            resumed = time.monotonic()
            fused = (fusion or self._fusion)(found)
            matches = best_of_each_document(fused) if group else every_chunk(fused)
            matches, not_reranked = self._reranked(matches, asked) if rerank else (matches, ())
            hits = hits_of(query, matches, found, partial(self._store.chunks, tenant_id), top)
            milliseconds = (seconds + time.monotonic() - resumed) * 1000
            answers.append(Found(tuple(hits), (*failed, *late, *not_reranked), milliseconds))
        return answers

    def _chosen(self, query: str, names: Sequence[str] | None) -> list[Leg]:
        if not query.strip():
            raise UsageError("the query is empty; say what to look for.")
        unknown = [name for name in names or () if name not in self._legs]
        if unknown:
            raise UsageError(f"no leg {', '.join(unknown)}; there are {', '.join(self._legs)}.")
        return [self._legs[name] for name in dict.fromkeys(names or self._legs)]

    def _deepened(self, found: Candidates, asked: _Asked, limit: int) -> list[str]:
        """Ask legs that have more until `found` holds enough documents; legs that did not answer again."""
        while len({candidate.ref.key for leg in found.values() for candidate in leg}) < asked.top:
            more = [self._legs[name] for name, candidates in found.items() if len(candidates) >= limit]
            if not more:
                break
            limit *= DEEPER
            deeper, failed = self._candidates(more, asked, limit)
            found.update(deeper)
            if failed:
                return list(failed)
        return []

    def _candidates(
        self, legs: Sequence[Leg], asked: _Asked, limit: int
    ) -> tuple[Candidates, dict[str, BaseException]]:
        """Candidates by leg, and why the other legs gave none, which the log tells as well."""
        running: dict[str, Future[list[Candidate]]] = {
            leg.name: self._threads[leg.name].submit(
                partial(
                    self._narrowed(leg, asked).search,
                    asked.tenant_id,
                    asked.query,
                    limit,
                    asked.filters,
                    asked.visible,
                )
            )
            for leg in legs
        }
        failed = self._failed(running, asked.ends)
        return {name: running[name].result() for name in running if name not in failed}, failed

    def _reranked(self, matches: list[Match], asked: _Asked) -> tuple[list[Match], Sequence[str]]:
        """The matches ranked anew, or as they are and the name of what failed."""
        assert self._reranker is not None
        read = partial(self._store.chunks, asked.tenant_id)
        again = self._threads[RERANK].submit(
            partial(self._reranker.ranked, asked.query, matches, read, asked.top)
        )
        failed = self._failed({RERANK: again}, asked.ends)
        return (matches, list(failed)) if failed else (again.result(), [])

    def _failed(self, running: Mapping[str, Future[Any]], ends: float) -> dict[str, BaseException]:
        """Why some of these gave nothing in the time they have, which the log tells as well."""
        overdue = self._overdue(running, ends)
        errors = {name: overdue.get(name) or future.exception() for name, future in running.items()}
        failed = {name: error for name, error in errors.items() if error is not None}
        for name, error in failed.items():
            self._tell(name, error)
        return failed

    def _narrowed(self, leg: Leg, asked: _Asked) -> Leg:
        """The leg, or what finds only chunks that match."""
        if asked.matching is None:
            return leg
        return NarrowedLeg(leg, partial(self._store.chunks, asked.tenant_id), asked.matching)

    def _overdue(self, running: Mapping[str, Future[Any]], ends: float) -> dict[str, BaseException]:
        """Wait for each leg as long as it may take; what to say of those that took longer."""
        started = time.monotonic()
        moments = {name: min(started + self._budgets.of_leg(name), ends) for name in running}
        overdue: dict[str, BaseException] = {}
        for name in sorted(running, key=moments.__getitem__):
            wait([running[name]], timeout=max(0.0, moments[name] - time.monotonic()))
            if not running[name].done():
                running[name].cancel()
                whose = "the search's" if moments[name] == ends else "its"
                seconds = self._budgets.total_seconds if moments[name] == ends else self._budgets.of_leg(name)
                how = "without --rerank" if name == RERANK else "leave it out with --legs"
                overdue[name] = DagsterResourceUnavailableError(
                    f"leg {name} did not answer within {whose} {seconds:g} s. Try again, or {how}."
                )
        return overdue

    def _tell(self, name: str, error: BaseException) -> None:
        """Why a leg is left out, in the log."""
        if isinstance(error, MedkgError):
            self._logger.warning("leg left out", leg=name, code=error.code, message=error.message)
        else:
            self._logger.error("leg left out", leg=name, error=type(error).__name__, exc_info=error)


def _worst(errors: Iterable[BaseException]) -> BaseException:
    """The error to tell when no leg answered: a defect before an outage."""
    told = sorted(errors, key=lambda error: isinstance(error, MedkgError))
    return told[0]
