"""Observed facts of the outbox: retries, waits, breakers and rate limits of guards, and searches.

Comes in: decisions, in the event loop of the calls, and searches. Leaves: facts, noted by a thread once per
second: no call waits for the ledger. What was collected and not noted is lost with a process that is killed.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import structlog

from orchestration.contracts.facts import (
    BreakerChanged,
    RateLimited,
    SearchServed,
    ServiceWaited,
    StageRetried,
)
from orchestration.contracts.outbox import Observation
from orchestration.errors import MedkgError
from orchestration.resilience.decisions import (
    BreakerMoved,
    BreakerState,
    Decision,
    GuardedCall,
    RateLimitWaited,
    RetryScheduled,
    ServiceAwaited,
)

__all__ = ["ObservedFacts"]

Note = Callable[[Sequence[Observation]], None]

SECONDS: Final = 1.0
"""How long facts are collected before they are noted."""
MOST: Final = 10_000
"""Facts that wait at most while the ledger takes none; later ones are dropped, and their number is logged."""


class ObservedFacts:
    """An observer of guards; thread-safe. Its thread starts with the first decision.

    Waits of many calls for one service are one fact per second, the last one; rate limits are summed up; a
    breaker that many calls report in the same state is reported once.
    """

    def __init__(self, note: Callable[[], Note]) -> None:
        """`note` opens the outbox; it is called by the thread."""
        self._note = note
        self._collected: list[Observation] = []
        self._limited: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
        self._awaited: dict[tuple[str, str, str, str, str, str], Observation] = {}
        self._searches: dict[str, _Searches] = defaultdict(_Searches)
        self._breakers: dict[tuple[str, str], BreakerState] = {}
        self._dropped = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger(__name__)

    def __call__(self, decision: Decision) -> None:
        """Collect a decision; returns at once."""
        with self._lock:
            call = decision.call
            key = (call.tenant, call.job, _pipeline(call), call.stage or call.guard)
            if isinstance(decision, RateLimitWaited):
                self._limited[key].append(decision.wait_seconds)
            elif isinstance(decision, ServiceAwaited):
                self._awaited[*key, call.resource, decision.error.code] = _awaited(decision)
            elif isinstance(decision, BreakerMoved):
                if self._breakers.get((call.guard, call.resource)) != decision.state:
                    self._breakers[call.guard, call.resource] = decision.state
                    self._collected.append(_moved(decision))
            elif isinstance(decision, RetryScheduled):
                self._collected.append(_retried(decision))
            self._dropped += max(0, len(self._collected) - MOST)
            del self._collected[MOST:]
            self._start()

    def search(self, tenant_id: str, seconds: Mapping[str, float], left_out: Collection[str]) -> None:
        """Collect a search: seconds by leg and in `total`, and the legs that it went without."""
        with self._lock:
            searches = self._searches[tenant_id]
            for leg, took in seconds.items():
                searches.legs[leg].append(took)
            searches.degraded.update(left_out)
            self._start()

    def _start(self) -> None:
        if self._thread is None and not self._closing.is_set():
            self._thread = threading.Thread(target=self._note_often, name="observed-facts", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Note what was collected. Idempotent."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._note_collected()

    def _note_often(self) -> None:
        while not self._closing.wait(SECONDS):  # no-retry-loop: a clock
            self._note_collected()

    def _note_collected(self) -> None:
        with self._lock:
            now = time.time()
            limited = [
                Observation(RateLimited(stage=stage, waits=tuple(waits)), now, tenant, job, pipeline)
                for (tenant, job, pipeline, stage), waits in self._limited.items()
            ]
            searched = [
                Observation(searches.fact(), now, tenant) for tenant, searches in self._searches.items()
            ]
            everything = [*self._collected, *self._awaited.values(), *limited, *searched]
            observations = sorted(everything, key=lambda each: each.happened_at)
            dropped, self._collected, self._dropped = self._dropped, [], 0
            self._limited.clear()
            self._awaited.clear()
            self._searches.clear()
        if dropped:
            self._log.warning("observed facts dropped", facts=dropped)
        if not observations:
            return
        try:
            self._note()(observations)
        except MedkgError as error:  # they are best effort; the log has each decision
            self._log.warning(
                "observed facts not noted", facts=len(observations), code=error.code, message=error.message
            )


class _Searches:
    """Searches of one tenant since they were noted last."""

    def __init__(self) -> None:
        self.legs: dict[str, list[float]] = defaultdict(list)
        self.degraded: Counter[str] = Counter()

    def fact(self) -> SearchServed:
        legs = {leg: tuple(seconds) for leg, seconds in self.legs.items()}
        return SearchServed(legs=legs, degraded=dict(self.degraded))


def _awaited(decision: ServiceAwaited) -> Observation:
    call = decision.call
    body = ServiceWaited(
        stage=call.stage or call.guard,
        resource=call.resource,
        code=decision.error.code,
        wait_ms=decision.wait_seconds * 1000,
    )
    return Observation(body, time.time(), call.tenant, call.job, _pipeline(call))


def _retried(decision: RetryScheduled) -> Observation:
    call = decision.call
    body = StageRetried(
        stage=call.stage or call.guard,
        attempt=decision.attempt,
        backoff_ms=decision.wait_seconds * 1000,
        codes=dict(Counter(error.code for error in decision.errors)),
    )
    named = tuple((each.source, each.document) for each in call.documents if each.source)
    return Observation(body, time.time(), call.tenant, call.job, _pipeline(call), named)


def _moved(decision: BreakerMoved) -> Observation:
    call = decision.call
    body = BreakerChanged(
        stage=call.guard,
        resource=call.resource,
        state=decision.state,
        code=decision.error.code if decision.error is not None else "",
    )
    return Observation(body, time.time(), call.tenant, call.job, _pipeline(call))


def _pipeline(call: GuardedCall) -> str:
    """The pipeline of a guard `pipeline/stage`; '' for `web`."""
    pipeline, slash, _ = call.guard.partition("/")
    return pipeline if slash else ""
