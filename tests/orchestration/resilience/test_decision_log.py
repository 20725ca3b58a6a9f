"""Each decision of a guard is one log line with the ids of its documents, and no line is written twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx

from orchestration.contracts import Isolation
from orchestration.errors import (
    MalformedDocumentError,
    PlaneUnavailableError,
    ServiceError,
    ServiceFailedError,
)
from orchestration.logging import configure_logging
from orchestration.records import StageContext
from orchestration.resilience.caller import GuardedCaller
from orchestration.resilience.decision_log import log_decision
from orchestration.resilience.decisions import Decision, RetryScheduled, guarded_call, ids_bound
from orchestration.resilience.guard import Guard, Guards
from orchestration.resilience.isolation import IsolatedExecution, StageHandle
from orchestration.resilience.policies import ResiliencePolicyConfig
from orchestration.web.client import PoliteWebClient
from tests.orchestration.resilience.fake_sleep import FakeSleep
from tests.orchestration.resilience.test_caller import Step

Documents = Callable[..., Sequence[tuple[StageContext, Any]]]
LogLines = Callable[[], list[dict[str, Any]]]

URL = "https://registry.example/studies"
IDS = {"stage": "parse", "tenant": "default", "job": "job"}


@pytest.fixture
def log_lines(capsys: pytest.CaptureFixture[str]) -> LogLines:
    """The lines that this process has logged since, at level info."""
    configure_logging("info")
    logged: list[dict[str, Any]] = []

    def lines() -> list[dict[str, Any]]:
        logged.extend(json.loads(line) for line in capsys.readouterr().err.splitlines())
        ours = {"timestamp", "process", "logger"}
        return [{name: value for name, value in line.items() if name not in ours} for line in logged]

    return lines


class Scripted:
    """Answers each call from its list: an error that every document gets, or None for success."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)

    def execute_batch(self, items: Sequence[tuple[StageContext, Any]]) -> Sequence[Any]:
        answer = self.answers.pop(0)
        return [value if answer is None else answer for _, value in items]


def call(stage: Any, items: Sequence[tuple[StageContext, Any]], calls: int = 1, **policy: Any) -> None:
    """Send the documents through a stage under a policy, as a window worker does."""
    unavailable_seconds = policy.pop("unavailable_seconds", 0)
    config = ResiliencePolicyConfig.model_validate({"backoff_strategy": {"kind": "none"}, **policy})
    guards = Guards(lambda _: config, unavailable_seconds, [log_decision])
    handle = StageHandle("parse", Isolation.INLINE, stage=stage)
    with GuardedCaller(lambda _: handle, guards, IsolatedExecution(workers=1)) as caller:
        for _ in range(calls):
            caller.call(Step("parse", "default"), items)


