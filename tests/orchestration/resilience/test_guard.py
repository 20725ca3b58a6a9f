"""The guard around real HTTP exchanges: which calls are repeated, the waits between them, and the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest
import respx

from orchestration.errors import (
    CircuitOpenError,
    DagsterResourceUnavailableError,
    DagsterStageTimeoutError,
    PlaneUnavailableError,
    RateLimitedError,
    RequestRejectedError,
    ServiceError,
)
from orchestration.resilience.decisions import (
    BreakerMoved,
    Decision,
    GaveUp,
    RateLimitWaited,
    RetryScheduled,
    ServiceAwaited,
)
from orchestration.resilience.guard import Guard, Guards
from orchestration.resilience.policies import ResiliencePolicyConfig
from tests.orchestration.resilience.fake_sleep import FakeSleep

URL = "https://registry.example/studies"

pytestmark = pytest.mark.anyio


def policy(**fields: Any) -> ResiliencePolicyConfig:
    return ResiliencePolicyConfig.model_validate({"timeout_seconds": 5, **fields})


async def fetch() -> str:
    """A client like that of a source: answers become errors of medkg."""
    async with httpx.AsyncClient() as client:
        try:
            answer = await client.get(URL)
        except httpx.TransportError as error:
            raise ServiceError(f"{URL}: {error!r}") from error
    if answer.status_code == 429:
        raise RateLimitedError(URL, retry_after=float(answer.headers["Retry-After"]))
    if answer.status_code >= 500:
        raise ServiceError(f"{URL}: HTTP {answer.status_code}")
    if answer.status_code >= 400:
        raise RequestRejectedError(f"{URL}: HTTP {answer.status_code}")
    return answer.text


@pytest.fixture
def decisions() -> list[Decision]:
    return []


@pytest.fixture
def guard(sleep: FakeSleep, decisions: list[Decision]) -> Callable[..., Guard]:
    def make(unavailable_seconds: float = 120, **fields: Any) -> Guard:
        return Guard("ingest", policy(**fields), unavailable_seconds, [decisions.append], sleep)

    return make


@respx.mock
async def test_a_server_error_is_tried_again_and_the_result_comes(
    guard: Callable[..., Guard], decisions: list[Decision]
) -> None:
    route = respx.get(URL).mock(
        side_effect=[httpx.Response(503), httpx.ReadTimeout("slow"), httpx.Response(200, text="study")]
    )
    assert await guard().call(fetch) == "study"
    assert route.call_count == 3
    assert [
        (event.attempt, event.max_attempts) for event in decisions if isinstance(event, RetryScheduled)
    ] == [
        (1, 4),
        (2, 4),
    ]


@respx.mock
async def test_max_attempts_counts_the_first_call_and_the_last_error_is_raised(
    guard: Callable[..., Guard],
) -> None:
    route = respx.get(URL).mock(return_value=httpx.Response(502))
    with pytest.raises(ServiceError, match="HTTP 502"):
        await guard(max_attempts=3).call(fetch)
    assert route.call_count == 3


@respx.mock
@pytest.mark.parametrize("status", [400, 403, 404, 410, 422])
async def test_a_refusal_is_not_repeated(guard: Callable[..., Guard], sleep: FakeSleep, status: int) -> None:
    route = respx.get(URL).mock(return_value=httpx.Response(status))
    with pytest.raises(RequestRejectedError):
        await guard().call(fetch)
    assert route.call_count == 1
    assert not sleep.slept


@respx.mock
async def test_retry_after_is_obeyed_when_it_is_longer_than_the_backoff(
    guard: Callable[..., Guard], sleep: FakeSleep
) -> None:
    respx.get(URL).mock(
        side_effect=[
            httpx.Response(429, headers={"Retry-After": "17"}),
            httpx.Response(429, headers={"Retry-After": "0"}),
            httpx.Response(200),
        ]
    )
    await guard(backoff_strategy={"kind": "linear"}).call(fetch)
    assert sleep.slept == [17, 2]


@respx.mock
async def test_a_service_that_asks_for_a_longer_wait_than_unavailable_seconds_is_unavailable(
    guard: Callable[..., Guard], sleep: FakeSleep
) -> None:
    route = respx.get(URL).mock(return_value=httpx.Response(429, headers={"Retry-After": "3600"}))
    with pytest.raises(DagsterResourceUnavailableError, match="asks to wait 3600 s") as caught:
        await guard().call(fetch)
    assert caught.value.retry_after == 3600
    assert (route.call_count, sleep.slept) == (1, [])


@pytest.mark.parametrize(
    ("strategy", "waits"),
    [
        ({"kind": "none"}, [0, 0, 0, 0, 0]),
        ({"kind": "linear", "first_seconds": 1, "step_seconds": 2, "most_seconds": 6}, [1, 3, 5, 6, 6]),
        ({"kind": "exponential", "first_seconds": 1, "most_seconds": 6, "jitter": False}, [1, 2, 4, 6, 6]),
    ],
)
async def test_waits_follow_the_strategy(
    guard: Callable[..., Guard], sleep: FakeSleep, strategy: dict[str, Any], waits: list[float]
) -> None:
    with pytest.raises(ServiceError):
        await guard(max_attempts=6, backoff_strategy=strategy).call(failing(ServiceError("broken")))
    assert sleep.slept == waits


async def test_exponential_waits_have_jitter(guard: Callable[..., Guard], sleep: FakeSleep) -> None:
    for _ in range(5):
        with pytest.raises(ServiceError):
            await guard(max_attempts=2).call(failing(ServiceError("broken")))
    assert all(0.5 <= seconds <= 1 for seconds in sleep.slept)
    assert len(set(sleep.slept)) > 1


async def test_code_that_takes_too_long_is_cancelled(guard: Callable[..., Guard]) -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")

    with pytest.raises(DagsterStageTimeoutError, match="stopped after 1 s"):
        await guard(timeout_seconds=1, max_attempts=1).call(endless)
    assert ended == ["cancelled"]


async def test_a_timeout_error_of_the_code_itself_is_not_taken_for_ours(guard: Callable[..., Guard]) -> None:
    with pytest.raises(TimeoutError, match="of the socket"):
        await guard().call(failing(TimeoutError("of the socket")))


async def test_an_unavailable_service_is_waited_for_and_costs_no_attempt(
    guard: Callable[..., Guard], decisions: list[Decision]
) -> None:
    answers: list[Exception | str] = [*[PlaneUnavailableError("starting")] * 6, "done"]
    assert await guard(max_attempts=1).call(answering(answers)) == "done"
    assert sum(isinstance(event, ServiceAwaited) for event in decisions) == 6
    assert not any(isinstance(event, RetryScheduled) for event in decisions)


async def test_attempts_are_still_counted_when_a_service_becomes_unavailable_in_between(
    guard: Callable[..., Guard],
) -> None:
    unavailable, broken = PlaneUnavailableError("starting"), ServiceError("500")
    answers: list[Exception | str] = [broken, unavailable, unavailable, broken, unavailable, broken, "done"]
    with pytest.raises(ServiceError):
        await guard(max_attempts=3).call(answering(answers))
    assert answers == ["done"]


async def test_a_service_that_stays_unavailable_is_given_up_after_unavailable_seconds(
    guard: Callable[..., Guard], sleep: FakeSleep, decisions: list[Decision]
) -> None:
    with pytest.raises(PlaneUnavailableError) as caught:
        await guard(unavailable_seconds=60).call(failing(PlaneUnavailableError("gone")))
    assert 50 <= sum(sleep.slept) <= 60
    (given_up,) = [decision for decision in decisions if isinstance(decision, GaveUp)]
    assert given_up.waited_seconds == sum(sleep.slept)
    assert given_up.errors == (caught.value,)


async def test_with_zero_unavailable_seconds_an_unavailable_service_is_tried_once(
    guard: Callable[..., Guard], sleep: FakeSleep
) -> None:
    with pytest.raises(PlaneUnavailableError):
        await guard(unavailable_seconds=0).call(failing(PlaneUnavailableError("gone")))
    assert not sleep.slept


# --- breaker ---------------------------------------------------------------------------------------

BREAKER = {"circuit_breaker_config": {"failure_threshold": 3, "reset_seconds": 60}, "max_attempts": 1}


def pass_time(guard: Guard, seconds: float) -> None:
    """Move the breaker's opening into the past."""
    storage = guard._breakers[""]._storage
    assert storage.opened_at is not None
    storage.opened_at -= timedelta(seconds=seconds)


