"""Pools of named, long-lived actors: started or attached to, described, found again, replaced.

Input: the kind of a replica, or the name of a pool that another process started. Output: a `Pool`, whose
`dispatch` computes micro-batches (see dispatch.py). Ray restarts a dead replica a few times; after that, or
when its constructor failed, the process that started the pool replaces it (see supervisor.py), and clients
find the new actor by its name. Ray itself never repeats a call.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

import ray
from ray.exceptions import (
    ActorUnschedulableError,
    GetTimeoutError,
    RayActorError,
    RayTaskError,
)
from ray.util import list_named_actors
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gpu_actors.pools.dispatch import Answer, Dispatch
from gpu_actors.pools.health_probe import Actor, HealthProbe, ask_health
from gpu_actors.pools.placement import Placement
from orchestration.errors import MedkgError, PlaneUnavailableError, StageFailedError, rebuilt_error

__all__ = ["NAMESPACE", "QUERY_LANE", "RESTARTS", "Pool", "ReplicaKind", "attach_pool", "start_pool"]

T = TypeVar("T")
NAMESPACE: Final = "medkg"
"""Ray namespace of the plane's actors."""

RESTARTS: Final = 3
"""How often Ray restarts one actor; each replacement by the supervisor has as many restarts."""

ANSWER_POLL_SECONDS: Final = 0.01

QUERY_LANE: Final = "query"
"""Concurrency group of queries, so that a query never waits behind micro-batches."""


@dataclass(frozen=True, slots=True)
class ReplicaKind:
    """How the replicas of a pool are started."""

    actor_class: type
    argument: object
    lanes: int
    """Calls that one replica computes at the same time."""
    gpus: float = 0.0
    """Share of a GPU, 0 to 1: replicas of several models use one device."""

    def start(self, name: str, placement: Placement | None, number: int) -> Actor:
        """Return the actor of that name, started now unless it exists; it ends with this process."""
        make_actor: Any = ray.remote(concurrency_groups={"health": 1, QUERY_LANE: 1})  # type: ignore[call-overload]
        options: dict[str, Any] = {
            "name": name,
            "namespace": NAMESPACE,
            "get_if_exists": True,
            "max_restarts": RESTARTS,
            "max_task_retries": 0,
            "max_concurrency": self.lanes,
            "num_cpus": 0,
            "num_gpus": self.gpus,
        }
        if placement is not None:
            options["scheduling_strategy"] = placement.strategy(number)
        return cast("Actor", make_actor(self.actor_class).options(**options).remote(self.argument))


def start_pool(name: str, kind: ReplicaKind, count: int, placement: Placement | None = None) -> Pool[Any]:
    """Return a pool of `count` actors; those that do not exist are started and load their model now."""
    actors = [kind.start(_actor_name(name, number, 0), placement, number) for number in range(count)]
    return Pool(name, actors, kind, placement)


def attach_pool(name: str) -> Pool[Any]:
    """Return the pool that another process started; raises PlaneUnavailableError when there is none."""
    newest = _newest(name)
    if not newest:
        raise PlaneUnavailableError(
            f"the cluster has no actor pool {name}: its host has ended, or uses another model. See "
            "`medkg status`; `medkg up` starts a plane."
        )
    return Pool(name, [_named(newest.get(number)) for number in range(max(newest) + 1)])


def _actor_name(pool: str, number: int, generation: int) -> str:
    """Each replacement has a new name, since Ray's clients cache the actor of a name."""
    return f"{pool}-{number}.{generation}"


def _newest(pool: str) -> dict[int, str]:
    """Names of a pool's actors by number, each of its newest generation."""
    numbered = (re.fullmatch(re.escape(pool) + r"-(\d+)\.(\d+)", each) for each in list_named_actors())
    ordered = sorted((int(name.group(1)), int(name.group(2)), name.group()) for name in numbered if name)
    return {number: name for number, _, name in ordered}


def _named(name: str | None) -> Actor | None:
    """The actor of that name; None while there is none."""
    try:
        return ray.get_actor(name, namespace=NAMESPACE) if name is not None else None
    except ValueError:
        return None


