"""HybridSearch: legs that run in parallel, fused, optionally reranked; slow or failed legs are left out.

Comes in: a query. Leaves: hits that cite document, section and characters, each with its rank in every leg
that found it. A document that the query names by an identifier comes first. Each leg runs in its own
threads, so that none delays another, within its own time budget and the search's; so does reranking, and
without it the ranking is the fusion's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import structlog

from orchestration.contracts import (
    ANYTHING,
    Candidate,
    ChunkRef,
    CommitLog,
    Filters,
    SearchStore,
    Visible,
    folded_text,
    named_identifiers,
)
from orchestration.errors import IndexMissingError, MedkgError, SearchLegTimeoutError, UsageError
from orchestration.retrieval.budgets import Budgets
from orchestration.retrieval.fusion import CANDIDATES, Fusion
from orchestration.retrieval.hits import Hit, Match, SearchResult, best_of_each_document, every_chunk, hits_of
from orchestration.retrieval.identified import IDENTIFIERS, identified_first, matching_refs
from orchestration.retrieval.leg_threads import LegThreads
from orchestration.retrieval.legs import DEEPENING, Leg
from orchestration.retrieval.narrowing import Matching, NarrowedLeg
from orchestration.retrieval.reranking import RERANK, Reranker
from orchestration.retrieval.visibility import Documents, VisibleDocuments, narrowed_to
from orchestration.tracing import span

__all__ = ["Hit", "HybridSearch", "Observe", "SearchResult"]

Candidates = dict[str, list[Candidate]]
"""By leg, best first."""


@dataclass(frozen=True, slots=True)
class _LegQuery:
    """What each leg is queried with."""

    tenant_id: str
    query: str
    filters: Filters
    visible: Visible
    matching: Matching | None
    deadline: float
    """End of the search's time budget, in seconds of the monotonic clock."""
    top: int
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each leg took that has answered, filled by the legs' threads."""


Observe = Callable[[str, Mapping[str, float], Collection[str]], None]
"""Takes tenant, seconds by leg and in `total`, and the legs that were left out; returns at once."""