def test_a_stage_that_fails_twice_leaves_one_line_per_retry_and_none_of_another_logger(
    log_lines: LogLines, documents: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    call(Scripted(ServiceError("500"), ServiceError("500"), None), documents("a"))
    retry = {
        "event": "stage_retry",
        "level": "warning",
        "guard": "auto/parse",
        **IDS,
        "document": "d0",
        "correlation": "correlation",
        "max_attempts": 4,
        "wait": 0.0,
        "code": "MEDKG-400",
    }
    assert log_lines() == [{**retry, "attempt": 1}, {**retry, "attempt": 2}]
    assert [record for record in caplog.records if record.name != "asyncio"] == []


def test_a_line_names_the_documents_that_are_repeated_and_no_others(
    log_lines: LogLines, documents: Documents
) -> None:
    class SomeFail:
        """Fails for all but d0 once, for two different reasons."""

        def __init__(self) -> None:
            self.called = False

        def execute_batch(self, items: Sequence[tuple[StageContext, Any]]) -> Sequence[Any]:
            first, self.called = not self.called, True
            errors = {
                "b": ServiceError("500"),
                "c": ServiceError("500"),
                "d": MalformedDocumentError("wrong"),
            }
            return [errors.get(value, value) if first else value for _, value in items]

    call(SomeFail(), documents("a", "b", "c", "d"))
    (line,) = log_lines()
    assert (line["documents"], line["documents_total"]) == (["d1", "d2"], 2)
    assert line["correlations"] == ["correlation", "correlation"]
    assert "document" not in line


def test_a_line_about_many_documents_names_some_and_counts_all(
    log_lines: LogLines, documents: Documents
) -> None:
    call(Scripted(ServiceError("500"), None), documents(*"a" * 300))
    (line,) = log_lines()
    assert (len(line["documents"]), line["documents_total"]) == (20, 300)


def test_the_end_of_all_attempts_is_one_line(log_lines: LogLines, documents: Documents) -> None:
    call(Scripted(*[ServiceError("500")] * 2), documents("a"), max_attempts=2)
    retry, gave_up = log_lines()
    assert (retry["event"], gave_up["event"]) == ("stage_retry", "gave_up")
    assert (gave_up["attempt"], gave_up["code"], gave_up["document"]) == (2, "MEDKG-400", "d0")


def test_a_breaker_that_opens_half_opens_and_closes_leaves_a_line_each(
    log_lines: LogLines, documents: Documents
) -> None:
    config = ResiliencePolicyConfig.model_validate(
        {"max_attempts": 1, "circuit_breaker_config": {"failure_threshold": 2, "reset_seconds": 60}}
    )
    guards = Guards(lambda _: config, 0, [log_decision])
    handle = StageHandle(
        "parse", Isolation.INLINE, stage=Scripted(ServiceError("500"), ServiceError("500"), None)
    )
    with GuardedCaller(lambda _: handle, guards, IsolatedExecution(workers=1)) as caller:
        for _ in range(2):
            caller.call(Step("parse", "default"), documents("a"))
        storage = guards.guard("auto/parse", "default")._breakers[""]._storage
        assert storage.opened_at is not None
        storage.opened_at -= timedelta(seconds=61)
        caller.call(Step("parse", "default"), documents("a"))
    lines = [line for line in log_lines() if line["event"].startswith("breaker")]
    opened, half_open, closed = lines
    assert opened == {
        "event": "breaker_opened",
        "level": "warning",
        "guard": "auto/parse",
        **IDS,
        "document": "d0",
        "correlation": "correlation",
        "wait": 60.0,
        "code": "MEDKG-400",
    }
    assert (half_open["event"], closed["event"]) == ("breaker_half_open", "breaker_closed")
    assert half_open["job"] == closed["job"] == "job"


def test_an_open_breaker_is_given_up_in_one_line_for_all_documents(
    log_lines: LogLines, documents: Documents
) -> None:
    breaker = {"failure_threshold": 1, "reset_seconds": 60}
    call(
        Scripted(ServiceError("500")),
        documents(*"a" * 40),
        calls=2,
        max_attempts=1,
        circuit_breaker_config=breaker,
    )
    assert [(line["event"], line["code"]) for line in log_lines()] == [
        ("breaker_opened", "MEDKG-400"),
        ("gave_up", "MEDKG-400"),
        ("gave_up", "MEDKG-403"),
    ]
    assert log_lines()[-1]["documents_total"] == 40


def test_an_unavailable_service_leaves_a_line_per_wait(log_lines: LogLines, documents: Documents) -> None:
    away = PlaneUnavailableError("the plane is starting")
    call(Scripted(away, None), documents("a", "b"), unavailable_seconds=30)
    (line,) = log_lines()
    assert (line["event"], line["wait"], line["code"]) == ("service_unavailable_wait", 0.5, "MEDKG-405")
    assert line["documents"] == ["d0", "d1"]


def test_a_wait_for_a_rate_limit_is_a_line_at_level_info(log_lines: LogLines, documents: Documents) -> None:
    call(Scripted(None, None), documents("a", "b"), rate_limit_config={"requests_per_second": 50})
    (line,) = log_lines()
    assert (line["event"], line["level"], line["stage"]) == ("rate_limit_wait", "info", "parse")
    assert 0 < line["wait"] <= 1


def web_client(sleep: FakeSleep, observers: Sequence[Callable[[Decision], None]]) -> PoliteWebClient:
    policy = ResiliencePolicyConfig.model_validate({"max_attempts": 3, "backoff_strategy": {"kind": "none"}})
    guard = Guard("web", policy, 60, observers, sleep)
    return PoliteWebClient(lambda _: guard, "medkg/test")


@respx.mock
def test_a_request_that_obeys_retry_after_is_logged_with_the_ids_of_the_stage_that_makes_it(
    log_lines: LogLines, documents: Documents, sleep: FakeSleep
) -> None:
    respx.get(URL).mock(
        side_effect=[httpx.Response(429, headers={"Retry-After": "17"}), httpx.Response(200, text="study")]
    )
    with web_client(sleep, [log_decision]) as web:

        class Fetching:
            def execute_batch(self, items: Sequence[Any]) -> Sequence[Any]:
                return [web.get(URL).content for _ in items]

        call(Fetching(), documents("a"))
    (line,) = log_lines()
    assert line == {
        "event": "stage_retry",
        "level": "warning",
        "guard": "web",
        "resource": "registry.example",
        **IDS,
        "document": "d0",
        "correlation": "correlation",
        "attempt": 1,
        "max_attempts": 3,
        "wait": 17.0,
        "code": "MEDKG-401",
    }


@respx.mock
def test_what_a_service_answers_is_in_no_line(log_lines: LogLines, sleep: FakeSleep) -> None:
    respx.get(URL).respond(500, text="patient Jane Roe")
    with web_client(sleep, [log_decision]) as web, pytest.raises(ServiceFailedError, match="Jane Roe"):
        web.get(URL, {"api_key": "s3cret"})
    assert [line["event"] for line in log_lines()] == ["stage_retry", "stage_retry", "gave_up"]
    assert "Jane" not in str(log_lines()) and "s3cret" not in str(log_lines())


@respx.mock
def test_every_observer_gets_every_decision_once(sleep: FakeSleep) -> None:
    respx.get(URL).respond(500)
    first: list[Decision] = []
    second: list[Decision] = []
    with (
        web_client(sleep, [first.append, second.append]) as web,
        pytest.raises(ServiceFailedError),
    ):
        web.get(URL)
    assert [type(decision).__name__ for decision in first] == ["RetryScheduled", "RetryScheduled", "GaveUp"]
    assert first == second


def test_ids_that_differ_between_documents_are_not_bound(log_lines: LogLines, documents: Documents) -> None:
    contexts = [ctx for ctx, _ in documents("a", "b")]
    with ids_bound("parse", contexts):
        log_decision(_a_retry())
    (line,) = log_lines()
    assert (line["job"], line.get("document")) == ("job", None)


def _a_retry() -> Decision:
    return RetryScheduled(guarded_call("web", "registry.example"), 1, 2, 0.0, (ServiceError("500"),))
