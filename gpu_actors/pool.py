"""Pools of named, long-lived actors: attach or start, and dispatch with back-pressure.

Comes in: micro-batches. Leaves: one result or error a micro-batch. At most two are in flight at a replica
for each client, so one computes while the next waits in the actor's mailbox: that mailbox is the device's
only queue, shared by all windows. No call is repeated here; what a dead or hanging replica leaves is an
error that says whether the caller may repeat it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import ray
from ray.actor import ActorHandle
from ray.exceptions import ActorUnschedulableError, GetTimeoutError, RayActorError, RayTaskError

from orchestration.errors import (
    DagsterStageTimeoutError,
    MedkgError,
    PlaneUnavailableError,
    StageFailedError,
)

__all__ = ["NAMESPACE", "Answer", "Pool", "attach_or_start"]

T = TypeVar("T")

NAMESPACE: Final = "medkg"
IN_FLIGHT: Final = 2


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A micro-batch and what came of it."""

    batch: T
    result: Any | None
    error: BaseException | None = None


@dataclass(slots=True)
class _Flight(Generic[T]):
    batch: T
    replica: int
    deadline: float


def attach_or_start(
    name: str, replica: type, argument: object, count: int, *, detached: bool, cpus: float, gpus: float
) -> Pool[Any]:
    """The pool's actors by name; those that are not there are started, and load their model now.

    A replica that dies is started again by Ray; calls are never repeated by Ray. `detached` actors outlive
    the process that started them: for a cluster that others keep.
    """
    options: dict[str, Any] = {
        "namespace": NAMESPACE,
        "get_if_exists": True,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": 1,
        "num_cpus": cpus,
        "num_gpus": gpus,
    }
    if detached:
        options["lifetime"] = "detached"
    actor: Any = ray.remote(replica)
    return Pool(
        name,
        [actor.options(name=f"{name}-{number}", **options).remote(argument) for number in range(count)],
    )


class Pool(Generic[T]):
    """A client of some actors; thread-safe, each `dispatch` has its own flights."""

    def __init__(self, name: str, replicas: Sequence[ActorHandle[Any]]) -> None:
        self.name = name
        self.replicas = list(replicas)

    def wait_until_ready(self, seconds: float) -> list[dict[str, Any]]:
        """Every replica's health, once its model is loaded; raises the error that kept it from loading."""
        try:
            return list(ray.get([replica.health.remote() for replica in self.replicas], timeout=seconds))
        except GetTimeoutError as error:
            raise PlaneUnavailableError(
                f"{self.name} did not load its model in {seconds:g} s. See the Ray logs; `medkg status`."
            ) from error
        except RayTaskError as error:
            raise _cause(error) from error
        except (RayActorError, ActorUnschedulableError) as error:
            raise _start_error(self.name, error) from error

    def dispatch(
        self,
        batches: Iterator[T],
        call: Callable[[ActorHandle[Any], T], ray.ObjectRef[Any]],
        timeout_seconds: float,
    ) -> Iterator[Answer[T]]:
        """Send micro-batches as replicas get free; answers in the order they come.

        The iterator is asked for the next micro-batch only when there is room, so it may react to answers.
        """
        flights: dict[ray.ObjectRef[Any], _Flight[T]] = {}
        exhausted = False
        while flights or not exhausted:
            replica = self._free(flights)
            batch = next(batches, None) if replica is not None and not exhausted else None
            if batch is not None and replica is not None:
                deadline = time.monotonic() + timeout_seconds * IN_FLIGHT
                flights[call(self.replicas[replica], batch)] = _Flight(batch, replica, deadline)
                continue
            if not flights:
                exhausted = True
                continue
            yield self._next_answer(flights, timeout_seconds)
            exhausted = False

    def _free(self, flights: dict[ray.ObjectRef[Any], _Flight[T]]) -> int | None:
        """The replica with the fewest flights, if it has room."""
        load = [0] * len(self.replicas)
        for flight in flights.values():
            load[flight.replica] += 1
        least = min(range(len(load)), key=load.__getitem__)
        return least if load[least] < IN_FLIGHT else None

    def _next_answer(
        self, flights: dict[ray.ObjectRef[Any], _Flight[T]], timeout_seconds: float
    ) -> Answer[T]:
        until = min(flight.deadline for flight in flights.values()) - time.monotonic()
        ready, _ = ray.wait(list(flights), num_returns=1, timeout=max(0.0, until))
        if not ready:
            late = min(flights, key=lambda ref: flights[ref].deadline)
            flight = flights.pop(late)
            ray.kill(self.replicas[flight.replica], no_restart=False)
            return Answer(flight.batch, None, _timed_out(self.name, timeout_seconds))
        flight = flights.pop(ready[0])
        try:
            return Answer(flight.batch, ray.get(ready[0]))
        except RayTaskError as error:
            return Answer(flight.batch, None, _cause(error))
        except RayActorError as error:
            return Answer(flight.batch, None, _lost(self.name, error))


def _cause(error: RayTaskError) -> BaseException:
    """What the actor's code raised, as it was raised there."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, MedkgError | MemoryError):
        return cause
    return StageFailedError(
        f"the plane raised {type(cause).__name__}: {cause}. Please report it with the Ray logs."
    )


def _timed_out(name: str, seconds: float) -> MedkgError:
    return DagsterStageTimeoutError(
        f"a micro-batch at {name} took longer than {seconds:g} s; its replica was restarted. Raise the "
        "policy's timeout_seconds if the machine is merely slow."
    )


def _lost(name: str, error: RayActorError) -> MedkgError:
    return PlaneUnavailableError(
        f"a replica of {name} died ({str(error).splitlines()[0]}); Ray restarts it. Nothing is lost."
    )


def _start_error(name: str, error: Exception) -> MedkgError:
    """Why an actor could not start; a MedkgError of its constructor comes through as itself."""
    text = str(error)
    for kind in _kinds(MedkgError):
        marker = f"{kind.__name__}: "
        if marker in text:
            return kind(text.split(marker, 1)[1].splitlines()[0])
    return PlaneUnavailableError(f"{name} could not start: {text.splitlines()[-1] if text else error!r}")


def _kinds(kind: type[MedkgError]) -> Iterator[type[MedkgError]]:
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
        yield narrower
