"""Pools of named, long-lived actors: started or attached to, described, found again, replaced.

Comes in: what a replica is, or the name of a pool that another process started. Leaves: a `Pool`, whose
`dispatch` has micro-batches done (see dispatch.py). Ray starts a replica that died again a few times; then,
or when its constructor failed, the process that started the pool replaces it (see keeper.py), and clients
find the new one by its name. Ray itself never repeats a call.
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
from gpu_actors.pools.health_probe import Actor, Pulse, ask_health
from gpu_actors.pools.placement import Seats
from orchestration.errors import MedkgError, PlaneUnavailableError, StageFailedError, error_class

__all__ = ["NAMESPACE", "QUERY_LANE", "RESTARTS", "Pool", "ReplicaKind", "attach_pool", "start_pool"]

T = TypeVar("T")
NAMESPACE: Final = "medkg"

RESTARTS: Final = 3
"""How often Ray starts one replica again; each replacement by the keeper has as many."""

ANSWER_POLL_SECONDS: Final = 0.01

QUERY_LANE: Final = "query"
"""A lane beside the others for what somebody waits for: a query never stands behind micro-batches."""


@dataclass(frozen=True, slots=True)
class ReplicaKind:
    """How replicas of a pool are made."""

    actor_class: type
    argument: object
    lanes: int
    """Calls that one computes at once."""
    gpus: float = 0.0
    """Of a GPU's share, so that models which sit together may share it."""

    def start(self, name: str, seats: Seats | None, number: int) -> Actor:
        """The actor of that name, started now unless it is there; it lives as long as this process."""
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
        if seats is not None:
            options["scheduling_strategy"] = seats.of(number)
        return cast("Actor", make_actor(self.actor_class).options(**options).remote(self.argument))


def start_pool(name: str, kind: ReplicaKind, count: int, seats: Seats | None = None) -> Pool[Any]:
    """The pool's actors by name; those that are not there are started, and load their model now."""
    actors = [kind.start(_actor_name(name, number, 0), seats, number) for number in range(count)]
    return Pool(name, actors, kind, seats)


def attach_pool(name: str) -> Pool[Any]:
    """The pool's actors that another process started; raises PlaneUnavailableError when there are none."""
    newest = _newest(name)
    if not newest:
        raise PlaneUnavailableError(
            f"the cluster has no actor pool {name}: its host has ended, or uses another model. See "
            "`medkg status`; `medkg up` starts a plane."
        )
    return Pool(name, [_named(newest.get(number)) for number in range(max(newest) + 1)])


def _actor_name(pool: str, number: int, generation: int) -> str:
    """Each replacement has a name of its own, since clients of Ray remember whom a name meant."""
    return f"{pool}-{number}.{generation}"


def _newest(pool: str) -> dict[int, str]:
    """The names of a pool's actors by number, of the newest generation that there is."""
    numbered = (re.fullmatch(re.escape(pool) + r"-(\d+)\.(\d+)", each) for each in list_named_actors())
    found = sorted((int(name.group(1)), int(name.group(2)), name.group()) for name in numbered if name)
    return {number: name for number, _, name in found}


def _named(name: str | None) -> Actor | None:
    """The actor of that name, None while there is none."""
    try:
        return ray.get_actor(name, namespace=NAMESPACE) if name is not None else None
    except ValueError:
        return None