class Pool(Generic[T]):
    """A client of one pool's actors; thread-safe, each `dispatch` tracks its own micro-batches."""

    def __init__(
        self,
        name: str,
        replicas: Sequence[Actor | None],
        kind: ReplicaKind | None = None,
        placement: Placement | None = None,
    ) -> None:
        """`kind`, `placement`: how replicas are replaced; only in the process that started them."""
        self.name = name
        self.replicas = list(replicas)
        """By number; None: unavailable when this client attached."""
        self._kind = kind
        self._placement = placement
        self._generations: Counter[int] = Counter()
        self._described: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._replacing = threading.Lock()
        """A separate lock, since a thread that waits for a first answer may wait for a replacement."""

    # --- health -------------------------------------------------------------------------------------

    def wait_until_ready(self, seconds: float) -> None:
        """Return when every replica has loaded its model; raises the error of one that cannot."""
        try:
            ray.get(
                [ask_health(replica) for replica in self.replicas if replica is not None], timeout=seconds
            )
        except GetTimeoutError as error:
            raise self._no_answer(seconds) from error
        except (RayTaskError, RayActorError, ActorUnschedulableError) as error:
            raise self.cause(error) from error

    def health(self, seconds: float) -> list[dict[str, Any]]:
        """Return the health of every replica; for one that does not answer in time, its `fault`."""
        calls = [ask_health(replica) if replica is not None else None for replica in self.replicas]
        pending = [call for call in calls if call is not None]
        if pending:
            ray.wait(pending, num_returns=len(pending), timeout=seconds)
        return [self._health_of(call) for call in calls]

    def flush_traces(self) -> list[ray.ObjectRef[Any]]:
        """Have every replica send its spans; returns the calls, which no work of the replica delays."""
        return [
            replica.flush_traces.options(concurrency_group="health").remote()
            for replica in self.replicas
            if replica is not None
        ]

    def _health_of(self, call: ray.ObjectRef[Any] | None) -> dict[str, Any]:
        if call is None:
            return {"fault": "unavailable"}
        try:
            return cast("dict[str, Any]", ray.get(call, timeout=0))
        except GetTimeoutError:
            return {"fault": "no answer: it loads its model or hangs"}
        except (RayTaskError, RayActorError, ActorUnschedulableError) as error:
            return {"fault": self.cause(error).message}

    def described(self, seconds: float) -> dict[str, Any]:
        """Return lanes, width and token budget of a replica; of the first one that answers, cached."""
        with self._lock:
            if self._described is None:
                self._described = self._first_answer(seconds)
            return self._described

    def _first_answer(self, seconds: float) -> dict[str, Any]:
        probes = [HealthProbe(self, number) for number in range(len(self.replicas))]

        def poll() -> dict[str, Any] | None:
            return next((probe.health for probe in probes if probe.has_answered()), None)

        waiting = Retrying(
            retry=retry_if_result(lambda answer: answer is None),
            wait=wait_fixed(ANSWER_POLL_SECONDS),
            stop=stop_after_delay(seconds),
            retry_error_callback=lambda _: None,
        )
        answer: dict[str, Any] | None = waiting(poll)
        if answer is None:
            errors = [probe.reason for probe in probes if probe.reason is not None]
            raise self.cause(errors[0]) if errors else self._no_answer(seconds)
        return answer

    def lanes(self, seconds: float) -> int:
        """Return how many micro-batches the pool computes at the same time."""
        return len(self.replicas) * int(self.described(seconds)["lanes"])

    def _no_answer(self, seconds: float) -> PlaneUnavailableError:
        return PlaneUnavailableError(
            f"{self.name} did not answer in {seconds:g} s: it is loading its model or hangs. See `medkg "
            "status` and Ray's logs."
        )

    # --- work ---------------------------------------------------------------------------------------

    def dispatch(
        self,
        batches: Iterator[T],
        call: Callable[[Actor, T], ray.ObjectRef[Any]],
        timeout_seconds: float,
    ) -> Iterator[Answer[T]]:
        """Send micro-batches as lanes become free; yields answers in the order of their arrival.

        The next item of `batches` is taken only when there is room for it, and after each answer, so
        `batches` may react to answers. The time-out of a micro-batch starts when it is the first of this
        client in its lane. The work of a replica that dies, or whose device has a fault, moves to the others.
        Raises PlaneUnavailableError when no replica is available within the time-out, and
        GpuUnavailableError when the devices of all replicas have faults.
        """
        lanes = int(self.described(timeout_seconds)["lanes"])
        return Dispatch(self, lanes, batches, call, timeout_seconds).answers()

    # --- replacement --------------------------------------------------------------------------------

    def find_again(self, number: int) -> None:
        """Take the actor that has the replica's name now, if there is one.

        Does nothing in the process that started the pool: its own handles keep the actors alive.
        """
        actor = _named(_newest(self.name).get(number)) if self._kind is None else None
        if actor is not None:
            self.replicas[number] = actor

    def replace(self, number: int, dead: Actor | None) -> None:
        """Start an actor in place of a dead one, unless that is done; only where the pool was started."""
        assert self._kind is not None
        with self._replacing:
            if self.replicas[number] is dead:
                self._generations[number] += 1
                name = _actor_name(self.name, number, self._generations[number])
                self.replicas[number] = self._kind.start(name, self._placement, number)

    def end(self) -> None:
        """End all replicas; Ray does not restart them."""
        for replica in filter(None, self.replicas):
            ray.kill(replica)

    def cause(self, error: Exception) -> MedkgError:
        """Return why a call failed: the error that the actor's code raised, or why there is no actor.

        Of an error in the constructor Ray passes on only the text of the traceback, whose last
        "Class: message" line names the error.
        """
        if isinstance(error, RayTaskError):
            return _raised(error)
        lines = str(error).splitlines()
        for line in reversed(lines):
            label, _, message = line.strip().partition(": ")
            raised = rebuilt_error(label, message) if message else None
            if raised is not None:
                return raised
        reason = lines[-1] if lines else repr(error)
        return PlaneUnavailableError(f"{self.name}: a replica is unavailable: {reason}")


def _raised(error: RayTaskError) -> MedkgError:
    cause = getattr(error, "cause", None)
    if isinstance(cause, MedkgError):
        return cause
    return StageFailedError(
        f"the plane raised {type(cause).__name__}: {cause}. Please report it with Ray's logs."
    )
