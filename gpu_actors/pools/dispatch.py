"""Micro-batches to the replicas of a pool and back: back-pressure, time-outs, dead replicas, device faults.

Input: micro-batches. Output: one result or error per micro-batch. Each client has at most two in flight per
lane of a replica, so one computes while the next waits in the actor's mailbox: that mailbox is the device's
only queue, shared by all windows. A micro-batch whose replica died is sent again, to another replica if
there is one; a replica whose micro-batch exceeds the time-out is killed and restarted.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import ray
from ray.exceptions import RayActorError, RayTaskError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gpu_actors.health.metrics import in_flight
from gpu_actors.pools.health_probe import Actor, HealthProbe, Replicas
from orchestration.errors import (
    DagsterStageTimeoutError,
    GpuUnavailableError,
    MedkgError,
    PlaneUnavailableError,
)

__all__ = ["IN_FLIGHT", "Answer", "Dispatch"]

T = TypeVar("T")

IN_FLIGHT: Final = 2
"""Micro-batches of one client per lane of a replica: one computes, one waits."""

RETURN_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A micro-batch with its result or its error."""

    batch: T
    result: Any | None
    error: BaseException | None = None


@dataclass(slots=True)
class _Flight(Generic[T]):
    batch: T
    replica: int = -1
    computing_since: float | None = None
    """None while it waits behind other micro-batches of this client."""
    sent_again: bool = False


