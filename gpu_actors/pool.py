"""Pools of named, long-lived actors: start or attach, and dispatch with back-pressure.

Comes in: micro-batches. Leaves: one result or error a micro-batch. At most two are in flight for each lane of
a replica and each client, so one computes while the next waits in the actor's mailbox: that mailbox is the
device's only queue, shared by all windows. A micro-batch whose replica died is sent once more; one that takes
too long costs its replica the life, and Ray starts it anew. Ray itself never repeats a call.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import ray
from ray.actor import ActorHandle
from ray.exceptions import (
    ActorUnavailableError,
    ActorUnschedulableError,
    GetTimeoutError,
    RayActorError,
    RayTaskError,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from orchestration.errors import (
    DagsterStageTimeoutError,
    GpuUnavailableError,
    MedkgError,
    PlaneUnavailableError,
    StageFailedError,
    error_class,
)

__all__ = ["IN_FLIGHT", "NAMESPACE", "Answer", "Pool", "attach_pool", "start_pool"]

T = TypeVar("T")
Actor: TypeAlias = "ActorHandle[Any]"

NAMESPACE: Final = "medkg"
IN_FLIGHT: Final = 2
"""Micro-batches of one client at each lane of a replica: one computes, one waits."""

REVIVAL_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A micro-batch and what came of it: a result or an error."""

    batch: T
    result: Any | None
    error: BaseException | None = None


@dataclass(slots=True)
class _Flight(Generic[T]):
    batch: T
    replica: int
    computing_since: float | None
    """None while it waits behind this client's other micro-batches."""
    sent_again: bool = False


def start_pool(
    name: str, replica: type, argument: object, count: int, *, lanes: int, gpus: float = 0.0
) -> Pool[Any]:
    """The pool's actors by name; those that are not there are started, and load their model now.

    They live as long as the process that started them. `lanes` calls of a replica run at once.
    """
    make_actor: Any = ray.remote(concurrency_groups={"health": 1})  # type: ignore[call-overload]
    actor = make_actor(replica)
    options: dict[str, Any] = {
        "namespace": NAMESPACE,
        "get_if_exists": True,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": lanes,
        "num_cpus": 0,
        "num_gpus": gpus,
    }
    names = [f"{name}-{number}" for number in range(count)]
    return Pool(name, [actor.options(name=each, **options).remote(argument) for each in names])


def attach_pool(name: str, count: int) -> Pool[Any]:
    """The pool's actors that another process started; raises PlaneUnavailableError when one is missing."""
    try:
        actors = [ray.get_actor(f"{name}-{number}", namespace=NAMESPACE) for number in range(count)]
    except ValueError as error:
        raise PlaneUnavailableError(
            f"the cluster has no actor pool {name}: its host has ended, or uses another model. See "
            "`medkg status`; `medkg up` starts a plane."
        ) from error
    return Pool(name, actors)