class Pool(Generic[T]):
    """A client of some actors; thread-safe, each `dispatch` has its own flights."""

    def __init__(
        self,
        name: str,
        replicas: Sequence[Actor | None],
        kind: ReplicaKind | None = None,
        seats: Seats | None = None,
    ) -> None:
        """`kind`: how replicas are replaced, for the process that started them."""
        self.name = name
        self.replicas = list(replicas)
        """None: it was away when this client attached."""
        self._kind = kind
        self._seats = seats
        self._generations: Counter[int] = Counter()
        self._described: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._replacing = threading.Lock()
        """Not the same, since who waits for a first answer may wait for a replacement."""

    # --- what they are ------------------------------------------------------------------------------

    def wait_until_ready(self, seconds: float) -> None:
        """Return when every replica has loaded its model; raises the error that keeps one from it."""
        try:
            ray.get(
                [ask_health(replica) for replica in self.replicas if replica is not None], timeout=seconds
            )
        except GetTimeoutError as error:
            raise self._silent(seconds) from error
        except (RayTaskError, RayActorError, ActorUnschedulableError) as error:
            raise self.cause(error) from error

    def health(self, seconds: float) -> list[dict[str, Any]]:
        """Every replica as it is now; of one that does not answer in time, its `fault`."""
        asked = [ask_health(replica) if replica is not None else None for replica in self.replicas]
        pending = [ref for ref in asked if ref is not None]
        if pending:
            ray.wait(pending, num_returns=len(pending), timeout=seconds)
        return [self._told(ref) for ref in asked]

    def _told(self, asked: ray.ObjectRef[Any] | None) -> dict[str, Any]:
        if asked is None:
            return {"fault": "away"}
        try:
            return cast("dict[str, Any]", ray.get(asked, timeout=0))
        except GetTimeoutError:
            return {"fault": "no answer: it loads its model or hangs"}
        except (RayTaskError, RayActorError, ActorUnschedulableError) as error:
            return {"fault": self.cause(error).message}

    def described(self, seconds: float) -> dict[str, Any]:
        """What each of its replicas is: lanes, width, token budget. Asked once, of whoever answers first."""
        with self._lock:
            if self._described is None:
                self._described = self._first_answer(seconds)
            return self._described

    def _first_answer(self, seconds: float) -> dict[str, Any]:
        pulses = [Pulse(self, number) for number in range(len(self.replicas))]

        def told() -> dict[str, Any] | None:
            return next((pulse.told for pulse in pulses if pulse.beats()), None)

        waiting = Retrying(
            retry=retry_if_result(lambda answer: answer is None),
            wait=wait_fixed(ANSWER_POLL_SECONDS),
            stop=stop_after_delay(seconds),
            retry_error_callback=lambda _: None,
        )
        answer: dict[str, Any] | None = waiting(told)
        if answer is None:
            errors = [pulse.reason for pulse in pulses if pulse.reason is not None]
            raise self.cause(errors[0]) if errors else self._silent(seconds)
        return answer

    def lanes(self, seconds: float) -> int:
        """Micro-batches that the pool computes at once."""
        return len(self.replicas) * int(self.described(seconds)["lanes"])

    def _silent(self, seconds: float) -> PlaneUnavailableError:
        return PlaneUnavailableError(
            f"{self.name} did not answer in {seconds:g} s: it is loading its model or hangs. See `medkg "
            "status` and Ray's logs."
        )

    # --- what they do -------------------------------------------------------------------------------

    def dispatch(
        self,
        batches: Iterator[T],
        call: Callable[[Actor, T], ray.ObjectRef[Any]],
        timeout_seconds: float,
    ) -> Iterator[Answer[T]]:
        """Send micro-batches as lanes get free; answers in the order they come.

        `batches` is asked for the next one only when there is room, and again after each answer, so it may
        react to answers. The time-out counts from when a micro-batch is the first of ours in its lane. The
        work of a replica that dies or whose device is sick moves to the others. Raises
        PlaneUnavailableError when none is there, or back, within the time-out, and GpuUnavailableError when
        the devices of all are sick.
        """
        lanes = int(self.described(timeout_seconds)["lanes"])
        return Dispatch(self, lanes, batches, call, timeout_seconds).answers()

    # --- when they die ------------------------------------------------------------------------------

    def find_again(self, number: int) -> None:
        """Take the actor that has the replica's name now, if there is one.

        Not in the process that started the pool: the handles that `start` gave it keep its actors alive.
        """
        found = _named(_newest(self.name).get(number)) if self._kind is None else None
        if found is not None:
            self.replicas[number] = found

    def replace(self, number: int, dead: Actor | None) -> None:
        """Start a new actor in a dead one's place, unless it has one; only where the pool was started."""
        assert self._kind is not None
        with self._replacing:
            if self.replicas[number] is dead:
                self._generations[number] += 1
                name = _actor_name(self.name, number, self._generations[number])
                self.replicas[number] = self._kind.start(name, self._seats, number)

    def end(self) -> None:
        """End all replicas for good."""
        for replica in filter(None, self.replicas):
            ray.kill(replica)

    def cause(self, error: Exception) -> MedkgError:
        """What a call failed of: what the actor's code raised, or why there is no actor.

        Of a constructor's error Ray hands on only the traceback's text, whose last "Class: message" lines
        name the error.
        """
        if isinstance(error, RayTaskError):
            return _raised(error)
        lines = str(error).splitlines()
        for line in reversed(lines):
            label, _, message = line.strip().partition(": ")
            kind = error_class(label.rsplit(".", 1)[-1])
            if kind is not None and message:
                return kind(message)
        said = lines[-1] if lines else repr(error)
        return PlaneUnavailableError(f"{self.name}: a replica is not there: {said}")


def _raised(error: RayTaskError) -> MedkgError:
    cause = getattr(error, "cause", None)
    if isinstance(cause, MedkgError):
        return cause
    return StageFailedError(
        f"the plane raised {type(cause).__name__}: {cause}. Please report it with Ray's logs."
    )