async def test_a_breaker_opens_after_its_threshold_and_spares_the_service(
    guard: Callable[..., Guard], decisions: list[Decision]
) -> None:
    breaker_guard = guard(unavailable_seconds=10, **BREAKER)
    for _ in range(3):
        with pytest.raises(ServiceError):
            await breaker_guard.call(failing(ServiceError("500")))
    answers: list[Exception | str] = ["done"]
    with pytest.raises(CircuitOpenError, match=r"left alone for \d+ s more") as caught:
        await breaker_guard.call(answering(answers))
    assert answers == ["done"], "the service was called in spite of the open breaker"
    assert caught.value.retry_after is not None and 0 < caught.value.retry_after <= 60
    assert [event.state for event in decisions if isinstance(event, BreakerMoved)] == ["open"]


async def test_an_open_breaker_is_waited_for_then_half_opens_and_closes_on_success(
    guard: Callable[..., Guard], decisions: list[Decision], sleep: FakeSleep
) -> None:
    breaker_guard = guard(**BREAKER)
    for _ in range(3):
        with pytest.raises(ServiceError):
            await breaker_guard.call(failing(ServiceError("500")))
    sleep.meanwhile = lambda seconds: pass_time(breaker_guard, seconds + 0.1)
    assert await breaker_guard.call(answering(["done"])) == "done"
    assert [event.state for event in decisions if isinstance(event, BreakerMoved)] == [
        "open",
        "half-open",
        "closed",
    ]
    assert sleep.slept[-1] == pytest.approx(60, abs=5)


