"""Micro-batches to the replicas of a pool and back: back-pressure, time-outs, deaths, sick devices.

Comes in: micro-batches. Leaves: one result or error a micro-batch. At most two are in flight for each lane of
a replica and each client, so one computes while the next waits in the actor's mailbox: that mailbox is the
device's only queue, shared by all windows. A micro-batch whose replica died is sent once more, to another one
if there is one; one that takes too long costs its replica the life.
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
from gpu_actors.pools.health_probe import Actor, Pulse, Replicas
from orchestration.errors import (
    DagsterStageTimeoutError,
    GpuUnavailableError,
    MedkgError,
    PlaneUnavailableError,
)

__all__ = ["IN_FLIGHT", "Answer", "Dispatch"]

T = TypeVar("T")

IN_FLIGHT: Final = 2
"""Micro-batches of one client at each lane of a replica: one computes, one waits."""

RETURN_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A micro-batch and what came of it: a result or an error."""

    batch: T
    result: Any | None
    error: BaseException | None = None


@dataclass(slots=True)
class _Flight(Generic[T]):
    batch: T
    replica: int = -1
    computing_since: float | None = None
    """None while it waits behind this client's other micro-batches."""
    sent_again: bool = False


class Dispatch(Generic[T]):
    """One `Pool.dispatch`: the flights of its micro-batches, in the order they were sent."""

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
        self._stranded: deque[_Flight[T]] = deque()
        """What replicas lost or left; sent before anything new."""
        self._sick: dict[int, GpuUnavailableError] = {}
        """Replicas whose device is not well; the next dispatch asks them again."""
        self._dead: dict[int, Pulse] = {}
        """Replicas that died, until they answer again."""
        for number, replica in enumerate(pool.replicas):
            if replica is None:
                self._miss(number)

    def answers(self) -> Iterator[Answer[T]]:
        """Every micro-batch's answer, as they come."""
        try:
            self._fill()
            while self._flights or self._stranded:
                if not self._flights:
                    self._await_return()
                elif (answer := self._next_answer()) is not None:
                    yield answer
                self._fill()
        finally:
            in_flight(self._pool.name, 0)

    # --- sending ------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Send what there is room for."""
        self._welcome()
        while (replica := self._free()) is not None:
            flight = self._stranded.popleft() if self._stranded else self._new_flight()
            if flight is None:
                break
            flight.replica, flight.computing_since = replica, None
            actor = self._pool.replicas[replica]
            assert actor is not None
            self._flights[self._call(actor, flight.batch)] = flight
        if not self._flights and not self._stranded and not self._present():
            flight = self._new_flight()  # nobody is there: what is next waits for whoever comes back
            if flight is not None:
                self._stranded.append(flight)
        self._start_clocks()
        in_flight(self._pool.name, len(self._flights))

    def _new_flight(self) -> _Flight[T] | None:
        batch = next(self._batches, None)
        return _Flight(batch) if batch is not None else None

    def _present(self) -> list[int]:
        numbers = range(len(self._pool.replicas))
        return [number for number in numbers if number not in self._sick and number not in self._dead]

    def _free(self) -> int | None:
        """The replica with the fewest flights, None if none has room."""
        load = Counter(flight.replica for flight in self._flights.values())
        least = min(self._present(), key=lambda number: load[number], default=None)
        return least if least is not None and load[least] < IN_FLIGHT * self._lanes else None

    def _start_clocks(self) -> None:
        """A flight's time runs when it is among the first `lanes` of ours at its replica."""
        seen: Counter[int] = Counter()
        for flight in self._flights.values():
            seen[flight.replica] += 1
            if flight.computing_since is None and seen[flight.replica] <= self._lanes:
                flight.computing_since = time.monotonic()

    # --- landing ------------------------------------------------------------------------------------

    def _next_answer(self) -> Answer[T] | None:
        """The next flight that landed; None if it is to be sent again, or none did while we looked."""
        oldest = min(flight.computing_since or float("inf") for flight in self._flights.values())
        left = max(0.0, oldest + self._timeout_seconds - time.monotonic())
        patience = min(left, RETURN_POLL_SECONDS) if self._dead else left
        landed, _ = ray.wait(list(self._flights), num_returns=1, timeout=patience)
        if not landed:
            return self._too_late() if patience == left else None
        return self._landed(self._flights.pop(landed[0]), landed[0])

    def _landed(self, flight: _Flight[T], ref: ray.ObjectRef[Any]) -> Answer[T] | None:
        """A flight's answer; None if it is to be sent again."""
        try:
            return Answer(flight.batch, ray.get(ref))
        except RayTaskError as error:
            memory = getattr(error, "cause", None)
            cause = memory if isinstance(memory, MemoryError) else self._pool.cause(error)
            if not isinstance(cause, GpuUnavailableError):
                return Answer(flight.batch, None, cause)
            self._leave(flight, cause)
        except RayActorError as error:
            self._miss(flight.replica, error)
            if flight.sent_again:
                return Answer(flight.batch, None, _lost(self._pool.name, error))
            flight.sent_again = True
            self._stranded.append(flight)
        return None

    def _leave(self, flight: _Flight[T], fault: GpuUnavailableError) -> None:
        """Have other replicas do the work of one whose device is sick; raises the fault if all are."""
        self._sick[flight.replica] = fault
        if len(self._sick) == len(self._pool.replicas):
            raise fault
        self._stranded.append(flight)

    def _too_late(self) -> Answer[T]:
        """Kill the replica of the flight that took longest; its other flights are sent again."""
        late = min(self._flights, key=lambda ref: self._flights[ref].computing_since or float("inf"))
        flight = self._flights.pop(late)
        actor = self._pool.replicas[flight.replica]
        assert actor is not None
        ray.kill(actor, no_restart=False)
        # The late call fails when this client has heard of the death; what is sent before would be lost too.
        ray.wait([late], timeout=self._timeout_seconds)
        self._miss(flight.replica)
        return Answer(flight.batch, None, _timed_out(self._pool.name, self._timeout_seconds))

    # --- replicas that died -------------------------------------------------------------------------

    def _miss(self, number: int, error: Exception | None = None) -> None:
        self._dead[number] = Pulse(self._pool, number)
        self._dead[number].error = error

    def _welcome(self) -> None:
        """Take those back that answer again."""
        for number in [number for number, pulse in self._dead.items() if pulse.beats()]:
            del self._dead[number]

    def _await_return(self) -> None:
        """Wait until somebody is there again; raises why nobody is, at once if that will not change."""

        def somebody_is() -> bool:
            self._welcome()
            if not self._present() and all(map(self._is_for_good, self._dead.values())):
                raise self._absence()
            return bool(self._present())

        waiting = Retrying(
            retry=retry_if_result(lambda back: not back),
            wait=wait_fixed(RETURN_POLL_SECONDS),
            stop=stop_after_delay(self._timeout_seconds),
            retry_error_callback=lambda _: False,
        )
        if not waiting(somebody_is):
            raise self._absence()

    def _is_for_good(self, pulse: Pulse) -> bool:
        return pulse.error is not None and isinstance(self._pool.cause(pulse.error), GpuUnavailableError)

    def _absence(self) -> MedkgError:
        """Why no replica is there."""
        for pulse in self._dead.values():
            if pulse.reason is not None:
                return self._pool.cause(pulse.reason)
        for fault in self._sick.values():
            return fault
        return PlaneUnavailableError(
            f"no replica of {self._pool.name} came back in {self._timeout_seconds:g} s. See `medkg status` "
            "and Ray's logs."
        )


def _timed_out(name: str, seconds: float) -> MedkgError:
    return DagsterStageTimeoutError(
        f"a micro-batch at {name} took longer than {seconds:g} s; its replica was restarted. Raise the "
        "policy's timeout_seconds if the machine is merely slow."
    )


def _lost(name: str, error: RayActorError) -> MedkgError:
    return PlaneUnavailableError(
        f"a replica of {name} died twice under one micro-batch ({str(error).splitlines()[0]}). Its documents "
        "are handed back; see Ray's logs for the cause."
    )
