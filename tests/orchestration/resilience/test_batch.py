"""A stage over many documents: only failed ones are repeated, and no result is lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.contracts import Isolation, Outcome
from orchestration.errors import (
    DagsterStageTimeoutError,
    MalformedDocumentError,
    MedkgError,
    PlaneUnavailableError,
    ServiceError,
    StageContractError,
    StageFailedError,
)
from orchestration.records import AdapterRequest, Locator, StageContext
from orchestration.resilience.batch import BatchResult, run_batch
from orchestration.resilience.decisions import BreakerMoved, Decision, RateLimitWaited, RetryScheduled
from orchestration.resilience.guard import Guard
from orchestration.resilience.isolation import IsolatedExecution, StageHandle
from orchestration.resilience.policies import ResiliencePolicyConfig
from tests.orchestration.resilience.fake_sleep import FakeSleep

pytestmark = pytest.mark.anyio

Items = Sequence[tuple[StageContext, Any]]
Documents = Callable[..., Items]
TRANSIENT, PERMANENT = ServiceError("500"), MalformedDocumentError("bad")
UNAVAILABLE = PlaneUnavailableError("starting")


class Scripted:
    """A stage that answers each document from its script, one entry per call; the last one repeats."""

    def __init__(self, **script: list[Any]) -> None:
        self.script = script
        self.calls: list[list[str]] = []

    def execute_batch(self, items: Sequence[tuple[StageContext, Any]]) -> Sequence[Outcome[Any]]:
        self.calls.append([value for _, value in items])
        return [self._next(value) for _, value in items]

    def _next(self, value: str) -> Any:
        answers = self.script.get(value, [f"{value} done"])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def decisions() -> list[Decision]:
    return []


@pytest.fixture
def run(sleep: FakeSleep, decisions: list[Decision]) -> Callable[..., Any]:
    async def running(
        stage: Any, items: Items, isolation: Isolation = Isolation.PLANE, **fields: Any
    ) -> BatchResult:
        unavailable_seconds = fields.pop("unavailable_seconds", 120)
        policy = ResiliencePolicyConfig.model_validate({"max_attempts": 3, **fields})
        guard = Guard("toy", policy, unavailable_seconds, [decisions.append], sleep)
        with IsolatedExecution(workers=1) as execution:
            return await run_batch(StageHandle("toy", isolation, stage=stage), items, guard, execution)

    return running


async def test_only_failed_documents_are_repeated_and_each_counts_its_own_attempts(
    run: Callable[..., Any], documents: Documents
) -> None:
    stage = Scripted(b=[TRANSIENT, "b done"], c=[TRANSIENT], d=[PERMANENT])
    result = await run(stage, documents("a", "b", "c", "d"))
    assert stage.calls == [["a", "b", "c", "d"], ["b", "c"], ["c"]]
    assert result.outcomes == ("a done", "b done", TRANSIENT, PERMANENT)
    assert result.attempts == (1, 2, 3, 1)


async def test_results_are_kept_when_the_service_becomes_unavailable(
    run: Callable[..., Any], documents: Documents
) -> None:
    stage = Scripted(b=[TRANSIENT, UNAVAILABLE], c=[UNAVAILABLE])
    result = await run(stage, documents("a", "b", "c"))
    assert result.outcomes == ("a done", UNAVAILABLE, UNAVAILABLE)
    assert result.attempts == (1, 1, 0), "only a and b were ever tried"


async def test_a_service_that_becomes_available_again_costs_its_documents_no_attempt(
    run: Callable[..., Any], documents: Documents
) -> None:
    stage = Scripted(a=[*[UNAVAILABLE] * 4, "a done"], b=[TRANSIENT, "b done"])
    result = await run(stage, documents("a", "b"))
    assert result.outcomes == ("a done", "b done")
    assert result.attempts == (1, 2)


async def test_a_call_that_raises_gives_each_of_its_documents_the_error(
    run: Callable[..., Any], documents: Documents
) -> None:
    class Raising:
        def __init__(self) -> None:
            self.calls = 0

        def execute_batch(self, items: Sequence[Any]) -> Sequence[Any]:
            self.calls += 1
            if self.calls == 1:
                raise TRANSIENT
            return [value for _, value in items]

    result = await run(Raising(), documents("a", "b"))
    assert (result.outcomes, result.attempts) == (("a", "b"), (2, 2))


async def test_an_unknown_exception_is_a_failure_of_its_documents(
    run: Callable[..., Any], documents: Documents
) -> None:
    class Broken:
        def execute_batch(self, items: Sequence[Any]) -> Sequence[Any]:
            raise ZeroDivisionError("by zero")

    result = await run(Broken(), documents("a", "b"))
    assert all(isinstance(outcome, StageFailedError) for outcome in result.outcomes)
    assert "ZeroDivisionError: by zero" in str(result.outcomes[0])
    assert result.attempts == (1, 1)


async def test_a_stage_that_forgets_a_document_breaks_its_contract(
    run: Callable[..., Any], documents: Documents
) -> None:
    class Forgetful:
        def execute_batch(self, items: Sequence[Any]) -> Sequence[Any]:
            return [value for _, value in items][1:]

    result = await run(Forgetful(), documents("a", "b"))
    assert all(isinstance(outcome, StageContractError) for outcome in result.outcomes)
    assert "returned 1 outcomes for 2 documents" in str(result.outcomes[0])


async def test_no_documents_are_no_work(run: Callable[..., Any], documents: Documents) -> None:
    stage = Scripted()
    assert await run(stage, documents()) == BatchResult((), ())
    assert stage.calls == []


async def test_a_breaker_counts_an_attempt_that_failed_for_all_but_not_one_that_failed_for_some(
    run: Callable[..., Any], documents: Documents, decisions: list[Decision]
) -> None:
    breaker = {"circuit_breaker_config": {"failure_threshold": 2}, "unavailable_seconds": 0}
    some = Scripted(a=[TRANSIENT], b=["b", "b"])
    await run(some, documents("a", "b"), max_attempts=2, **breaker)
    assert not any(isinstance(event, BreakerMoved) for event in decisions)
    result = await run(Scripted(a=[TRANSIENT]), documents("a"), max_attempts=5, **breaker)
    assert [event.state for event in decisions if isinstance(event, BreakerMoved)] == ["open"]
    assert result.attempts == (2,), "no attempt is spent on an open breaker"
    assert result.outcomes[0].code == "MEDKG-403"


async def test_an_inline_stage_that_hangs_times_out_and_the_rest_of_the_run_goes_on(
    run: Callable[..., Any], documents: Documents
) -> None:
    release = threading.Event()

    class Hanging:
        def execute_batch(self, items: Sequence[Any]) -> Sequence[Any]:
            release.wait()
            return []

    result = await run(Hanging(), documents("a"), Isolation.INLINE, timeout_seconds=1, max_attempts=1)
    release.set()
    assert isinstance(result.outcomes[0], DagsterStageTimeoutError)


async def test_a_retry_is_observed_with_the_errors_that_caused_it(
    run: Callable[..., Any], documents: Documents, decisions: list[Decision]
) -> None:
    await run(Scripted(b=[TRANSIENT, "b done"]), documents("a", "b"))
    (retry,) = [event for event in decisions if isinstance(event, RetryScheduled)]
    assert (retry.call.guard, retry.attempt, retry.errors) == ("toy", 1, (TRANSIENT,))
    assert [ids.document for ids in retry.call.documents] == ["d1"]


async def test_retry_after_of_one_document_delays_the_next_attempt(
    run: Callable[..., Any], documents: Documents, sleep: FakeSleep
) -> None:
    await run(Scripted(b=[ServiceError("slow down", retry_after=42), "b done"]), documents("a", "b"))
    assert sleep.slept == [42]


async def test_where_a_rate_is_set_each_document_is_a_call_and_each_host_has_its_limit(
    run: Callable[..., Any], documents: Documents, decisions: list[Decision]
) -> None:
    hosts = ["a.example", "b.example", "a.example"]
    requests = [
        AdapterRequest(
            tenant_id="default",
            plugin="registry",
            doc_id="d",
            locator=Locator(uri=f"https://{host}/study", format="ctgov-v2"),
        )
        for host in hosts
    ]

    class Fetching:
        def execute_batch(self, items: Sequence[Any]) -> Sequence[Any]:
            assert len(items) == 1
            return [value.locator.uri for _, value in items]

    result = await run(Fetching(), documents(*requests), rate_limit_config={"requests_per_second": 20})
    assert result.outcomes == tuple(f"https://{host}/study" for host in hosts)
    waited = [event.call.resource for event in decisions if isinstance(event, RateLimitWaited)]
    assert waited == ["a.example"]


async def test_after_one_micro_batch_gave_up_the_others_do_not_wait(
    run: Callable[..., Any], documents: Documents, sleep: FakeSleep
) -> None:
    stage = Scripted(x=[UNAVAILABLE])
    result = await run(stage, documents(*["x"] * 1200), Isolation.INLINE, unavailable_seconds=30)
    assert set(map(type, result.outcomes)) == {PlaneUnavailableError}
    assert sum(sleep.slept) <= 30
    assert {len(call) for call in stage.calls} == {500}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@given(
    scripts=st.lists(
        st.lists(st.sampled_from([TRANSIENT, PERMANENT, UNAVAILABLE, "done"]), min_size=1, max_size=5),
        max_size=6,
    )
)
async def test_whatever_happens_every_document_has_one_outcome_and_no_success_is_repeated(
    scripts: list[list[Any]], anyio_backend: str
) -> None:
    done: Counter[int] = Counter()

    class Playing:
        def execute_batch(self, items: Sequence[tuple[StageContext, Any]]) -> Sequence[Any]:
            return [self.answer(number) for _, number in items]

        def answer(self, number: int) -> Any:
            answers = scripts[number]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            done[number] += not isinstance(answer, MedkgError)
            return answer

    async def no_sleep(_: float) -> None:
        await anyio.lowlevel.checkpoint()

    policy = ResiliencePolicyConfig.model_validate({"max_attempts": 3, "backoff_strategy": {"kind": "none"}})
    guard = Guard("toy", policy, 5, observers=[], sleep=no_sleep)
    context = StageContext(
        tenant_id="t", job_id="j", doc_id="d", correlation_id="c", pipeline_name="p", pipeline_version="v"
    )
    items = [(context, number) for number in range(len(scripts))]
    with IsolatedExecution(workers=1) as execution:
        handle = StageHandle("toy", Isolation.PLANE, stage=Playing())
        result = await run_batch(handle, items, guard, execution)
    assert len(result.outcomes) == len(result.attempts) == len(items)
    assert all(count == 1 for count in done.values() if count)
    assert all((outcome == "done") == (done[number] == 1) for number, outcome in enumerate(result.outcomes))
    assert all(0 <= attempts <= 3 for attempts in result.attempts)