class Pool(Generic[T]):
    """A client of some actors; thread-safe, each `dispatch` has its own flights."""

    def __init__(self, name: str, replicas: Sequence[Actor]) -> None:
        self.name = name
        self.replicas = list(replicas)
        self._described: list[dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def health(self, seconds: float) -> list[dict[str, Any]]:
        """Every replica's health, once its model is loaded; raises the error that kept it from loading."""
        asked = [replica.health.options(concurrency_group="health").remote() for replica in self.replicas]
        try:
            return list(ray.get(asked, timeout=seconds))
        except GetTimeoutError as error:
            raise PlaneUnavailableError(
                f"{self.name} did not answer in {seconds:g} s: it is loading its model or hangs. See `medkg "
                "status` and Ray's logs."
            ) from error
        except RayTaskError as error:
            raise _cause(error) from error
        except (RayActorError, ActorUnschedulableError) as error:
            raise _start_error(self.name, error) from error

    def wait_until_revived(self, replica: int, seconds: float) -> None:
        """Return when Ray has started a dead replica again and its model is loaded.

        Until this client has heard of the new process its calls fail at once, so health is asked until it is
        told. Raises PlaneUnavailableError after `seconds`, or at once if Ray will not start it again.
        """
        patiently = Retrying(
            retry=retry_if_exception_type(ActorUnavailableError),
            wait=wait_fixed(REVIVAL_POLL_SECONDS),
            stop=stop_after_delay(seconds),
            reraise=True,
        )
        try:
            patiently(self._ask, self.replicas[replica], seconds)
        except (RayActorError, RayTaskError, GetTimeoutError) as error:
            raise _start_error(self.name, error) from error

    def _ask(self, replica: Actor, seconds: float) -> dict[str, Any]:
        asked: ray.ObjectRef[Any] = replica.health.options(concurrency_group="health").remote()
        return cast("dict[str, Any]", ray.get(asked, timeout=seconds))

    def described(self, seconds: float) -> list[dict[str, Any]]:
        """Every replica's health as it was when it was first asked: lanes, dimensions."""
        with self._lock:
            if self._described is None:
                self._described = self.health(seconds)
            return self._described

    def lanes(self, seconds: float) -> int:
        """Micro-batches that the pool computes at once."""
        return sum(int(each["lanes"]) for each in self.described(seconds))

    def dispatch(
        self,
        batches: Iterator[T],
        call: Callable[[Actor, T], ray.ObjectRef[Any]],
        timeout_seconds: float,
    ) -> Iterator[Answer[T]]:
        """Send micro-batches as lanes get free; answers in the order they come.

        `batches` is asked for the next one only when there is room, and again after each answer, so it may
        react to answers. The time-out counts from when a micro-batch is the first of ours in its lane.
        Raises PlaneUnavailableError when a replica is not there, or not back, within the time-out, and
        GpuUnavailableError when the devices of all replicas are sick; of some, the others do the work.
        """
        lanes = [int(each["lanes"]) for each in self.described(timeout_seconds)]
        return _Dispatch(self, lanes, batches, call, timeout_seconds).answers()


class _Dispatch(Generic[T]):
    """One `dispatch`: the flights of its micro-batches, in the order they were sent."""

    def __init__(
        self,
        pool: Pool[T],
        lanes: Sequence[int],
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
        self._sick: set[int] = set()
        """Replicas whose device is not well; the next dispatch asks them again."""

    def answers(self) -> Iterator[Answer[T]]:
        self._fill()
        while self._flights:
            answer = self._next_answer()
            if answer is not None:
                yield answer
            self._fill()

    def _fill(self) -> None:
        """Send what there is room for."""
        while (replica := self._free()) is not None:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._send(_Flight(batch, replica, None))
        self._start_clocks()

    def _send(self, flight: _Flight[T]) -> None:
        self._flights[self._call(self._pool.replicas[flight.replica], flight.batch)] = flight

    def _free(self) -> int | None:
        """The replica with the most room a lane, None if none has any."""
        least, load = self._least_loaded()
        return least if load < IN_FLIGHT * self._lanes[least] else None

    def _least_loaded(self) -> tuple[int, int]:
        """The healthy replica with the fewest flights a lane, and how many it has."""
        load = Counter(flight.replica for flight in self._flights.values())
        healthy = (replica for replica in range(len(self._lanes)) if replica not in self._sick)
        least = min(healthy, key=lambda replica: load[replica] / self._lanes[replica])
        return least, load[least]

    def _start_clocks(self) -> None:
        """A flight's time runs when it is among the first `lanes` of ours at its replica."""
        seen: Counter[int] = Counter()
        for flight in self._flights.values():
            seen[flight.replica] += 1
            if flight.computing_since is None and seen[flight.replica] <= self._lanes[flight.replica]:
                flight.computing_since = time.monotonic()

    def _next_answer(self) -> Answer[T] | None:
        """The next flight that landed; None if it was sent again."""
        oldest = min(flight.computing_since or float("inf") for flight in self._flights.values())
        left = oldest + self._timeout_seconds - time.monotonic()
        landed, _ = ray.wait(list(self._flights), num_returns=1, timeout=max(0.0, left))
        if not landed:
            return self._too_late()
        flight = self._flights.pop(landed[0])
        try:
            return Answer(flight.batch, ray.get(landed[0]))
        except RayTaskError as error:
            cause = _cause(error)
            if isinstance(cause, GpuUnavailableError):
                self._drain(flight, cause)
                return None
            return Answer(flight.batch, None, cause)
        except RayActorError as error:
            if flight.sent_again:
                return Answer(flight.batch, None, _lost(self._pool.name, error))
            self._pool.wait_until_revived(flight.replica, self._timeout_seconds)
            self._send(_Flight(flight.batch, flight.replica, None, sent_again=True))
            return None

    def _drain(self, flight: _Flight[T], fault: GpuUnavailableError) -> None:
        """Have another replica do the work of one whose device is sick; raises the fault if all are."""
        self._sick.add(flight.replica)
        if len(self._sick) == len(self._lanes):
            raise fault
        self._send(_Flight(flight.batch, self._least_loaded()[0], None, flight.sent_again))

    def _too_late(self) -> Answer[T]:
        """Kill the replica of the flight that took longest; its other flights are sent again."""
        late = min(self._flights, key=lambda ref: self._flights[ref].computing_since or float("inf"))
        flight = self._flights.pop(late)
        ray.kill(self._pool.replicas[flight.replica], no_restart=False)
        # The late call fails when this client has heard of the death; what is sent before would be lost too.
        ray.wait([late], timeout=self._timeout_seconds)
        self._pool.wait_until_revived(flight.replica, self._timeout_seconds)
        return Answer(flight.batch, None, _timed_out(self._pool.name, self._timeout_seconds))


def _cause(error: RayTaskError) -> BaseException:
    """What the actor's code raised, as it was raised there."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, MedkgError | MemoryError):
        return cause
    return StageFailedError(
        f"the plane raised {type(cause).__name__}: {cause}. Please report it with Ray's logs."
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


def _start_error(name: str, error: Exception) -> MedkgError:
    """Why an actor could not start; a MedkgError of its constructor comes through as itself.

    Ray hands on only the traceback's text, whose last "Class: message" lines name the error.
    """
    lines = str(error).splitlines()
    for line in reversed(lines):
        label, _, message = line.strip().partition(": ")
        kind = error_class(label.rsplit(".", 1)[-1])
        if kind is not None and message:
            return kind(message)
    return PlaneUnavailableError(f"{name} could not start: {lines[-1] if lines else repr(error)}")