class HybridSearch:
    """Searches one data folder; thread-safe. A context manager that closes it."""

    def __init__(
        self,
        log: CommitLog,
        store: SearchStore,
        legs: Sequence[Leg],
        fusion: Fusion,
        budgets: Budgets | None = None,
        reranker: Reranker | None = None,
        release: Callable[[], None] = lambda: None,
        on_request: Collection[str] = (),
        observe: Observe | None = None,
    ) -> None:
        """`on_request`: legs that are queried only when a search names them; `observe`: is given each search.

        `release` is called by `close`: it frees what was opened for this search, e.g. its models.
        """
        self._log = log
        self._store = store
        self._legs = {leg.name: leg for leg in legs}
        self._on_request = frozenset(on_request)
        self._fusion = fusion
        self._budgets = budgets or Budgets()
        self._visible: dict[str, VisibleDocuments] = {}
        self._reranker = reranker
        self._release = release
        self._observe = observe
        self._threads = {name: LegThreads(name) for name in (*self._legs, RERANK, IDENTIFIERS)}
        self._logger = structlog.get_logger(__name__)

    def close(self) -> None:
        """End the legs' threads and free what was opened for this search. Idempotent.

        A thread whose leg hangs ends when the leg returns; it does not keep the process alive. The caller
        must not search afterwards.
        """
        for threads in self._threads.values():
            threads.close()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def legs(self) -> tuple[str, ...]:
        """Names of the legs that are queried unless a search names others."""
        return tuple(name for name in self._legs if name not in self._on_request)

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
        within: Documents | None = None,
        rerank: bool = False,
    ) -> SearchResult:
        """Return the best `top` chunks by the named legs (default: all) and fusion (default: the search's).

        With `group`, return the best `top` documents, each with its best chunk; legs are queried deeper until
        there are as many, the legs have no more candidates, or the time budget ends. `matching` decides which
        chunks may be hits, where filters cannot; `within` names the documents that hits are of. With `rerank`
        the best of these are reranked.
        Raises UsageError for an empty query, an unknown leg, or reranking without a reranker,
        IndexMissingError when nothing is indexed, and the error of a leg (SearchLegTimeoutError for a slow
        one) when none answers.
        """
        return self.search_by_each(
            [fusion],
            tenant_id,
            query,
            top,
            filters,
            legs,
            group=group,
            matching=matching,
            within=within,
            rerank=rerank,
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
        within: Documents | None = None,
        rerank: bool = False,
    ) -> list[SearchResult]:
        """Return the result of `search` by each fusion, in order.

        Legs are queried once; their time is part of every result's milliseconds.
        """
        started = time.monotonic()
        if rerank and self._reranker is None:
            raise UsageError(
                "there is no reranker. Set MEDKG_RERANK_MODEL to the folder or hub id of a cross-encoder."
            )
        chosen = self._chosen(query, legs)
        visible = self._visible.setdefault(tenant_id, VisibleDocuments(self._log, tenant_id))
        if visible.refresh() == 0:
            raise IndexMissingError(
                f"nothing is indexed for tenant {tenant_id!r} in this data folder. Ingest something first: "
                "medkg run auto --path YOUR_FILES"
            )
        deadline = started + self._budgets.total_seconds
        searched = narrowed_to(visible, within)
        leg_query = _LegQuery(tenant_id, query, filters, searched, matching, deadline, top)
        limit = max(CANDIDATES, top)
        looking_up = self._looking_up(leg_query, limit)
        candidates, failed = self._candidates(chosen, leg_query, limit)
        not_looked_up = self._failed(looking_up, deadline)
        identified = [] if not_looked_up else [ref for each in looking_up.values() for ref in each.result()]
        if not candidates and not identified:
            raise _worst(failed.values())
        late = self._deepened(candidates, leg_query, limit) if group else []
        seconds = time.monotonic() - started
        results = []
        for fusion in fusions:
            resumed = time.monotonic()
            fused = (fusion or self._fusion)(candidates)
            matches = best_of_each_document(fused) if group else every_chunk(fused)
            matches, not_reranked = self._reranked(matches, leg_query) if rerank else (matches, ())
            matches = identified_first(matches, identified, group=group)
            hits = hits_of(query, matches, candidates, partial(self._store.chunks, tenant_id), top)
            left_out = (*failed, *late, *not_looked_up, *not_reranked)
            milliseconds = (seconds + time.monotonic() - resumed) * 1000
            results.append(SearchResult(tuple(hits), left_out, milliseconds))
        if self._observe is not None:
            took = {**leg_query.seconds, "total": time.monotonic() - started}
            self._observe(tenant_id, took, (*failed, *not_looked_up))
        return results

    def _chosen(self, query: str, names: Sequence[str] | None) -> list[Leg]:
        if not folded_text(query).strip():
            raise UsageError("the query is empty. Give some words to search for.")
        unknown = [name for name in names or () if name not in self._legs]
        if unknown:
            raise UsageError(f"no leg {', '.join(unknown)}; available: {', '.join(self._legs)}.")
        return [self._legs[name] for name in dict.fromkeys(names or self.legs)]

    def _looking_up(self, leg_query: _LegQuery, limit: int) -> dict[str, Future[list[ChunkRef]]]:
        """The started look-up of the documents that the query names; {} if it names none."""
        identifiers = named_identifiers(leg_query.query)
        if not identifiers:
            return {}
        look_up = partial(self._identified, identifiers, leg_query, limit)
        return {IDENTIFIERS: self._threads[IDENTIFIERS].submit(look_up)}

    def _identified(self, identifiers: Sequence[str], leg_query: _LegQuery, limit: int) -> list[ChunkRef]:
        """Chunks of the documents with these identifiers."""
        refs = self._store.identified(
            leg_query.tenant_id, identifiers, limit, leg_query.filters, leg_query.visible
        )
        return matching_refs(refs, partial(self._store.chunks, leg_query.tenant_id), leg_query.matching)

    def _deepened(self, candidates: Candidates, leg_query: _LegQuery, limit: int) -> list[str]:
        """Query legs that have more until there are enough documents; returns legs that failed meanwhile."""
        while len({each.ref.key for of_leg in candidates.values() for each in of_leg}) < leg_query.top:
            unfinished = [self._legs[name] for name, of_leg in candidates.items() if len(of_leg) >= limit]
            if not unfinished:
                break
            limit *= DEEPENING
            deeper, failed = self._candidates(unfinished, leg_query, limit)
            candidates.update(deeper)
            if failed:
                return list(failed)
        return []

    def _candidates(
        self, legs: Sequence[Leg], leg_query: _LegQuery, limit: int
    ) -> tuple[Candidates, dict[str, BaseException]]:
        """Candidates by leg, and the error of each leg that returned none; errors are logged."""
        running: dict[str, Future[list[Candidate]]] = {
            leg.name: self._threads[leg.name].submit(
                partial(
                    _measured,
                    leg.name,
                    leg_query.seconds,
                    self._narrowed(leg, leg_query).search,
                    leg_query.tenant_id,
                    leg_query.query,
                    limit,
                    leg_query.filters,
                    leg_query.visible,
                )
            )
            for leg in legs
        }
        failed = self._failed(running, leg_query.deadline)
        return {name: running[name].result() for name in running if name not in failed}, failed

    def _reranked(self, matches: list[Match], leg_query: _LegQuery) -> tuple[list[Match], Sequence[str]]:
        """The matches reranked; if that failed, the matches as they are and its name."""
        assert self._reranker is not None
        read = partial(self._store.chunks, leg_query.tenant_id)
        reranking = self._threads[RERANK].submit(
            partial(self._reranker.ranked, leg_query.query, matches, read, leg_query.top)
        )
        failed = self._failed({RERANK: reranking}, leg_query.deadline)
        return (matches, list(failed)) if failed else (reranking.result(), [])

    def _failed(self, running: Mapping[str, Future[Any]], deadline: float) -> dict[str, BaseException]:
        """Wait for all within their budgets; returns the errors, after logging them."""
        overdue = self._overdue(running, deadline)
        errors = {name: overdue.get(name) or future.exception() for name, future in running.items()}
        failed = {name: error for name, error in errors.items() if error is not None}
        for name, error in failed.items():
            self._log_left_out(name, error)
        return failed

    def _narrowed(self, leg: Leg, leg_query: _LegQuery) -> Leg:
        """The leg, narrowed to chunks that match if the query says which."""
        if leg_query.matching is None:
            return leg
        return NarrowedLeg(leg, partial(self._store.chunks, leg_query.tenant_id), leg_query.matching)

    def _overdue(
        self, running: Mapping[str, Future[Any]], deadline: float
    ) -> dict[str, SearchLegTimeoutError]:
        """Wait for each leg within its budget; returns an error for each that took longer."""
        started = time.monotonic()
        ends = {name: min(started + self._budgets.of_leg(name), deadline) for name in running}
        overdue: dict[str, SearchLegTimeoutError] = {}
        for name in sorted(running, key=ends.__getitem__):
            wait([running[name]], timeout=max(0.0, ends[name] - time.monotonic()))
            if not running[name].done():
                running[name].cancel()
                whose = "the search's" if ends[name] == deadline else "its"
                seconds = (
                    self._budgets.total_seconds if ends[name] == deadline else self._budgets.of_leg(name)
                )
                how = "without --rerank" if name == RERANK else "leave it out with --legs"
                overdue[name] = SearchLegTimeoutError(
                    f"leg {name} did not answer within {whose} {seconds:g} s. Try again, or {how}."
                )
        return overdue

    def _log_left_out(self, name: str, error: BaseException) -> None:
        if isinstance(error, MedkgError):
            self._logger.warning("leg left out", leg=name, code=error.code, message=error.message)
        else:
            self._logger.error("leg left out", leg=name, error=type(error).__name__, exc_info=error)


def _measured(
    name: str, seconds: dict[str, float], search: Callable[..., list[Candidate]], *arguments: Any
) -> list[Candidate]:
    """Candidates of a leg, in a span; how long it took goes to `seconds`."""
    started = time.monotonic()
    with span(f"leg {name}", {"medkg.leg": name}) as leg:
        candidates = search(*arguments)
        leg.set({"medkg.candidates": len(candidates)})
    seconds[name] = time.monotonic() - started
    return candidates


def _worst(errors: Iterable[BaseException]) -> BaseException:
    """The error to raise when no leg answered: a defect before an outage."""
    return min(errors, key=lambda error: isinstance(error, MedkgError))
