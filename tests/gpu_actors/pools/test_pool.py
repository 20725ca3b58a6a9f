"""Dispatch over real actors that die, hang, run out of memory or get more work than they have lanes."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu_actors.batches.token_budget import LEAST_BUDGET, TokenBudget
from gpu_actors.plane import RayPlane
from gpu_actors.pools.dispatch import IN_FLIGHT, Answer
from gpu_actors.pools.pool import QUERY_LANE, RESTARTS, Pool, ReplicaKind, attach_pool, start_pool
from gpu_actors.pools.rows import dense_rows
from gpu_actors.pools.supervisor import Supervisor
from orchestration.errors import (
    DagsterStageTimeoutError,
    EmbeddingInputTooLongError,
    EmptyDocumentError,
    GpuUnavailableError,
    PlaneUnavailableError,
    StageFailedError,
)
from tests.exhaustive import fewer
from tests.waiting import PATIENCE, wait_for_file, wait_until

pytestmark = pytest.mark.plane

TIMEOUT = PATIENCE


class ToyReplica:
    """Does what a batch names; leaves a file in a folder for each start and each batch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / f"made-{time.monotonic_ns()}").touch()

    def health(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "lanes": 1, "width": 2}

    def work(self, batch: str) -> str:
        first_time = not (self._folder / batch).exists()
        (self._folder / batch).touch()
        sick = self._folder / "sick-devices"
        if sick.exists() and str(os.getpid()) in sick.read_text().split():
            raise GpuUnavailableError("GPU 0: Xid 79.")
        if batch.startswith("crash") or (batch.startswith("stumble") and first_time):
            os.kill(os.getpid(), signal.SIGKILL)
        if batch.startswith("hang"):
            time.sleep(600)
        if batch.startswith("bad"):
            raise KeyError(batch)
        return batch.upper()


class FragileReplica:
    """Cannot start while the file is there."""

    def __init__(self, file: Path) -> None:
        if file.exists():
            raise StageFailedError("the model's file is torn.")

    def health(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "lanes": 1, "width": 2}

    def work(self, batch: str) -> str:
        return batch.upper()


class SmallReplica:
    """An embedder whose memory takes `most` tokens a call; remembers the largest that went through."""

    def __init__(self, most: int) -> None:
        self._most = most

    def health(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "lanes": 1, "width": 2}

    def encode(
        self, token_ids: np.ndarray, lengths: tuple[int, ...], _: float, traceparent: str = ""
    ) -> tuple[np.ndarray, tuple[float, float]]:
        if len(token_ids) > self._most:
            raise MemoryError(f"no room for {len(token_ids)} tokens")
        starts = np.cumsum([0, *lengths[:-1]])
        return np.stack([token_ids[starts], np.array(lengths)], axis=1).astype(np.float32), (0.5, 0.5)