async def test_a_failure_while_half_open_opens_the_breaker_again(
    guard: Callable[..., Guard], decisions: list[Decision]
) -> None:
    breaker_guard = guard(**BREAKER)
    for _ in range(3):
        with pytest.raises(ServiceError):
            await breaker_guard.call(failing(ServiceError("500")))
    pass_time(breaker_guard, 61)
    with pytest.raises(ServiceError):
        await breaker_guard.call(failing(ServiceError("still 500")))
    assert [event.state for event in decisions if isinstance(event, BreakerMoved)] == [
        "open",
        "half-open",
        "open",
    ]


@pytest.mark.parametrize("error", [RequestRejectedError("404"), PlaneUnavailableError("starting")])
async def test_refusals_and_unavailability_do_not_open_a_breaker(
    guard: Callable[..., Guard], decisions: list[Decision], error: Exception
) -> None:
    breaker_guard = guard(unavailable_seconds=0, **BREAKER)
    for _ in range(10):
        with pytest.raises(type(error)):
            await breaker_guard.call(failing(error))
    given_up = [GaveUp] * 10 if isinstance(error, PlaneUnavailableError) else []
    assert [type(decision) for decision in decisions] == given_up


async def test_a_breaker_of_one_host_leaves_another_alone(guard: Callable[..., Guard]) -> None:
    breaker_guard = guard(unavailable_seconds=0, **BREAKER)
    for _ in range(3):
        with pytest.raises(ServiceError):
            await breaker_guard.call(failing(ServiceError("500")), "a.example")
    with pytest.raises(CircuitOpenError):
        await breaker_guard.call(answering(["done"]), "a.example")
    assert await breaker_guard.call(answering(["done"]), "b.example") == "done"


# --- limiter ---------------------------------------------------------------------------------------


async def test_calls_beyond_the_rate_are_held_back_for_each_host(
    guard: Callable[..., Guard], decisions: list[Decision]
) -> None:
    limited = guard(rate_limit_config={"requests_per_second": 20})
    loop_time = anyio.current_time
    started = loop_time()
    for _ in range(4):
        await limited.call(answering(["done"]), "a.example")
    await limited.call(answering(["done"]), "b.example")
    assert loop_time() - started >= 3 / 20 * 0.95
    waited = [event for event in decisions if isinstance(event, RateLimitWaited)]
    assert {event.call.resource for event in waited} == {"a.example"}
    assert len(waited) == 3


async def test_every_attempt_passes_the_limiter(
    guard: Callable[..., Guard], decisions: list[Decision]
) -> None:
    limited = guard(rate_limit_config={"requests_per_second": 50}, max_attempts=3)
    with pytest.raises(ServiceError):
        await limited.call(failing(ServiceError("500")))
    assert sum(isinstance(event, RateLimitWaited) for event in decisions) == 2


# --- guards ----------------------------------------------------------------------------------------


async def test_a_stage_keeps_its_guard_until_its_policy_changes() -> None:
    current = policy()
    guards = Guards(lambda _: current, 120, observers=[])
    first = guards.guard("embed", "default")
    assert guards.guard("embed", "default") is first
    assert guards.guard("chunk", "default") is not first
    current = policy(max_attempts=7)
    assert guards.guard("embed", "default").policy.max_attempts == 7


def failing(error: Exception) -> Callable[[], Awaitable[None]]:
    async def fail() -> None:
        raise error

    return fail


def answering(answers: list[Exception | str]) -> Callable[[], Awaitable[str]]:
    """Takes the next answer from the list at each call: an error to raise, or a value."""

    async def answer() -> str:
        following = answers.pop(0)
        if isinstance(following, Exception):
            raise following
        return following

    return answer