class Dispatch(Generic[T]):
    """One call of `Pool.dispatch`: its micro-batches in flight, in the order in which they were sent."""

    def __init__(
        self,
        pool: Replicas,
        lanes: int,
        batches: Iterator[T],
        call: Callable[[Actor, T], ray.ObjectRef[Any]],
        timeout_seconds: float,
    ) -> None:
        self._pool = pool
        self._lanes = lanes
        self._batches = batches
        self._call = call
        self._timeout_seconds = timeout_seconds
        self._flights: dict[ray.ObjectRef[Any], _Flight[T]] = {}
        self._resend: deque[_Flight[T]] = deque()
        """Micro-batches that their replica did not compute; sent before new ones."""
        self._faulty: dict[int, GpuUnavailableError] = {}
        """Replicas whose device has a fault; the next dispatch tries them again."""
        self._dead: dict[int, HealthProbe] = {}
        """Probes of replicas that died, until they answer again."""
        for number, replica in enumerate(pool.replicas):
            if replica is None:
                self._mark_dead(number)

    def answers(self) -> Iterator[Answer[T]]:
        """Yield every micro-batch's answer, in the order of their arrival."""
        try:
            self._fill()
            while self._flights or self._resend:
                if not self._flights:
                    self._wait_for_replica()
                elif (answer := self._next_answer()) is not None:
                    yield answer
                self._fill()
        finally:
            in_flight(self._pool.name, 0)

    # --- sending ------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Send as many micro-batches as there is room for."""
        self._readmit()
        while (replica := self._least_loaded()) is not None:
            flight = self._resend.popleft() if self._resend else self._new_flight()
            if flight is None:
                break
            flight.replica, flight.computing_since = replica, None
            actor = self._pool.replicas[replica]
            assert actor is not None
            self._flights[self._call(actor, flight.batch)] = flight
        if not self._flights and not self._resend and not self._available():
            flight = self._new_flight()  # no replica is available: the next micro-batch waits for one
            if flight is not None:
                self._resend.append(flight)
        self._start_clocks()
        in_flight(self._pool.name, len(self._flights))

    def _new_flight(self) -> _Flight[T] | None:
        batch = next(self._batches, None)
        return _Flight(batch) if batch is not None else None

    def _available(self) -> list[int]:
        numbers = range(len(self._pool.replicas))
        return [number for number in numbers if number not in self._faulty and number not in self._dead]

    def _least_loaded(self) -> int | None:
        """The replica with the fewest micro-batches in flight; None if none has room."""
        load = Counter(flight.replica for flight in self._flights.values())
        least = min(self._available(), key=lambda number: load[number], default=None)
        return least if least is not None and load[least] < IN_FLIGHT * self._lanes else None

    def _start_clocks(self) -> None:
        """Start the time-out of what is among the first `lanes` of this client at its replica."""
        counts: Counter[int] = Counter()
        for flight in self._flights.values():
            counts[flight.replica] += 1
            if flight.computing_since is None and counts[flight.replica] <= self._lanes:
                flight.computing_since = time.monotonic()

    # --- receiving ----------------------------------------------------------------------------------

    def _next_answer(self) -> Answer[T] | None:
        """The next answer; None if its micro-batch is to be sent again, or if none arrived in time."""
        oldest = min(flight.computing_since or float("inf") for flight in self._flights.values())
        remaining = max(0.0, oldest + self._timeout_seconds - time.monotonic())
        wait_seconds = min(remaining, RETURN_POLL_SECONDS) if self._dead else remaining
        ready, _ = ray.wait(list(self._flights), num_returns=1, timeout=wait_seconds)
        if not ready:
            return self._time_out() if wait_seconds == remaining else None
        return self._received(self._flights.pop(ready[0]), ready[0])

    def _received(self, flight: _Flight[T], ref: ray.ObjectRef[Any]) -> Answer[T] | None:
        """The answer of a micro-batch; None if it is to be sent again."""
        try:
            return Answer(flight.batch, ray.get(ref))
        except RayTaskError as error:
            raised = getattr(error, "cause", None)
            cause = raised if isinstance(raised, MemoryError) else self._pool.cause(error)
            if not isinstance(cause, GpuUnavailableError):
                return Answer(flight.batch, None, cause)
            self._mark_faulty(flight, cause)
        except RayActorError as error:
            self._mark_dead(flight.replica, error)
            if flight.sent_again:
                return Answer(flight.batch, None, _lost(self._pool.name, error))
            flight.sent_again = True
            self._resend.append(flight)
        return None

    def _mark_faulty(self, flight: _Flight[T], fault: GpuUnavailableError) -> None:
        """Send the micro-batch to another replica; raises the fault if all replicas' devices have one."""
        self._faulty[flight.replica] = fault
        if len(self._faulty) == len(self._pool.replicas):
            raise fault
        self._resend.append(flight)

    def _time_out(self) -> Answer[T]:
        """Kill the replica of the micro-batch that took longest; its other micro-batches are sent again."""
        late = min(self._flights, key=lambda ref: self._flights[ref].computing_since or float("inf"))
        flight = self._flights.pop(late)
        actor = self._pool.replicas[flight.replica]
        assert actor is not None
        ray.kill(actor, no_restart=False)
        # The late call fails once this client knows of the death; what is sent before that would be lost too.
        ray.wait([late], timeout=self._timeout_seconds)
        self._mark_dead(flight.replica)
        return Answer(flight.batch, None, _timed_out(self._pool.name, self._timeout_seconds))

    # --- replicas that died -------------------------------------------------------------------------

    def _mark_dead(self, number: int, error: Exception | None = None) -> None:
        self._dead[number] = HealthProbe(self._pool, number)
        self._dead[number].error = error

    def _readmit(self) -> None:
        """Use those replicas again that answer."""
        for number in [number for number, probe in self._dead.items() if probe.has_answered()]:
            del self._dead[number]

    def _wait_for_replica(self) -> None:
        """Wait until a replica is available; raises the reason why none is, at once if it is permanent."""

        def is_one_available() -> bool:
            self._readmit()
            if not self._available() and all(map(self._is_permanent, self._dead.values())):
                raise self._absence()
            return bool(self._available())

        waiting = Retrying(
            retry=retry_if_result(lambda available: not available),
            wait=wait_fixed(RETURN_POLL_SECONDS),
            stop=stop_after_delay(self._timeout_seconds),
            retry_error_callback=lambda _: False,
        )
        if not waiting(is_one_available):
            raise self._absence()

    def _is_permanent(self, probe: HealthProbe) -> bool:
        return probe.error is not None and isinstance(self._pool.cause(probe.error), GpuUnavailableError)

    def _absence(self) -> MedkgError:
        """The reason why no replica is available."""
        for probe in self._dead.values():
            if probe.reason is not None:
                return self._pool.cause(probe.reason)
        for fault in self._faulty.values():
            return fault
        return PlaneUnavailableError(
            f"no replica of {self._pool.name} restarted in {self._timeout_seconds:g} s. See `medkg status` "
            "and Ray's logs."
        )


def _timed_out(name: str, seconds: float) -> MedkgError:
    return DagsterStageTimeoutError(
        f"a micro-batch at {name} took longer than {seconds:g} s; its replica was restarted. Raise the "
        "policy's timeout_seconds if the machine is only slow."
    )


def _lost(name: str, error: RayActorError) -> MedkgError:
    return PlaneUnavailableError(
        f"a replica of {name} died twice under one micro-batch ({str(error).splitlines()[0]}). Its documents "
        "are handed back; see Ray's logs for the cause."
    )