class BrokenReplica:
    """Cannot start."""

    def __init__(self, _: object) -> None:
        raise GpuUnavailableError("GPU 0 is throttled.")

    def health(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def toys(plane: RayPlane, tmp_path: Path) -> Iterator[Pool[str]]:
    pool = start_pool(f"toys-{tmp_path.name}", ReplicaKind(ToyReplica, tmp_path, 1), 1)
    yield pool
    pool.end()


def answers_of(pool: Pool[str], batches: list[str], timeout: float = TIMEOUT) -> dict[str, Answer[str]]:
    answers = pool.dispatch(iter(batches), lambda actor, batch: actor.work.remote(batch), timeout)
    return {answer.batch: answer for answer in answers}


def test_every_micro_batch_has_one_answer(toys: Pool[str]) -> None:
    batches = [f"b{number}" for number in range(20)]

    answers = answers_of(toys, batches)

    assert {batch: answer.result for batch, answer in answers.items()} == {b: b.upper() for b in batches}


def test_an_unknown_error_of_the_actor_is_that_batchs_alone(toys: Pool[str]) -> None:
    answers = answers_of(toys, ["a", "bad", "c"])

    assert isinstance(answers["bad"].error, StageFailedError)
    assert answers["a"].result == "A" and answers["c"].result == "C"


def test_a_replica_killed_in_a_call_loses_nothing(toys: Pool[str], tmp_path: Path) -> None:
    batches = ["a", "stumble", "b", "c"]

    answers = answers_of(toys, batches)

    assert {batch: answer.result for batch, answer in answers.items()} == {b: b.upper() for b in batches}
    assert len(list(tmp_path.glob("made-*"))) == 2


def test_a_batch_that_kills_its_replica_twice_is_unavailable_and_the_pool_lives_on(toys: Pool[str]) -> None:
    answers = answers_of(toys, ["crash"])

    assert isinstance(answers["crash"].error, PlaneUnavailableError)
    assert answers_of(toys, ["after"])["after"].result == "AFTER"


def test_a_hanging_replica_is_replaced_and_only_its_batch_times_out(toys: Pool[str], tmp_path: Path) -> None:
    answers = answers_of(toys, ["a", "hang", "b", "c"], timeout=45.0)  # also for the new replica's start

    assert isinstance(answers["hang"].error, DagsterStageTimeoutError)
    assert [answers[batch].result for batch in "abc"] == ["A", "B", "C"]
    assert len(list(tmp_path.glob("made-*"))) == 2


def test_no_more_than_two_micro_batches_per_lane_are_in_flight(toys: Pool[str]) -> None:
    taken: list[str] = []
    in_flight: list[int] = []

    def batches() -> Iterator[str]:
        for number in range(12):
            taken.append(f"b{number}")
            yield taken[-1]

    answered = 0
    for _ in toys.dispatch(batches(), lambda actor, batch: actor.work.remote(batch), TIMEOUT):
        in_flight.append(len(taken) - answered)
        answered += 1

    assert max(in_flight) <= IN_FLIGHT and answered == 12


def test_the_work_of_a_device_with_a_fault_moves_to_others_until_the_fault_ends(
    plane: RayPlane, tmp_path: Path
) -> None:
    pool = start_pool("sick", ReplicaKind(ToyReplica, tmp_path, 1), 2)
    pids = [str(each["pid"]) for each in pool.health(TIMEOUT)]
    sick = tmp_path / "sick-devices"
    batches = [f"batch-{number}" for number in range(12)]

    def done() -> list[str]:
        answers = list(pool.dispatch(iter(batches), lambda actor, b: actor.work.remote(b), TIMEOUT))
        assert not [answer.error for answer in answers if answer.error]
        return sorted(str(answer.result) for answer in answers)

    expected = sorted(batch.upper() for batch in batches)
    sick.write_text(pids[0])
    assert done() == expected
    sick.write_text(" ".join(pids))
    with pytest.raises(GpuUnavailableError, match="Xid 79"):
        done()
    sick.unlink()
    assert done() == expected
    pool.end()


def test_the_work_of_a_dead_replica_moves_to_the_other_one(plane: RayPlane, tmp_path: Path) -> None:
    pool = start_pool("moving", ReplicaKind(ToyReplica, tmp_path, 1), 2)
    batches = [f"stumble-{number}" for number in range(2)] + [f"b{number}" for number in range(10)]

    answers = answers_of(pool, batches)

    assert {batch: answer.result for batch, answer in answers.items()} == {b: b.upper() for b in batches}
    pool.end()


def test_a_replica_that_ray_gave_up_is_replaced_and_other_clients_find_the_new_one(
    toys: Pool[str],
) -> None:
    attached: Pool[str] = attach_pool(toys.name)
    supervisor = Supervisor([toys], first_pause=0.0)
    for number in range(RESTARTS + 1):
        assert answers_of(toys, [f"stumble-{number}"])[f"stumble-{number}"].result == f"STUMBLE-{number}"

    assert answers_of(attached, ["after"])["after"].result == "AFTER"
    assert attached.health(TIMEOUT)[0]["pid"] == toys.health(TIMEOUT)[0]["pid"]
    supervisor.close()


def test_the_error_that_keeps_a_replica_from_restarting_is_reported_and_it_returns_when_that_is_fixed(
    plane: RayPlane, tmp_path: Path
) -> None:
    torn = tmp_path / "torn"
    pool = start_pool("fragile", ReplicaKind(FragileReplica, torn, 1), 1)
    pool.wait_until_ready(TIMEOUT)
    supervisor = Supervisor([pool], first_pause=0.0)
    torn.touch()
    os.kill(pool.health(TIMEOUT)[0]["pid"], signal.SIGKILL)

    wait_until(lambda: "torn" in pool.health(5.0)[0].get("fault", ""))
    with pytest.raises(StageFailedError, match="torn"):
        answers_of(pool, ["a"], timeout=3.0)
    assert "fault" in pool.health(TIMEOUT)[0]
    torn.unlink()

    assert answers_of(pool, ["a", "b"])["b"].result == "B"
    supervisor.close()
    pool.end()


def test_another_client_attaches_by_name_to_the_actor_that_is_there(toys: Pool[str], tmp_path: Path) -> None:
    attached: Pool[str] = attach_pool(toys.name)

    assert attached.health(TIMEOUT)[0]["pid"] == toys.health(TIMEOUT)[0]["pid"]
    assert len(list(tmp_path.glob("made-*"))) == 1


def test_a_pool_that_was_not_started_cannot_be_attached_to(plane: RayPlane) -> None:
    with pytest.raises(PlaneUnavailableError, match="medkg up"):
        attach_pool("nowhere")


def test_the_error_that_keeps_an_actor_from_starting_is_raised_as_itself(plane: RayPlane) -> None:
    pool = start_pool("broken", ReplicaKind(BrokenReplica, None, 1), 1)

    with pytest.raises(GpuUnavailableError, match="throttled"):
        pool.wait_until_ready(TIMEOUT)


def rows_of(*lengths: int) -> list[np.ndarray]:
    """Row i holds the number i, `length` times."""
    return [np.full(length, number, dtype=np.int32) for number, length in enumerate(lengths)]


def test_out_of_memory_halves_the_budget_and_every_row_still_arrives(plane: RayPlane) -> None:
    pool = start_pool("small-1", ReplicaKind(SmallReplica, 700, 1), 1)
    budget = TokenBudget(4096)
    lengths = [100] * 200

    vectors, outcome = dense_rows(pool, rows_of(*lengths), budget, TIMEOUT)

    assert not outcome.errors
    assert vectors.tolist() == [[number, 100] for number in range(200)]
    assert LEAST_BUDGET <= budget.tokens < 4096
    assert outcome.tokens == 20_000 and outcome.cpu_seconds > 0
    pool.end()


def test_a_row_that_cannot_fit_fails_alone(plane: RayPlane) -> None:
    pool = start_pool("small-2", ReplicaKind(SmallReplica, 300, 1), 1)

    vectors, outcome = dense_rows(pool, rows_of(50, 400, 60), TokenBudget(4096), TIMEOUT)

    assert list(outcome.errors) == [1]
    assert isinstance(outcome.errors[1], EmbeddingInputTooLongError)
    assert vectors.tolist() == [[0, 50], [0, 0], [2, 60]]
    pool.end()


class BusyReplica(SmallReplica):
    """Takes as long as a file is there for whatever is larger than a query."""

    def __init__(self, folder: Path) -> None:
        super().__init__(700)
        self._folder = folder

    def encode(
        self, token_ids: np.ndarray, lengths: tuple[int, ...], sent_at: float, traceparent: str = ""
    ) -> tuple[np.ndarray, tuple[float, float]]:
        if len(token_ids) > 10:
            (self._folder / "working").touch()
            while (self._folder / "busy").exists():
                time.sleep(0.02)
        return super().encode(token_ids, lengths, sent_at)


def test_a_query_does_not_wait_behind_micro_batches(plane: RayPlane, tmp_path: Path) -> None:
    (tmp_path / "busy").touch()
    pool = start_pool("busy", ReplicaKind(BusyReplica, tmp_path, 1), 1)

    with ThreadPoolExecutor(1) as thread:
        pending = thread.submit(dense_rows, pool, rows_of(*[300] * 6), TokenBudget(512), TIMEOUT)
        wait_for_file(tmp_path / "working")
        query, _ = dense_rows(pool, rows_of(5), TokenBudget(512), TIMEOUT, QUERY_LANE)
        assert not pending.done()
        (tmp_path / "busy").unlink()
        vectors, outcome = pending.result()

    assert query.tolist() == [[0, 5]] and not outcome.errors and len(vectors) == 6
    pool.end()


class FickleReplica(SmallReplica):
    """A small replica that dies under some micro-batches, once each, and fails some for good."""

    def __init__(self, folder: Path) -> None:
        super().__init__(700)
        self._folder = folder

    def encode(
        self, token_ids: np.ndarray, lengths: tuple[int, ...], sent_at: float, traceparent: str = ""
    ) -> tuple[np.ndarray, tuple[float, float]]:
        first, marked = int(token_ids[0]), self._folder / f"{token_ids[0]}-{len(lengths)}"
        if first % 7 == 3 and not marked.exists():
            marked.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if first % 11 == 5:
            raise EmptyDocumentError(f"row {first} is bad.")
        return super().encode(token_ids, lengths, sent_at)


@given(st.lists(st.integers(1, 900), min_size=1, max_size=60), st.integers(512, 4096))
@settings(
    max_examples=fewer(4, exhaustive=100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_dies_or_fails_each_row_has_its_own_vector_or_an_error(
    plane: RayPlane, tmp_path: Path, lengths: list[int], tokens: int
) -> None:
    folder = tmp_path / secrets.token_hex(4)
    folder.mkdir()
    pool = start_pool(f"fickle-{folder.name}", ReplicaKind(FickleReplica, folder, 1), 2)
    supervisor = Supervisor([pool], first_pause=0.0)

    vectors, outcome = dense_rows(pool, rows_of(*lengths), TokenBudget(tokens), TIMEOUT)

    for row, length in enumerate(lengths):
        assert vectors[row].tolist() == ([0, 0] if row in outcome.errors else [row, length])
    fitting = [row for row, error in outcome.errors.items() if isinstance(error, EmbeddingInputTooLongError)]
    assert all(lengths[row] > 700 for row in fitting)
    assert {row for row, length in enumerate(lengths) if length > 700} <= set(outcome.errors)
    supervisor.close()
    pool.end()


def test_no_rows_are_no_work(plane: RayPlane) -> None:
    pool = start_pool("small-3", ReplicaKind(SmallReplica, 300, 1), 1)

    assert dense_rows(pool, [], TokenBudget(4096), TIMEOUT)[0].shape == (0, 2)
    pool.end()
